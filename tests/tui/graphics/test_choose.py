"""The chosen graphics backend, and the reason shown to the user."""

from __future__ import annotations

import pytest

from eternal_tui.config.settings import GraphicsMode
from eternal_tui.media.decode.frame import Frame
from eternal_tui.tui.graphics.half_blocks import HalfBlocks
from eternal_tui.tui.graphics.probe import TerminalInfo
from eternal_tui.tui.graphics.select import select_backend, supported_symbols
from eternal_tui.tui.picture.pacing import FrameBudget, frame_budget_for

XTERM = {"TERM": "xterm-256color"}
KITTY = TerminalInfo(name="kitty(0.35.1)", kitty_graphics=True, cell=(9, 18), answered=True)
GHOSTTY = TerminalInfo(name="ghostty 1.0.1", kitty_graphics=True, cell=(9, 18), answered=True)
WEZTERM = TerminalInfo(name="WezTerm 20240203", kitty_graphics=True, answered=True)
KONSOLE = TerminalInfo(name="Konsole 22.12.3", kitty_graphics=True, sixel=True, cell=(8, 18), answered=True)
OLD_KONSOLE = TerminalInfo(name="Konsole 21.12.3", answered=True)
MUTE_KITTY = TerminalInfo(name="kitty(0.35.1)", answered=True)
OLD_KITTY = TerminalInfo(name="kitty(0.26.5)", kitty_graphics=True, cell=(9, 20), answered=True)
OLD_THROUGH_TMUX = TerminalInfo(name="kitty(0.26.5)", tmux=True, passthrough=True, answered=True)
SILENT = TerminalInfo(why="the terminal did not answer within a second")
IN_TMUX = TerminalInfo(name="kitty(0.35.1)", tmux=True, answered=True)
THROUGH_TMUX = TerminalInfo(name="kitty(0.35.1)", tmux=True, passthrough=True, answered=True)

SIXELS = TerminalInfo(name="foot(1.13.1)", sixel=True, cell=(9, 18), answered=True)
UNMEASURED = TerminalInfo(name="foot(1.13.1)", sixel=True, answered=True)


@pytest.mark.parametrize(
    ("wanted", "terminal", "environ", "name", "word"),
    [
        ("auto", KITTY, XTERM, "kitty", "kitty(0.35.1)"),
        ("auto", KITTY, XTERM | {"SSH_TTY": "/dev/pts/1"}, "kitty", "fewer pixels over SSH"),
        ("auto", GHOSTTY, XTERM, "kitty", "ghostty"),
        ("auto", WEZTERM, XTERM, "iterm2", "WezTerm"),
        ("auto", WEZTERM, XTERM | {"SSH_TTY": "/dev/pts/1"}, "iterm2", "WezTerm"),
        ("auto", KONSOLE, XTERM, "iterm2", "Konsole 22.12.3"),
        ("auto", OLD_KONSOLE, XTERM, "symbols", "Konsole 21.12.3"),
        ("auto", SILENT, XTERM | {"TERM_PROGRAM": "iTerm.app"}, "iterm2", "iTerm.app"),
        ("auto", SIXELS, XTERM | {"TERM_PROGRAM": "vscode"}, "iterm2", "inline images"),
        ("auto", SILENT, XTERM | {"TERM_PROGRAM": "vscode"}, "symbols", "did not answer"),
        ("auto", IN_TMUX, XTERM | {"TERM_PROGRAM": "mintty"}, "symbols", "allow-passthrough"),
        ("iterm2", IN_TMUX, XTERM, "symbols", "tmux"),
        ("iterm2", SILENT, XTERM, "iterm2", "as asked"),
        ("auto", MUTE_KITTY, XTERM, "symbols", "did not agree"),
        ("auto", OLD_KITTY, XTERM, "symbols", "too old"),
        ("auto", OLD_THROUGH_TMUX, XTERM, "symbols", "too old"),
        ("auto", SILENT, XTERM, "symbols", "did not answer"),
        ("auto", SIXELS, XTERM, "sixel", "foot(1.13.1) says"),
        ("auto", SIXELS, XTERM | {"SSH_TTY": "/dev/pts/1"}, "symbols", "not known"),
        ("auto", SIXELS, XTERM | {"NO_COLOR": "1"}, "off", "NO_COLOR"),
        ("auto", UNMEASURED, XTERM, "symbols", "not known"),
        ("sixel", SIXELS, XTERM | {"SSH_TTY": "/dev/pts/1"}, "sixel", "as asked"),
        ("sixel", UNMEASURED, XTERM, "symbols", "how large its cells are"),
        ("auto", IN_TMUX, XTERM, "symbols", "allow-passthrough"),
        ("auto", THROUGH_TMUX, XTERM, "kitty", "through tmux"),
        ("auto", KITTY, XTERM | {"NO_COLOR": "1"}, "off", "NO_COLOR"),
        ("auto", SILENT, {"TERM": "dumb"}, "off", "no colours"),
        ("auto", SILENT, {}, "off", "no colours"),
        ("blocks", KITTY, XTERM | {"NO_COLOR": "1"}, "blocks", "as asked"),
        ("kitty", SILENT, XTERM, "kitty", "as asked"),
        ("off", KITTY, XTERM, "off", "as asked"),
        ("auto", SILENT, {"TERM": "linux", "LANG": "C.UTF-8"}, "blocks", "the console's font"),
        ("symbols", WEZTERM, XTERM, "symbols", "Sextants, as asked"),
        ("symbols:octants", SILENT, XTERM, "symbols", "Octants, as asked"),
    ],
)
def test_the_choice_and_its_sentence(
    wanted: GraphicsMode, terminal: TerminalInfo, environ: dict[str, str], name: str, word: str
) -> None:
    choice = select_backend(wanted, terminal, environ)
    assert choice.graphics.name == name
    assert word in choice.reason
    assert choice.reason.endswith(".")


