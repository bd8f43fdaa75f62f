"""The header line: counts of jobs, balance and spending."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from eternal_tui.core.formatting import format_amount
from eternal_tui.core.sanitize import sanitize
from eternal_tui.jobs.submit.queue import QueueSummary
from eternal_tui.tui.widgets.cells import Line, Span, changed_spans, layout_spans

if TYPE_CHECKING:
    from eternal_tui.jobs.billing.statistics import Totals

APP_NAME = "eternal-tui"
EMPTY_QUEUE = QueueSummary()


class _HeaderItem(NamedTuple):
    """One piece of the header.

    The lowest rank is left out first, `separator` is the sign before it within its group.
    """

    text: str
    role: str
    priority: int
    separator: str = "    "


def header_line(
    width: int,
    totals: Totals | None,
    queue: QueueSummary = EMPTY_QUEUE,
    *,
    demo: bool = False,
    other_host: str = "",
) -> Line:
    """Return the header as cells that fill exactly `width` columns; the least important items are left out first.

    `other_host` is the service's host where it is not the official one.
    """
    left = [_HeaderItem(APP_NAME, "name", 4), *_banner_items(demo, other_host)]
    right = [] if totals is None else _totals_items(totals, queue)
    while len(left) + len(right) > 1 and _items_width(left) + _items_width(right) + 6 > width:
        weakest = min((*left, *right), key=lambda part: part.priority)
        (left if weakest in left else right).remove(weakest)
    return layout_spans(width, _layout_items(left, right, width))


def _banner_items(demo: bool, other_host: str) -> list[_HeaderItem]:
    if demo:
        return [_HeaderItem("DEMO · nothing is charged", "banner", 9)]
    if other_host:
        return [_HeaderItem(f"sends to {sanitize(other_host, limit=60)}", "warn", 9)]
    return []


def _totals_items(totals: Totals, queue: QueueSummary) -> list[_HeaderItem]:
    dot = " · "
    counts = (
        (totals.unconfirmed, "unconfirmed", "warn", 8),
        (totals.sending, "sending", "live", 8),
        (totals.running, "running", "live", 6),
        (totals.failed_today, "failed today", "bad", 5),
        (totals.rejected_today, "rejected today", "bad", 5),
        (totals.unsent_today, "unsent today", "bad", 5),
        (totals.done_today, "done today", "dim", 3),
    )
    parts = [_HeaderItem(f"{count} {word}", role, priority, dot) for count, word, role, priority in counts if count]
    queued = zip(queue.parts, (8, 7, 6), strict=False)
    place = 1 if totals.unconfirmed else 0
    parts[place:place] = [_HeaderItem(text, "live", priority, dot) for text, priority in queued]
    if totals.credits is not None:
        account = f" ({totals.account[:4]})" if totals.account else ""
        parts.append(_HeaderItem(f"{format_amount(totals.credits)} credits{account}", "text", 7))
    sign = "−" if totals.is_spent_exact else "~"
    if totals.spent_today:
        parts.append(_HeaderItem(f"{sign}{format_amount(totals.spent_today)} today", "dim", 2, "  "))
    if totals.unexplained_today:
        parts.append(_HeaderItem(f"{format_amount(totals.unexplained_today)} unexplained", "warn", 2, dot))
    if totals.spent_total and totals.is_complete:
        parts.append(_HeaderItem(f"{sign}{format_amount(totals.spent_total)} total", "dim", 1, dot))
    return parts


def _items_width(items: list[_HeaderItem]) -> int:
    return sum(cell_len(part.text) for part in items) + sum(len(part.separator) for part in items[1:])


def _layout_items(left: list[_HeaderItem], right: list[_HeaderItem], width: int) -> Iterator[Span]:
    for parts, start in ((left, 1), (right, max(1, width - 1 - _items_width(right)))):
        x = start
        for place, part in enumerate(parts):
            gap = part.separator if place else ""
            length = cell_len(part.text)
            yield Span(x, len(gap), gap, "dim")
            yield Span(x + len(gap), length, part.text, part.role)
            x += len(gap) + length


class HeaderLine(Widget):
    """Draws the totals and repaints only cells that differ."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"header-line--{role}" for role in ("name", "text", "dim", "live", "warn", "bad", "banner")
    }
    DEFAULT_CSS = """
    HeaderLine {
        height: 1;
        background: transparent;
        & > .header-line--name { color: $accent; text-style: bold; }
        & > .header-line--text { color: $foreground; }
        & > .header-line--dim { color: $text-muted; }
        & > .header-line--live { color: $accent; }
        & > .header-line--warn { color: $warning; }
        & > .header-line--bad { color: $error; }
        & > .header-line--banner { color: $warning; text-style: bold; }
    }
    """

    def __init__(
        self,
        *,
        demo: bool = False,
        other_host: str = "",
    ) -> None:
        """Build the header; `other_host` is the service's host where it is not the official one, "" otherwise."""
        super().__init__()
        self._demo = demo
        self._other_host = other_host
        self._totals: Totals | None = None
        self._queue = EMPTY_QUEUE
        self._drawn_line: Line = ()

    def set_totals(self, totals: Totals, queue: QueueSummary = EMPTY_QUEUE) -> None:
        """Show these totals."""
        self._totals, self._queue = totals, queue
        if not self._drawn_line:
            self.refresh()
            return
        new = self._build_line()
        if spans := changed_spans(self._drawn_line, new):
            self.refresh(*(Region(x, 0, end - x, 1) for x, end in spans))

    @property
    def text(self) -> str:
        """The text of the line."""
        return "".join(cell.text for cell in self._build_line())

    def _build_line(self) -> Line:
        return header_line(
            self.size.width,
            self._totals,
            self._queue,
            demo=self._demo,
            other_host=self._other_host,
        )

    def on_resize(self) -> None:
        self._drawn_line = ()

    def render_line(self, y: int) -> Strip:
        """Return the one line."""
        if y:
            return Strip.blank(self.size.width, self.rich_style)
        self._drawn_line = self._build_line()
        return Strip(
            [Segment(cell.text, self._style_for(cell.role)) for cell in self._drawn_line if cell.width], self.size.width
        )

    def _style_for(self, role: str) -> Style:
        style = self.rich_style
        return style + self.get_component_rich_style(f"header-line--{role}", partial=True) if role else style
