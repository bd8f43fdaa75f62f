"""The viewer over real files: what it shows, how clips move together, and what it does while a file is on its way."""

from __future__ import annotations

import gc
import os
import time
import weakref
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot

from eternal_tui.jobs.model import FileState, Job, JobState
from eternal_tui.services import Services
from eternal_tui.tui.context import TerminalContext
from eternal_tui.tui.graphics.base import GraphicsBackend, NullGraphics
from eternal_tui.tui.graphics.half_blocks import UPPER_HALF_BLOCK, HalfBlocks
from eternal_tui.tui.picture.picture import MediaView
from eternal_tui.tui.screens.viewer import Viewer, ViewerPanel, distinguishing_captions, position_text, split_bar
from tests.drawn import screen_strips
from tests.tui.jobs import make_job
from tests.tui.results import open_services_with_jobs, saved_job, write_image
from tests.tui.screens.stage import (
    ScreenApp,
    flat_screen_text,
    job_commands,
    open_screen,
    screen_text,
    terminal_context,
    wait_until,
)


def context_with_graphics(graphics: GraphicsBackend) -> TerminalContext:
    return msgspec.structs.replace(terminal_context(), graphics=graphics)


def make_viewer(
    bench: Services, jobs: Sequence[Job], listed: Sequence[int] = (), graphics: GraphicsBackend | None = None
) -> Viewer:
    return Viewer(jobs, bench, context_with_graphics(graphics or HalfBlocks()), job_commands(bench), listed)


@asynccontextmanager
async def open_viewer(
    folder: Path,
    *jobs: Job,
    listed: bool = False,
    size: tuple[int, int] = (80, 20),
    graphics: GraphicsBackend | None = None,
) -> AsyncIterator[tuple[Services, list[MediaView], ScreenApp, Pilot[None]]]:
    """Show these jobs, or, `listed`, the second of the list of them; yield when their pictures are drawn."""
    async with open_services_with_jobs(folder, *jobs) as (bench, kept):
        ids = [job.id for job in reversed(kept)]
        viewer = make_viewer(bench, kept[1:2], ids, graphics) if listed else make_viewer(bench, kept, (), graphics)
        async with open_screen(viewer, size) as (app, pilot):
            yield bench, await wait_until_drawn(pilot), app, pilot


async def wait_until_drawn(pilot: Pilot[None]) -> list[MediaView]:
    views = list(pilot.app.screen.query(MediaView))
    wanted = [view for view in views if view.path is not None and any(view.graphics.cell_size)]
    await wait_until(pilot, lambda: all(view.has_drawing for view in wanted))
    return views


def file_name(view: MediaView) -> str:
    return view.path.name if view.path is not None else ""


async def test_a_closed_viewer_is_freed_with_all_it_drew(tmp_path: Path) -> None:
    async with open_viewer(tmp_path, saved_job("a.png"), size=(60, 20)) as (bench, _, app, pilot):
        viewer = make_viewer(bench, bench.jobs.store.newest_first())
        await app.push_screen(viewer)
        (picture,) = await wait_until_drawn(pilot)
        left: list[Callable[[], object]] = [weakref.ref(viewer), weakref.ref(picture)]
        await app.pop_screen()
        del viewer, picture
        await wait_until(pilot, lambda: gc.collect() >= 0 and all(one() is None for one in left))


@pytest.mark.parametrize("suffix", ["png", "mp4"])
async def test_arrows_go_through_the_list_and_zoomed_they_pan(tmp_path: Path, suffix: str) -> None:
    jobs = [saved_job(f"{name}.{suffix}") for name in "abc"]
    async with open_viewer(tmp_path, *jobs, listed=True, size=(60, 20)) as (_, (picture,), app, pilot):
        assert "Job 2" in screen_text(app)
        await pilot.press("right")
        assert file_name(picture) == f"a.{suffix}"
        await pilot.press("right", "right", "k")
        assert file_name(picture) == f"b.{suffix}"
        await wait_until_drawn(pilot)
        await pilot.press("plus", "plus", "plus", "right", "j", "h", "l")
        assert picture.zoom_factor > 2
        assert file_name(picture) == f"b.{suffix}"
        await pilot.press("0", "h")
        assert file_name(picture) == f"c.{suffix}"
        assert picture.zoom_factor == 1
        await pilot.press("escape")
        assert not isinstance(app.screen, Viewer)


async def test_a_clip_plays_and_shows_its_position(tmp_path: Path) -> None:
    async with open_viewer(tmp_path, saved_job("a.mp4"), size=(60, 20)) as (_, (picture,), app, pilot):
        await wait_until(pilot, lambda: "0:00 / 0:01 paused" in flat_screen_text(app))
        await pilot.press("right_square_bracket")
        await wait_until(pilot, lambda: picture.position > 0)
        # Time stops until it was seen: a busy machine may miss the second that the clip takes.
        picture._playhead._clock = lambda: 0.0
        await pilot.press("p")
        await wait_until(pilot, lambda: "playing" in flat_screen_text(app))
        picture._playhead._clock = time.monotonic
        await wait_until(pilot, lambda: not picture.playing)
        await wait_until(pilot, lambda: "━ 0:01 / 0:01 paused" in flat_screen_text(app))
        await pilot.press("comma")
        await wait_until(pilot, lambda: picture.position == pytest.approx(22 / 24, abs=0.01))


