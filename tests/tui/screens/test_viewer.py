"""The viewer over real files: what it shows, how clips move together, and what it does while a file is on its way."""

from __future__ import annotations

import gc
import os
import weakref
from collections.abc import Callable, Sequence
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
from eternal_tui.tui.picture.position_bar import position_text, split_bar
from eternal_tui.tui.screens.viewer import Viewer, ViewerPanel, distinguishing_captions
from tests.drawn import screen_strips
from tests.tui.jobs import make_job
from tests.tui.results import open_services_with_jobs, saved_job, write_image
from tests.tui.screens.stage import (
    ScreenApp,
    flat_screen_text,
    job_commands,
    screen_text,
    terminal_context,
    wait_until,
)


def context_with_graphics(graphics: GraphicsBackend) -> TerminalContext:
    plain = terminal_context([])
    return msgspec.structs.replace(plain, graphics=graphics)


def viewer_app(
    bench: Services, jobs: Sequence[Job], listed: Sequence[int] = (), graphics: GraphicsBackend | None = None
) -> ScreenApp:
    return ScreenApp(Viewer(jobs, bench, context_with_graphics(graphics or HalfBlocks()), job_commands(bench), listed))


def media_views(stage: ScreenApp) -> list[MediaView]:
    return list(stage.screen.query(MediaView))


async def wait_until_drawn(pilot: Pilot[None]) -> list[MediaView]:
    await wait_until(pilot, lambda: all(one.has_drawing for one in pilot.app.screen.query(MediaView)))
    return list(pilot.app.screen.query(MediaView))


async def test_a_viewer_that_was_left_is_gone_with_all_it_drew(tmp_path: Path) -> None:
    async with open_services_with_jobs(tmp_path, saved_job("a.png")) as (bench, jobs):
        stage = viewer_app(bench, jobs)
        async with stage.run_test(size=(60, 20)) as pilot:
            viewer = Viewer(jobs, bench, context_with_graphics(HalfBlocks()), job_commands(bench))
            await stage.push_screen(viewer)
            (picture,) = await wait_until_drawn(pilot)
            left: list[Callable[[], object]] = [weakref.ref(viewer), weakref.ref(picture)]
            await stage.pop_screen()
            del viewer, picture
            await wait_until(pilot, lambda: gc.collect() >= 0 and all(one() is None for one in left))


async def test_arrows_go_through_the_list_and_zoomed_they_pan(tmp_path: Path) -> None:
    async with open_services_with_jobs(tmp_path, saved_job("a.png"), saved_job("b.png"), saved_job("c.png")) as (
        bench,
        jobs,
    ):
        ids = [job.id for job in reversed(jobs)]
        stage = viewer_app(bench, [jobs[1]], ids)
        async with stage.run_test(size=(60, 20)) as pilot:
            (picture,) = await wait_until_drawn(pilot)
            assert f"Job {jobs[1].id}" in screen_text(stage)
            await pilot.press("right")
            assert (picture.path or Path()).name == "a.png"
            await pilot.press("right", "right", "k")
            assert (picture.path or Path()).name == "b.png"
            await wait_until_drawn(pilot)
            await wait_until(pilot, lambda: not picture.workers or picture._linger_timer is None)
            await pilot.press("plus", "plus", "plus")
            assert picture.zoom_factor > 2
            await pilot.press("right", "j", "h", "l")
            assert (picture.path or Path()).name == "b.png"
            await pilot.press("0", "h")
            assert (picture.path or Path()).name == "c.png"
            assert picture.zoom_factor == 1
            await pilot.press("escape")
            assert not isinstance(stage.screen, Viewer)


