"""The picture widget in a running app: what it shows, when it works, and when it rests."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from PIL import Image
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from eternal_tui.core.sanitize import Shown
from eternal_tui.media.decode.frame import Frame
from eternal_tui.media.decode.images import FrameCache
from eternal_tui.media.decode.video import ClipReader
from eternal_tui.tui.graphics.base import Graphics, NoGraphics
from eternal_tui.tui.graphics.half_blocks import UPPER_HALF, HalfBlocks
from eternal_tui.tui.graphics.kitty import KittyPlaceholders
from eternal_tui.tui.graphics.pacing import Pace
from eternal_tui.tui.picture.picture import Picture
from tests.media.files import write_clip
from tests.tui.picture.picture_stage import Viewer, rows
from tests.tui.screens.stage import until


@pytest.fixture(scope="module")
def red(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stills") / "red.png"
    Image.new("RGB", (64, 64), "red").save(path)
    return path


async def test_a_still_stands_centred_with_its_aspect_kept(red: Path) -> None:
    app = Viewer()
    async with app.run_test(size=(80, 24)) as pilot:
        app.picture.show(red, Shown("Red, 64 × 64"))
        await app.until(Picture.Loaded)
        await pilot.pause()
        assert rows(app.picture) == [" " * 16 + UPPER_HALF * 48 + " " * 16] * 24
        await pilot.resize_terminal(20, 24)
        await app.until(Picture.Loaded)
        assert rows(app.picture) == [" " * 20] * 7 + [UPPER_HALF * 20] * 10 + [" " * 20] * 7


async def test_nothing_runs_behind_a_still(red: Path) -> None:
    app = Viewer()
    async with app.run_test() as pilot:
        app.picture.show(red)
        await app.until(Picture.Loaded)
        await pilot.pause()
        assert [worker for worker in app.workers if worker.node is app.picture and not worker.is_finished] == []
        assert len(app.picture._timers) == 0


async def test_words_stand_where_pictures_are_off(red: Path) -> None:
    """Seen to fail when a line that is too long was cut: of a refusal's reason the end was missing."""
    app = Viewer(NoGraphics())
    async with app.run_test(size=(20, 5)) as pilot:
        app.picture.show(red, Shown("picture\n世界 · 64 × 64 · far too long a line"))
        await pilot.pause()
        shown = [row.strip() for row in rows(app.picture)]
        assert shown == ["", "picture", "世界 · 64 × 64 · far", "too long a line", ""]
        assert not app.picture.draws


@pytest.mark.parametrize("name", ["broken.png", "broken.mp4", "missing.png", "sealed.bin"])
async def test_a_broken_file_says_so_and_leaves_the_words(tmp_path: Path, red: Path, name: str) -> None:
    path = tmp_path / name
    if not name.startswith("missing"):
        path.write_bytes(b"nothing of the kind")
    app = Viewer()
    async with app.run_test(size=(20, 3)) as pilot:
        app.picture.show(red)
        await app.until(Picture.Loaded)
        app.picture.show(path, Shown("words"))
        failed = await app.until(Picture.Failed)
        assert isinstance(failed, Picture.Failed)
        assert (failed.path, "Nothing is charged again" in failed.sentence) == (path, True)
        await pilot.pause()
        assert [row.strip() for row in rows(app.picture)] == ["", "words", ""]


