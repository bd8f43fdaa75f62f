"""Statistics: spending by day, then jobs, success, durations and cost by type, character, tag and day."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from typing import ClassVar, NamedTuple

from textual import events, on
from textual.binding import BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from eternal_tui.core.formatting import format_amount, format_short_duration
from eternal_tui.core.sanitize import SafeText, format_safe, sanitize
from eternal_tui.jobs.batch import JobGroup
from eternal_tui.jobs.billing.statistics import DayStats, Statistics
from eternal_tui.tui.input.keymap import bindings
from eternal_tui.tui.widgets.cells import fit
from eternal_tui.tui.widgets.dialog import Dialog
from eternal_tui.tui.widgets.footer import HelpMixin
from eternal_tui.tui.widgets.option_table import Column, VirtualList

ACCENT_STYLE, DIM_STYLE = "$accent", "$text-muted"

CHART_ROWS = 5
"""Rows of the spending chart: enough to tell a third from a half, few enough for 24 rows with everything else."""

BAR_LEVELS = "▁▂▃▄▅▆▇█"
"""Heights of a bar in a row, by eighths."""

AXIS_COLUMNS = 8
"""Cells of the figures left of the chart."""


class Figure(NamedTuple):
    """One column of the table: its heading, its cells, and the text for a group.

    It is shown from `min_width` cells of the table on, an amount that is `optional` only where some group has one.
    """

    heading: str
    column: Column
    text: Callable[[JobGroup], str]
    min_width: int = 0
    optional: str = ""


KIND_LABELS = {"character": "char", "account": "acct"}

FIGURES = (
    Figure("", Column(4, dim=True), lambda group: KIND_LABELS.get(group.kind, group.kind), 64),
    Figure("", Column(0), lambda group: sanitize(group.name, limit=80)),
    Figure("jobs", Column(5, align_right=True), lambda group: f"{group.jobs:,}"),
    Figure("ok", Column(4, align_right=True), lambda group: "" if group.success is None else f"{group.success:.0%}"),
    Figure("p50", Column(5, align_right=True), lambda group: _time(group.median)),
    Figure("p90", Column(5, align_right=True), lambda group: _time(group.p90)),
    Figure("credits", Column(8, align_right=True), lambda group: _credits(group.money.spent)),
    # Parts of the credits that are not sure to be the group's.
    Figure("unexpl.", Column(7, align_right=True), lambda group: _credits(group.money.unexplained), 64, "unexplained"),
    Figure("unconf.", Column(7, align_right=True), lambda group: _credits(group.money.unconfirmed), 64, "unconfirmed"),
)


class StatisticsScreen(HelpMixin, Dialog[str]):
    """Spending by day over the groups of jobs; ends with the filter of the group that was chosen."""

    KEYS_HINT = SafeText("~ estimated from your balance · enter: list jobs · esc: back")
    DEFAULT_CSS = """
    StatisticsScreen {
        & > #dialog { width: 104; max-width: 100%; height: 100%; padding: 0 1; }
        & #groups { height: 1fr; margin-bottom: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("statistics")]

    def __init__(self, statistics: Statistics, groups: Sequence[JobGroup]) -> None:
        super().__init__(SafeText("Statistics"))
        self._statistics = statistics
        self._groups = groups
        self._text = Static(markup=False)
        self._figures: list[Figure] = []
        self._list = VirtualList((), self._row_cells, id="groups")

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
        if width > 0:
            self._figures = [each for each in FIGURES if width >= each.min_width and self._has_amounts(each.optional)]
            self._list.set_columns([each.column for each in self._figures])
            self._text.update(render_statistics(self._statistics, self._figures, width))

    def _has_amounts(self, name: str) -> bool:
        return not name or any(getattr(group.money, name) for group in self._groups)

    def _row_cells(self, row: int) -> Sequence[str]:
        group = self._groups[row]
        cells = [figure.text(group) for figure in self._figures]
        if row and self._figures[:1] == [FIGURES[0]] and self._groups[row - 1].kind == group.kind:
            cells[0] = ""
        return cells


def render_statistics(statistics: Statistics, figures: Sequence[Figure], width: int) -> Content:
    """Return the spending by day and the headings of the groups, as styled lines of at most `width` cells."""
    if not statistics.jobs:
        nothing = SafeText("No jobs yet. Spending, durations and success rates appear with the first ones.")
        return Content("\n").join(Content.styled(nothing, DIM_STYLE).wrap(width))
    lines = [*_spending_lines(statistics, width), Content("")]
    lines.append(Content.styled(_headings(figures, width), DIM_STYLE))
    return Content("\n").join(line.truncate(width) for line in lines)


def _headings(figures: Sequence[Figure], width: int) -> str:
    rest = max(0, width - 2 - sum(each.column.width for each in figures) - 2 * (len(figures) - 1))
    cells = [fit(each.heading, each.column.width or rest, align_right=each.column.align_right) for each in figures]
    return "  " + "  ".join(cells)


def _time(seconds: float | None) -> str:
    return "" if seconds is None else format_short_duration(seconds)


def _credits(amount: float) -> str:
    return format_amount(amount) if amount else ""


def _spending_lines(statistics: Statistics, width: int) -> Iterator[Content]:
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
    chart = bar_chart(spent, CHART_ROWS, column_width=wide)
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


def bar_chart(values: Sequence[float], rows: int, *, column_width: int = 1) -> list[Content]:
    """Return `rows` lines in which each value is a column `column_width` cells wide, the largest as high as they are.

    A value above zero always shows at least an eighth of a row; nothing but zeros draws a base line.
    """
    top = max(values, default=0.0)
    heights = [_eighths(value, top, rows) for value in values]
    lines = []
    for row in range(rows - 1, -1, -1):
        signs = []
        for height in heights:
            filled = height - 8 * row
            sign = BAR_LEVELS[min(8, filled) - 1] if filled > 0 else " "
            signs.append(sign * column_width)
        lines.append(Content.styled("".join(signs), ACCENT_STYLE))
    return lines


def _eighths(value: float, top: float, rows: int) -> int:
    if value <= 0 or top <= 0:
        return 0
    return max(1, round(value / top * rows * 8))
