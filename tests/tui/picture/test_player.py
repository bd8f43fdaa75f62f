"""A clip in a running app: how it plays, is moved, and rests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.screen import Screen

from eternal_tui.media.decode.frame import Frame
from eternal_tui.tui.graphics.base import Drawing
from eternal_tui.tui.graphics.half_blocks import HalfBlocks
from eternal_tui.tui.graphics.pacing import Pace
from eternal_tui.tui.picture.picture import Picture
from tests.media.files import write_clip
from tests.tui.picture.picture_stage import Viewer, rows


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4")


async def test_a_clip_shows_its_poster_at_once_and_plays_to_its_end(clip: Path) -> None:
    app = Viewer()
    async with app.run_test(size=(40, 12)) as pilot:
        picture = app.picture
        picture.show(clip)
        loaded = await app.until(Picture.Loaded)
        assert isinstance(loaded, Picture.Loaded)
        assert loaded.seconds == pytest.approx(1.0)
        assert (picture.playing, picture.position, picture.draws) == (False, 0.0, True)
        await pilot.pause()
        first = rows(picture)
        picture.play()
        await app.until(Picture.Moved, lambda message: message.playing)  # type: ignore[attr-defined]
        ended = await app.until(Picture.Moved, lambda message: not message.playing)  # type: ignore[attr-defined]
        assert isinstance(ended, Picture.Moved)
        assert ended.seconds == pytest.approx(23 / 24, abs=0.01)
        assert rows(picture) == first  # the same cells, in other colours
        picture.play()
        started = await app.until(Picture.Moved)
        assert isinstance(started, Picture.Moved)
        assert (started.playing, started.seconds) == (True, 0.0)
        picture.toggle()
        assert not picture.playing


async def test_scrubbing_and_stepping(clip: Path) -> None:
    app = Viewer()
    async with app.run_test(size=(40, 12)):
        picture = app.picture
        picture.step(1)
        picture.scrub(0.5)
        picture.play()  # nothing is shown yet: none of these may do anything
        picture.show(clip)
        await app.until(Picture.Loaded)
        acts: list[tuple[Callable[[], None], int]] = [
            (lambda: picture.scrub(0.5), 12),
            (lambda: picture.step(1), 13),
            (lambda: picture.step(-3), 10),
            (lambda: picture.scrub(9.0), 23),
            (lambda: picture.scrub(-9.0), 0),
            (lambda: picture.seek(0.25), 6),
        ]
        for act, number in acts:
            act()
            await app.until(Picture.Moved)
            assert picture.position == pytest.approx(number / 24, abs=0.001)


class Recording(HalfBlocks):
    """Half-blocks that note what was drawn."""

    def __init__(self, bits: int = 8) -> None:
        super().__init__(bits)
        self.drawn = 0

    def render(self, frame: Frame, *, handle: int = 0, moving: bool = False) -> Drawing:
        self.drawn += 1
        return super().render(frame, handle=handle, moving=moving)


@pytest.mark.parametrize("how", ["hidden", "screen", "blur"])
async def test_a_clip_nobody_sees_stops(clip: Path, how: str) -> None:
    app = Viewer(loop=True)
    async with app.run_test(size=(40, 12)):
        app.picture.show(clip)
        await app.until(Picture.Loaded)
        app.picture.play()
        await app.until(Picture.Moved)
        if how == "hidden":
            app.picture.display = False
        elif how == "screen":
            await app.push_screen(Screen())
        else:
            app.app_focus = False
        stopped = await app.until(Picture.Moved)
        assert isinstance(stopped, Picture.Moved)
        assert not stopped.playing


async def test_a_slow_line_gets_thinner_colours_first(clip: Path) -> None:
    app = Viewer(HalfBlocks(8), pace=Pace(24.0, 2_000))
    async with app.run_test(size=(40, 12)):
        app.picture.show(clip)
        await app.until(Picture.Loaded)
        app.picture.play()
        await app.until(Picture.Moved, lambda message: not message.playing)  # type: ignore[attr-defined]
        assert isinstance(app.picture.in_motion, HalfBlocks)
        assert app.picture.in_motion.bits <= 5


async def test_four_frames_a_second_are_four(clip: Path) -> None:
    graphics = Recording()
    app = Viewer(graphics, pace=Pace(4.0))
    async with app.run_test(size=(40, 12)):
        app.picture.show(clip)
        await app.until(Picture.Loaded)
        graphics.drawn = 0
        app.picture.play()
        await app.until(Picture.Moved, lambda message: not message.playing)  # type: ignore[attr-defined]
    assert 2 <= graphics.drawn <= 6
