"""The header line: counts of jobs, balance and spending."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from eternal_tui.core.formatting import format_amount
from eternal_tui.core.sanitize import sanitize
from eternal_tui.jobs.submit.queue import QueueSummary

if TYPE_CHECKING:
    from eternal_tui.jobs.billing.statistics import Totals

APP_NAME = "eternal-tui"
EMPTY_QUEUE = QueueSummary()


class _Item(NamedTuple):
    """One piece of the header; the lowest priority is left out first, `separator` is before it within its group."""

    text: str
    style: str
    priority: int
    separator: str = "    "


_DIM = "$text-muted"


def header_line(
    width: int, totals: Totals | None, queue: QueueSummary = EMPTY_QUEUE, *, demo: bool = False, other_host: str = ""
) -> Content:
    """Return the header, `width` columns wide where one item has room; the least important items are left out first.

    `other_host` is the service's host where it is not the official one.
    """
    left = [_Item(APP_NAME, "bold $accent", 4)]
    if demo:
        left.append(_Item("DEMO · nothing is charged", "bold $warning", 9))
    elif other_host:
        left.append(_Item(f"sends to {sanitize(other_host, limit=60)}", "$warning", 9))
    right = [] if totals is None else _totals_items(totals, queue)
    while len(left) + len(right) > 1 and width - _group_width(left) - _group_width(right) < 6:
        weakest = min((*left, *right), key=lambda item: item.priority)
        (left if weakest in left else right).remove(weakest)
    middle = " " * (width - 2 - _group_width(left) - _group_width(right))
    return Content.assemble(" ", *_group_parts(left), middle, *_group_parts(right), " ")


def _totals_items(totals: Totals, queue: QueueSummary) -> list[_Item]:
    dot = " · "
    counts = (
        (totals.unconfirmed, "unconfirmed", "$warning", 8),
        (totals.sending, "sending", "$accent", 8),
        (totals.running, "running", "$accent", 6),
        (totals.failed_today, "failed today", "$error", 5),
        (totals.rejected_today, "rejected today", "$error", 5),
        (totals.unsent_today, "unsent today", "$error", 5),
        (totals.done_today, "done today", _DIM, 3),
    )
    items = [_Item(f"{count} {word}", style, priority, dot) for count, word, style, priority in counts if count]
    place = 1 if totals.unconfirmed else 0
    items[place:place] = [
        _Item(text, "$accent", priority, dot) for text, priority in zip(queue.parts, (8, 7, 6), strict=False)
    ]
    if totals.credits is not None:
        account = f" ({totals.account[:4]})" if totals.account else ""
        items.append(_Item(f"{format_amount(totals.credits)} credits{account}", "$foreground", 7))
    sign = "−" if totals.is_spent_exact else "~"
    if totals.spent_today:
        items.append(_Item(f"{sign}{format_amount(totals.spent_today)} today", _DIM, 2, "  "))
    if totals.unexplained_today:
        items.append(_Item(f"{format_amount(totals.unexplained_today)} unexplained", "$warning", 2, dot))
    if totals.spent_total and totals.is_complete:
        items.append(_Item(f"{sign}{format_amount(totals.spent_total)} total", _DIM, 1, dot))
    return items


def _group_width(items: list[_Item]) -> int:
    return sum(cell_len(item.text) for item in items) + sum(len(item.separator) for item in items[1:])


def _group_parts(items: list[_Item]) -> list[tuple[str, str]]:
    return [part for item in items for part in ((item.separator, _DIM), (item.text, item.style))][1:]


class HeaderLine(Widget):
    """Draws the totals."""

    DEFAULT_CSS = """
    HeaderLine { height: 1; background: transparent; text-wrap: nowrap; }
    """

    def __init__(self, *, demo: bool = False, other_host: str = "") -> None:
        """Build the header; `other_host` is the service's host where it is not the official one, "" otherwise."""
        super().__init__()
        self._demo = demo
        self._other_host = other_host
        self._totals: Totals | None = None
        self._queue = EMPTY_QUEUE

    def set_totals(self, totals: Totals, queue: QueueSummary) -> None:
        """Show these totals."""
        if (totals, queue) != (self._totals, self._queue):
            self._totals, self._queue = totals, queue
            self.refresh()

    def render(self) -> Content:
        return header_line(self.size.width, self._totals, self._queue, demo=self._demo, other_host=self._other_host)
