"""The list under a pilot: the messages it posts, where its cursor stays, and how little it repaints."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from textual.app import App, ComposeResult
from textual.events import MouseScrollDown
from textual.geometry import Region
from textual.message import Message
from textual.widgets import Input

from eternal_tui.jobs.filter import FACETS, JobFilter
from eternal_tui.jobs.model import Job, JobState
from eternal_tui.tui import themes
from eternal_tui.tui.gallery import Gallery
from eternal_tui.tui.graphics.base import NullGraphics
from eternal_tui.tui.job_list.filter_bar import FilterBar
from eternal_tui.tui.job_list.index import JobIndex
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
        self.posted: list[Message] = []
        self.repainted_regions: list[Region | None] = []

    def get_default_screen(self) -> DiffScreen:
        return DiffScreen(id="_default")

    def compose(self) -> ComposeResult:
        yield JobListPane(
            make_gallery=lambda jobs: Gallery(jobs, NullGraphics(), Path()),
            estimate_remaining=lambda job: 0.6 * (100 - job.progress),
            pane_number=2,
        )

    @property
    def job_list(self) -> JobList:
        return self.query_one(JobList)

    @property
    def filter_bar(self) -> FilterBar:
        return self.query_one(FilterBar)

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

    def screen_text(self) -> str:
        return "\n".join(strip.text for strip in screen_strips(self.screen))


@cache
def _many_jobs() -> list[Job]:
    return make_jobs(100_000)


def running_job(job_id: int, progress: int = 40) -> Job:
    return make_job(job_id, state=JobState.RUNNING, progress=progress, submitted_at=NOW - 30)


async def test_keys_move_the_cursor_and_say_where_it_is() -> None:
    app = PaneApp(make_jobs(100))
    async with app.run_test(size=(100, 22)) as pilot:
        await pilot.pause()
        height = app.job_list.size.height
        for key, expected in (
            ("j", 99), ("down", 98), ("k", 99), ("G", 1), ("end", 1), ("g", 100), ("home", 100),
            ("pagedown", 100 - height), ("pageup", 100), ("ctrl+d", 100 - height // 2), ("ctrl+u", 100), ("up", 100),
        ):  # fmt: skip
            await pilot.press(key)
            assert app.job_list.current_id == expected, key
            assert expected in app.job_list.visible_ids()
        moves = [message.job_id for message in app.posted if isinstance(message, JobList.Highlighted)]
        assert moves[:3] == [100, 99, 98]


async def test_enter_and_double_click_open_and_a_click_selects() -> None:
    app = PaneApp(make_jobs(100))
    async with app.run_test(size=(100, 22)) as pilot:
        await pilot.press("j", "enter")
        await pilot.click(JobList, offset=(10, 5))
        assert app.job_list.current_id == 95
        await pilot.click(JobList, offset=(10, 7), times=2)
        opened = [message.job_id for message in app.posted if isinstance(message, JobList.OpenRequested)]
        assert opened == [99, 93]


async def test_the_wheel_scrolls_and_leaves_the_cursor() -> None:
    app = PaneApp(make_jobs(100))
    async with app.run_test(size=(100, 22)) as pilot:
        await pilot.pause()
        await pilot._post_mouse_events([MouseScrollDown], JobList, (5, 5))
        await pilot.pause()
        assert app.job_list.scroll_offset.y > 0
        assert app.job_list.current_id == 100
        await pilot.press("j")
        assert 99 in app.job_list.visible_ids()


async def test_marks_belong_to_jobs() -> None:
    """Seen to fail with marks kept by row, and with a set of marks that the drawn lines did not share."""
    app = PaneApp(make_jobs(20))
    async with app.run_test(size=(100, 22)) as pilot:
        await pilot.press("space", "space")
        assert app.job_list.marked_ids == {20, 19}
        await pilot.pause()
        assert app.screen_text().count("●") == 2
        await pilot.press("j", "j", "V")
        assert app.job_list.marked_ids == {20, 19, 18, 17, 16}
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
    """Seen to fail with the row kept instead of the job."""
    app = PaneApp(make_jobs(50))
    async with app.run_test(size=(100, 12)) as pilot:
        await pilot.press("j", "j")
        app.job_list.apply_changes([running_job(51), running_job(52)], NOW)
        assert app.job_list.current_id == 48
        app.job_list.apply_changes([], NOW, removed_ids=[52, 50])
        assert app.job_list.current_id == 48
        app.job_list.apply_changes([], NOW, removed_ids=[48])
        assert app.job_list.current_id == 47


async def test_the_top_is_followed_only_from_outside_the_list() -> None:
    """Seen to fail with the focused list following, where the next key would meet another job."""
    app = PaneApp(make_jobs(5))
    async with app.run_test(size=(100, 12)) as pilot:
        await pilot.pause()
        app.job_list.apply_changes([running_job(6)], NOW)
        assert app.job_list.current_id == 5
        await pilot.press("g")
        app.screen.set_focus(None)
        await pilot.pause()
        app.job_list.apply_changes([running_job(7)], NOW)
        assert app.job_list.current_id == 7


async def test_lines_in_view_do_not_move_when_jobs_arrive_above_them() -> None:
    app = PaneApp(make_jobs(100))
    async with app.run_test(size=(100, 12)) as pilot:
        await pilot.press("pagedown", "pagedown", "pagedown")
        before = app.job_list.visible_ids()
        app.job_list.apply_changes([running_job(101), running_job(102)], NOW)
        await pilot.pause()
        assert app.job_list.visible_ids() == before


async def test_the_title_says_how_many_came_above_the_lines_in_view() -> None:
    """Seen to fail with `_update_unseen` forgetting all, and with it not asked again as the list scrolls.

    The cursor in the last line of the list pushes one out of view too, be the list at its very top.
    """
    app = PaneApp(make_jobs(100))
    async with app.run_test(size=(100, 12)) as pilot:
        await pilot.press(*["j"] * (app.job_list.size.height - 1))
        app.job_list.apply_changes([running_job(101)], NOW)
        await pilot.pause()
        assert app.job_list.title.endswith("1 new above")
        await pilot.press("pagedown", "pagedown")
        app.job_list.apply_changes([running_job(102), running_job(103)], NOW)
        app.job_list.apply_changes([running_job(102)], NOW, removed_ids=[101])
        await pilot.pause()
        assert app.job_list.title.endswith("2 new above")
        app.job_list.scroll_to(y=0, animate=False)
        await pilot.pause()
        assert "new above" not in app.job_list.title


async def test_what_arrives_is_looked_for_alone_however_much_came_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen to fail with all that came above looked for each time, twice."""
    looked: list[int | None] = []
    row = JobIndex.row_of

    def counted(index: JobIndex, job_id: int | None) -> int | None:
        looked.append(job_id)
        return row(index, job_id)

    app = PaneApp(make_jobs(100))
    async with app.run_test(size=(100, 12)) as pilot:
        await pilot.press("pagedown", "pagedown")
        app.job_list.apply_changes([running_job(job_id) for job_id in range(101, 1_101)], NOW)
        await pilot.pause()
        assert app.job_list.title.endswith("1,000 new above")
        monkeypatch.setattr(JobIndex, "row_of", counted)
        app.job_list.apply_changes([running_job(1_101)], NOW)
        await pilot.pause()
        assert app.job_list.title.endswith("1,001 new above")
        assert len(looked) < 20
        app.job_list.set_filter("running")
        await pilot.pause()
        await pilot.press("g")
        await pilot.pause()
        assert "new above" not in app.job_list.title


