"""The cursor over the lines of the jobs: which job it is on, and which lines are in view."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Unpack

from textual.geometry import Size
from textual.message import Message

from eternal_tui.tui.job_list.line_cache import JobLines, LineOptions


class JobCursor(JobLines):
    """Lines of jobs with a cursor.

    The cursor belongs to a job, not to a row: it stays on its job when others come, go or are filtered. Only while
    the list is *not* focused and the cursor is at the very top does it follow to a job that newly arrives on top: a
    person at work in the form sees the job just sent, and a key pressed in the list never meets another job than the
    one it was meant for. When the lines in view are not the topmost, new jobs do not move them, and
    the title says how many came above them until they are in view.
    """

    class Highlighted(Message, namespace="job_list"):
        """The cursor is on another job now, or on none."""

        def __init__(self, job_id: int | None) -> None:
            super().__init__()
            self.job_id = job_id

    def __init__(self, **options: Unpack[LineOptions]) -> None:
        """Begin empty; `steered` says that keys reach the cursor from another view, which `on_redrawn` keeps fresh."""
        super().__init__(**options)
        self.steered = False
        self._current: int | None = None
        self._wanted: int | None = None
        self._on_batch = False
        self._newest = 0
        self._unseen: set[int] = set()

    @property
    def current(self) -> int | None:
        """The id under the cursor, or None when nothing is listed."""
        return self._current

    @property
    def row(self) -> int:
        """The row of the cursor."""
        return self._row

    def on_resize(self) -> None:
        """Draw anew, with the cursor in view."""
        self._drawn.clear()
        self.virtual_size = Size(self.size.width, len(self._index))
        self._reveal(self._row)

    def _anchor(self) -> tuple[int | None, int, bool]:
        top = self.scroll_offset.y
        first = self._index.id_at(top) if 0 < top < len(self._index) else None
        follows = self._row == 0 and top == 0 and not (self.has_focus or self.steered)
        return first, top, follows

    def _settle(self, before: tuple[int | None, int, bool], prefer: int | None = None) -> None:
        first, top, follows = before
        count = len(self._index)
        row = self._index.row(prefer)
        if row is None:
            row = 0 if follows else self._row_of_cursor()
        if row is None:
            row = min(self._row, count - 1)
        if self.is_attached:
            self.virtual_size = Size(self.size.width, count)
            at = self._index.row(first)
            if at is not None and at != top:
                self.scroll_to(y=at, animate=False)
        self._place(max(0, row), reveal=first is None)
        self._retitle()
        self._repaint()

    def _row_of_cursor(self) -> int | None:
        on_batch = self._index.batch_row(self._current) if self._on_batch else None
        return self._index.row(self._current) if on_batch is None else on_batch

    def _place(self, row: int, *, reveal: bool = True) -> None:
        self._row = row
        self._on_batch = row < len(self._index) and bool(self._index.batch_at(row))
        current = self._index.id_at(row) if row < len(self._index) else None
        if current != self._current:
            self._current = current
            if self.is_attached:
                # Textual ends at the parent what a parent's handler had its child say, and the screen listens.
                self.post_message(self.Highlighted(current).set_sender(self))
        if reveal and self.is_attached:
            self._reveal(row)

    def _reveal(self, row: int) -> None:
        top, height = self.scroll_offset.y, self.size.height
        if row < top:
            self.scroll_to(y=row, animate=False)
        elif height and row >= top + height:
            self.scroll_to(y=row - height + 1, animate=False)

    def _go(self, row: int) -> None:
        if not len(self._index):
            return
        self._place(max(0, min(len(self._index) - 1, row)))
        self._wanted = self._current
        self._repaint(at_once=True)

    def go_to_row(self, row: int) -> None:
        """Put the cursor in a row, the nearest where there is none."""
        self._go(row)

    def go_to(self, job_id: int) -> bool:
        """Put the cursor on a job, opening its batch; False if it is not listed."""
        self._fold(self._index.batch_row(job_id), wanted=False)
        row = self._index.row(job_id)
        if row is not None:
            self._go(row)
        return row is not None

    def action_move(self, rows: int) -> None:
        """Move the cursor by some rows."""
        self._go(self._row + rows)

    def action_page(self, pages: float) -> None:
        """Move the cursor by some screens."""
        self._go(self._row + int(max(2, self.size.height) * pages))

    def action_top(self) -> None:
        """Move the cursor to the first job."""
        self._go(0)

    def action_bottom(self) -> None:
        """Move the cursor to the last job."""
        self._go(len(self._index) - 1)

    def _fold(self, row: int | None, *, wanted: bool) -> None:
        batch = "" if row is None else self._index.batch_at(row)
        if row is None or self._index.is_open(batch) is not wanted:
            return
        before = self._anchor()
        self._index.set_open(batch, wanted=not wanted)
        self._on_batch = self._on_batch or wanted
        self._settle(before)
        if self._unseen:
            self.call_after_refresh(self._see)

    def _arrived(self, ids: Iterable[int]) -> None:
        """Take note of those that are newer than any before, which a scrolled list may not show."""
        fresh = {job_id for job_id in ids if job_id > self._newest}
        begins = not self._newest
        self._newest = max(fresh, default=self._newest)
        if fresh and not begins and self.is_attached and self.size.height:
            self._unseen |= fresh
            # Behind the scrolling that keeps the lines in view, or the cursor, which waits for the same.
            self.call_after_refresh(self._see, fresh)

    def _see(self, among: Collection[int] | None = None) -> None:
        """Forget those that are in view by now, or gone; with `among` look at these alone.

        What arrives leaves the others above: to look at all each time would cost 14 ms of it after 10,000 unseen jobs.
        """
        top, before = self.scroll_offset.y, len(self._unseen)
        rows = {job_id: self._index.row(job_id) for job_id in (self._unseen if among is None else among)}
        self._unseen.difference_update(job_id for job_id, row in rows.items() if row is None or row >= top)
        if before:
            self._retitle()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scroll, and count anew what came above: of that nothing comes into view by scrolling down."""
        super().watch_scroll_y(old_value, new_value)
        if self._unseen and new_value < old_value:
            self._see()

    def _retitle(self) -> None:
        """Say how many are listed now."""