def test_the_cell_of_the_terminal_is_used() -> None:
    assert select_backend("auto", KITTY, XTERM).graphics.cell_size == (9, 18)
    assert select_backend("auto", THROUGH_TMUX, XTERM).graphics.cell_size == (10, 20)
    assert select_backend("auto", KITTY, XTERM | {"SSH_TTY": "/dev/pts/1"}).graphics.cell_size == (4.5, 9)


def test_colours_are_thinned_over_ssh() -> None:
    near = select_backend("blocks", SILENT, XTERM).graphics
    far = select_backend("blocks", SILENT, XTERM | {"SSH_CONNECTION": "1 2 3 4"}).graphics
    assert isinstance(near, HalfBlocks)
    assert isinstance(far, HalfBlocks)
    assert (near.bits, far.bits) == (8, 5)


def test_the_pace_near_and_far() -> None:
    assert frame_budget_for({}) == FrameBudget(24.0, None)
    assert frame_budget_for({"SSH_TTY": "/dev/pts/1"}) == FrameBudget(4.0, 200_000)
    assert frame_budget_for({"SSH_TTY": "/dev/pts/1"}, 5000) == FrameBudget(4.0, 5000)
    pace = FrameBudget(4.0, 10_000)
    assert (pace.frame_seconds(100), pace.frame_seconds(20_000)) == (0.25, 2.0)
    assert (pace.is_exceeded_by(2_500), pace.is_exceeded_by(2_501)) == (False, True)
    assert not FrameBudget(24.0).is_exceeded_by(10**9)


def test_only_kitty_itself_is_told_of_changes() -> None:
    """Ghostty draws placeholders and knows no animations."""
    for terminal, changes in ((KITTY, True), (THROUGH_TMUX, True), (GHOSTTY, False), (SILENT, False)):
        drawing = select_backend("kitty", terminal, XTERM).graphics.render(Frame(8, 16, bytes(384)), animated=True)
        assert bool(drawing.update) == changes


@pytest.mark.parametrize(
    ("name", "environ", "symbols"),
    [
        ("foot(1.13.1)", {"TERM": "foot"}, "sextants"),
        ("foot(1.20.0)", {"TERM": "foot"}, "quadrants"),
        ("foot(1.20.1)", {}, "octants"),
        ("kitty(0.41.1)", {}, "octants"),
        ("kitty(0.39.1)", {"TERM": "xterm-kitty"}, "sextants"),
        ("ghostty 1.1.0", {}, "sextants"),
        ("ghostty 1.1.1", {}, "octants"),
        ("WezTerm 20210502-154244-3f7122cb", {"TERM": "wezterm"}, "quadrants"),
        ("WezTerm 20240203-110809-5046fc22", {}, "sextants"),
        ("WezTerm 20260117-154428-05343b38", {}, "octants"),
        ("VTE(5202)", {}, "quadrants"),
        ("VTE(7600)", {}, "sextants"),
        ("VTE(7800)", {}, "octants"),
        ("iTerm2 3.5.14", {}, "quadrants"),
        ("iTerm2 3.6.7", {}, "sextants"),
        ("XTerm(379)", {"TERM": "xterm-256color"}, "quadrants"),
        ("", {"TERM": "alacritty"}, "sextants"),
        ("", {"TERM": "xterm-256color", "VTE_VERSION": "7600"}, "sextants"),
        ("", {"TERM_PROGRAM": "WezTerm", "TERM_PROGRAM_VERSION": "20240203-110809-5046fc22"}, "sextants"),
        ("", {"TERM_PROGRAM": "Apple_Terminal", "TERM_PROGRAM_VERSION": "455"}, "quadrants"),
    ],
)
def test_symbols_are_those_the_terminal_draws_itself(name: str, environ: dict[str, str], symbols: str) -> None:
    assert supported_symbols(TerminalInfo(name=name), environ) == symbols
    inside = supported_symbols(TerminalInfo(name=name, tmux=True), environ | {"VTE_VERSION": "7600"})
    assert inside == (symbols if name else "quadrants")
