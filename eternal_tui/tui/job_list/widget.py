"""The live list: which jobs it shows in which order, where its cursor is, and what a person does with it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import ClassVar, Unpack

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message

from eternal_tui.core.sanitize import SafeText
from eternal_tui.jobs.filter import FACETS, JobFilter, parse_filter
from eternal_tui.jobs.model import Job
from eternal_tui.tui.input.actions import bindings
from eternal_tui.tui.job_list.incremental_filter import IncrementalFilter
from eternal_tui.tui.job_list.index import SORT_ORDERS
from eternal_tui.tui.job_list.line_cache import LineCache, LineOptions
from eternal_tui.tui.job_list.titles import list_title


class ListCursor(LineCache):
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
        """Begin empty.

        `is_externally_driven` says that keys reach the cursor from another view, which `on_redrawn` keeps fresh.
        """
        super().__init__(**options)
        self.is_externally_driven = False
        self._cursor_job_id: int | None = None
        self._preferred_job_id: int | None = None
        self._is_batch_selected = False
        self._newest_id = 0
        self._unseen_ids: set[int] = set()

    @property
    def current_id(self) -> int | None:
        """The id under the cursor, or None when nothing is listed."""
        return self._cursor_job_id

    @property
    def row(self) -> int:
        """The row of the cursor."""
        return self._cursor_row

    def on_resize(self) -> None:
        """Draw anew, with the cursor in view."""
        self._drawn_lines.clear()
        self.virtual_size = Size(self.size.width, len(self._index))
        self._scroll_to_row(self._cursor_row)

    def _scroll_anchor(self) -> tuple[int | None, int, bool]:
        top = self.scroll_offset.y
        first = self._index.id_at(top) if 0 < top < len(self._index) else None
        follows = self._cursor_row == 0 and top == 0 and not (self.has_focus or self.is_externally_driven)
        return first, top, follows

    def _place_cursor(self, anchor: tuple[int | None, int, bool], preferred_job_id: int | None = None) -> None:
        first, top, follows = anchor
        count = len(self._index)
        row = self._index.row_of(preferred_job_id)
        if row is None:
            row = 0 if follows else self._find_cursor_row()
        if row is None:
            row = min(self._cursor_row, count - 1)
        if self.is_attached:
            self.virtual_size = Size(self.size.width, count)
            at = self._index.row_of(first)
            if at is not None and at != top:
                self.scroll_to(y=at, animate=False)
        self._set_cursor_row(max(0, row), scroll=first is None)
        self._update_title()
        self._repaint()

    def _find_cursor_row(self) -> int | None:
        on_batch = self._index.batch_row_of(self._cursor_job_id) if self._is_batch_selected else None
        return self._index.row_of(self._cursor_job_id) if on_batch is None else on_batch

    def _set_cursor_row(self, row: int, *, scroll: bool = True) -> None:
        self._cursor_row = row
        self._is_batch_selected = row < len(self._index) and bool(self._index.batch_at(row))
        current = self._index.id_at(row) if row < len(self._index) else None
        if current != self._cursor_job_id:
            self._cursor_job_id = current
            if self.is_attached:
                # Textual ends at the parent what a parent's handler had its child say, and the screen listens.
                self.post_message(self.Highlighted(current).set_sender(self))
        if scroll and self.is_attached:
            self._scroll_to_row(row)

    def _scroll_to_row(self, row: int) -> None:
        top, height = self.scroll_offset.y, self.size.height
        if row < top:
            self.scroll_to(y=row, animate=False)
        elif height and row >= top + height:
            self.scroll_to(y=row - height + 1, animate=False)

    def _move_cursor_to(self, row: int) -> None:
        if not len(self._index):
            return
        self._set_cursor_row(max(0, min(len(self._index) - 1, row)))
        self._preferred_job_id = self._cursor_job_id
        self._repaint(immediately=True)

    def go_to_row(self, row: int) -> None:
        """Put the cursor in a row, the nearest where there is none."""
        self._move_cursor_to(row)

    def go_to_job(self, job_id: int) -> bool:
        """Put the cursor on a job, opening its batch; False if it is not listed."""
        self._set_folded(self._index.batch_row_of(job_id), folded=False)
        row = self._index.row_of(job_id)
        if row is not None:
            self._move_cursor_to(row)
        return row is not None

    def action_move(self, rows: int) -> None:
        """Move the cursor by some rows."""
        self._move_cursor_to(self._cursor_row + rows)

    def action_page(self, pages: float) -> None:
        """Move the cursor by some screens."""
        self._move_cursor_to(self._cursor_row + int(max(2, self.size.height) * pages))

    def action_top(self) -> None:
        """Move the cursor to the first job."""
        self._move_cursor_to(0)

    def action_bottom(self) -> None:
        """Move the cursor to the last job."""
        self._move_cursor_to(len(self._index) - 1)

    def _set_folded(self, row: int | None, *, folded: bool) -> None:
        batch = "" if row is None else self._index.batch_at(row)
        if row is None or self._index.is_open(batch) is not folded:
            return
        before = self._scroll_anchor()
        self._index.set_open(batch, opened=not folded)
        self._is_batch_selected = self._is_batch_selected or folded
        self._place_cursor(before)
        if self._unseen_ids:
            self.call_after_refresh(self._update_unseen)

    def _track_new_jobs(self, ids: Iterable[int]) -> None:
        """Take note of those that are newer than any before, which a scrolled list may not show."""
        fresh = {job_id for job_id in ids if job_id > self._newest_id}
        begins = not self._newest_id
        self._newest_id = max(fresh, default=self._newest_id)
        if fresh and not begins and self.is_attached and self.size.height:
            self._unseen_ids |= fresh
            # Behind the scrolling that keeps the lines in view, or the cursor, which waits for the same.
            self.call_after_refresh(self._update_unseen, fresh)

    def _update_unseen(self, job_ids: Collection[int] | None = None) -> None:
        """Forget those that are in view by now, or gone; with `job_ids` look at these alone.

        What arrives leaves the others above: to look at all each time would cost 14 ms of it after 10,000 unseen jobs.
        """
        top, before = self.scroll_offset.y, len(self._unseen_ids)
        rows = {job_id: self._index.row_of(job_id) for job_id in (self._unseen_ids if job_ids is None else job_ids)}
        self._unseen_ids.difference_update(job_id for job_id, row in rows.items() if row is None or row >= top)
        if before:
            self._update_title()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scroll, and count anew what came above: of that nothing comes into view by scrolling down."""
        super().watch_scroll_y(old_value, new_value)
        if self._unseen_ids and new_value < old_value:
            self._update_unseen()

    def _update_title(self) -> None:
        """Say how many are listed now."""


