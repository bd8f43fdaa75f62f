"""Plots of signs, and the figures as they stand on the screen."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eternal_tui.jobs.billing.statistics import compute_statistics
from eternal_tui.tui.screens.statistics import StatisticsScreen, render_statistics
from eternal_tui.tui.terminal.glyphs import ASCII, UNICODE, Glyphs
from eternal_tui.tui.widgets.plots import bar_chart, progress_bar, sparkline
from tests.jobs.test_statistics import succeeded_job
from tests.tui.jobs import NOW
from tests.tui.screens.stage import ScreenApp, make_app, make_services, screen_text, wait_idle


def test_columns_grow_from_the_base() -> None:
    """Seen to fail with a round that let a twentieth of the top vanish."""
    assert [line.plain for line in bar_chart([0.0, 4.0, 8.0, 0.05], 2, UNICODE)] == ["  █ ", " ██▁"]
    assert [line.plain for line in bar_chart([0.0, 0.0], 2, UNICODE, column_width=2)] == ["    ", "    "]
    assert sparkline([3.0, 1.0, 2.0], UNICODE).plain == "█▁▅"
    assert progress_bar(0.5, 4, ASCII).plain == "==.."


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
@given(
    width=st.integers(20, 200),
    jobs=st.lists(st.tuples(st.floats(0, 4e6), st.floats(0, 1e5), st.floats(0, 1e6)), max_size=40),
)
def test_no_line_is_wider_than_its_room(glyphs: Glyphs, width: int, jobs: list[tuple[float, float, float]]) -> None:
    figures = compute_statistics(
        [succeeded_job(n, NOW - ago, took, cost=cost) for n, (ago, took, cost) in enumerate(jobs)], NOW
    )
    text = render_statistics(figures, width, glyphs)
    assert max(line.cell_length for line in text.split("\n")) <= width
    if glyphs is ASCII:
        assert text.plain.isascii()


async def test_a_key_opens_the_figures_and_esc_leaves(tmp_path: Path) -> None:
    app = make_app(make_services(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_idle(pilot)
        await pilot.press("I")
        await wait_idle(pilot)
        assert isinstance(app.screen, StatisticsScreen)
        assert "No jobs yet." in screen_text(app)
        await pilot.press("escape")
        assert not isinstance(app.screen, StatisticsScreen)


async def test_figures_fit_80_by_24() -> None:
    jobs = [succeeded_job(n, NOW - 70_000 * n, 20.0 + n % 7, cost=0.04 * (n % 5)) for n in range(60)]
    app = ScreenApp(StatisticsScreen(compute_statistics(jobs, NOW), UNICODE))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_idle(pilot)
        text = screen_text(app)
        assert "Spending, the last 30 days" in text
        assert "100 %" in text
        assert "half within 0:23, nine of ten within 0:26" in text