async def test_a_zoomed_clip_moves_on_by_frames(tmp_path: Path) -> None:
    async with open_viewer(tmp_path, saved_job("a.mp4"), size=(60, 20)) as (_, (picture,), app, pilot):
        whole = screen_strips(app.screen)
        await pilot.press("plus", "plus", "right")
        await wait_until(pilot, lambda: screen_strips(app.screen) != whole)
        await pilot.press("full_stop")
        await wait_until(pilot, lambda: picture.position > 0)
        assert picture.zoom_factor == pytest.approx(2.0)


async def test_compared_clips_move_as_one_and_say_how_they_differ(tmp_path: Path) -> None:
    jobs = (
        saved_job("a.mp4", prompt="By the sea"),
        saved_job("b.mp4", prompt="In the hills"),
        saved_job("c.png", prompt="At home"),
    )
    async with open_viewer(tmp_path, *jobs, size=(120, 20)) as (_, (first, second, still), app, pilot):
        text = flat_screen_text(app)
        assert all(words in text for words in ("By the sea", "In the hills", "At home", "video", "image"))
        first.seek(0.125)
        await wait_until(pilot, lambda: first.position == 0.125)
        await pilot.press("right_square_bracket")
        await wait_until(pilot, lambda: first.position == second.position > 0.125)
        # Called, not pressed: on a slow machine these short clips end between two presses.
        await app.screen.run_action("play")
        assert (first.playing, second.playing, still.playing) == (True, True, False)
        await app.screen.run_action("play")
        assert (first.playing, second.playing) == (False, False)


async def test_keys_that_come_at_once_move_every_clip_alike(tmp_path: Path) -> None:
    """No step overtakes a moment that is not shown yet, nor is it lost by a new size."""
    jobs = (saved_job("a.mp4", prompt="One"), saved_job("b.mp4", prompt="Two"))
    async with open_viewer(tmp_path, *jobs, size=(120, 20)) as (_, clips, app, pilot):
        viewer = app.screen
        assert isinstance(viewer, Viewer)
        for _ in range(4):
            viewer.action_scrub(1)
        for frames in (1, 1, 1, -1):
            viewer.action_step(frames)
        for clip in clips:
            clip.redraw()
        # Four twentieths of a second are in the frame that begins at 4/24; two further on is 6/24.
        await wait_until(pilot, lambda: all(clip.position == pytest.approx(6 / 24, abs=0.01) for clip in clips))
        viewer.action_play()
        viewer.action_step(1)
        await wait_until(pilot, lambda: all(clip.position == pytest.approx(7 / 24, abs=0.01) for clip in clips))
        assert not any(clip.playing for clip in clips)


async def test_a_file_that_arrives_is_shown(tmp_path: Path) -> None:
    waiting = make_job(state=JobState.SUCCEEDED, file_state=FileState.BROKEN, error="cut short")
    async with open_viewer(tmp_path, waiting) as (bench, _, app, pilot):
        assert all(words in flat_screen_text(app) for words in ("broken", "cut short"))
        assert UPPER_HALF_BLOCK not in screen_text(app)
        write_image(bench.jobs.results_dir / "late.png")
        await bench.jobs.store.change(
            1, lambda now: msgspec.structs.replace(now, file="late.png", file_state=FileState.SAVED, error="")
        )
        await wait_until(pilot, lambda: UPPER_HALF_BLOCK in screen_text(app))


async def test_words_where_pictures_are_off(tmp_path: Path) -> None:
    job = saved_job("a.mp4", prompt="By the sea")
    async with open_viewer(tmp_path, job, graphics=NullGraphics()) as (_, _, app, _):
        text = flat_screen_text(app)
        assert all(
            words in text for words in ("Pictures are off here. o opens", "By the sea", "96×64", "1.0 s", "save")
        )
        assert not any(words in text for words in ("play", "scrub", "zoom"))


async def test_a_file_that_cannot_be_drawn_says_why(tmp_path: Path) -> None:
    async with open_services_with_jobs(tmp_path, saved_job("a.png")) as (bench, jobs):
        (bench.jobs.results_dir / "a.png").write_bytes(b"nothing of the kind")
        async with open_screen(make_viewer(bench, jobs)) as (app, pilot):
            await wait_until(pilot, lambda: "File is damaged" in flat_screen_text(app))


def test_only_what_differs_is_named() -> None:
    same = [make_job(1), make_job(2)]
    assert distinguishing_captions(same) == ["the same request", "the same request"]
    different = [make_job(1), make_job(2, prompt="Another")]
    assert distinguishing_captions(different) == ["The person waves and smiles", "Another"]
    assert "Astrid" in distinguishing_captions([make_job(1)])[0]


