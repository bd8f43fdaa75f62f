"""The real program on terminals of every kind: few colours, none, no UTF-8, a dumb one; and prompts in every script."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.terminal.tmux import PROGRAM, Tmux, count_picture_cells, make_environ, needs_tmux

pytestmark = [needs_tmux, pytest.mark.terminal]

SGR_PATTERN = re.compile(rb"\x1b\[([0-9;]*)m")
MONOCHROME_SGR_CODES = {"", "0", "1", "2", "3", "4", "7", "9", "39", "49", "22", "23", "24", "27"}


def run_one_job(terminal: Tmux, prompt: str = "In a red coat") -> str:
    terminal.wait_for("2 Jobs")
    terminal.press("C-n")
    terminal.wait_for("opens the list")
    terminal.type("6870\t" + prompt)
    terminal.press("C-s")
    terminal.wait_for("1 done today")
    terminal.press("Escape")
    return terminal.wait_for(shows_saved)


def shows_saved(screen: str) -> bool:
    return "saved" in screen and "3 Job 9" in screen


def shows_no_toast(screen: str) -> bool:
    """Tell whether nothing lies over the panes either."""
    return shows_saved(screen) and "done: " not in screen


def sgr_codes(written: bytes) -> set[str]:
    return {number for code in SGR_PATTERN.findall(written) for number in code.decode().split(";")}


@pytest.mark.parametrize(("term", "no_color"), [("vt100", None), ("tmux-256color", "1")], ids=["vt100", "NO_COLOR"])
def test_no_colour(quick: dict[str, str], tmp_path: Path, term: str, no_color: str | None) -> None:
    with Tmux(PROGRAM, make_environ(tmp_path, {**quick, "NO_COLOR": no_color}), term=term) as terminal:
        screen = run_one_job(terminal)
        terminal.read()
        assert sgr_codes(terminal.written) <= MONOCHROME_SGR_CODES
        assert "7" in sgr_codes(terminal.written), "nothing shows where the cursor is"
        assert "✓ saved" in screen
        assert count_picture_cells(screen) < 8
        terminal.press("C-q")
        terminal.wait_for("modes restored")


def test_sixteen_colours(quick: dict[str, str], tmp_path: Path) -> None:
    with Tmux(PROGRAM, make_environ(tmp_path, quick), term="xterm") as terminal:
        run_one_job(terminal)
        terminal.read()
        used = sgr_codes(terminal.written)
        assert not used & {"38", "48"}
        assert used & {"31", "32", "33", "36"}


def test_no_utf8(quick: dict[str, str], tmp_path: Path) -> None:
    with Tmux(PROGRAM, make_environ(tmp_path, {**quick, "LANG": "C"})) as terminal:
        screen = run_one_job(terminal, "Caf\u00e9 \u6e2f")
        assert "+ saved" in screen
        assert "Caf? ??" in screen
        terminal.read()
        assert terminal.written.isascii()


def test_a_dumb_terminal_is_told_of_the_command_line(tmp_path: Path) -> None:
    with Tmux(PROGRAM, make_environ(tmp_path), term="dumb", columns=120) as terminal:
        screen = terminal.wait_for("gone: 2")
        assert "use a command: eternal-tui --help" in screen
        assert b"\x1b" not in terminal.written


def test_prompts_of_every_script(quick: dict[str, str], tmp_path: Path) -> None:
    """Wide, combining and right-to-left text, and text that only looks like a control: no border is moved by it."""
    prompt = "港で本を読む e\u0301\u0302 مرحبا بالعالم 👩\u200d👧 \u202eabc"
    with Tmux(PROGRAM, make_environ(tmp_path, quick), columns=100) as terminal:
        screen = run_one_job(terminal, prompt)
        assert "港で本を読む" in screen
        assert "\u202e" not in screen
        top, *rows = screen.splitlines()[1:8]
        assert top.startswith("╭")
        for row in rows:
            assert row[0] in "│╰", screen
            assert row.rstrip()[-1] in "│╯", screen


@pytest.mark.parametrize("times", [10, pytest.param(100, marks=pytest.mark.long)])
def test_resizing(times: int, quick: dict[str, str], tmp_path: Path) -> None:
    with Tmux(PROGRAM, make_environ(tmp_path, quick), columns=200, rows=60) as terminal:
        run_one_job(terminal)
        # What tells of the end comes a moment later, and goes; a screen before it is not at rest.
        terminal.wait_for("done: ")
        wide = terminal.wait_for(lambda screen: shows_no_toast(screen) and count_picture_cells(screen) > 100)
        for _ in range(times):
            terminal.resize(40, 12)
            terminal.resize(200, 60)
        terminal.wait_for(lambda screen: screen == wide)
        terminal.resize(40, 12)
        small = terminal.wait_for(lambda screen: "Request" not in screen and "saved" in screen)
        assert max(len(line) for line in small.splitlines()) <= 40
        terminal.press("C-q")
        terminal.wait_for("gone: 0")