class CountingCache(FrameCache):
    """Notes which files were really asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def still(self, path: Path, *args: object, **options: object) -> Frame:
        self.asked.append(path.name)
        return super().still(path, *args, **options)  # type: ignore[arg-type]


async def test_holding_j_decodes_only_where_it_stops(tmp_path: Path) -> None:
    """Seen to fail without `exclusive`: all fifty files were decoded."""
    cache = CountingCache()
    app = Viewer(cache=cache, settle=0.03)
    paths = [tmp_path / f"{number}.png" for number in range(50)]
    for path in paths:
        Image.new("RGB", (8, 8), "red").save(path)
    async with app.run_test():
        for path in paths:
            app.picture.show(path)
        loaded = await app.until(Picture.Loaded)
    assert isinstance(loaded, Picture.Loaded)
    assert loaded.path == paths[-1]
    assert cache.asked == ["49.png"]


async def test_a_quick_successor_comes_without_a_blink(red: Path, tmp_path: Path) -> None:
    """Seen to fail when `show` wiped at once."""
    other = tmp_path / "other.png"
    Image.new("RGB", (64, 32), "green").save(other)
    app = Viewer(hold=60.0)
    async with app.run_test(size=(40, 12)) as pilot:
        app.picture.show(red)
        await app.until(Picture.Loaded)
        await pilot.pause()
        before = rows(app.picture)
        app.picture.show(other, Shown("other"))
        assert rows(app.picture) == before
        await app.until(Picture.Loaded)
        assert rows(app.picture) != before
        app.picture.show(None, Shown("words"))
        assert [row.strip() for row in rows(app.picture) if row.strip()] == ["words"]


async def test_a_slow_successor_does_not_keep_the_picture_before(red: Path, tmp_path: Path) -> None:
    """Seen to fail without the timer: a key held down left a picture standing that belonged to no row in sight."""
    other = tmp_path / "other.png"
    Image.new("RGB", (64, 32), "green").save(other)
    app = Viewer(hold=0.01, settle=0.0)
    async with app.run_test(size=(40, 12)) as pilot:
        app.picture.show(red)
        await app.until(Picture.Loaded)
        app.picture._settle = 60.0
        app.picture.show(other)
        await until(pilot, lambda: not app.picture.draws)


async def test_a_still_is_looked_at_closer_and_moved_about(tmp_path: Path) -> None:
    """Seen to fail with moves forgotten that were typed ahead of the picture's size."""
    path = tmp_path / "quarters.png"
    image = Image.new("RGB", (80, 80), "black")
    image.paste("white", (40, 0, 80, 40))
    image.save(path)
    app = Viewer()
    async with app.run_test(size=(40, 20)) as pilot:
        picture = app.picture
        picture.look_closer(1)  # nothing is shown yet
        picture.pan(1, 0)
        picture.show(path)
        await app.until(Picture.Loaded)

        async def colours() -> set[tuple[int, ...]]:
            await pilot.app.workers.wait_for_complete()
            styles = (segment.style for y in range(20) for segment in picture.render_line(y))
            pairs = ((style.color, style.bgcolor) for style in styles if style and style.color)
            return {tuple(colour.triplet) for pair in pairs for colour in pair if colour and colour.triplet}

        assert await colours() == {(0, 0, 0), (255, 255, 255)}
        picture.pan(1, 0)  # all of it is in view: there is nowhere to go
        picture.look_closer(2)
        for _ in range(9):
            picture.pan(1, -1)
        assert await colours() == {(255, 255, 255)}
        assert picture.zoom == pytest.approx(2)
        picture.look_closer(0)
        assert picture.zoom == 1
        assert await colours() == {(0, 0, 0), (255, 255, 255)}


async def test_zooming_by_a_key_held_down_draws_at_most_one_ahead(red: Path) -> None:
    """Seen to fail when each key began a drawing of its own: twenty were decoded."""
    cache = CountingCache()
    app = Viewer(cache=cache)
    async with app.run_test(size=(40, 12)) as pilot:
        app.picture.show(red)
        await app.until(Picture.Loaded)
        for _ in range(20):
            app.picture.look_closer(1)
            app.picture.look_closer(-1)
        app.picture.look_closer(1)
        await pilot.app.workers.wait_for_complete()
    assert len(cache.asked) <= 3


async def test_nothing_is_decoded_before_the_choice_has_settled(red: Path) -> None:
    """Seen to fail without the settling time: the file was decoded while the key was still down."""
    cache = CountingCache()
    app = Viewer(cache=cache, settle=60.0)
    async with app.run_test() as pilot:
        app.picture.show(red)
        for _ in range(5):
            await pilot.pause()
        assert cache.asked == []