def test_the_position_in_words_and_as_a_bar() -> None:
    assert position_text(1.9, 4.04, playing=True) == "0:01 / 0:04 playing"
    assert split_bar(1.0, 4.0, 8) == ("━━", "╌╌╌╌╌╌")
    assert split_bar(9.0, 4.0, 4) == ("━━━━", "")
    assert split_bar(1.0, 0.0, 4) == ("", "╌╌╌╌")


@pytest.mark.parametrize("key", ["f1", "question_mark"])
async def test_help_lists_the_viewers_keys(tmp_path: Path, key: str) -> None:
    async with open_viewer(tmp_path, saved_job("a.png"), size=(100, 40)) as (_, _, app, pilot):
        await pilot.press(key)
        await pilot.pause()
        text = flat_screen_text(app)
        assert all(words in text for words in ("Zoom in", "Go one frame on", "Go back to the list"))


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files and memory by /proc")
async def test_a_hundred_plays_in_the_viewer_leak_nothing(tmp_path: Path) -> None:
    async with open_viewer(tmp_path, saved_job("a.mp4"), size=(80, 40)) as (bench, _, app, pilot):

        async def play(times: int) -> tuple[int, int]:
            for _ in range(times):
                await app.push_screen(make_viewer(bench, bench.jobs.store.newest_first()))
                (picture,) = await wait_until_drawn(pilot)
                await pilot.press("p")
                await wait_until(pilot, lambda view=picture: view.is_at_end and not view.playing)  # type: ignore[misc]
                await app.pop_screen()
            return measure_resources()

        # Caches and pools are full after some thirty.
        files, memory = await play(40)
        files_after, memory_after = await play(80)
    assert files_after == files
    assert memory_after - memory < 4_000_000


def measure_resources() -> tuple[int, int]:
    """Return open files and resident bytes of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return len(list(Path("/proc/self/fd").iterdir())), pages * os.sysconf("SC_PAGE_SIZE")


async def test_culling_goes_on_to_the_next(tmp_path: Path) -> None:
    jobs = [saved_job(f"{name}.png") for name in "abc"]
    async with open_viewer(tmp_path, *jobs, listed=True, size=(60, 20)) as (bench, (picture,), _, pilot):
        await pilot.press("left", "asterisk", "x", "x", "x")
        # The last is still shown, and its second x takes the first one back.
        assert file_name(picture) == "a.png"
        marks = [(job.starred, job.rating) for job in bench.jobs.store.get_many((3, 2, 1))]
        assert marks == [(True, 0), (False, -1), (False, 0)]


async def test_keys_mean_all_compared_jobs_or_the_marked_one(tmp_path: Path) -> None:
    async with open_viewer(tmp_path, saved_job("a.png"), saved_job("b.png"), size=(100, 30)) as (bench, _, app, pilot):

        def marks() -> list[tuple[bool, int]]:
            return [(job.starred, job.rating) for job in bench.jobs.store.get_many((1, 2))]

        await pilot.press("asterisk")
        await wait_until(pilot, lambda: screen_text(app).count("★") == 2)
        await pilot.press("s")
        await wait_until(pilot, lambda: "Save 2 files" in flat_screen_text(app))
        await pilot.press("escape", "y")
        await wait_until(pilot, lambda: "Copy of job 1" in flat_screen_text(app))
        await pilot.press("escape", "tab", "tab", "asterisk")
        assert [panel.has_class("-marked") for panel in app.screen.query(ViewerPanel)] == [False, True]
        assert marks() == [(True, 0), (False, 0)]
        await pilot.press("tab", "x")
        assert marks() == [(True, -1), (False, -1)]


async def test_a_wipe_shows_the_left_of_one_and_the_right_of_the_other(tmp_path: Path) -> None:
    async with open_services_with_jobs(tmp_path, saved_job("a.png"), saved_job("b.png")) as (bench, jobs):
        for name, colour in (("a.png", "red"), ("b.png", "blue")):
            write_image(bench.jobs.results_dir / name, colour, (400, 100))
        async with open_screen(make_viewer(bench, jobs), (80, 30)) as (app, pilot):
            await wait_until_drawn(pilot)
            await pilot.press("w", "right", "right")
            await wait_until(pilot, lambda: drawn_colours(app) == {"red": (0, 48), "blue": (48, 80)})
            await pilot.press("w")
            await wait_until(pilot, lambda: drawn_colours(app) == {"red": (0, 40), "blue": (40, 80)})


def drawn_colours(app: ScreenApp) -> dict[str, tuple[int, int]]:
    """Return from where to where a middle line of the pictures is red, and where it is blue."""
    found: dict[str, tuple[int, int]] = {}
    rows = [row for row in screen_strips(app.screen) if UPPER_HALF_BLOCK in row.text]
    x = 0
    for text, style, _ in rows[len(rows) // 2] if rows else ():
        color = style.color.triplet if style is not None and style.color is not None else None
        if color is not None and UPPER_HALF_BLOCK in text:
            name = "red" if color.red > color.blue else "blue"
            found[name] = (found.get(name, (x, x))[0], x + len(text))
        x += len(text)
    return found