async def test_a_clip_plays_and_says_where_it_stands(tmp_path: Path) -> None:
    async with open_services_with_jobs(tmp_path, saved_job("a.mp4")) as (bench, jobs):
        stage = viewer_app(bench, jobs)
        async with stage.run_test(size=(60, 20)) as pilot:
            (picture,) = await wait_until_drawn(pilot)
            await wait_until(pilot, lambda: "0:00 / 0:01 paused" in flat_screen_text(stage))
            await pilot.press("right_square_bracket")
            await wait_until(pilot, lambda: picture.position > 0)
            # Over and over until it was seen: a busy machine looks away for the second that the clip takes.
            picture._loop = True
            await pilot.press("p")
            await wait_until(pilot, lambda: "playing" in flat_screen_text(stage))
            picture._loop = False
            await wait_until(pilot, lambda: not picture.playing)
            await wait_until(pilot, lambda: "━ 0:01 / 0:01 paused" in flat_screen_text(stage))
            await pilot.press("comma")
            await wait_until(pilot, lambda: picture.position == pytest.approx(22 / 24, abs=0.01))


async def test_a_clip_is_looked_at_closely_too(tmp_path: Path) -> None:
    async with open_services_with_jobs(tmp_path, saved_job("a.mp4"), saved_job("b.mp4")) as (bench, jobs):
        stage = viewer_app(bench, [jobs[0]], [job.id for job in jobs])
        async with stage.run_test(size=(60, 20)) as pilot:
            (picture,) = await wait_until_drawn(pilot)
            whole = picture._drawing
            await pilot.press("plus", "plus", "right")
            await wait_until(pilot, lambda: picture._drawing != whole)
            assert picture.zoom_factor == pytest.approx(2.0)
            assert (picture.path or Path()).name == "a.mp4"
            await pilot.press("full_stop")
            await wait_until(pilot, lambda: picture.position > 0)
            assert picture.zoom_factor == pytest.approx(2.0)
            await pilot.press("0", "right")
            await wait_until(pilot, lambda: (picture.path or Path()).name == "b.mp4")


async def test_what_is_looked_at_can_be_starred_copied_and_saved(tmp_path: Path) -> None:
    async with open_services_with_jobs(tmp_path, saved_job("a.png"), saved_job("b.png")) as (bench, jobs):
        stage = viewer_app(bench, jobs)
        async with stage.run_test(size=(100, 30)) as pilot:
            await wait_until_drawn(pilot)
            await pilot.press("asterisk")
            await wait_until(pilot, lambda: screen_text(stage).count("★") == 2)
            assert all(bench.jobs.store.get(job.id).starred for job in jobs)  # type: ignore[union-attr]
            await pilot.press("s")
            await wait_until(pilot, lambda: "Save 2 files" in flat_screen_text(stage))
            await pilot.press("escape", "y")
            await wait_until(pilot, lambda: f"Copy of job {jobs[0].id}" in flat_screen_text(stage))


async def test_marked_clips_move_as_one_and_say_how_they_differ(tmp_path: Path) -> None:
    requests = (
        saved_job("a.mp4", prompt="By the sea"),
        saved_job("b.mp4", prompt="In the hills"),
        saved_job("c.png", prompt="At home"),
    )
    async with open_services_with_jobs(tmp_path, *requests) as (bench, jobs):
        stage = viewer_app(bench, jobs)
        async with stage.run_test(size=(120, 20)) as pilot:
            first, second, still = await wait_until_drawn(pilot)
            said = flat_screen_text(stage)
            assert all(words in said for words in ("By the sea", "In the hills", "At home", "video", "image"))
            first.seek(0.125)
            await wait_until(pilot, lambda: first.position == 0.125)
            await pilot.press("right_square_bracket")
            await wait_until(pilot, lambda: first.position == second.position > 0.125)
            # Called, not pressed: on a slow machine these short clips end between two presses.
            await stage.screen.run_action("play")
            assert (first.playing, second.playing, still.playing) == (True, True, False)
            await stage.screen.run_action("play")
            assert (first.playing, second.playing) == (False, False)


async def test_keys_that_come_at_once_move_every_clip_alike(tmp_path: Path) -> None:
    async with open_services_with_jobs(
        tmp_path, saved_job("a.mp4", prompt="One"), saved_job("b.mp4", prompt="Two")
    ) as (bench, jobs):
        stage = viewer_app(bench, jobs)
        async with stage.run_test(size=(120, 20)) as pilot:
            clips = await wait_until_drawn(pilot)
            viewer = stage.screen
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