async def test_a_changed_cell_repaints_that_cell_alone_and_nothing_repaints_nothing() -> None:
    """Seen to fail with refresh_line for every changed job, and with tick refreshing whatever is in view."""
    jobs = [running_job(job_id, progress=50) for job_id in range(30, 0, -1)]
    app = PaneApp(jobs)
    async with app.run_test(size=(104, 26)) as pilot:
        await pilot.pause()
        app.repainted_regions.clear()
        app.job_list.apply_changes([msgspec.structs.replace(jobs[3], progress=51)], NOW)
        assert app.repainted_regions
        assert sum(region.area for region in app.repainted_regions if region) <= 6
        assert None not in app.repainted_regions
        await pilot.pause()
        app.repainted_regions.clear()
        app.job_list.tick(NOW)
        app.job_list.apply_changes([jobs[29]], NOW)
        assert not app.repainted_regions
        app.job_list.tick(NOW + 1)
        visible = len(app.job_list.visible_ids())
        assert len(app.repainted_regions) == visible
        assert all(region and region.area == 1 for region in app.repainted_regions)


async def test_moving_the_cursor_repaints_two_lines() -> None:
    app = PaneApp(make_jobs(100))
    async with app.run_test(size=(104, 26)) as pilot:
        await pilot.press("j")
        await pilot.pause()
        app.repainted_regions.clear()
        await pilot.press("j")
        assert {region.y for region in app.repainted_regions if region} == {1, 2}
        assert None not in app.repainted_regions


