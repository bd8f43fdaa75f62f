"""Choice of the graphics backend, with its reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from eternal_tui.config.settings import GraphicsMode
from eternal_tui.core.sanitize import SafeText, join_safe
from eternal_tui.tui.graphics.base import GraphicsBackend, NullGraphics
from eternal_tui.tui.graphics.half_blocks import HalfBlocks
from eternal_tui.tui.graphics.probe import TerminalInfo, is_remote
from eternal_tui.tui.graphics.symbols import SYMBOL_NAMES, SymbolName, Symbols
from eternal_tui.tui.terminal.filters import draws_utf8

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
"""Block symbols that a terminal draws itself: a font's own have gaps between them, or are missing.

The versions are those of the terminals' changelogs, or of the first release with the commit that draws the symbols.
`--images symbols:sextants` overrides them, and `doctor` prints a line of each kind to compare.
"""

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


DEFAULT_CELL_SIZE = (10, 20)
"""Pixels of a cell where the terminal does not report them: the terminal scales, so only sharpness suffers."""

_REMOTE_BITS = 5
_PLACEHOLDER_TERMINALS_PATTERN = r"(?i)(kitty|ghostty)\b"
"""Terminals that draw Unicode placeholders. WezTerm, Konsole and others answer the same query but do not."""

_KITTY_VERSION_PATTERN = r"(?i)kitty\((\d+)\.(\d+)"
_MIN_KITTY_VERSION = (0, 28)
"""kitty learned placeholders in 0.28 (its changelog). 0.26.5 agrees to draw and then refuses them as malformed."""


_INLINE_PATTERN = r"(?i:iterm|wezterm|mintty)"
_INLINE_WITH_SIXEL_PATTERN = r"(?i:konsole|xterm\.js|vscode)"
"""Beginnings of XTVERSION or TERM_PROGRAM of terminals that draw iTerm2's inline images, always or with sixels."""


class BackendChoice(NamedTuple):
    """The graphics to use, and the reason for the user."""

    graphics: GraphicsBackend
    reason: str


def select_backend(mode: GraphicsMode, terminal: TerminalInfo, environ: Mapping[str, str]) -> BackendChoice:
    """Choose by the setting first, then by the terminal's replies."""
    choices = _Choices(terminal, environ)
    not_judged = "as asked; whether this terminal can draw them was not judged"
    match mode.partition(":")[0]:
        case "off":
            return BackendChoice(NullGraphics(), "Pictures are off, as asked: words instead.")
        case "kitty":
            return choices.kitty(f", {not_judged}")
        case "sixel":
            return choices.sixel(not_judged)
        case "iterm2":
            return choices.inline(not_judged)
        case "symbols":
            asked = next((name for name in SYMBOL_NAMES if mode.endswith(name)), choices.symbols)
            return choices.text(asked, "as asked")
        case "blocks":
            return choices.half_blocks("as asked")
    return _automatic_choice(choices, terminal, environ)


def _automatic_choice(choices: _Choices, terminal: TerminalInfo, environ: Mapping[str, str]) -> BackendChoice:
    if without := _disabled_reason(environ):
        return BackendChoice(NullGraphics(), without)
    obstacle = _kitty_obstacle(terminal)
    if not obstacle:
        through = ", through tmux" if terminal.tmux else ""
        coarse = ", with fewer pixels over SSH" if choices.remote else ""
        return choices.kitty(f"{through}{coarse}, because the terminal says it is {terminal.name}")
    if _draws_inline_images(terminal, environ):
        return choices.inline(f"because the terminal says it is {terminal.name or environ.get('TERM_PROGRAM', '')}")
    if terminal.sixel and all(terminal.cell) and not terminal.tmux and not choices.remote:
        return choices.sixel(f"because {terminal.name or 'the terminal'} says that it draws them")
    if environ.get("TERM") == "linux":
        return choices.half_blocks("because the console's font has no other blocks")
    return choices.text(choices.symbols, f"because {obstacle}")