async def test_a_file_that_arrives_appears(tmp_path: Path) -> None:
    waiting = make_job(state=JobState.SUCCEEDED, file_state=FileState.BROKEN, error="cut short")
    async with open_services_with_jobs(tmp_path, waiting) as (bench, (job,)):
        stage = viewer_app(bench, [job])
        async with stage.run_test(size=(80, 20)) as pilot:
            await wait_until(
                pilot,
                lambda: "broken" in flat_screen_text(stage) and "cut short" in flat_screen_text(stage),
            )
            assert UPPER_HALF_BLOCK not in screen_text(stage)
            write_image(bench.jobs.results_dir / "late.png")
            await bench.jobs.store.change(
                job.id,
                lambda now: msgspec.structs.replace(now, file="late.png", file_state=FileState.SAVED, error=""),
            )
            await wait_until_drawn(pilot)
            await wait_until(pilot, lambda: UPPER_HALF_BLOCK in screen_text(stage))


async def test_words_where_pictures_are_off(tmp_path: Path) -> None:
    async with open_services_with_jobs(tmp_path, saved_job("a.mp4", prompt="By the sea")) as (bench, jobs):
        stage = viewer_app(bench, jobs, graphics=NullGraphics())
        async with stage.run_test(size=(80, 20)) as pilot:
            await pilot.pause()
            said = flat_screen_text(stage)
            assert all(words in said for words in ("Pictures are off here. o opens", "By the sea", "96×64", "1.0 s"))
            assert "save" in said
            assert not any(words in said for words in ("play", "scrub", "zoom"))


async def test_a_file_that_cannot_be_drawn_says_why(tmp_path: Path) -> None:
    async with open_services_with_jobs(tmp_path, saved_job("a.png")) as (bench, jobs):
        (bench.jobs.results_dir / "a.png").write_bytes(b"nothing of the kind")
        stage = viewer_app(bench, jobs)
        async with stage.run_test(size=(80, 20)) as pilot:
            await wait_until(pilot, lambda: "File is damaged" in flat_screen_text(stage))


def test_only_what_differs_is_named() -> None:
    same = [make_job(1), make_job(2)]
    assert distinguishing_captions(same) == ["the same request", "the same request"]
    one, other = distinguishing_captions([make_job(1), make_job(2, prompt="Another")])
    assert (one, other) == ("The person waves and smiles", "Another")
    assert "Astrid" in distinguishing_captions([make_job(1)])[0]


def test_the_position_in_words_and_as_a_bar() -> None:
    assert position_text(1.9, 4.04, playing=True) == "0:01 / 0:04 playing"
    assert split_bar(1.0, 4.0, 8) == ("━━", "╌╌╌╌╌╌")
    assert split_bar(9.0, 4.0, 4) == ("━━━━", "")
    assert split_bar(1.0, 0.0, 4) == ("", "╌╌╌╌")


@pytest.mark.parametrize("key", ["f1", "question_mark"])
async def test_the_keys_are_shown_where_they_are_asked_for(tmp_path: Path, key: str) -> None:
    async with open_services_with_jobs(tmp_path, saved_job("a.png"), saved_job("b.png")) as (bench, jobs):
        stage = viewer_app(bench, jobs)
        async with stage.run_test(size=(100, 40)) as pilot:
            await pilot.press(key)
            await pilot.pause()
            said = flat_screen_text(stage)
            assert all(words in said for words in ("Zoom in", "Go one frame on", "Go back to the list"))
            await pilot.press("escape", "escape")
            assert not isinstance(stage.screen, Viewer)


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files and memory by /proc")
async def test_a_hundred_plays_in_the_viewer_leak_nothing(tmp_path: Path) -> None:
    """Each time a new viewer, opened, played to its end and left."""
    async with open_services_with_jobs(tmp_path, saved_job("a.mp4")) as (bench, jobs):
        stage = viewer_app(bench, jobs)
        async with stage.run_test(size=(80, 40)) as pilot:

            async def play() -> None:
                await stage.push_screen(Viewer(jobs, bench, context_with_graphics(HalfBlocks()), job_commands(bench)))
                (picture,) = await wait_until_drawn(pilot)
                await pilot.press("p")
                await wait_until(pilot, lambda: picture.is_at_end and not picture.playing)
                await stage.pop_screen()

            for _ in range(20):
                await play()
            files, memory = measure_resources()
            for _ in range(100):
                await play()
            files_after, memory_after = measure_resources()
    print(f"after 20 plays {memory / 1e6:.1f} MB, after 120 {memory_after / 1e6:.1f} MB, {files_after} files")
    assert files_after == files
    assert memory_after - memory < 4_000_000


