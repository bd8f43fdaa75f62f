"""Block symbols that a terminal draws itself: a font's own have gaps between them, or are missing.

The versions are those of the terminals' changelogs, or of the first release with the commit that draws the symbols.
`--images symbols:sextants` overrides them, and `doctor` prints a line of each kind to compare.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from eternal_tui.core.sanitize import SafeText, join_safe
from eternal_tui.tui.graphics.probe import TerminalInfo
from eternal_tui.tui.graphics.symbols import SymbolName

NEVER = (1 << 30,)


class _Support(NamedTuple):
    """A terminal, by how it names itself with its version, and the versions from which it draws the symbols."""

    pattern: str
    sextants: tuple[int, ...]
    octants: tuple[int, ...] = NEVER


_TERMINALS = (
    _Support(r"(?i)kitty\((\d+)\.(\d+)", (0, 19), (0, 40)),  # docs/changelog.rst
    _Support(r"(?i)foot\((1)\.(20)\.(0)\)", NEVER),  # crashed on sextants, CHANGELOG.md of 1.20.1
    _Support(r"(?i)foot\((\d+)\.(\d+)", (1, 7), (1, 20)),  # CHANGELOG.md
    _Support(r"(?i)ghostty (\d+)\.(\d+)\.(\d+)", (1, 0), (1, 1, 1)),  # src/font/sprite of its tags
    _Support(r"(?i)wezterm (\d{8})", (20210814,), (20250209,)),  # docs/changelog.md; octants: no release yet, nightlies
    _Support(r"(?i)konsole (\d+)\.(\d+)", (22, 4)),  # LineBlockCharacters.cpp of its tags
    _Support(r"VTE\((\d+)\)", (6000,), (7800,)),  # drawn in 0.59.92, src/minifont.cc of 0.77.90
    _Support(r"(?i)contour (\d+)\.(\d+)", (0, 3)),  # drawn in 0.2.1 of its tags
    _Support(r"(?i)iterm2 (\d+)\.(\d+)\.(\d+)", (3, 6, 7)),  # sources/charmaps.h of its tags
    _Support(r"(?i)rio (\d+)\.(\d+)\.(\d+)", (0, 2, 21), (0, 2, 21)),  # its tags
)
_TERM_PROGRAMS = {"WezTerm": "WezTerm", "iTerm.app": "iTerm2", "ghostty": "ghostty", "rio": "rio"}
"""By `TERM_PROGRAM`, the name the same terminal gives itself when it is asked."""

_SEXTANT_TERMS = ("xterm-kitty", "foot", "xterm-ghostty", "wezterm", "alacritty", "contour")
"""Beginnings of terminfo names of terminals that draw sextants: alacritty since 0.13.2, the others for longer.

xterm, Windows Terminal, mintty and VS Code's xterm.js 6 leave them to the font.
"""


def supported_symbols(terminal: TerminalInfo, environ: Mapping[str, str]) -> SymbolName:
    """Return the finest symbols that the terminal is known to draw itself.

    Inside tmux only what tmux says of the terminal outside counts: the variables are those of where tmux was started.
    """
    names = [terminal.name]
    if not terminal.tmux:
        program = _TERM_PROGRAMS.get(environ.get("TERM_PROGRAM", ""))
        names += [f"{program} {environ.get('TERM_PROGRAM_VERSION', '')}"] if program else []
        names += [f"VTE({environ.get('VTE_VERSION', '')})"]
    known = (found for name in names if (found := _symbols_of(name)) is not None)
    terminfo = terminal.name if terminal.tmux else environ.get("TERM", "")
    return next(known, "sextants" if terminfo.startswith(_SEXTANT_TERMS) else "quadrants")


def _symbols_of(name: str) -> SymbolName | None:
    """Return what the terminal of this name and version draws, None where it is not in the table."""
    for terminal in _TERMINALS:
        if (match := re.match(terminal.pattern, name)) is not None:
            version = tuple(int(part) for part in match.groups())
            if version >= terminal.octants:
                return "octants"
            return "sextants" if version >= terminal.sextants else "quadrants"
    return None


SYMBOL_TEST_CARD = (
    join_safe("  ", SafeText("quadrants    "), SafeText("▗▄▟▟▄▗")),
    join_safe("  ", SafeText("sextants     "), SafeText("🬞🬭🬵🬹🬻🬻🬹🬵🬭🬞")),
    join_safe(
        "  ",
        SafeText("octants      "),
        SafeText("\U0001cea0▂\U0001cdcb▄\U0001cde1▆\U0001cde5\U0001cde5▆\U0001cde1▄\U0001cdcb▂\U0001cea0"),
    ),
)
"""A line for each set of symbols: where it is drawn right, a staircase without gaps or boxes."""
