"""Batches in the list: one line each, opened and folded by keys, and what is done to the line is done to its jobs."""

from __future__ import annotations

import msgspec

from eternal_tui.jobs.model import FileState, Job, JobState
from eternal_tui.tui.job_list.pane import JobListPane
from eternal_tui.tui.job_list.widget import JobList
from tests.tui.job_list.test_widget import PaneApp
from tests.tui.jobs import NOW, make_job, make_jobs

BATCH_IDS = [9, 8, 7, 6]


def listed_jobs() -> list[Job]:
    batch = [make_job(number, batch="x", state=JobState.RUNNING, progress=40) for number in BATCH_IDS]
    return [*batch, *make_jobs(5)]


def line_texts(app: PaneApp) -> list[str]:
    return [app.job_list.render_line(y).text.rstrip() for y in range(app.job_list.count)]


async def test_a_batch_is_one_line_that_opens_and_folds() -> None:
    """Seen to fail with the cursor looked up by its job alone: it slid off the line at the next change."""
    app = PaneApp(listed_jobs())
    async with app.run_test(size=(120, 20)) as pilot:
        assert app.job_list.count == 6
        assert "▸ 4 jobs" in line_texts(app)[0]
        assert "0/4 done" in line_texts(app)[0]
        await pilot.press("right")
        assert app.job_list.count == 10
        assert "▾ 4 jobs" in line_texts(app)[0]
        assert app.job_list.selected_ids() == BATCH_IDS
        app.job_list.apply_changes([make_job(9, batch="x", state=JobState.RUNNING, progress=90)], NOW + 1)
        assert app.job_list.selected_ids() == BATCH_IDS
        await pilot.press("j", "j")
        assert app.job_list.selected_ids() == [8]
        await pilot.press("left")
        assert app.job_list.count == 6
        assert app.job_list.selected_ids() == BATCH_IDS
        await pilot.press("j")
        assert app.job_list.selected_ids() == [5]
        assert not any(isinstance(each, JobList.OpenRequested) for each in app.posted)
        assert app.job_list.go_to_job(7)
        assert app.job_list.selected_ids() == [7]


async def test_its_line_moves_with_its_jobs_and_nothing_else_is_painted() -> None:
    app = PaneApp(listed_jobs())
    async with app.run_test(size=(120, 20)) as pilot:
        await pilot.pause()
        app.repainted_regions.clear()
        done = msgspec.structs.replace(
            listed_jobs()[2], state=JobState.SUCCEEDED, file_state=FileState.SAVED, cost=0.04
        )
        app.job_list.apply_changes([done], NOW)
        assert "1/4 done" in line_texts(app)[0]
        assert {region.y for region in app.repainted_regions if region is not None} == {0}
        assert None not in app.repainted_regions


async def test_marks_deletions_and_filters_meet_every_job_of_it() -> None:
    """Seen to fail with the line's newest job marked alone."""
    app = PaneApp(listed_jobs())
    async with app.run_test(size=(120, 20)) as pilot:
        await pilot.press("space")
        assert app.job_list.marked_ids == set(BATCH_IDS)
        assert app.job_list.current_id == 5
        await pilot.press("k", "space")
        assert app.job_list.marked_ids == set()
        await pilot.press("k", "space", "j", "V")
        assert app.job_list.marked_ids == {*BATCH_IDS, 5, 4}
        app.job_list.clear_marks()
        app.job_list.set_filter("batch:x")
        assert [line[3:12] for line in line_texts(app)] == ["◐ running"] * 4
        app.job_list.set_filter("")
        assert app.job_list.count == 6
        await pilot.press("S")
        assert app.job_list.count == 9
        await pilot.press("S", "S", "S", "S")
        app.job_list.apply_changes([], NOW, removed_ids=BATCH_IDS[:3])
        assert app.job_list.count == 6
        assert "◐ running" in line_texts(app)[0]
        app.job_list.apply_changes([], NOW, removed_ids=BATCH_IDS[3:])
        assert app.job_list.count == 5


async def test_the_gallery_shows_each_picture() -> None:
    """Seen to fail with the gallery over folded rows: three pictures of four were not to be had."""
    app = PaneApp(listed_jobs())
    async with app.run_test(size=(120, 20)) as pilot:
        app.query_one(JobListPane).toggle_gallery()
        await pilot.pause()
        assert app.job_list.count == 9
        app.query_one(JobListPane).toggle_gallery()
        await pilot.pause()
        assert app.job_list.count == 6


async def test_enter_opens_a_batch_as_thumbnails_until_escape() -> None:
    app = PaneApp([make_job(12), *listed_jobs()])
    async with app.run_test(size=(120, 30)) as pilot:
        pane = app.query_one(JobListPane)
        await pilot.press("j", "enter")
        await pilot.pause()
        assert pane.gallery.has_focus
        assert app.job_list.listed_ids() == BATCH_IDS
        fresh = [make_job(number, batch=batch, state=JobState.RUNNING) for number, batch in ((13, "x"), (14, "y"))]
        app.job_list.apply_changes(fresh, NOW)
        assert app.job_list.listed_ids() == [13, *BATCH_IDS]
        await pilot.press("l", "space", "escape")
        await pilot.pause()
        assert (pane.is_gallery, app.job_list.marked_ids) == (True, set())
        await pilot.press("escape")
        await pilot.pause()
        assert not pane.is_gallery
        assert app.job_list.has_focus
        assert app.job_list.filter.is_empty
        assert app.job_list.selected_ids() == [13, *BATCH_IDS]


async def test_a_batch_that_no_filter_can_name_is_unfolded() -> None:
    app = PaneApp([make_job(number, batch='My "own"', state=JobState.RUNNING) for number in BATCH_IDS])
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("enter")
        assert (app.query_one(JobListPane).is_gallery, app.job_list.count) == (False, 5)
        await pilot.press("enter")
        assert app.job_list.count == 1
