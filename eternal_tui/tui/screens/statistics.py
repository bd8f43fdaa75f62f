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

from eternal_tui.core.sanitize import Shown, join, say
from eternal_tui.jobs.billing.statistics import Day, Kind, Statistics
from eternal_tui.tui.detail.text import span
from eternal_tui.tui.input.actions import bindings
from eternal_tui.tui.screens.help import KeyHelp
from eternal_tui.tui.terminal.glyphs import Glyphs
from eternal_tui.tui.widgets.dialog import Dialog
from eternal_tui.tui.widgets.plots import ACCENT, DIM, bar, columns, spark

CHART_ROWS = 5
"""Rows of the spending chart: enough to tell a third from a half, few enough for 24 rows with everything else."""

AXIS = 8
"""Cells of the figures left of the chart."""

BAR = 20
NAMES = {"image": Shown("Pictures"), "video": Shown("Clips"), "character": Shown("Characters")}


class StatisticsScreen(KeyHelp, Dialog[None]):
    """Shows the figures it was given; nothing is done from here."""

    KEYS_WORD = Shown("costs are about right: they are learned from your credits · esc back")
    DEFAULT_CSS = """
    StatisticsScreen {
        & > #dialog { width: 84; padding: 1 2 0 2; }
        & VerticalScroll { height: auto; max-height: 100%; scrollbar-size-vertical: 1; margin-bottom: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("statistics")]

    def __init__(self, figures: Statistics, glyphs: Glyphs) -> None:
        super().__init__(Shown("Statistics"))
        self._figures = figures
        self._glyphs = glyphs
        self._text = Static(markup=False)
        self._scroll = VerticalScroll(self._text, can_focus=False)
        self._drawn = 0

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
        if width > 0 and width != self._drawn:
            self._drawn = width
            self._text.update(described(self._figures, width, self._glyphs))


def described(figures: Statistics, width: int, glyphs: Glyphs) -> Content:
    """Return the figures as styled lines of at most `width` cells."""
    if not figures.jobs:
        nothing = Shown("No jobs yet. With the first ones come spending, durations and success.")
        return Content("\n").join(Content.styled(nothing, DIM).wrap(width))
    lines = list(_spending(figures, width, glyphs))
    for kind in figures.kinds:
        lines += [Content(""), *_kind(kind, width, glyphs)]
    return Content("\n").join(line.truncate(width) for line in lines)


def _spending(figures: Statistics, width: int, glyphs: Glyphs) -> Iterator[Content]:
    room = max(1, width - AXIS)
    wide = 2 if room >= 2 * len(figures.days) else 1
    days = figures.days[-(room // wide) :]
    spent = [day.spent for day in days]
    top = max(spent, default=0.0)
    title = say("Spending, the last {n} days", n=len(days))
    in_all = say("{sum} credits, {all} in all", sum=f"{sum(spent):,.2f}", all=f"{figures.spent:,.2f}")
    yield _beside(Content.styled(title, ACCENT), Content.styled(in_all, DIM), width)
    chart = columns(spent, CHART_ROWS, glyphs, wide=wide)
    for row, line in enumerate(chart):
        mark = f"{top:,.2f}" if row == 0 else "0.00" if row == CHART_ROWS - 1 else ""
        yield Content.styled(f"{mark:>{AXIS - 1}} ", DIM) + line
    yield Content.styled(" " * AXIS, DIM) + _dates(days, len(days) * wide)


def _dates(days: tuple[Day, ...], width: int) -> Content:
    first, last = (say("{day}", day=_spoken(day.date)) for day in (days[0], days[-1]))
    return _beside(Content.styled(first, DIM), Content.styled(last, DIM), max(width, len(first) + len(last) + 1))


def _spoken(iso: str) -> str:
    day = date.fromisoformat(iso)
    return f"{day.day} {day:%b}"


def _kind(kind: Kind, width: int, glyphs: Glyphs) -> Iterator[Content]:
    counts = [say("{n} jobs", n=kind.jobs) if kind.jobs != 1 else Shown("1 job")]
    if kind.failed:
        counts.append(say("{n} failed", n=kind.failed))
    if kind.rejected:
        counts.append(say("{n} not taken", n=kind.rejected))
    counts.append(say("{sum} credits", sum=f"{kind.spent:,.2f}"))
    gap = f" {glyphs.dot} "
    yield _beside(Content.styled(NAMES[kind.type], ACCENT), Content.styled(join(gap, *counts), DIM), width)
    if kind.success is not None:
        percent = say(" {share} %", share=round(kind.success * 100))
        yield _labelled(Shown("Success"), bar(kind.success, BAR, glyphs) + Content(percent))
    if kind.median is not None and kind.slowest_tenth is not None:
        words = say(
            "half within {half}, nine of ten within {most}", half=span(kind.median), most=span(kind.slowest_tenth)
        )
        yield _labelled(Shown("Time"), Content(words))
        yield _labelled(Shown("Latest"), spark(kind.durations, glyphs))


def _labelled(label: Shown, rest: Content) -> Content:
    return Content.styled(f"{label:<{AXIS}}", DIM) + rest


def _beside(left: Content, right: Content, width: int) -> Content:
    gap = max(1, width - left.cell_length - right.cell_length)
    return left + Content(" " * gap) + right
