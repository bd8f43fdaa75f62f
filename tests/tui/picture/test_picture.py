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

from eternal_tui.core.sanitize import SafeText
from eternal_tui.media.decode.frame import Canvas, Frame
from eternal_tui.media.decode.images import FrameCache
from eternal_tui.media.decode.video import VideoReader
from eternal_tui.tui.graphics.base import GraphicsBackend, NullGraphics
from eternal_tui.tui.graphics.half_blocks import UPPER_HALF_BLOCK, HalfBlocks
from eternal_tui.tui.graphics.kitty import KittyPlaceholders
from eternal_tui.tui.picture.pacing import FrameBudget
from eternal_tui.tui.picture.picture import MediaView
from tests.media.files import write_video
from tests.tui.picture.picture_stage import MediaViewApp, rendered_rows, showing
from tests.tui.screens.stage import wait_until


@pytest.fixture(scope="module")
def red(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stills") / "red.png"
    Image.new("RGB", (64, 64), "red").save(path)
    return path


async def test_a_still_stands_centred_with_its_aspect_kept(red: Path) -> None:
    app = MediaViewApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.media_view.set_file(red, SafeText("Red, 64 × 64"))
        await app.wait_for_message(MediaView.Loaded)
        await pilot.pause()
        assert rendered_rows(app.media_view) == [" " * 16 + UPPER_HALF_BLOCK * 48 + " " * 16] * 24
        await pilot.resize_terminal(20, 24)
        await app.wait_for_message(MediaView.Loaded)
        assert rendered_rows(app.media_view) == [" " * 20] * 7 + [UPPER_HALF_BLOCK * 20] * 10 + [" " * 20] * 7


async def test_nothing_runs_behind_a_still(red: Path) -> None:
    async with showing(red, size=(80, 24)) as (app, pilot):
        await pilot.pause()
        assert [worker for worker in app.workers if worker.node is app.media_view and not worker.is_finished] == []
        assert len(app.media_view._timers) == 0


async def test_words_stand_where_pictures_are_off(red: Path) -> None:
    app = MediaViewApp(NullGraphics())
    async with app.run_test(size=(20, 5)) as pilot:
        app.media_view.set_file(red, SafeText("picture\n世界 · 64 × 64 · far too long a line"))
        await pilot.pause()
        shown = [row.strip() for row in rendered_rows(app.media_view)]
        assert shown == ["", "picture", "世界 · 64 × 64 · far", "too long a line", ""]
        assert not app.media_view.has_drawing


@pytest.mark.parametrize("name", ["broken.png", "broken.mp4", "missing.png", "sealed.bin"])
async def test_a_broken_file_says_so_and_leaves_the_words(tmp_path: Path, red: Path, name: str) -> None:
    path = tmp_path / name
    if not name.startswith("missing"):
        path.write_bytes(b"nothing of the kind")
    async with showing(red, size=(20, 3)) as (app, pilot):
        app.media_view.set_file(path, SafeText("words"))
        failed = await app.wait_for_message(MediaView.Failed)
        assert (failed.path, "Not charged again" in failed.reason) == (path, True)
        await pilot.pause()
        assert [row.strip() for row in rendered_rows(app.media_view)] == ["", "words", ""]


class CountingCache(FrameCache):
    def __init__(self) -> None:
        super().__init__()
        self.requested_names: list[str] = []

    def load_image(self, path: Path, *args: object, **options: object) -> Frame:
        self.requested_names.append(path.name)
        return super().load_image(path, *args, **options)  # type: ignore[arg-type]


async def test_holding_j_decodes_only_where_it_stops(tmp_path: Path) -> None:
    cache = CountingCache()
    app = MediaViewApp(cache=cache, decode_delay_seconds=0.03)
    paths = [tmp_path / f"{number}.png" for number in range(50)]
    for path in paths:
        Image.new("RGB", (8, 8), "red").save(path)
    async with app.run_test():
        for path in paths:
            app.media_view.set_file(path)
        loaded = await app.wait_for_message(MediaView.Loaded)
    assert loaded.path == paths[-1]
    assert cache.requested_names == ["49.png"]


async def test_a_quick_successor_comes_without_a_blink(red: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    Image.new("RGB", (64, 32), "green").save(other)
    async with showing(red, linger_seconds=60.0) as (app, pilot):
        await pilot.pause()
        before = rendered_rows(app.media_view)
        app.media_view.set_file(other, SafeText("other"))
        assert rendered_rows(app.media_view) == before
        await app.wait_for_message(MediaView.Loaded)
        assert rendered_rows(app.media_view) != before
        app.media_view.set_file(None, SafeText("words"))
        assert [row.strip() for row in rendered_rows(app.media_view) if row.strip()] == ["words"]


async def test_a_slow_successor_does_not_keep_the_picture_before(red: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    Image.new("RGB", (64, 32), "green").save(other)
    async with showing(red, linger_seconds=0.01, decode_delay_seconds=0.0) as (app, pilot):
        app.media_view._decode_delay_seconds = 60.0
        app.media_view.set_file(other)
        await wait_until(pilot, lambda: not app.media_view.has_drawing)


async def test_a_still_is_looked_at_closer_and_moved_about(tmp_path: Path) -> None:
    path = tmp_path / "quarters.png"
    image = Image.new("RGB", (80, 80), "black")
    image.paste("white", (40, 0, 80, 40))
    image.save(path)
    app = MediaViewApp()
    async with app.run_test(size=(40, 20)) as pilot:
        picture = app.media_view
        picture.zoom_by(1)  # nothing is shown yet
        picture.pan(1, 0)
        picture.set_file(path)
        await app.wait_for_message(MediaView.Loaded)

        async def colours() -> set[tuple[int, ...]]:
            await pilot.app.workers.wait_for_complete()
            styles = (segment.style for y in range(20) for segment in picture.render_line(y))
            pairs = ((style.color, style.bgcolor) for style in styles if style and style.color)
            return {tuple(colour.triplet) for pair in pairs for colour in pair if colour and colour.triplet}

        assert await colours() == {(0, 0, 0), (255, 255, 255)}
        picture.pan(1, 0)  # all of it is in view: there is nowhere to go
        picture.zoom_by(2)
        for _ in range(9):
            picture.pan(1, -1)
        assert await colours() == {(255, 255, 255)}
        assert picture.zoom_factor == pytest.approx(2)
        picture.zoom_by(0)
        assert picture.zoom_factor == 1
        assert await colours() == {(0, 0, 0), (255, 255, 255)}


async def test_zooming_by_a_key_held_down_draws_at_most_one_ahead(red: Path) -> None:
    cache = CountingCache()
    async with showing(red, cache=cache) as (app, pilot):
        for _ in range(20):
            app.media_view.zoom_by(1)
            app.media_view.zoom_by(-1)
        app.media_view.zoom_by(1)
        await pilot.app.workers.wait_for_complete()
    assert len(cache.requested_names) <= 3


async def test_only_changed_rows_are_painted_again(tmp_path: Path) -> None:
    paths = []
    for name, at in (("one", 0), ("two", 50)):
        image = Image.new("RGB", (80, 100), "black")
        image.paste("white", (0, at, 80, at + 10))
        paths.append(tmp_path / f"{name}.png")
        image.save(paths[-1])
    app = MediaViewApp()
    async with app.run_test(size=(40, 25)) as pilot:
        picture = app.media_view
        picture.set_file(paths[0])
        await app.wait_for_message(MediaView.Loaded)
        await pilot.pause()
        asked: list[int] = []
        really = picture.render_lines

        def noting(crop: Region) -> list[Strip]:
            asked.extend(crop.line_range)
            return really(crop)

        picture.render_lines = noting  # type: ignore[method-assign]
        picture._show_drawing(HalfBlocks().render(FrameCache().load_image(paths[1], Canvas(40, 25))))
        await pilot.pause()
        assert sorted(set(asked)) == [0, 1, 2, 12, 13, 14]


def _styled_cells(strips: list[Strip]) -> list[list[tuple[str, Style | None]]]:
    return [[(sign, segment.style) for segment in strip for sign in segment.text] for strip in strips]


@pytest.mark.parametrize("graphics", [HalfBlocks(), KittyPlaceholders((10, 20))], ids=["blocks", "kitty"])
@pytest.mark.parametrize("colours", ["colours", "no colours"])
async def test_rows_of_a_picture_are_what_textual_would_make_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, graphics: GraphicsBackend, colours: str
) -> None:
    """With an odd row at the end and blanks around it, and where colours are taken away."""
    path = tmp_path / "picture.png"
    Image.linear_gradient("L").resize((60, 77)).convert("RGB").save(path)
    if colours != "colours":
        monkeypatch.setenv("NO_COLOR", "1")
    app = MediaViewApp(graphics)
    async with app.run_test(size=(40, 25)) as pilot:
        picture = app.media_view
        picture.styles.background = "ansi_blue"
        picture.set_file(path)
        await app.wait_for_message(MediaView.Loaded)
        await pilot.pause()
        for crop in (picture.size.region, Region(3, 2, 20, 9)):
            assert _styled_cells(picture.render_lines(crop)) == _styled_cells(Widget.render_lines(picture, crop))


async def test_what_stands_still_has_all_its_colours(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mp4", frames=12)
    async with showing(clip, frame_budget=FrameBudget(24.0)) as (app, pilot):
        app.media_view.play()
        await app.wait_for_playback(playing=False)
        await pilot.app.workers.wait_for_complete()
        with VideoReader(clip, Canvas(40, 12)) as reader:
            exact = HalfBlocks().render(reader.frame_at(11 / 24).frame)
        assert app.media_view._drawing.strips == exact.strips


async def test_kitty_pixels_are_sent_once_and_freed(red: Path) -> None:
    app = MediaViewApp(KittyPlaceholders((10, 20)))
    sent: list[str] = []
    async with app.run_test(size=(40, 12)) as pilot:
        app.media_view._transmit = sent.append  # type: ignore[method-assign, assignment]
        app.media_view.set_file(red)
        await app.wait_for_message(MediaView.Loaded)
        await pilot.pause()
        handle = app.media_view._handle
        assert handle
        assert len([one for one in sent if "a=T" in one]) == 1
        app.app_resume_signal.publish(app)
        await pilot.pause()
        assert len([one for one in sent if "a=T" in one]) == 2
        app.media_view.set_file(None)
        assert f"a=d,d=I,i={handle}," in sent[-1]


async def test_the_event_loop_is_free_while_a_large_picture_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.effect_noise((3000, 2000), 90).convert("RGB").save(path, compress_level=1)
    app = MediaViewApp()
    longest = 0.0
    async with app.run_test(size=(80, 24)):
        began = time.process_time()
        app.media_view.set_file(path)
        loading = asyncio.ensure_future(app.wait_for_message(MediaView.Loaded))
        while not loading.done():
            # Of the processor's time of this thread: a busy machine makes every turn longer by the clock.
            before = time.thread_time()
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - before)
        whole = time.process_time() - began
    assert longest < whole / 2
