"""Plots of signs, and the figures as they stand on the screen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eternal_tui.jobs.batch import group_jobs
from eternal_tui.jobs.billing.ledger import Ledger
from eternal_tui.jobs.billing.statistics import compute_statistics
from eternal_tui.jobs.filter import compile_filter
from eternal_tui.jobs.model import Job, JobState, to_record
from eternal_tui.tui.screens.statistics import FIGURES, StatisticsScreen, bar_chart, render_statistics
from tests.jobs.test_statistics import succeeded_job
from tests.tui.jobs import NOW, jobs_of_every_kind, make_job, make_jobs
from tests.tui.screens.stage import make_services, open_app, open_screen, screen_text, wait_idle


def test_columns_grow_from_the_base() -> None:
    assert [line.plain for line in bar_chart([0.0, 4.0, 8.0, 0.05], 2)] == ["  █ ", " ██▁"]
    assert [line.plain for line in bar_chart([0.0, 0.0], 2, column_width=2)] == ["    ", "    "]


@given(
    width=st.integers(20, 200),
    jobs=st.lists(st.tuples(st.floats(0, 4e6), st.floats(0, 1e5), st.floats(0, 1e6)), max_size=40),
)
def test_no_line_is_wider_than_its_room(width: int, jobs: list[tuple[float, float, float]]) -> None:
    figures = compute_statistics(
        [succeeded_job(n, NOW - ago, took, cost=cost) for n, (ago, took, cost) in enumerate(jobs)], NOW, Ledger()
    )
    text = render_statistics(figures, FIGURES, width)
    assert max(line.cell_length for line in text.split("\n")) <= width


def figures_of(jobs: list[Job]) -> StatisticsScreen:
    figures = compute_statistics(jobs, NOW, Ledger())
    return StatisticsScreen(figures, group_jobs(jobs, figures))


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (100, 30), (140, 40), (200, 60)], ids=str)
async def test_every_line_names_what_it_counts(size: tuple[int, int]) -> None:
    jobs = [succeeded_job(n, NOW - 70_000 * n, 20.0 + n, cost=0.04, tags=("poster",)) for n in range(3)]
    jobs.append(make_job(9, state=JobState.UNCONFIRMED, created_at=NOW, cost=0.2))
    async with open_screen(figures_of(jobs), size) as (app, pilot):
        assert "Spending, last" in screen_text(app)
        assert re.search(r"image +4 +100% +0:21 +0:22 +0\.28", screen_text(app)), screen_text(app)
        await pilot.press(*"jjjjjjj")
        await wait_idle(pilot)
        text = screen_text(app)
        for name in ("Astrid 6870", "poster", "2023-11-14"):
            assert name in text, text
        assert re.search(r"2023-11-14 +3 +100% +0:21 +0:21 +\d", text), text


def test_each_group_counts_the_jobs_its_filter_finds() -> None:
    jobs = [*make_jobs(40), *jobs_of_every_kind()]
    jobs += [make_job(100, tags=("poster",)), make_job(101, tags=("posters", "two words"), created_at=NOW - 2e6)]
    groups = group_jobs(jobs, compute_statistics(jobs, NOW, Ledger()))
    assert {group.kind for group in groups} == {"type", "character", "tag", "day"}
    for group in groups:
        assert sum(map(compile_filter(group.filter, now=NOW), jobs)) == group.jobs, group


async def test_enter_lists_the_jobs_behind_a_figure_and_escape_leaves(tmp_path: Path) -> None:
    bench = make_services(tmp_path)
    async with open_app(bench, size=(80, 24)) as (screen, pilot):
        await pilot.press("I")
        await wait_idle(pilot)
        assert "No jobs yet." in screen_text(pilot.app)
        await pilot.press("escape")
        assert pilot.app.screen is screen
    bench = make_services(tmp_path)
    bench.history.add_many(to_record(make_job(kind=kind, file_state=None)) for kind in ("image", "video", "video"))
    async with open_app(bench, size=(80, 24)) as (screen, pilot):
        await pilot.press("I")
        await wait_idle(pilot)
        await pilot.press("j", "enter")
        await wait_idle(pilot)
        assert pilot.app.screen is screen
        assert (screen.job_pane.job_list.filter.text, screen.job_pane.job_list.count) == ("type:image", 1)