def measure_resources() -> tuple[int, int]:
    """Return open files and resident bytes of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return len(list(Path("/proc/self/fd").iterdir())), pages * os.sysconf("SC_PAGE_SIZE")


async def test_culling_goes_on_to_the_next(tmp_path: Path) -> None:
    async with open_services_with_jobs(tmp_path, *(saved_job(f"{name}.png") for name in "abc")) as (bench, jobs):
        ids = [job.id for job in jobs]
        stage = viewer_app(bench, jobs[:1], ids)
        async with stage.run_test(size=(60, 20)) as pilot:
            (picture,) = await wait_until_drawn(pilot)
            await pilot.press("asterisk", "x", "x", "x")
            # The last stays, and its second x takes the first one back.
            assert (picture.path or Path()).name == "c.png"
            kept = [bench.jobs.store.get(job_id) for job_id in ids]
            assert [(job.starred, job.rating) for job in kept if job is not None] == [
                (True, 0),
                (False, -1),
                (False, 0),
            ]


async def test_one_of_several_is_marked_and_meant(tmp_path: Path) -> None:
    async with open_services_with_jobs(tmp_path, saved_job("a.png"), saved_job("b.png")) as (bench, jobs):
        stage = viewer_app(bench, jobs)
        async with stage.run_test(size=(80, 20)) as pilot:
            await wait_until_drawn(pilot)
            await pilot.press("tab", "tab", "asterisk")
            assert [one.has_class("-marked") for one in stage.screen.query(ViewerPanel)] == [False, True]
            assert [bool(found and found.starred) for found in map(bench.jobs.store.get, (1, 2))] == [False, True]
            await pilot.press("tab", "x")
            assert [found.rating for found in map(bench.jobs.store.get, (1, 2)) if found] == [-1, -1]


async def test_a_wipe_shows_the_left_of_one_and_the_right_of_the_other(tmp_path: Path) -> None:
    async with open_services_with_jobs(tmp_path, saved_job("a.png"), saved_job("b.png")) as (bench, jobs):
        results = bench.jobs.results_dir
        write_image(results / jobs[0].file, "red", (400, 100))  # type: ignore[operator]
        write_image(results / jobs[1].file, "blue", (400, 100))  # type: ignore[operator]
        stage = viewer_app(bench, jobs)
        async with stage.run_test(size=(80, 30)) as pilot:
            await wait_until_drawn(pilot)
            await pilot.press("w", "right", "right")
            views = media_views(stage)
            await wait_until(pilot, lambda: all(one.size.width == 80 and one._drawing.width == 80 for one in views))
            await pilot.pause()
            assert drawn_colours(stage) == {"red": (0, 48), "blue": (48, 80)}
            await pilot.press("w")
            await wait_until(pilot, lambda: all(one.size.width == 40 and one._drawing.width == 40 for one in views))
            await pilot.pause()
            assert drawn_colours(stage) == {"red": (0, 40), "blue": (40, 80)}


def drawn_colours(stage: ScreenApp) -> dict[str, tuple[int, int]]:
    """Return from where to where a middle line of the pictures is red, and where it is blue."""
    found: dict[str, tuple[int, int]] = {}
    rows = [row for row in screen_strips(stage.screen) if UPPER_HALF_BLOCK in row.text]
    x = 0
    for text, style, _ in rows[len(rows) // 2]:
        if (
            style is not None
            and style.color is not None
            and style.color.triplet is not None
            and UPPER_HALF_BLOCK in text
        ):
            name = "red" if style.color.triplet.red > style.color.triplet.blue else "blue"
            found[name] = (found.get(name, (x, x))[0], x + len(text))
        x += len(text)
    return found
