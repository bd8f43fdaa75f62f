"""Statistics: spending by day, then jobs, success, durations and cost by type, character, tag and day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import ClassVar

from textual import events, on
from textual.binding import BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from eternal_tui.core.formatting import format_amount, format_duration
from eternal_tui.core.sanitize import SafeText, format_safe, sanitize
from eternal_tui.jobs.billing.statistics import DayStats, Statistics
from eternal_tui.jobs.groups import JobGroup
from eternal_tui.tui.input.actions import bindings
from eternal_tui.tui.terminal.glyphs import Glyphs
from eternal_tui.tui.widgets.cells import fit
from eternal_tui.tui.widgets.dialog import Dialog
from eternal_tui.tui.widgets.help_keys import HelpMixin
from eternal_tui.tui.widgets.option_table import Column, VirtualList
from eternal_tui.tui.widgets.plots import ACCENT_STYLE, DIM_STYLE, bar_chart

CHART_ROWS = 5
"""Rows of the spending chart: enough to tell a third from a half, few enough for 24 rows with everything else."""

AXIS_COLUMNS = 8
"""Cells of the figures left of the chart."""

GROUP_COLUMNS = (
    Column(9, dim=True), Column(0), Column(5, align_right=True), Column(5, align_right=True),
    Column(6, align_right=True), Column(6, align_right=True), Column(8, align_right=True),
)  # fmt: skip
HEADINGS = ("", "", "jobs", "ok", "p50", "p90", "credits")
DOUBT_FIELDS = {"unexplained": "unexpl.", "unconfirmed": "unconf."}
"""Parts of the credits that are not sure to be the group's, with their headings: shown where there are any."""


class StatisticsScreen(HelpMixin, Dialog[str]):
    """Spending by day over the groups of jobs; ends with the filter of the group that was chosen."""

    KEYS_HINT = SafeText("~ estimated from your balance · enter: list jobs · esc: back")
    DEFAULT_CSS = """
    StatisticsScreen {
        & > #dialog { width: 104; height: 100%; padding: 0 2; }
        & #groups { height: 1fr; margin-bottom: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("statistics")]

    def __init__(self, statistics: Statistics, groups: Sequence[JobGroup], glyphs: Glyphs) -> None:
        super().__init__(SafeText("Statistics"))
        self._statistics = statistics
        self._groups = groups
        self._glyphs = glyphs
        self._text = Static(markup=False)
        self._doubts = [name for name in DOUBT_FIELDS if any(getattr(group.money, name) for group in groups)]
        self._columns = [*GROUP_COLUMNS, *(Column(7, align_right=True) for _ in self._doubts)]
        self._list = VirtualList(self._columns, self._row_cells, id="groups")
        self._drawn_width = 0

    def body(self) -> Iterable[Widget]:
        return (self._text, self._list)

    def on_mount(self) -> None:
        self._list.set_rows(range(len(self._groups)))
        self.call_after_refresh(self._redraw)

    def on_resize(self, _event: events.Resize) -> None:
        self.call_after_refresh(self._redraw)

    def action_move(self, rows: int) -> None:
        self._list.move_cursor(rows)

    def action_page(self, screens: float) -> None:
        self._list.move_page(screens)

    def action_choose(self) -> None:
        """Leave with the filter of the group under the cursor."""
        if self._list.current_row is not None:
            self.dismiss(self._groups[self._list.current_row].filter)

    @on(VirtualList.RowClicked)
    def _row_clicked(self) -> None:
        self.action_choose()

    def _redraw(self) -> None:
        width = self._text.size.width
        if width > 0 and width != self._drawn_width:
            self._drawn_width = width
            self._text.update(self._render_text(width))

    def _render_text(self, width: int) -> Content:
        headings = (*HEADINGS, *(DOUBT_FIELDS[name] for name in self._doubts))
        table = zip(self._columns, headings, strict=True)
        return render_statistics(self._statistics, list(table), width, self._glyphs)

    def _row_cells(self, row: int) -> Sequence[str]:
        group = self._groups[row]
        before = self._groups[row - 1].kind if row else ""
        times = ("" if each is None else format_duration(each) for each in (group.median, group.p90))
        return (
            group.kind if group.kind != before else "",
            self._glyphs.to_drawable(sanitize(group.name, limit=80)),
            f"{group.jobs:,}",
            "" if group.success is None else f"{group.success:.0%}",
            *times,
            *(_credits(getattr(group.money, name)) for name in ("spent", *self._doubts)),
        )


def render_statistics(
    statistics: Statistics, columns: Sequence[tuple[Column, str]], width: int, glyphs: Glyphs
) -> Content:
    """Return the spending by day and the headings of the groups, as styled lines of at most `width` cells."""
    if not statistics.jobs:
        nothing = SafeText("No jobs yet. Spending, durations and success rates appear with the first ones.")
        return Content("\n").join(Content.styled(nothing, DIM_STYLE).wrap(width))
    lines = [*_spending_lines(statistics, width, glyphs), Content("")]
    lines.append(Content.styled(_headings(columns, width), DIM_STYLE))
    return Content("\n").join(line.truncate(width) for line in lines)


def _headings(columns: Sequence[tuple[Column, str]], width: int) -> str:
    rest = width - 2 - sum(column.width for column, _ in columns) - 2 * (len(columns) - 1)
    cells = [fit(text, column.width or max(0, rest), align_right=column.align_right) for column, text in columns]
    return "  " + "  ".join(cells)


def _credits(amount: float) -> str:
    return format_amount(amount) if amount else ""


def _spending_lines(statistics: Statistics, width: int, glyphs: Glyphs) -> Iterator[Content]:
    room = max(1, width - AXIS_COLUMNS)
    wide = 2 if room >= 2 * len(statistics.days) else 1
    days = statistics.days[-(room // wide) :]
    spent = [day.spent for day in days]
    top = max(spent, default=0.0)
    title = format_safe("Spending, last {n} days", n=len(days))
    recent = format_amount(sum(spent), is_exact=all(day.is_exact for day in days))
    total = format_amount(statistics.spent, is_exact=statistics.is_exact)
    in_all = format_safe("{recent} credits, {total} total", recent=recent, total=total)
    yield _justify(Content.styled(title, ACCENT_STYLE), Content.styled(in_all, DIM_STYLE), width)
    chart = bar_chart(spent, CHART_ROWS, glyphs, column_width=wide)
    for row, line in enumerate(chart):
        mark = format_amount(top) if row == 0 else "0.00" if row == CHART_ROWS - 1 else ""
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


def _justify(left: Content, right: Content, width: int) -> Content:
    gap = max(1, width - left.cell_length - right.cell_length)
    return left + Content(" " * gap) + right
