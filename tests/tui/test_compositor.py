"""What is written for a line is what differs from what stands there, and puts the same line on the screen."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from eternal_tui.tui.compositor import Written

CONSOLE = Console(force_terminal=True, color_system="truecolor", width=20)
WIDTH = 12
_MOVE = re.compile(r"\x1b\[(\d+);(\d+)H")
_STYLE = re.compile(r"\x1b\[[\d;]*m")


def strips(width: int = WIDTH) -> st.SearchStrategy[Strip]:
    pieces = st.tuples(st.text("ab ", min_size=1, max_size=4), st.sampled_from(["", "bold", "red"]))
    segments = st.lists(pieces, min_size=width, max_size=width)
    return segments.map(
        lambda found: Strip([Segment(text, Style.parse(style)) for text, style in found]).crop(0, width)
    )


def play(screen: list[list[str]], written: str) -> None:
    """Put what is written on a screen of plain cells, as a terminal would."""
    at = 0
    y = x = 0
    while at < len(written):
        if move := _MOVE.match(written, at):
            y, x = int(move[1]) - 1, int(move[2]) - 1
            at = move.end()
        elif style := _STYLE.match(written, at):
            at = style.end()
        else:
            screen[y][x] = written[at]
            x, at = x + 1, at + 1


@given(st.lists(st.tuples(strips(), st.integers(0, WIDTH - 1), st.booleans()), max_size=8))
def test_the_screen_reads_as_the_last_line_written(lines: list[tuple[Strip, int, bool]]) -> None:
    """Seen to fail when `part` left the remembered line as it was."""
    written, screen = Written(), [[" "] * WIDTH]
    wanted = Strip([Segment(" " * WIDTH)])
    for new, x, whole in lines:
        if whole:
            play(screen, written.line(0, new, CONSOLE))
            wanted = new
        else:
            play(screen, written.part(x, 0, new.crop(x), CONSOLE))
            wanted = Strip.join([wanted.crop(0, x), new.crop(x)])
        assert "".join(screen[0]) == wanted.text


@given(strips())
def test_what_stands_there_is_not_written_again(line: Strip) -> None:
    written = Written()
    assert written.line(3, line, CONSOLE) != ""
    assert written.line(3, line, CONSOLE) == ""
    assert written.part(2, 3, line.crop(2, 7), CONSOLE) == ""
    written.forget()
    assert written.line(3, line, CONSOLE) != ""


def test_only_the_segments_between_are_written() -> None:
    written = Written()
    written.line(0, Strip([Segment("left "), Segment("12"), Segment(" right")]), CONSOLE)
    assert written.line(0, Strip([Segment("left "), Segment("13"), Segment(" right")]), CONSOLE) == "\x1b[1;6H13"
