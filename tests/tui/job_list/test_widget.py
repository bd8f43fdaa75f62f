"""The list under a pilot: the messages it posts, where its cursor stays, and how little it repaints."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import msgspec
import pytest
from textual.app import App, ComposeResult
from textual.events import MouseScrollDown
from textual.geometry import Region
from textual.pilot import Pilot
from textual.widgets import Input

from eternal_tui.jobs.filter import FACETS
from eternal_tui.jobs.model import Job, JobState
from eternal_tui.tui import themes
from eternal_tui.tui.gallery import Gallery
from eternal_tui.tui.graphics.base import NullGraphics
from eternal_tui.tui.job_list.filter_bar import FilterBar
from eternal_tui.tui.job_list.pane import JobListPane
from eternal_tui.tui.job_list.widget import JobList
from eternal_tui.tui.terminal.compositor import DiffScreen
from tests.drawn import screen_strips, until
from tests.tui.jobs import NOW, jobs_of_every_kind, make_job, make_jobs


class PaneApp(App[None]):
    """The jobs pane alone, writing down what it posts and what it repaints."""

    def __init__(self, jobs: list[Job]) -> None:
        super().__init__()
        themes.register_themes(self)
        self.theme = "eternal-dark"
        self._jobs = jobs
        self.posted: list[JobList.OpenRequested | JobList.Highlighted] = []
        self.repainted_regions: list[Region | None] = []
        self.estimated_count = 0

    def get_default_screen(self) -> DiffScreen:
        return DiffScreen(id="_default")

    def compose(self) -> ComposeResult:
        yield JobListPane(
            make_gallery=lambda jobs: Gallery(jobs, NullGraphics(), Path()),
            estimate_remaining=self._estimate,
        )

    def _estimate(self, job: Job) -> float:
        self.estimated_count += 1
        return 0.6 * (100 - job.progress)

    @property
    def job_list(self) -> JobList:
        return self.query_one(JobList)

    def on_mount(self) -> None:
        plain = self.job_list.refresh

        def refresh(*regions: Region, **how: bool) -> JobList:
            self.repainted_regions += regions or [None]
            return plain(*regions, **how)

        self.job_list.refresh = refresh  # type: ignore[method-assign]
        self.job_list.set_jobs(self._jobs, NOW)
        self.job_list.focus()

    def on_job_list_open_requested(self, event: JobList.OpenRequested) -> None:
        self.posted.append(event)

    def on_job_list_highlighted(self, event: JobList.Highlighted) -> None:
        self.posted.append(event)

    def posted_ids(self, kind: type[JobList.OpenRequested | JobList.Highlighted]) -> list[int | None]:
        return [message.job_id for message in self.posted if isinstance(message, kind)]

    def take_repainted(self) -> list[Region]:
        """Return the regions repainted since the last call; the whole list was none of them."""
        regions, self.repainted_regions = self.repainted_regions, []
        assert None not in regions
        return [region for region in regions if region]

    def screen_text(self) -> str:
        return "\n".join(strip.text for strip in screen_strips(self.screen))


@cache
def many_jobs() -> list[Job]:
    return make_jobs(100_000)


@asynccontextmanager
async def list_app(jobs: list[Job], size: tuple[int, int] = (100, 22)) -> AsyncIterator[tuple[PaneApp, Pilot[None]]]:
    app = PaneApp(jobs)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app, pilot


def running_job(job_id: int, progress: int = 40) -> Job:
    return make_job(job_id, state=JobState.RUNNING, progress=progress, submitted_at=NOW - 30)


async def test_keys_move_the_cursor_and_say_where_it_is() -> None:
    async with list_app(make_jobs(100)) as (app, pilot):
        height = app.job_list.size.height
        for key, expected in (
            ("j", 99), ("down", 98), ("k", 99), ("G", 1), ("end", 1), ("g", 100), ("home", 100),
            ("pagedown", 100 - height), ("pageup", 100), ("ctrl+d", 100 - height // 2), ("ctrl+u", 100), ("up", 100),
        ):  # fmt: skip
            await pilot.press(key)
            assert app.job_list.current_id == expected, key
            assert expected in app.job_list.visible_ids()
        assert app.posted_ids(JobList.Highlighted)[:3] == [100, 99, 98]


async def test_enter_and_double_click_open_a_click_selects_and_the_wheel_scrolls() -> None:
    async with list_app(make_jobs(100)) as (app, pilot):
        await pilot.press("j", "enter")
        await pilot.click(JobList, offset=(10, 5))
        assert app.job_list.current_id == 95
        await pilot.click(JobList, offset=(10, 7), times=2)
        assert app.posted_ids(JobList.OpenRequested) == [99, 93]
        await pilot._post_mouse_events([MouseScrollDown], JobList, (5, 5))
        await pilot.pause()
        assert app.job_list.scroll_offset.y > 0
        assert app.job_list.current_id == 93
        await pilot.press("g", "j")
        assert 99 in app.job_list.visible_ids()


async def test_marks_belong_to_jobs() -> None:
    async with list_app(make_jobs(20)) as (app, pilot):
        await pilot.press("space", "space")
        assert app.job_list.marked_ids == {20, 19}
        assert app.screen_text().count("●") == 2
        await pilot.press("j", "j", "V")
        app.job_list.apply_changes([running_job(21)], NOW)
        assert app.job_list.marked_ids == {20, 19, 18, 17, 16}
        assert "5 marked" in app.job_list.title
        app.job_list.apply_changes([], NOW, removed_ids=[20])
        assert 20 not in app.job_list.marked_ids
        await pilot.press("escape")
        assert not app.job_list.marked_ids
        await pilot.press("ctrl+a")
        assert len(app.job_list.marked_ids) == 20


async def test_the_cursor_stays_on_its_job_when_others_come_and_go() -> None:
    async with list_app(make_jobs(50)) as (app, pilot):
        app.job_list.apply_changes([running_job(51)], NOW)
        assert app.job_list.current_id == 50
        await pilot.press("j", "j")
        for changed, removed, expected in (([running_job(52)], [], 48), ([], [52, 50], 48), ([], [48], 47)):
            app.job_list.apply_changes(changed, NOW, removed_ids=removed)
            assert app.job_list.current_id == expected
        # Only from outside the list its top is followed: the next key would meet another job.
        await pilot.press("g")
        app.screen.set_focus(None)
        await pilot.pause()
        app.job_list.apply_changes([running_job(53)], NOW)
        assert app.job_list.current_id == 53


async def test_lines_in_view_do_not_move_and_the_title_counts_jobs_that_came_above_them() -> None:
    """The cursor in the last line of the list pushes one out of view too, be the list at its very top."""
    async with list_app(make_jobs(100), (100, 12)) as (app, pilot):
        await pilot.press(*["j"] * (app.job_list.size.height - 1))
        app.job_list.apply_changes([running_job(101)], NOW)
        await pilot.pause()
        assert app.job_list.title.endswith("1 new above")
        await pilot.press("pagedown", "pagedown")
        before = app.job_list.visible_ids()
        app.job_list.apply_changes([running_job(102), running_job(103)], NOW)
        app.job_list.apply_changes([running_job(102)], NOW, removed_ids=[101])
        await pilot.pause()
        assert app.job_list.visible_ids() == before
        assert app.job_list.title.endswith("2 new above")
        app.job_list.scroll_to(y=0, animate=False)
        await pilot.pause()
        assert "new above" not in app.job_list.title


async def test_only_what_changes_is_repainted() -> None:
    jobs = [running_job(job_id, progress=50) for job_id in range(30, 0, -1)]
    async with list_app(jobs, (104, 26)) as (app, pilot):
        app.repainted_regions.clear()
        app.job_list.apply_changes([msgspec.structs.replace(jobs[3], progress=51)], NOW)
        assert 0 < sum(region.area for region in app.take_repainted()) <= 6
        await pilot.pause()
        app.job_list.tick(NOW)
        app.job_list.apply_changes([jobs[29]], NOW)
        assert not app.take_repainted()
        app.job_list.tick(NOW + 1)
        assert [region.area for region in app.take_repainted()] == [1] * len(app.job_list.visible_ids())
        await pilot.pause()
        await pilot.press("j")
        assert {region.y for region in app.take_repainted()} == {0, 1}


async def test_what_is_on_the_screen_after_partial_repaints_is_what_a_full_one_gives() -> None:
    jobs = jobs_of_every_kind()
    async with list_app(jobs, (104, 26)) as (app, pilot):
        for second in range(1, 6):
            jobs = [msgspec.structs.replace(job, progress=min(100, job.progress + 7)) for job in jobs]
            app.job_list.apply_changes(jobs[second:], NOW + second)
            await pilot.pause()
        partial = app.screen_text()
        app.job_list.refresh()
        await pilot.pause()
        assert app.screen_text() == partial


async def test_facets_and_the_title() -> None:
    async with list_app(jobs_of_every_kind()) as (app, pilot):
        titles = []
        for _ in FACETS:
            titles.append(str(app.job_list.title))
            await pilot.press("f")
        assert titles[0] == app.job_list.title == "Jobs · all"
        assert [title.split(" of ")[-1] for title in titles[1:]] == ["17"] * 3
        assert titles[3].startswith("Jobs · needs attention ")


async def test_typing_a_filter_narrows_keeps_the_cursor_and_escape_brings_all_back() -> None:
    async with list_app(make_jobs(60), (140, 22)) as (app, pilot):
        await pilot.press("j", "j", "j", "slash", *"red")
        assert app.job_list.title == "Jobs · red 20 of 60"
        assert app.job_list.current_id == 57
        filter_bar = app.query_one(FilterBar)
        for text, shown in (("red state:failed", " 2 of 60"), ("colour:red", "Unknown filter colour:.")):
            filter_bar.query_one(Input).value = text
            await pilot.pause()
            assert shown in app.screen_text()
        assert app.job_list.count == 60
        await pilot.press("enter")
        assert app.focused is app.job_list
        await pilot.press("slash", "escape")
        assert app.job_list.title == "Jobs · all"
        assert app.job_list.current_id == 57
        assert not filter_bar.has_class("open")


async def test_a_search_leaves_every_job_listed_and_keys_go_through_its_matches() -> None:
    async with list_app(make_jobs(30)) as (app, pilot):
        await pilot.press("F", *"red", "enter")
        assert app.job_list.count == 30
        for key, current, position in (
            ("n", 27, "find red 2/10"), ("j", 26, "find red -/10"), ("N", 27, "2/10"),
            ("N", 30, "1/10"), ("N", 3, "10/10"),
        ):  # fmt: skip
            await pilot.press(key)
            assert app.job_list.current_id == current
            assert app.job_list.position.endswith(position)
        app.job_list.apply_changes([make_job(31, prompt="red")], NOW)
        assert app.job_list.position == "find red 11/11"


async def test_empty_lists_say_which_key_helps() -> None:
    async with list_app([]) as (app, pilot):
        assert "No jobs yet. Press n to create one." in app.screen_text()
        await pilot.press("j", "space", "V", "enter", "G", "ctrl+a", "f", "S")
        assert app.job_list.current_id is None
        await pilot.press("escape")
        app.job_list.apply_changes([running_job(1)], NOW)
        await pilot.press("slash", *"zebra")
        assert "No job matches 'zebra'. esc: clear the filter." in app.screen_text()


async def test_sorting_by_cost_keeps_the_cursor_on_its_job() -> None:
    jobs = [make_job(job_id, state=JobState.SUCCEEDED, cost=job_id % 4 / 10) for job_id in range(9, 0, -1)]
    async with list_app(jobs) as (app, pilot):
        await pilot.press("j", "S", "S", "S")
        assert app.job_list.listed_ids() == [7, 3, 6, 2, 9, 5, 1, 8, 4]
        assert app.job_list.current_id == 8
        assert "most expensive first" in app.job_list.title


async def test_thousands_of_jobs_are_drawn_only_where_they_are_seen() -> None:
    async with list_app([running_job(job_id) for job_id in range(5_000, 0, -1)], (120, 30)) as (app, pilot):
        for key, expected in (("G", 1), ("k", 2), ("pageup", 2 + app.job_list.size.height), ("g", 5_000)):
            app.estimated_count = 0
            await pilot.press(key)
            assert app.job_list.current_id == expected
            assert app.estimated_count <= 2 * app.job_list.size.height


async def test_a_search_through_a_hundred_thousand_jobs_lets_keys_in_between_and_loses_no_change() -> None:
    async with list_app(many_jobs()) as (app, pilot):
        app.job_list.set_filter("7777")
        for turn in range(20):
            assert app.job_list.count == 100_000, turn
            await asyncio.sleep(0)
        fresh = make_job(100_001, prompt="number 7777")
        app.job_list.apply_changes([fresh, make_job(7_777, prompt="changed")], NOW, removed_ids=[77_777])
        old = [job.id for job in many_jobs() if "7777" in str(job.id) and job.id not in (7_777, 77_777)]
        await until(pilot, lambda: app.job_list.listed_ids() == [100_001, *old])


async def test_the_title_shows_a_filter_as_it_is_typed() -> None:
    async with list_app(make_jobs(5), (120, 30)) as (app, pilot):
        app.job_list.set_filter("[@click=app.quit]x[/]")
        await pilot.pause()
        assert "[@click=app.quit]x" in app.screen_text().splitlines()[0]
        segments = [segment for strip in screen_strips(app.screen) for segment in strip]
        assert not any(segment.style and segment.style.meta.get("@click") for segment in segments)


BATCH_IDS = [9, 8, 7, 6]
BATCH = [make_job(job_id, batch="x", state=JobState.RUNNING, progress=40) for job_id in BATCH_IDS]


async def test_a_batch_is_one_line_that_opens_and_folds() -> None:
    async with list_app([*BATCH, *make_jobs(5)], (120, 20)) as (app, pilot):
        jobs = app.job_list
        assert jobs.count == 6
        assert "▸ 4 jobs" in app.screen_text()
        await pilot.press("right")
        assert jobs.count == 10
        assert "▾ 4 jobs" in app.screen_text()
        jobs.apply_changes([make_job(9, batch="x", state=JobState.RUNNING, progress=90)], NOW + 1)
        assert jobs.selected_ids() == BATCH_IDS
        await pilot.press("j", "j")
        assert jobs.selected_ids() == [8]
        await pilot.press("left")
        assert (jobs.count, jobs.selected_ids()) == (6, BATCH_IDS)
        await pilot.press("j")
        assert jobs.selected_ids() == [5]
        assert not app.posted_ids(JobList.OpenRequested)
        assert jobs.go_to_job(7)
        assert jobs.selected_ids() == [7]


async def test_the_line_of_a_batch_moves_with_its_jobs_and_nothing_else_is_painted() -> None:
    async with list_app([*BATCH, *make_jobs(5)], (120, 20)) as (app, _):
        app.repainted_regions.clear()
        app.job_list.apply_changes([msgspec.structs.replace(BATCH[2], state=JobState.FAILED)], NOW)
        assert {region.y for region in app.take_repainted()} == {0}


async def test_marks_deletions_orders_and_filters_meet_every_job_of_a_batch() -> None:
    async with list_app([*BATCH, *make_jobs(5)], (120, 20)) as (app, pilot):
        jobs = app.job_list
        await pilot.press("space")
        assert (jobs.marked_ids, jobs.current_id) == (set(BATCH_IDS), 5)
        await pilot.press("k", "space")
        assert jobs.marked_ids == set()
        await pilot.press("k", "space", "j", "V")
        assert jobs.marked_ids == {*BATCH_IDS, 5, 4}
        jobs.clear_marks()
        for text, count in (("batch:x", 4), ("", 6)):
            jobs.set_filter(text)
            assert jobs.count == count
        await pilot.press("S")
        assert jobs.count == 9
        await pilot.press("S", "S", "S", "S", "S")
        for removed, count in ((BATCH_IDS[:3], 6), (BATCH_IDS[3:], 5)):
            jobs.apply_changes([], NOW, removed_ids=removed)
            assert jobs.count == count


async def test_enter_opens_a_batch_as_thumbnails_until_escape() -> None:
    async with list_app([make_job(12), *BATCH, *make_jobs(5)], (120, 30)) as (app, pilot):
        pane, jobs = app.query_one(JobListPane), app.job_list
        pane.toggle_gallery()
        assert jobs.count == 10
        pane.toggle_gallery()
        await pilot.press("j", "enter")
        assert pane.gallery.has_focus
        assert jobs.listed_ids() == BATCH_IDS
        fresh = [make_job(number, batch=batch, state=JobState.RUNNING) for number, batch in ((13, "x"), (14, "y"))]
        jobs.apply_changes(fresh, NOW)
        assert jobs.listed_ids() == [13, *BATCH_IDS]
        await pilot.press("l", "space", "escape")
        assert (pane.is_gallery, jobs.marked_ids) == (True, set())
        await pilot.press("escape")
        assert not pane.is_gallery
        assert jobs.has_focus
        assert jobs.filter.is_empty
        assert jobs.selected_ids() == [13, *BATCH_IDS]


async def test_a_batch_that_no_filter_can_name_is_unfolded() -> None:
    jobs = [make_job(number, batch='My "own"', state=JobState.RUNNING) for number in BATCH_IDS]
    async with list_app(jobs) as (app, pilot):
        for count in (5, 1):
            await pilot.press("enter")
            assert (app.query_one(JobListPane).is_gallery, app.job_list.count) == (False, count)


SIZES = [(140, 40), (80, 24), (60, 20)]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_looks(snap_compare: object, size: tuple[int, int]) -> None:
    assert snap_compare(PaneApp(jobs_of_every_kind()), terminal_size=size, press=["j", "space", "j"])  # type: ignore[operator]
