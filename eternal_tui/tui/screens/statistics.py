"""Statistics: what was spent day by day, and how long and how well each type runs, drawn once when it is opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from eternal_tui.core.sanitize import SafeText, format_safe, join_safe
from eternal_tui.jobs.billing.statistics import DayStats, Statistics, TypeStats
from eternal_tui.tui.detail.text import format_duration
from eternal_tui.tui.input.actions import bindings
from eternal_tui.tui.terminal.glyphs import Glyphs
from eternal_tui.tui.widgets.dialog import Dialog
from eternal_tui.tui.widgets.help_keys import HelpMixin
from eternal_tui.tui.widgets.plots import ACCENT_STYLE, DIM_STYLE, bar_chart, progress_bar, sparkline

CHART_ROWS = 5
"""Rows of the spending chart: enough to tell a third from a half, few enough for 24 rows with everything else."""

AXIS_COLUMNS = 8
"""Cells of the figures left of the chart."""

BAR_COLUMNS = 20
TYPE_LABELS = {"image": SafeText("Pictures"), "video": SafeText("Clips"), "character": SafeText("Characters")}


class StatisticsScreen(HelpMixin, Dialog[None]):
    """Shows the figures it was given; nothing is done from here."""

    KEYS_HINT = SafeText("costs are about right: they are learned from your credits · esc back")
    DEFAULT_CSS = """
    StatisticsScreen {
        & > #dialog { width: 84; padding: 1 2 0 2; }
        & VerticalScroll { height: auto; max-height: 100%; scrollbar-size-vertical: 1; margin-bottom: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("statistics")]

    def __init__(self, statistics: Statistics, glyphs: Glyphs) -> None:
        super().__init__(SafeText("Statistics"))
        self._statistics = statistics
        self._glyphs = glyphs
        self._text = Static(markup=False)
        self._scroll = VerticalScroll(self._text, can_focus=False)
        self._drawn_width = 0

    def body(self) -> Iterable[Widget]:
        """Show the text."""
        return (self._scroll,)

    def on_mount(self) -> None:
        """Draw for the width there is."""
        self.call_after_refresh(self._redraw)

    def on_resize(self, _event: events.Resize) -> None:
        """Draw anew."""
        self.call_after_refresh(self._redraw)

    def action_scroll(self, rows: int) -> None:
        """Scroll the figures."""
        self._scroll.scroll_relative(y=rows, animate=False)

    def _redraw(self) -> None:
        width = self._scroll.size.width - 2
        if width > 0 and width != self._drawn_width:
            self._drawn_width = width
            self._text.update(render_statistics(self._statistics, width, self._glyphs))


def render_statistics(statistics: Statistics, width: int, glyphs: Glyphs) -> Content:
    """Return the figures as styled lines of at most `width` cells."""
    if not statistics.jobs:
        nothing = SafeText("No jobs yet. With the first ones come spending, durations and success.")
        return Content("\n").join(Content.styled(nothing, DIM_STYLE).wrap(width))
    lines = list(_spending_lines(statistics, width, glyphs))
    for kind in statistics.kinds:
        lines += [Content(""), *_type_lines(kind, width, glyphs)]
    return Content("\n").join(line.truncate(width) for line in lines)


def _spending_lines(statistics: Statistics, width: int, glyphs: Glyphs) -> Iterator[Content]:
    room = max(1, width - AXIS_COLUMNS)
    wide = 2 if room >= 2 * len(statistics.days) else 1
    days = statistics.days[-(room // wide) :]
    spent = [day.spent for day in days]
    top = max(spent, default=0.0)
    title = format_safe("Spending, the last {n} days", n=len(days))
    in_all = format_safe("{sum} credits, {all} in all", sum=f"{sum(spent):,.2f}", all=f"{statistics.spent:,.2f}")
    yield _justify(Content.styled(title, ACCENT_STYLE), Content.styled(in_all, DIM_STYLE), width)
    chart = bar_chart(spent, CHART_ROWS, glyphs, column_width=wide)
    for row, line in enumerate(chart):
        mark = f"{top:,.2f}" if row == 0 else "0.00" if row == CHART_ROWS - 1 else ""
        yield Content.styled(f"{mark:>{AXIS_COLUMNS - 1}} ", DIM_STYLE) + line
    yield Content.styled(" " * AXIS_COLUMNS, DIM_STYLE) + _date_axis(days, len(days) * wide)


def _date_axis(days: tuple[DayStats, ...], width: int) -> Content:
    first, last = (format_safe("{day}", day=_format_day(day.date)) for day in (days[0], days[-1]))
    return _justify(
        Content.styled(first, DIM_STYLE), Content.styled(last, DIM_STYLE), max(width, len(first) + len(last) + 1)
    )


def _format_day(iso: str) -> str:
    day = date.fromisoformat(iso)
    return f"{day.day} {day:%b}"


def _type_lines(stats: TypeStats, width: int, glyphs: Glyphs) -> Iterator[Content]:
    counts = [format_safe("{n} jobs", n=stats.jobs) if stats.jobs != 1 else SafeText("1 job")]
    if stats.failed:
        counts.append(format_safe("{n} failed", n=stats.failed))
    if stats.rejected:
        counts.append(format_safe("{n} not taken", n=stats.rejected))
    counts.append(format_safe("{sum} credits", sum=f"{stats.spent:,.2f}"))
    gap = f" {glyphs.dot} "
    yield _justify(
        Content.styled(TYPE_LABELS[stats.type], ACCENT_STYLE), Content.styled(join_safe(gap, *counts), DIM_STYLE), width
    )
    if stats.success is not None:
        percent = format_safe(" {share} %", share=round(stats.success * 100))
        yield _labelled_line(SafeText("Success"), progress_bar(stats.success, BAR_COLUMNS, glyphs) + Content(percent))
    if stats.median is not None and stats.slowest_tenth is not None:
        words = format_safe(
            "half within {half}, nine of ten within {most}",
            half=format_duration(stats.median),
            most=format_duration(stats.slowest_tenth),
        )
        yield _labelled_line(SafeText("Time"), Content(words))
        yield _labelled_line(SafeText("Latest"), sparkline(stats.durations, glyphs))


def _labelled_line(label: SafeText, rest: Content) -> Content:
    return Content.styled(f"{label:<{AXIS_COLUMNS}}", DIM_STYLE) + rest


def _justify(left: Content, right: Content, width: int) -> Content:
    gap = max(1, width - left.cell_length - right.cell_length)
    return left + Content(" " * gap) + right