async def test_what_is_on_the_screen_after_partial_repaints_is_what_a_full_one_gives() -> None:
    jobs = jobs_of_every_kind()
    app = PaneApp(jobs)
    async with app.run_test(size=(104, 26)) as pilot:
        for second in range(1, 6):
            jobs = [msgspec.structs.replace(job, progress=min(100, job.progress + 7)) for job in jobs]
            app.job_list.apply_changes(jobs[second:], NOW + second)
            await pilot.pause()
        partial = app.screen_text()
        app.job_list.refresh()
        await pilot.pause()
        assert app.screen_text() == partial


async def test_facets_and_the_title() -> None:
    app = PaneApp(jobs_of_every_kind())
    async with app.run_test(size=(100, 22)) as pilot:
        titles = []
        for _ in FACETS:
            titles.append(str(app.job_list.title))
            await pilot.press("f")
        assert titles[0] == "Jobs · all"
        assert [title.split(" of ")[-1] for title in titles[1:]] == ["17"] * 3
        assert titles[3].startswith("Jobs · needs attention ")
        assert app.job_list.title == "Jobs · all"


async def test_typing_a_filter_narrows_keeps_the_cursor_and_escape_brings_all_back() -> None:
    app = PaneApp(make_jobs(60))
    async with app.run_test(size=(100, 22)) as pilot:
        await pilot.press("j", "j", "j")
        assert app.job_list.current_id == 57
        await pilot.press("slash", *"red")
        assert app.job_list.title == "Jobs · red 20 of 60"
        assert app.job_list.current_id == 57
        app.filter_bar.query_one(Input).value = "red state:failed"
        await pilot.pause()
        assert "2 of 60" in app.job_list.title
        assert app.job_list.current_id != 57
        await pilot.press("enter")
        assert app.focused is app.job_list
        await pilot.press("slash", "escape")
        assert app.job_list.title == "Jobs · all"
        assert app.job_list.current_id == 57
        assert not app.filter_bar.has_class("open")


async def test_a_filter_that_cannot_be_read_says_so_beside_it() -> None:
    app = PaneApp(make_jobs(10))
    async with app.run_test(size=(140, 12)) as pilot:
        await pilot.press("slash", *"colour:red")
        await pilot.pause()
        assert "Unknown filter colour:." in app.screen_text()
        assert len(app.job_list.listed_ids()) == 10


async def test_empty_lists_teach() -> None:
    app = PaneApp([])
    async with app.run_test(size=(100, 12)) as pilot:
        await pilot.pause()
        assert "No jobs yet. Press n to create one." in app.screen_text()
        await pilot.press("j", "space", "V", "enter", "G", "ctrl+a", "f", "S")
        assert app.job_list.current_id is None
        await pilot.press("escape")
        app.job_list.apply_changes([running_job(1)], NOW)
        await pilot.press("slash", *"zebra")
        await pilot.pause()
        assert "No job matches 'zebra'. esc: clear the filter." in app.screen_text()
        assert "Nothing here" not in app.screen_text()


async def test_sorting_by_cost_keeps_the_cursor_on_its_job() -> None:
    app = PaneApp([make_job(job_id, state=JobState.SUCCEEDED, cost=job_id % 4 / 10) for job_id in range(9, 0, -1)])
    async with app.run_test(size=(100, 22)) as pilot:
        await pilot.press("j")
        for _ in range(3):
            await pilot.press("S")
        assert app.job_list.listed_ids() == [7, 3, 6, 2, 9, 5, 1, 8, 4]
        assert app.job_list.current_id == 8
        assert "most expensive first" in app.job_list.title


