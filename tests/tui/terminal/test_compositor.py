"""Only the cells of a line that differ are written, and the screen then shows the same line."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import Compositor
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from eternal_tui.tui.terminal.compositor import DiffCompositor, DiffScreen, DiffUpdate, LineSpan, ScreenBuffer

CONSOLE = Console(force_terminal=True, color_system="truecolor", width=20)
WIDTH = 12
_MOVE = re.compile(r"\x1b\[(\d+);(\d+)H")
_STYLE = re.compile(r"\x1b\[[\d;]*m")


def strip_strategy(width: int = WIDTH) -> st.SearchStrategy[Strip]:
    pieces = st.tuples(st.text("ab ", min_size=1, max_size=4), st.sampled_from(["", "bold", "red"]))
    segments = st.lists(pieces, min_size=width, max_size=width)
    return segments.map(
        lambda found: Strip([Segment(text, Style.parse(style)) for text, style in found]).crop(0, width)
    )


def apply_output(screen: list[list[str]], output: str) -> None:
    """Put what is written on a screen of plain cells, as a terminal would."""
    at = 0
    y = x = 0
    while at < len(output):
        if move := _MOVE.match(output, at):
            y, x = int(move[1]) - 1, int(move[2]) - 1
            at = move.end()
        elif style := _STYLE.match(output, at):
            at = style.end()
        else:
            screen[y][x] = output[at]
            x, at = x + 1, at + 1


def write(buffer: ScreenBuffer, x: int, y: int, strip: Strip) -> str:
    """Return what is written for cells of a screen of WIDTH columns."""
    return DiffUpdate([LineSpan(x, y, strip)], buffer, WIDTH).render_segments(CONSOLE)


@pytest.mark.parametrize("text", ["हिन्दी", "e\u0301t\u0301", "❤\ufe0f", "🇩🇪", "👨\u200d👩"])
@pytest.mark.parametrize("columns_of_each", [0, 1, 2])
def test_what_stands_behind_a_text_stays_in_its_column(text: str, columns_of_each: int) -> None:
    """On terminals that take so many columns for each character of it."""
    line = Strip([Segment("│"), Segment(text.ljust(12 - len(text))), Segment("    "), Segment("│")])
    output = write(ScreenBuffer(), 0, 3, line)
    frames, x = [], 0
    for column, character in re.findall(r"\x1b\[(\d+)G|(?:\x1b\[[?\d;]*[a-zA-Z])|(.)", output):
        if column:
            x = int(column) - 1
        elif character == "│":
            frames.append(x)
        elif character:
            x += 1 if character.isascii() else columns_of_each
    assert frames == [0, line.cell_length - 1]


@given(st.lists(st.tuples(strip_strategy(), st.integers(0, WIDTH - 1), st.booleans()), max_size=8))
def test_the_screen_reads_as_the_last_line_written(lines: list[tuple[Strip, int, bool]]) -> None:
    written, screen = ScreenBuffer(), [[" "] * WIDTH]
    wanted = Strip([Segment(" " * WIDTH)])
    for new, start, whole in lines:
        x = 0 if whole else start
        apply_output(screen, write(written, x, 0, new.crop(x)))
        wanted = Strip.join([wanted.crop(0, x), new.crop(x)])
        assert "".join(screen[0]) == wanted.text


@given(strip_strategy())
def test_what_stands_there_is_not_written_again(line: Strip) -> None:
    written = ScreenBuffer()
    assert write(written, 0, 3, line) != ""
    assert write(written, 0, 3, line) == ""
    assert write(written, 2, 3, line.crop(2, 7)) == ""
    written.invalidate()
    assert write(written, 0, 3, line) != ""


def test_only_the_segments_between_are_written() -> None:
    written = ScreenBuffer()
    write(written, 0, 0, Strip([Segment("left "), Segment("12"), Segment("right")]))
    assert write(written, 0, 0, Strip([Segment("left "), Segment("13"), Segment("right")])) == "\x1b[1;6H13"


class LetterWidget(Widget):
    """A widget of letters that can be changed one by one, and that counts the lines it is asked for."""

    def __init__(self, letter: str) -> None:
        super().__init__(id=letter)
        self.cells = {(x, y): letter for x in range(40) for y in range(12)}
        self.rendered_line_count = 0

    def set_letter(self, x: int, y: int, letter: str) -> None:
        self.cells[x, y] = letter
        self.refresh(Region(x, y, 1, 1))

    def render_lines(self, crop: Region) -> list[Strip]:
        self.rendered_line_count += crop.height
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        text = "".join(self.cells[x, y] for x in range(self.size.width))
        return Strip([Segment(text[:3]), Segment(text[3:], Style(bold=True))])


class OverlappingWidgetsApp(App[None]):
    CSS = """
    Screen { layers: below above; layout: horizontal; }
    #a, #b { layer: below; width: 15; height: 12; border: none; }
    #b { border: solid red; }
    #c { layer: above; width: 8; height: 4; offset: 11 3; }
    """

    def get_default_screen(self) -> DiffScreen:
        return DiffScreen(id="_default")

    def compose(self) -> ComposeResult:
        yield from map(LetterWidget, "abc")


async def test_partial_updates_put_on_the_screen_what_a_full_one_would() -> None:
    app, chance = OverlappingWidgetsApp(), random.Random(3)
    async with app.run_test(size=(30, 12)) as pilot:
        await pilot.pause()
        compositor = app.screen._compositor
        screen = [[" "] * 30 for _ in range(12)]
        apply_output(screen, compositor.render_full_update().render_segments(CONSOLE))
        for _ in range(60):
            for _ in range(chance.randrange(1, 5)):
                board = app.query_one(f"#{chance.choice('abc')}", LetterWidget)
                board.set_letter(
                    chance.randrange(board.size.width), chance.randrange(board.size.height), chance.choice("xyz")
                )
            compositor.update_widgets(set(app.query(LetterWidget)))
            if update := compositor.render_partial_update():
                apply_output(screen, update.render_segments(CONSOLE))
            assert ["".join(line) for line in screen] == [strip.text for strip in compositor.render_strips()]


async def test_one_changed_cell_has_one_line_rendered_and_few_bytes_written() -> None:
    app = OverlappingWidgetsApp()
    async with app.run_test(size=(30, 12)) as pilot:
        await pilot.pause()
        compositor = app.screen._compositor
        compositor.render_full_update().render_segments(CONSOLE)
        boards = list(app.query(LetterWidget))
        for board in boards:
            board.rendered_line_count = 0
        boards[0].set_letter(5, 7, "x")
        compositor.update_widgets(set(boards))
        update = compositor.render_partial_update()
        assert update is not None
        assert len(update.render_segments(CONSOLE)) < 40
        assert [board.rendered_line_count for board in boards] == [1, 0, 0]


@pytest.mark.parametrize(
    ("at", "size", "asked"),
    [((15, 0), (15, 12), 0), ((15, 3), (15, 4), 8), ((16, 3), (14, 4), 12), ((10, 5), (20, 40), 5)],
)
async def test_a_full_update_has_no_line_rendered_that_is_not_seen(
    at: tuple[int, int], size: tuple[int, int], asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And looks as Textual's own, which renders every line."""
    app = OverlappingWidgetsApp()
    async with app.run_test(size=(30, 12)) as pilot:
        above, below = app.query_one("#c", LetterWidget), app.query_one("#b", LetterWidget)
        above.cells = {(x, y): "c" for x in range(40) for y in range(40)}
        above.styles.offset, above.styles.width, above.styles.height = at, *size
        await pilot.pause()
        compositor = app.screen._compositor
        below.rendered_line_count = 0
        ours = compositor.render_strips()
        assert below.rendered_line_count == asked
        monkeypatch.setattr(DiffCompositor, "_get_renders", Compositor._get_renders)
        assert ours == compositor.render_strips()
        assert below.rendered_line_count == asked + 12
