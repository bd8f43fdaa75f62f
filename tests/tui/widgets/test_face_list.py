"""Faces next to the names: drawn where images are, loaded for the rows in view only, and no key waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image
from textual.app import App, ComposeResult

from eternal_tui.tui.graphics.base import FaceSource, GraphicsBackend, NullGraphics
from eternal_tui.tui.graphics.symbols import Symbols
from eternal_tui.tui.graphics.thumbnails import ThumbnailKey, fill_viewport
from eternal_tui.tui.widgets.option_table import Column, FaceList
from tests.drawn import until

COLOURS = [(red, 40, 200) for red in range(0, 250, 10)]
STORY = "who knows every bridge in town by name and collects old sea charts from the harbours of the north"


class FaceApp(App[None]):
    """A list of people, one picture each, which are found when `ready` is set."""

    def __init__(self, folder: Path, graphics: GraphicsBackend) -> None:
        super().__init__()
        self.folder, self.ready, self.asked = folder, asyncio.Event(), list[str]()
        self.list = FaceList(
            (Column(12), Column(0, dim=True)),
            lambda row: (f"Person {row}", STORY),
            row_url=lambda row: f"{row}.png",
            source=FaceSource(graphics, self.find),
            id="people",
        )

    def compose(self) -> ComposeResult:
        yield self.list

    def on_mount(self) -> None:
        self.list.set_rows(range(len(COLOURS)))

    async def find(self, url: str) -> Path | None:
        self.asked.append(url)
        await self.ready.wait()
        path = self.folder / url
        Image.new("RGB", (64, 96), COLOURS[int(path.stem)]).save(path)
        return path

    def lines(self) -> Sequence[str]:
        return [self.list.render_line(y).text for y in range(self.list.size.height)]

    def colours(self, y: int) -> set[tuple[int, ...]]:
        grounds = (segment.style.bgcolor for segment in self.list.render_line(y) if segment.style)
        return {tuple(ground.get_truecolor()) for ground in grounds if ground is not None}


@pytest.mark.parametrize(("size", "rows"), [((80, 14), 2), ((60, 40), 2), ((140, 40), 3)])
async def test_every_row_in_view_has_its_face_and_no_key_waits_for_it(
    tmp_path: Path, size: tuple[int, int], rows: int
) -> None:
    app = FaceApp(tmp_path, Symbols("quadrants"))
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.asked)
        app.list.move_cursor(1)
        assert app.list.current_row == 1
        assert f"Person 1 {' ' * 3}" in app.lines()[rows]
        app.ready.set()
        await until(pilot, lambda: all(COLOURS[y // rows] in app.colours(y) for y in range(size[1] // rows * rows)))
        assert len(app.asked) <= -(-size[1] // rows)
        app.list.move_page(1)
        await until(pilot, lambda: COLOURS[app.list.visible_rows[0] + 1] in app.colours(rows))


async def test_where_pictures_are_off_a_row_is_a_line(tmp_path: Path) -> None:
    app = FaceApp(tmp_path, NullGraphics())
    async with app.run_test(size=(80, 14)) as pilot:
        await pilot.pause()
        assert [line.split("  ")[1].strip() for line in app.lines()[1:]] == [f"Person {row}" for row in range(1, 14)]
        assert app.asked == []


@pytest.mark.parametrize(("size", "zoom"), [((64, 96), 1.5), ((96, 64), 1.5), ((50, 50), 1.0), ((20, 400), 20.0)])
def test_a_face_fills_its_cells_from_the_top_on(size: tuple[int, int], zoom: float) -> None:
    view = fill_viewport(size, ThumbnailKey(Path("a"), 4, 2), (4, 8))
    assert (round(view.zoom, 3), view.y) == (zoom, 0.0)