async def test_a_hundred_thousand_jobs_scroll_in_work_of_one_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts, not times: lines built for one key press. Seen to fail with a line built for every job."""
    app = PaneApp(_many_jobs())
    async with app.run_test(size=(100, 30)) as pilot:
        await app.workers.wait_for_complete()
        await pilot.pause()
        built: list[int] = []
        plain = app.job_list._line_at

        def counted(y: int) -> object:
            built.append(y)
            return plain(y)

        monkeypatch.setattr(app.job_list, "_line_at", counted)
        for key, expected in (("G", 1), ("k", 2), ("pageup", 2 + app.job_list.size.height), ("g", 100_000)):
            built.clear()
            await pilot.press(key)
            await pilot.pause()
            assert app.job_list.current_id == expected
            assert len(built) <= 4 * app.job_list.size.height
        built.clear()
        app.job_list.apply_changes([running_job(100_001), running_job(50_000)], NOW)
        await pilot.pause()
        assert len(built) <= 4 * app.job_list.size.height
        assert len(app.job_list.listed_ids()) == 100_001


async def test_a_search_through_a_hundred_thousand_jobs_lets_keys_in_between() -> None:
    """Seen to fail with the whole search done in one go."""
    app = PaneApp(_many_jobs())
    async with app.run_test(size=(100, 30)) as pilot:
        await app.workers.wait_for_complete()
        turns: list[str] = []
        app.job_list.set_filter("number 77777")
        search = asyncio.ensure_future(app.workers.wait_for_complete())
        async for title in _titles_each_turn(app):
            turns.append(title)
            if search.done():
                break
        await pilot.pause()
        assert len(turns) >= 20
        assert app.job_list.current_id == 77_777


async def test_changes_during_a_search_are_not_lost() -> None:
    app = PaneApp(_many_jobs())
    async with app.run_test(size=(100, 30)) as pilot:
        await app.workers.wait_for_complete()
        app.job_list.set_filter("7777")
        await asyncio.sleep(0)
        fresh = make_job(100_001, prompt="number 7777")
        app.job_list.apply_changes([fresh, make_job(7_777, prompt="changed")], NOW, removed_ids=[77_777])
        old = [job.id for job in _many_jobs() if "7777" in str(job.id) and job.id not in (7_777, 77_777)]
        await until(pilot, lambda: app.job_list.listed_ids() == [100_001, *old])


async def test_keys_during_a_search_do_not_search_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen to fail with all jobs searched at each key: 30 ms with 100,000 of them."""
    searches: list[str] = []
    select = JobFilter.select

    def counted(self: JobFilter, *args: Any) -> list[Job]:
        searches.append(self.text)
        return select(self, *args)

    app = PaneApp(make_jobs(60))
    async with app.run_test(size=(100, 22)) as pilot:
        await pilot.press("F", *"red", "enter")
        await pilot.pause()
        monkeypatch.setattr(JobFilter, "select", counted)
        await pilot.press("n", "j", "j", "N", "n", "G")
        assert searches == []
        app.job_list.apply_changes([running_job(61)], NOW)
        assert searches == ["red"]


async def _titles_each_turn(app: PaneApp) -> AsyncIterator[str]:
    for _ in range(10_000):
        yield str(app.job_list.title)
        await asyncio.sleep(0)


async def test_the_title_shows_a_filter_as_it_is_typed() -> None:
    """Seen to fail with the title handed to Textual as a string, which it reads as markup."""
    app = PaneApp(make_jobs(5))
    async with app.run_test(size=(120, 30)) as pilot:
        app.job_list.set_filter("[@click=app.quit]x[/]")
        await pilot.pause()
        assert "[@click=app.quit]x" in app.screen_text().splitlines()[0]
        segments = [segment for strip in screen_strips(app.screen) for segment in strip]
        assert not any(segment.style and segment.style.meta.get("@click") for segment in segments)


async def test_states_are_told_without_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = PaneApp(jobs_of_every_kind())
    async with app.run_test(size=(104, 24)) as pilot:
        await pilot.pause()
        for words in ("◐ running", "✗ failed", "✓ saved", "? unconfirmed", "▌  ↑ submitting"):
            assert words in app.screen_text()


SIZES = [(140, 40), (80, 24), (60, 20)]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_looks(snap_compare: object, size: tuple[int, int]) -> None:
    assert snap_compare(PaneApp(jobs_of_every_kind()), terminal_size=size, press=["j", "space", "j"])  # type: ignore[operator]