class JobList(ListCursor, can_focus=True):
    """Every job as one line, newest first; draws snapshots it is given and posts what the person does."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("list")]

    class OpenRequested(Message):
        """A person asked to open this job."""

        def __init__(self, job_id: int) -> None:
            super().__init__()
            self.job_id = job_id

    class MarksChanged(Message):
        """Other jobs are marked now."""

        def __init__(self, job_ids: frozenset[int]) -> None:
            super().__init__()
            self.job_ids = job_ids

    class TitleChanged(Message):
        """The list has another title now: what it shows, and how many of how many."""

        def __init__(self, title: SafeText) -> None:
            super().__init__()
            self.title = title

    class FilterRequested(Message):
        """A person asked to type a filter; `text` is the present one."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class FilterCleared(Message):
        """A person cleared the filter from within the list."""

    def __init__(self, **options: Unpack[LineOptions]) -> None:
        super().__init__(**options)
        self._incremental_filter = IncrementalFilter(self._index)
        self._last_marked_id: int | None = None
        self._title = list_title(self._filter, 0, 0, glyphs=self.glyphs)
        self._search_pending = False
        self._keymap: object = None
        self._bindings_by_key: dict[str, list[Binding]] = {}

    # What it shows

    @property
    def marked_ids(self) -> frozenset[int]:
        """The marked ids, listed at present or not."""
        return frozenset(self._marks)

    @property
    def filter(self) -> JobFilter:
        """The filter as it was understood, with sentences about what was not."""
        return self._filter

    @property
    def title(self) -> SafeText:
        """What is listed, for the pane's border."""
        return self._title

    @property
    def can_clear(self) -> bool:
        """Whether there are marks or a filter to clear."""
        return bool(self._marks) or not self._filter.is_empty or bool(self._filter.text)

    def selected_ids(self) -> list[int]:
        """Return what an action is for: the marked jobs that are listed, else those of the row under the cursor."""
        marked = [job_id for job_id in self._index.ids() if job_id in self._marks] if self._marks else []
        return marked or (self._index.ids_at(self._cursor_row) if self._cursor_job_id is not None else [])

    def listed_ids(self) -> list[int]:
        """Return every id that passes the filter, in order."""
        return list(self._index.ids())

    def set_jobs(self, jobs: Sequence[Job], now: float) -> None:
        """Show these jobs instead of all before; `now` is in seconds since the epoch."""
        self._now = now
        self._index.clear()
        self._incremental_filter.reset()
        self._index.add_all(jobs)
        self._marks &= self._index.jobs.keys()
        self._newest_id = max(self._index.jobs, default=0)
        self._unseen_ids.clear()
        self._refilter()

    def apply_changes(self, changed: Iterable[Job], now: float, removed_ids: Iterable[int] = ()) -> None:
        """Take in new and changed jobs, and forget those in `removed_ids`."""
        self._now = now
        before = self._scroll_anchor()
        jobs = list(changed)
        for job in jobs:
            self._incremental_filter.mark_changed(job)
        everything, matches = self._filter.is_empty, self._filter.matches
        self._index.put_many(jobs, is_shown=lambda job: everything or matches(job, now))
        for job_id in removed_ids:
            self._incremental_filter.mark_removed(job_id)
            self._index.remove(job_id)
            self._marks.discard(job_id)
            self._unseen_ids.discard(job_id)
        self._place_cursor(before)
        self._track_new_jobs(job.id for job in jobs)

    # Filter, facet, order

    def set_filter(self, text: str) -> JobFilter:
        """Filter by `text`, keeping the facet, and return how it was understood."""
        if text != self._filter.text:
            self._filter = parse_filter(text, self._filter.facet)
            self._refilter()
        return self._filter

    def set_facet(self, facet: str) -> None:
        """List only the jobs of one of FACETS."""
        self._filter = parse_filter(self._filter.text, facet)
        self._refilter()

    def prebuild_search(self) -> None:
        """Prepare for typing a filter, in the background."""
        self.run_worker(self._incremental_filter.prebuild(), group="job-list-warm", exclusive=True)

    def _refilter(self, order_step: int = 0) -> None:
        order = SORT_ORDERS[(SORT_ORDERS.index(self._index.order) + order_step) % len(SORT_ORDERS)]
        self._incremental_filter.start(self._filter, order, self._now)
        if self._incremental_filter.is_small:
            self._incremental_filter.finish()
            self._apply_search()
        elif self.is_attached:
            self.run_worker(self._run_search(), group="job-list-search", exclusive=True)
        else:
            self._search_pending = True

    async def _run_search(self) -> None:
        await self._incremental_filter.run()
        self._apply_search()

    def _apply_search(self) -> None:
        # Where the person last put the cursor counts, not where a narrower filter had pushed it.
        self._place_cursor(self._scroll_anchor(), preferred_job_id=self._preferred_job_id)
        if self._unseen_ids:
            self.call_after_refresh(self._update_unseen)

    def perform_action(self, action: str) -> None:
        """Do what the key of an action without parameters does."""
        getattr(self, f"action_{action}")()

    # Actions

    def action_open(self) -> None:
        """Ask for the job under the cursor to be opened; a batch is opened or folded here."""
        if self._is_batch_selected:
            self.action_fold(self._index.is_open(self._index.batch_at(self._cursor_row)))
        elif self._cursor_job_id is not None:
            self.post_message(self.OpenRequested(self._cursor_job_id))

    def action_mark(self) -> None:
        """Mark the job under the cursor, or take its mark away, and go on."""
        if self._cursor_job_id is None:
            return
        self._last_marked_id = self._cursor_job_id
        ids = set(self._index.ids_at(self._cursor_row))
        self._marks = self._marks - ids if ids <= self._marks else self._marks | ids
        self._announce_marks()
        self._move_cursor_to(self._cursor_row + 1)

    def action_mark_range(self) -> None:
        """Mark every job from the last one marked to the one under the cursor."""
        start = self._index.row_of(self._last_marked_id)
        rows = (
            range(self._cursor_row, self._cursor_row + 1)
            if start is None
            else range(min(start, self._cursor_row), max(start, self._cursor_row) + 1)
        )
        self._marks.update(job_id for row in rows if row < len(self._index) for job_id in self._index.ids_at(row))
        self._last_marked_id = self._cursor_job_id
        self._announce_marks()

    def action_mark_all(self) -> None:
        """Mark every job listed, or none if all are."""
        listed = set(self._index.ids())
        self._marks = set() if listed <= self._marks else self._marks | listed
        self._announce_marks()

    def clear_marks(self) -> None:
        """Take every mark away."""
        if self._marks:
            self._marks.clear()
            self._announce_marks()

    def _announce_marks(self) -> None:
        self.post_message(self.MarksChanged(self.marked_ids))
        self._update_title()
        self._repaint()

    def action_filter(self) -> None:
        """Ask for the filter to be typed."""
        self.post_message(self.FilterRequested(self._filter.text))

    def action_fold(self, wanted: bool) -> None:
        """Show the batch that the cursor is in as one line, or its jobs line by line."""
        self._set_folded(self._index.batch_row_of(self._cursor_job_id), folded=wanted)

    def set_batch_folding(self, enabled: bool) -> None:
        """Give each batch one line where everything is listed newest first, or every job its own."""
        self._index.fold_batches = enabled
        self._refilter()

    def action_facet(self) -> None:
        """List the next facet."""
        names = list(FACETS)
        self.set_facet(names[(names.index(self._filter.facet) + 1) % len(names)])

    def action_sort(self) -> None:
        """Sort the next way."""
        self._refilter(order_step=1)

    def action_clear(self) -> None:
        """Clear the marks; when there are none, the filter and the facet."""
        if self._marks:
            self.clear_marks()
            return
        self._filter = JobFilter()
        self._refilter()
        self.post_message(self.FilterCleared())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave escape to others when there is nothing to clear here."""
        if action == "clear":
            return self.can_clear
        if action == "fold":
            row = self._index.batch_row_of(self._cursor_job_id)
            return row is not None and self._index.is_open(self._index.batch_at(row)) is parameters[0]
        return super().check_action(action, parameters)

    # Keys, mouse and life

    async def on_key(self, event: events.Key) -> None:
        """Do at once what a key of the list does: on its way through every parent it would wait for each of them.

        Esc alone goes the long way, for it may be meant for something around the list.
        """
        if event.key == "escape":
            return
        for binding in self._resolve_bindings().get(event.key, ()):
            if await self.app.run_action(binding.action, self):
                event.stop()
                event.prevent_default()
                return

    def _resolve_bindings(self) -> dict[str, list[Binding]]:
        keymap = self.app._keymap
        if keymap is not self._keymap:
            bound = self._bindings.copy()
            bound.apply_keymap(keymap)
            self._keymap, self._bindings_by_key = keymap, bound.key_to_bindings
        return self._bindings_by_key

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the click was; a second click opens."""
        at = event.get_content_offset(self)
        if at is None or (row := at.y + self.scroll_offset.y) >= len(self._index):
            return
        self._move_cursor_to(row)
        if event.shift:
            self.action_mark_range()
        elif event.chain == 2:
            self.action_open()

    def on_mount(self) -> None:
        """Show what was given before there was a screen."""
        self.virtual_size = Size(self.size.width, len(self._index))
        if self._search_pending:
            self.run_worker(self._run_search(), group="job-list-search", exclusive=True)

    def on_focus(self) -> None:
        """Draw the cursor as the one that keys move."""
        self._restyle()
        self.refresh_line(self._cursor_row)

    def on_blur(self) -> None:
        """Draw the cursor as one at rest."""
        self._restyle()
        self.refresh_line(self._cursor_row)

    def _update_title(self) -> None:
        text = list_title(
            self._filter,
            len(self._index),
            len(self._index.jobs),
            len(self._marks),
            self._index.order.name,
            self.glyphs,
            new_above_count=len(self._unseen_ids),
        )
        if text != self._title:
            self._title = text
            if self.is_attached:
                self.post_message(self.TitleChanged(text))
