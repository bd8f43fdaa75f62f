"""A clip in a running app: how it plays, is moved, and rests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.screen import Screen

from eternal_tui.media.decode.frame import Frame
from eternal_tui.tui.graphics.base import Drawing
from eternal_tui.tui.graphics.half_blocks import HalfBlocks
from eternal_tui.tui.picture.pacing import FrameBudget
from eternal_tui.tui.picture.picture import MediaView
from tests.media import corpus
from tests.media.files import write_video
from tests.tui.picture.picture_stage import MediaViewApp, rendered_rows, showing


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("clips") / "clip.mp4")


async def test_a_clip_shows_its_poster_at_once_and_plays_to_its_end(clip: Path) -> None:
    app = MediaViewApp()
    async with app.run_test(size=(40, 12)) as pilot:
        picture = app.media_view
        picture.set_file(clip)
        loaded = await app.wait_for_message(MediaView.Loaded)
        assert loaded.duration_seconds == pytest.approx(1.0)
        assert (picture.playing, picture.position, picture.has_drawing) == (False, 0.0, True)
        await pilot.pause()
        first = rendered_rows(picture)
        picture.play()
        await app.wait_for_playback(playing=True)
        ended = await app.wait_for_playback(playing=False)
        assert ended.seconds == pytest.approx(1.0, abs=0.01)
        assert rendered_rows(picture) == first  # the same cells, in other colours
        picture.play()
        started = await app.wait_for_message(MediaView.PlaybackChanged)
        assert (started.playing, started.seconds) == (True, 0.0)
        picture.toggle_playback()
        assert not picture.playing


async def test_scrubbing_and_stepping(clip: Path) -> None:
    app = MediaViewApp()
    async with app.run_test(size=(40, 12)):
        picture = app.media_view
        picture.step(1)
        picture.scrub(0.5)
        picture.play()  # nothing is shown yet: none of these may do anything
        picture.set_file(clip)
        await app.wait_for_message(MediaView.Loaded)
        acts: list[tuple[Callable[[], None], int]] = [
            (lambda: picture.scrub(0.5), 12),
            (lambda: picture.step(1), 13),
            (lambda: picture.step(-3), 10),
            (lambda: picture.scrub(9.0), 24),
            (lambda: picture.scrub(-9.0), 0),
            (lambda: picture.seek(0.25), 6),
        ]
        for act, number in acts:
            act()
            await app.wait_for_message(MediaView.PlaybackChanged)
            assert picture.position == pytest.approx(number / 24, abs=0.001)


class CountingHalfBlocks(HalfBlocks):
    def __init__(self, bits: int = 8) -> None:
        super().__init__(bits)
        self.render_count = 0

    def render(self, frame: Frame, *, handle: int = 0, animated: bool = False) -> Drawing:
        self.render_count += 1
        return super().render(frame, handle=handle, animated=animated)


@pytest.mark.parametrize("how", ["hidden", "screen", "blur"])
async def test_a_clip_nobody_sees_stops(clip: Path, how: str) -> None:
    async with showing(clip, clock=lambda: 0.0) as (app, _):
        app.media_view.play()
        await app.wait_for_message(MediaView.PlaybackChanged)
        if how == "hidden":
            app.media_view.display = False
        elif how == "screen":
            await app.push_screen(Screen())
        else:
            app.app_focus = False
        stopped = await app.wait_for_message(MediaView.PlaybackChanged)
        assert not stopped.playing


async def test_a_slow_line_gets_thinner_colours_first(clip: Path) -> None:
    async with showing(clip, HalfBlocks(8), frame_budget=FrameBudget(24.0, 2_000)) as (app, _):
        app.media_view.play()
        await app.wait_for_playback(playing=False)
        assert isinstance(app.media_view.playback_graphics, HalfBlocks)
        assert app.media_view.playback_graphics.bits <= 5


async def test_four_frames_a_second_are_four(clip: Path) -> None:
    graphics = CountingHalfBlocks()
    async with showing(clip, graphics, frame_budget=FrameBudget(4.0)) as (app, _):
        graphics.render_count = 0
        app.media_view.play()
        await app.wait_for_playback(playing=False)
    assert 2 <= graphics.render_count <= 6


async def test_every_scrub_of_a_short_clip_moves_the_moment(tmp_path: Path) -> None:
    """16 frames: a twentieth is less than a frame."""
    path = corpus.write_clip(tmp_path / "a.mp4", corpus.grey_frames(16))
    async with showing(path) as (app, _):
        for number in range(1, 20):
            app.media_view.scrub(0.05)
            await app.wait_for_message(MediaView.PlaybackChanged)
            assert app.media_view.position == pytest.approx(number * 0.08)
        assert app.media_view.is_at_end


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
async def test_an_animated_image_plays_to_its_end_and_again(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind.lower()}"
    path.write_bytes(corpus.animation(kind, frames=3, milliseconds=60))
    await _plays_twice(path, 0.18)


async def test_a_clip_whose_sound_is_longer_plays_twice(tmp_path: Path) -> None:
    path = corpus.write_clip(tmp_path / "a.mp4", corpus.grey_frames(3), sound_seconds=0.5)
    await _plays_twice(path, 0.3)


async def test_the_clock_runs_while_a_frame_is_held(tmp_path: Path) -> None:
    """The second frame is held for 0.6 s."""
    path = corpus.write_clip(tmp_path / "a.mkv", corpus.grey_frames(3), times=[0, 100, 700])
    now = [0.0]
    async with showing(path, clock=lambda: now[0]) as (app, _):
        app.media_view.play()
        await app.wait_for_message(MediaView.PlaybackChanged)
        for now[0] in (0.3, 0.4, 0.5):
            assert app.media_view.position == pytest.approx(now[0])


async def _plays_twice(path: Path, seconds: float) -> None:
    async with showing(path) as (app, _):
        assert app.media_view.duration_seconds == pytest.approx(seconds, abs=0.01)
        for _ in range(2):
            app.media_view.play()
            started = await app.wait_for_message(MediaView.PlaybackChanged)
            ended = await app.wait_for_message(MediaView.PlaybackChanged)
            assert (started.playing, started.seconds, ended.playing) == (True, 0.0, False)
            assert ended.seconds == pytest.approx(seconds, abs=0.01)
            assert app.media_view.is_at_end
