"""Block symbols that a terminal draws itself: a font's own have gaps between them, or are missing.

Of the versions only those of WezTerm and Alacritty were confirmed in release notes; the others are conservative
estimates. `--images symbols:sextants` overrides them, and `doctor` prints a line of each kind to compare.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from eternal_tui.core.sanitize import SafeText, join_safe
from eternal_tui.tui.graphics.probe import TerminalInfo
from eternal_tui.tui.graphics.symbols import SYMBOL_NAMES, SymbolName


class _Support(NamedTuple):
    """A terminal, by how it names itself with its version, and the versions from which it draws the symbols."""

    pattern: str
    sextants: tuple[int, ...]
    octants: tuple[int, ...] = (1 << 30,)


_TERMINALS = (
    _Support(r"(?i)kitty\((\d+)\.(\d+)", (0, 19), (0, 40)),
    _Support(r"(?i)foot\((\d+)\.(\d+)", (1, 9), (1, 20)),
    _Support(r"(?i)ghostty (\d+)\.(\d+)", (1, 0), (1, 2)),
    _Support(r"(?i)wezterm (\d{8})", (20210203,), (20250301,)),
    _Support(r"(?i)konsole (\d+)\.(\d+)", (22, 4)),
    _Support(r"VTE\((\d+)\)", (6200,)),
    _Support(r"(?i)contour (\d+)\.(\d+)", (0, 2)),
    _Support(r"(?i)iterm2 (\d+)\.(\d+)", (3, 5)),
)
_TERM_PROGRAMS = {"WezTerm": "WezTerm", "iTerm.app": "iTerm2", "ghostty": "ghostty"}
"""By `TERM_PROGRAM`, the name the same terminal gives itself when it is asked."""

_SEXTANT_TERMS = ("xterm-kitty", "foot", "xterm-ghostty", "wezterm", "alacritty", "contour", "rio", "xterm-rio")
"""Beginnings of terminfo names of terminals that have drawn sextants for years."""


def supported_symbols(terminal: TerminalInfo, environ: Mapping[str, str]) -> SymbolName:
    """Return the finest symbols that the terminal is known to draw itself.

    Inside tmux only what tmux says of the terminal outside counts: the variables are those of where tmux was started.
    """
    names = [terminal.name]
    if not terminal.tmux:
        program = _TERM_PROGRAMS.get(environ.get("TERM_PROGRAM", ""))
        names += [f"{program} {environ.get('TERM_PROGRAM_VERSION', '')}"] if program else []
        names += [f"VTE({environ.get('VTE_VERSION', '')})", environ.get("TERM", "")]
    found = [_symbols_of(name) for name in names]
    return max(found, key=SYMBOL_NAMES.index)


def _symbols_of(name: str) -> SymbolName:
    for terminal in _TERMINALS:
        if (match := re.match(terminal.pattern, name)) is not None:
            version = tuple(int(part) for part in match.groups())
            return (
                "octants"
                if version >= terminal.octants
                else "sextants"
                if version >= terminal.sextants
                else "quadrants"
            )
    return "sextants" if name.startswith(_SEXTANT_TERMS) else "quadrants"


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