async def test_only_changed_rows_are_painted_again(tmp_path: Path) -> None:
    """Seen to fail with a plain refresh: every row was asked for again."""
    paths = []
    for name, at in (("one", 0), ("two", 50)):
        image = Image.new("RGB", (80, 100), "black")
        image.paste("white", (0, at, 80, at + 10))
        paths.append(tmp_path / f"{name}.png")
        image.save(paths[-1])
    app = Viewer()
    async with app.run_test(size=(40, 25)) as pilot:
        picture = app.picture
        picture.show(paths[0])
        await app.until(Picture.Loaded)
        await pilot.pause()
        asked: list[int] = []
        really = picture.render_lines

        def noting(crop: Region) -> list[Strip]:
            asked.extend(crop.line_range)
            return really(crop)

        picture.render_lines = noting  # type: ignore[method-assign]
        picture._put(HalfBlocks().render(FrameCache().still(paths[1], 40, 25)))
        await pilot.pause()
        assert sorted(set(asked)) == [0, 1, 2, 12, 13, 14]


def _cells(strips: list[Strip]) -> list[list[tuple[str, Style | None]]]:
    return [[(sign, segment.style) for segment in strip for sign in segment.text] for strip in strips]


@pytest.mark.parametrize("graphics", [HalfBlocks(), KittyPlaceholders((10, 20))], ids=["blocks", "kitty"])
@pytest.mark.parametrize("colours", ["colours", "no colours"])
async def test_rows_of_a_picture_are_what_textual_would_make_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, graphics: Graphics, colours: str
) -> None:
    """With an odd row at the end and blanks around it, and where colours are taken away.

    Seen to fail where the blanks were left to the terminal's own colours, and where a part of a row was the whole one.
    """
    path = tmp_path / "picture.png"
    Image.linear_gradient("L").resize((60, 77)).convert("RGB").save(path)
    if colours != "colours":
        monkeypatch.setenv("NO_COLOR", "1")
    app = Viewer(graphics)
    async with app.run_test(size=(40, 25)) as pilot:
        picture = app.picture
        picture.styles.background = "ansi_blue"
        picture.show(path)
        await app.until(Picture.Loaded)
        await pilot.pause()
        for crop in (picture.size.region, Region(3, 2, 20, 9)):
            assert _cells(picture.render_lines(crop)) == _cells(Widget.render_lines(picture, crop))


async def test_what_stands_still_has_all_its_colours(tmp_path: Path) -> None:
    """Seen to fail when the last frame stayed as it was drawn in motion, with six bits a channel."""
    clip = write_clip(tmp_path / "clip.mp4", frames=12)
    app = Viewer(pace=Pace(24.0))
    async with app.run_test(size=(40, 12)) as pilot:
        app.picture.show(clip)
        await app.until(Picture.Loaded)
        app.picture.play()
        await app.until(Picture.Moved, lambda message: not message.playing)  # type: ignore[attr-defined]
        await pilot.app.workers.wait_for_complete()
        with ClipReader(clip, 40, 12) as reader:
            exact = HalfBlocks().render(reader.frame_at(11 / 24).frame)
        assert app.picture._drawing.strips == exact.strips


async def test_kitty_pixels_are_sent_once_and_freed(red: Path) -> None:
    app = Viewer(KittyPlaceholders((10, 20)))
    sent: list[str] = []
    async with app.run_test(size=(40, 12)) as pilot:
        app.picture._transmit = sent.append  # type: ignore[method-assign, assignment]
        app.picture.show(red)
        await app.until(Picture.Loaded)
        await pilot.pause()
        handle = app.picture._handle
        assert handle
        assert len([one for one in sent if "a=T" in one]) == 1
        app.app_resume_signal.publish(app)
        await pilot.pause()
        assert len([one for one in sent if "a=T" in one]) == 2
        app.picture.show(None)
        assert f"a=d,d=I,i={handle}," in sent[-1]


async def test_the_event_loop_is_free_while_a_large_picture_is_decoded(tmp_path: Path) -> None:
    """Seen to fail with decoding on the loop: it stood still for the whole of it."""
    path = tmp_path / "large.png"
    Image.effect_noise((3000, 2000), 90).convert("RGB").save(path, compress_level=1)
    app = Viewer()
    longest = 0.0
    async with app.run_test(size=(80, 24)):
        began = time.process_time()
        app.picture.show(path)
        loading = asyncio.ensure_future(app.until(Picture.Loaded))
        while not loading.done():
            # Of the processor's time of this thread: a busy machine makes every turn longer by the clock.
            before = time.thread_time()
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - before)
        whole = time.process_time() - began
    assert longest < whole / 2