class _Choices:
    """The backends as this terminal supports them, each with its reason."""

    def __init__(self, terminal: TerminalInfo, environ: Mapping[str, str]) -> None:
        self.remote = is_remote(environ)
        self.symbols = supported_symbols(terminal, environ)
        self._terminal = terminal
        self._cell = terminal.cell if all(terminal.cell) else DEFAULT_CELL_SIZE
        self._bits = _REMOTE_BITS if self.remote else 8
        # Rich reads the one variable, Textual the other.
        self._truecolor = environ.get("COLORTERM", "") in ("truecolor", "24bit") and (
            environ.get("TEXTUAL_COLOR_SYSTEM", "auto") in ("auto", "truecolor")
        )

    def half_blocks(self, reason: str) -> BackendChoice:
        return BackendChoice(HalfBlocks(self._bits, truecolor=self._truecolor), f"Half-blocks, {reason}.")

    def text(self, symbols: SymbolName, reason: str) -> BackendChoice:
        graphics = Symbols(symbols, self._bits, truecolor=self._truecolor, remote=self.remote)
        return BackendChoice(graphics, f"{symbols.capitalize()}, {reason}.")

    def kitty(self, reason: str) -> BackendChoice:
        from eternal_tui.tui.graphics.kitty import KittyPlaceholders

        graphics = KittyPlaceholders(
            self._cell,
            tmux=self._terminal.tmux,
            truecolor=self._truecolor,
            # Ghostty draws placeholders and knows no animations; of an unknown terminal no more is asked than must be.
            supports_animation=re.match(_KITTY_VERSION_PATTERN, self._terminal.name) is not None,
            remote=self.remote,
        )
        return BackendChoice(graphics, f"Kitty graphics{reason}.")

    def sixel(self, reason: str) -> BackendChoice:
        from eternal_tui.tui.graphics.over_cells import MAX_COLOURS, Sixel

        terminal = self._terminal
        if not all(terminal.cell):
            return self.text(self.symbols, "because the terminal does not say how large its cells are, as sixels need")
        cells = self.text(self.symbols, "").graphics
        graphics = Sixel(cells, terminal.cell, colours=terminal.colours or MAX_COLOURS, max_size=terminal.most)
        return BackendChoice(graphics, f"Sixels for images and {self.symbols} for videos, {reason}.")

    def inline(self, reason: str) -> BackendChoice:
        from eternal_tui.tui.graphics.over_cells import InlineImages

        if self._terminal.tmux:
            return self.text(self.symbols, "because tmux moves no cursor for iTerm2's inline images")
        graphics = InlineImages(self.text(self.symbols, "").graphics, self._cell, remote=self.remote)
        return BackendChoice(graphics, f"iTerm2's inline images, and {self.symbols} for videos, {reason}.")


def _disabled_reason(environ: Mapping[str, str]) -> str:
    """Return why there are words instead of pictures, empty where there are pictures."""
    if environ.get("NO_COLOR"):
        return "Pictures are off because NO_COLOR is set: words instead."
    if environ.get("TERM", "") in ("", "dumb") or environ["TERM"].startswith(("vt1", "vt2")):
        return "Pictures are off because this terminal has no colours: words instead."
    if not draws_utf8(environ):
        return "Pictures are off because the locale has no UTF-8 to draw them with."
    return ""


def _draws_inline_images(terminal: TerminalInfo, environ: Mapping[str, str]) -> bool:
    """Tell whether the terminal itself, not tmux around the program, is known to draw iTerm2's inline images."""
    if terminal.tmux:
        return False
    names = (terminal.name, environ.get("TERM_PROGRAM", ""))
    # VS Code draws them, and names sixels, only with its setting for images; Konsole since the version with sixels.
    pattern = _INLINE_PATTERN if not terminal.sixel else f"{_INLINE_PATTERN}|{_INLINE_WITH_SIXEL_PATTERN}"
    return any(re.match(pattern, name) for name in names)


def _kitty_obstacle(terminal: TerminalInfo) -> str:
    """Return what speaks against kitty's placeholders, empty if nothing does."""
    if not terminal.answered:
        return terminal.why or "the terminal was not asked"
    if not re.match(_PLACEHOLDER_TERMINALS_PATTERN, terminal.name):
        return f"{terminal.name or 'this terminal'} is not known to draw kitty's placeholders"
    version = re.match(_KITTY_VERSION_PATTERN, terminal.name)
    if version is not None and (int(version[1]), int(version[2])) < _MIN_KITTY_VERSION:
        return f"{terminal.name} is too old for placeholders, which came with kitty 0.28"
    if terminal.tmux and not terminal.passthrough:
        return "tmux does not let pictures through (set -g allow-passthrough on)"
    if not terminal.tmux and not terminal.kitty_graphics:
        return f"{terminal.name} did not agree to draw kitty graphics"
    return ""
