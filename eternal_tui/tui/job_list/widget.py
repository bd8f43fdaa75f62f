"""The live list: one line per job or folded batch, its cursor, marks, filter, order and search."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from textual import events, on, work
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.worker import Worker

from eternal_tui.core.sanitize import SafeText, format_safe, sanitize
from eternal_tui.jobs.filter import FACETS, JobFilter, parse_filter, prebuild_search_texts
from eternal_tui.jobs.model import Job, JobState
from eternal_tui.tui.input.keymap import bindings
from eternal_tui.tui.job_list.index import (
    NEWEST_FIRST,
    SLICE_JOBS,
    SORT_ORDERS,
    JobIndex,
    ListCursor,
    ListView,
    SortOrder,
)
from eternal_tui.tui.job_list.row import JobLines, empty_text, has_clock, list_position, list_title
from eternal_tui.tui.terminal.compositor import DiffScreen
from eternal_tui.tui.terminal.textual_internals import KeyTable
from eternal_tui.tui.widgets.cells import Line, Part, changed_spans
from eternal_tui.tui.widgets.jobs import JobView, empty_lines

_PROBLEM_STATES = frozenset({JobState.FAILED, JobState.REJECTED, JobState.UNCONFIRMED, JobState.LOST})

_BATCH_PATTERN = re.compile("[0-9a-z-]+")
"""Batches that a filter can name; any other, from a history made elsewhere, is unfolded instead of opened."""


class _DrawnLine(NamedTuple):
    parts: Line
    job_id: int = 0
    has_cursor: bool = False


class JobList(JobView):
    """Draws jobs as lines and posts the requests of the user.

    The cursor follows to a job that newly arrives on top only while it is in the first row and the list is *not*
    focused, so that a key pressed in the list never acts on another job than the one it was meant for.
    `is_externally_driven` says that another view, which `on_redrawn` keeps fresh, passes keys on to the list. When the
    rows in view are not the topmost, new jobs do not move them, and the title gives the number of new jobs above.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("list"), *bindings("matches")]
    DEFAULT_CSS = """
    JobList {
        & > .job--cursor { color: $text-muted; }
        & > .job--selected { background: $block-cursor-blurred-background; }
        &:focus > .job--cursor { color: $accent; text-style: bold; }
        &:focus > .job--selected { background: $block-hover-background; }
        &:ansi > .job--selected { background: transparent; }
        &:ansi:focus > .job--selected { color: ansi_default; background: transparent; text-style: reverse; }
    }
    """

    @dataclass
    class Highlighted(Message):
        """The cursor is on another job now, or on none."""

        job_id: int | None

    @dataclass
    class OpenRequested(Message):
        """The user asked to open this job."""

        job_id: int

    @dataclass
    class BatchOpenRequested(Message):
        """The user asked to open this batch."""

        batch: str

    class TitleChanged(Message):
        """The list has another title or position now."""

    @dataclass
    class FilterRequested(Message):
        """The user asked to type a filter, or with `find` a search that leaves every job listed."""

        text: str
        find: bool = False

    class FilterCleared(Message):
        """The user cleared the filter or search from within the list."""

    @dataclass
    class Notice(Message):
        """A sentence for the user."""

        text: SafeText

    def __init__(
        self, *, estimate_remaining: Callable[[Job], float | None] = lambda _: None, clock_step: float = 1.0
    ) -> None:
        super().__init__()
        self.is_externally_driven = False
        self.on_redrawn: Callable[[], None] = lambda: None
        self._index = JobIndex()
        self._cursor = ListCursor(self._index)
        self._newest_id = 0
        self._unseen_ids: set[int] = set()
        self._lines = JobLines(self._index, estimate_remaining, clock_step)
        self._drawn: dict[int, _DrawnLine] = {}
        self.marked_ids: set[int] = set()
        self.filter = JobFilter()
        """The parsed filter with its errors."""
        self._search = JobFilter()
        self._matches: list[int] | None = None
        self._order = NEWEST_FIRST
        self._filtering: Worker[None] | None = None
        self._last_marked_id: int | None = None
        self.title = self._describe()
        """The title, for the pane's border."""
        self.position = SafeText("")
        """Where the cursor is among the jobs found, such as 3/17; "" without filter and search."""
        self._key_table = KeyTable(self)

    @property
    def count(self) -> int:
        return len(self._index)

    @property
    def current_id(self) -> int | None:
        return self._cursor.job_id

    @property
    def row(self) -> int:
        return self._cursor.row

    @property
    def empty_text(self) -> SafeText:
        """Why no job is listed and which key helps, where none is."""
        return empty_text(self.filter, len(self._index.jobs))

    @property
    def can_clear(self) -> bool:
        return bool(self.marked_ids or self._search.text or self.filter.text) or not self.filter.is_empty

    @property
    def is_searching(self) -> bool:
        """Whether there is a search, which leaves every job listed."""
        return bool(self._search.terms)

    def job_at(self, row: int) -> Job:
        return self._index.job_at(row)

    def selected_ids(self) -> list[int]:
        """Return the jobs an action applies to: the marked ones listed, else those under the cursor."""
        marked = [job_id for job_id in self._index.ids() if job_id in self.marked_ids] if self.marked_ids else []
        return marked or (self._index.ids_at(self._cursor.row) if self._cursor.job_id is not None else [])

    def listed_ids(self) -> list[int]:
        """Return every id that passes the filter, in order."""
        return list(self._index.ids())

    def visible_ids(self) -> list[int]:
        top = self.scroll_offset.y
        return [self._index.id_at(row) for row in range(top, min(len(self._index), top + self.size.height))]

    def has_clocks(self) -> bool:
        """Tell whether a line in view changes by the passing of time alone."""
        return any(has_clock(self._index.jobs[job_id]) for job_id in self.visible_ids())

    def view(self) -> ListView:
        cursor, order = self._cursor.job_id, self._index.order
        return ListView(
            cursor=None if cursor == next(iter(self._index.ids()), None) else cursor,
            filter=self.filter.text,
            facet=self.filter.facet,
            order="" if order is SORT_ORDERS[0] else order.name,
            open=tuple(sorted(self._index.open_batches & {job.batch for job in self._index.jobs.values()})),
        )

    def restore(self, view: ListView) -> None:
        """Restore a view; jobs that are gone are left out."""
        self.filter = parse_filter(view.filter, view.facet if view.facet in FACETS else "all")
        self._cursor.preferred_id = view.cursor
        self._index.open_batches.update(view.open)
        self._refilter(next((each for each in SORT_ORDERS if each.name == view.order), SORT_ORDERS[0]))

    def set_jobs(self, jobs: Sequence[Job], now: float) -> None:
        """Show these jobs instead of all before; `now` is in seconds since the epoch."""
        self._lines.set_time(now)
        self._index.replace_all(jobs)
        self._lines.fit_names(jobs)
        self.marked_ids.intersection_update(self._index.jobs)
        self._newest_id = max(self._index.jobs, default=0)
        self._unseen_ids.clear()
        self._refilter()

    def apply_changes(self, changed: Sequence[Job], now: float, removed_ids: Iterable[int] = ()) -> None:
        self._lines.set_time(now)
        before = self._scroll_anchor()
        gone = set(removed_ids)
        self._lines.fit_names(changed)
        self._index.update(changed, gone, lambda job: self.filter.is_empty or self.filter.matches(job, now))
        self.marked_ids -= gone
        self._unseen_ids -= gone
        if self._filtering is not None:
            self._refilter()
        self._place_cursor(before)
        fresh = {job.id for job in changed if job.id > self._newest_id}
        if self._newest_id and self.is_attached and self.size.height:
            self._unseen_ids |= fresh
            self._update_unseen_later()
        self._newest_id = max(fresh, default=self._newest_id)

    def tick(self, now: float) -> None:
        self._lines.set_time(now)
        self.redraw()

    def set_filter(self, text: str, facet: str | None = None) -> JobFilter:
        """Filter by `text`, keeping the facet unless one is given, and return the parsed filter."""
        facet = self.filter.facet if facet is None else facet
        if (text, facet) != (self.filter.text, self.filter.facet):
            self.filter = parse_filter(text, facet)
            self._refilter()
        return self.filter

    def set_search(self, text: str) -> JobFilter:
        """Search for `text`, going to the first match from the cursor on, and return the parsed search."""
        self._search, self._matches = parse_filter(text), None
        matches = self._find_matches()
        if matches and self._cursor.job_id not in matches:
            self.go_to_job(self._cursor.next_of(matches, 1))
        self._update_title()
        return self._search

    @work(group="job-list-warm", exclusive=True)
    async def prebuild_search(self) -> None:
        """Build the search text of every job before it is needed."""
        for jobs in self._index.slices():
            prebuild_search_texts(self._index.search_texts, jobs)
            await asyncio.sleep(0)

    def _find_matches(self) -> list[int]:
        """Return the jobs listed that the search matches, in list order; 100,000 jobs take 30 ms to search."""
        if self._matches is None:
            jobs = [self._index.jobs[job_id] for job_id in self._index.ids()] if self._search.terms else []
            found = self._search.select(jobs, self._lines.now, self._index.search_texts)
            self._matches = [job.id for job in found]
        return self._matches

    def _refilter(self, order: SortOrder | None = None) -> None:
        """Show the jobs that pass the filter; of many, each slice leaves keys their turn."""
        self._order = order or self._order
        if self._filtering is not None:
            self._filtering.cancel()
            self._filtering = None
        if self.filter.is_empty and self._order is NEWEST_FIRST:
            self._index.show_all()
            self._show_filtered()
        elif len(self._index.jobs) <= SLICE_JOBS or not self.is_attached:
            self._show_only(self._select(self._index.jobs.values()))
        else:
            self._filtering = self._filter_slices()

    def _select(self, jobs: Iterable[Job]) -> list[int]:
        return [job.id for job in self.filter.select(jobs, self._lines.now, self._index.search_texts)]

    @work
    async def _filter_slices(self) -> None:
        found: list[int] = []
        for jobs in self._index.slices():
            found += self._select(jobs)
            await asyncio.sleep(0)
        self._filtering = None
        self._show_only(found)

    def _show_only(self, ids: Iterable[int]) -> None:
        self._index.show_only(ids, self._order)
        self._show_filtered()

    def _show_filtered(self) -> None:
        # The row the user chose counts, not the one a narrower filter moved the cursor to.
        self._place_cursor(self._scroll_anchor(), preferred_id=self._cursor.preferred_id)
        self._update_unseen_later()

    def _scroll_anchor(self) -> tuple[int | None, int, bool]:
        top = self.scroll_offset.y
        first = self._index.id_at(top) if 0 < top < len(self._index) else None
        follows = self._cursor.row == 0 and top == 0 and not (self.has_focus or self.is_externally_driven)
        return first, top, follows

    def _place_cursor(self, anchor: tuple[int | None, int, bool], preferred_id: int | None = None) -> None:
        first, top, follows = anchor
        self._matches = None
        row = self._cursor.find_row(preferred_id, follow_top=follows)
        if self.is_attached:
            self.virtual_size = Size(self.size.width, len(self._index))
            at = self._index.row_of(first)
            if at is not None and at != top:
                self.scroll_to(y=at, animate=False)
        self._set_cursor_row(row, scroll=first is None)
        self._update_title()
        self.redraw()

    def _set_cursor_row(self, row: int, *, scroll: bool = True) -> None:
        if self._cursor.set_row(row) and self.is_attached:
            # Without another sender Textual stops the message at a parent whose handler caused it.
            self.post_message(self.Highlighted(self._cursor.job_id).set_sender(self))
        if scroll and self.is_attached:
            self._scroll_to_rows(self._cursor.row)

    def _scroll_to_rows(self, row: int, count: int = 1) -> None:
        """Scroll as little as brings these rows into view, the first of them in any case."""
        top, height = self.scroll_offset.y, self.size.height
        if height and row + count > top + height:
            top = row + count - height
        if (wanted := min(top, row)) != self.scroll_offset.y:
            self.scroll_to(y=wanted, animate=False)

    def go_to_row(self, row: int) -> None:
        """Put the cursor in a row, the nearest where there is none."""
        if not len(self._index):
            return
        self._set_cursor_row(row)
        self._cursor.preferred_id = self._cursor.job_id
        if self.position:
            self._update_title()
        self.redraw(immediately=True)

    def go_to_job(self, job_id: int) -> bool:
        """Put the cursor on a job, opening its batch; False if it is not listed."""
        self._set_folded(self._index.batch_row_of(job_id), folded=False)
        row = self._index.row_of(job_id)
        if row is not None:
            self.go_to_row(row)
        return row is not None

    def _set_folded(self, row: int | None, *, folded: bool) -> None:
        batch = "" if row is None else self._index.batch_at(row)
        if row is None or (batch in self._index.open_batches) is not folded:
            return
        before = self._scroll_anchor()
        self._index.set_open(batch, opened=not folded)
        self._cursor.on_batch = self._cursor.on_batch or folded
        self._place_cursor(before)
        if not folded and self.is_attached and (head := self._index.batch_row_of(self._cursor.job_id)) is not None:
            self._scroll_to_rows(head, 1 + len(self._index.ids_at(head)))
        self._update_unseen_later()

    def _update_unseen_later(self) -> None:
        """Count the new jobs above the rows in view, behind the scrolling that waits for the same."""
        if self._unseen_ids:
            self.call_after_refresh(self._update_unseen)

    def _update_unseen(self) -> None:
        if self._unseen_ids:
            self._unseen_ids.intersection_update(self._index.ids(self.scroll_offset.y))
            self._update_title()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scroll; scrolling up brings new jobs above into view."""
        super().watch_scroll_y(old_value, new_value)
        if new_value < old_value:
            self._update_unseen()

    def perform_action(self, action: str) -> None:
        getattr(self, f"action_{action}")()

    def action_move(self, rows: int) -> None:
        self.go_to_row(self._cursor.row + rows)

    def action_page(self, pages: float) -> None:
        self.action_move(int(max(2, self.size.height) * pages))

    def action_top(self) -> None:
        self.go_to_row(0)

    def action_bottom(self) -> None:
        self.go_to_row(len(self._index) - 1)

    def action_match(self, step: int) -> None:
        if matches := self._find_matches():
            self.go_to_job(self._cursor.next_of(matches, step))
            self._update_title()
        else:
            self.post_message(self.Notice(format_safe("No match for {text}.", text=sanitize(self._search.text))))

    def action_problem(self) -> None:
        """Go to the next job that failed, was rejected or lost, or is unconfirmed, and was not dealt with."""
        jobs = (self._index.jobs[job_id] for job_id in self._index.ids())
        found = [job.id for job in jobs if job.state in _PROBLEM_STATES and not (job.dismissed or job.retried_by)]
        if found:
            self.go_to_job(self._cursor.next_of(found, 1))
        else:
            self.post_message(self.Notice(SafeText("No failed or unconfirmed job in this list.")))

    def action_open(self) -> None:
        """Ask for the job or batch under the cursor to be opened."""
        if self._cursor.on_batch:
            batch = self._index.batch_at(self._cursor.row)
            if _BATCH_PATTERN.fullmatch(batch):
                self.post_message(self.BatchOpenRequested(batch))
            else:
                self.action_fold(batch in self._index.open_batches)
        elif self._cursor.job_id is not None:
            self.post_message(self.OpenRequested(self._cursor.job_id))

    def action_mark(self) -> None:
        """Toggle the mark of the job under the cursor and move down."""
        if self._cursor.job_id is None:
            return
        self._last_marked_id = self._cursor.job_id
        ids = set(self._index.ids_at(self._cursor.row))
        if ids <= self.marked_ids:
            self.marked_ids -= ids
        else:
            self.marked_ids |= ids
        self._show_marks()
        self.action_move(1)

    def action_mark_range(self) -> None:
        """Mark every job from the last one marked to the one under the cursor."""
        here, start = self._cursor.row, self._index.row_of(self._last_marked_id)
        rows = range(min(start if start is not None else here, here), max(start or here, here) + 1)
        self.marked_ids.update(job_id for row in rows if row < len(self._index) for job_id in self._index.ids_at(row))
        self._last_marked_id = self._cursor.job_id
        self._show_marks()

    def action_mark_all(self) -> None:
        listed = set(self._index.ids())
        if listed <= self.marked_ids:
            self.marked_ids.clear()
        else:
            self.marked_ids |= listed
        self._show_marks()

    def clear_marks(self) -> None:
        self.marked_ids.clear()
        self._show_marks()

    def _show_marks(self) -> None:
        self._update_title()
        self.redraw()

    def action_filter(self) -> None:
        self.post_message(self.FilterRequested(self.filter.text))

    def action_find(self) -> None:
        self.post_message(self.FilterRequested(self._search.text, find=True))

    def action_fold(self, wanted: bool) -> None:
        """Show the batch that the cursor is in as one line, or its jobs line by line."""
        self._set_folded(self._index.batch_row_of(self._cursor.job_id), folded=wanted)

    def set_batch_folding(self, enabled: bool) -> None:
        """Give each batch one line where everything is listed newest first, or every job its own."""
        self._index.fold_batches = enabled
        self._refilter()

    def action_facet(self) -> None:
        names = list(FACETS)
        self.set_filter(self.filter.text, names[(names.index(self.filter.facet) + 1) % len(names)])

    def action_sort(self) -> None:
        self._refilter(SORT_ORDERS[(SORT_ORDERS.index(self._order) + 1) % len(SORT_ORDERS)])

    def action_clear(self) -> None:
        """Clear the marks; when there are none, the search, then the filter and the facet."""
        if self.marked_ids:
            self.clear_marks()
            return
        if self._search.text:
            self._search, self._matches = JobFilter(), None
            self._update_title()
        else:
            self.filter = JobFilter()
            self._refilter()
        self.post_message(self.FilterCleared())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave escape and the keys of the search to others when they mean nothing here."""
        if action == "clear":
            return self.can_clear
        if action == "match":
            return self.is_searching
        if action == "fold":
            row = self._index.batch_row_of(self._cursor.job_id)
            return row is not None and (self._index.batch_at(row) in self._index.open_batches) is parameters[0]
        return super().check_action(action, parameters)

    async def on_key(self, event: events.Key) -> None:
        """Run the key's action at once; through all parents it would wait for each of them.

        Esc alone takes the usual way, because a parent may handle it.
        """
        if event.key == "escape":
            return
        for binding in self._key_table.bindings_for(event.key):
            if await self.app.run_action(binding.action, self):
                event.stop()
                event.prevent_default()
                return

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the click was; a second click opens."""
        at = event.get_content_offset(self)
        if at is None or (row := at.y + self.scroll_offset.y) >= len(self._index):
            return
        self.go_to_row(row)
        if event.shift:
            self.action_mark_range()
        elif event.chain == 2:
            self.action_open()

    def on_mount(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._index))

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._index))
        self._scroll_to_rows(self._cursor.row)

    @on(events.Focus)
    @on(events.Blur)
    def _restyle_cursor(self) -> None:
        self.clear_styles()
        self.refresh_line(self._cursor.row)

    def _describe(self) -> SafeText:
        return list_title(
            self.filter,
            self._index.order.name,
            listed=len(self._index),
            known=len(self._index.jobs),
            marked=len(self.marked_ids),
            new_above=len(self._unseen_ids),
        )

    def _describe_position(self) -> SafeText:
        if self._search.terms:
            matches = self._find_matches()
            at = matches.index(self._cursor.job_id) + 1 if self._cursor.job_id in matches else None
            return list_position(at, len(matches), self._search.text)
        return SafeText("") if self.filter.is_empty else list_position(self._cursor.row + 1, len(self._index))

    def _update_title(self) -> None:
        texts = self._describe(), self._describe_position()
        if texts != (self.title, self.position):
            self.title, self.position = texts
            if self.is_attached:
                self.post_message(self.TitleChanged())

    def _line_at(self, y: int) -> _DrawnLine:
        row, width = y + self.scroll_offset.y, self.size.width
        if row >= len(self._index):
            lines = [] if len(self._index) else empty_lines(self.empty_text, width)
            return _DrawnLine((Part(lines[y], "dim"),) if y < len(lines) else ())
        has_cursor = row == self._cursor.row
        gutter = Part("▌" if has_cursor else " ", "cursor")
        line = self._lines.line_at(row, width, self.marked_ids)
        return _DrawnLine((gutter, *line), self._index.id_at(row), has_cursor)

    def redraw(self, *, immediately: bool = False) -> None:
        """Refresh exactly the cells in view that are out of date, `immediately` for the answer to a key."""
        if not self.is_attached:
            return
        self.on_redrawn()
        dirty: list[Region] = []
        for y in range(self.size.height):
            old, new = self._drawn.get(y), self._line_at(y)
            if old is None or old[1:] != new[1:]:
                dirty.append(Region(0, y, self.size.width, 1))
            elif old != new:
                dirty += (Region(x, y, end - x, 1) for x, end in changed_spans(old.parts, new.parts))
        if dirty:
            self.refresh(*dirty)
        if immediately and isinstance(self.screen, DiffScreen):
            self.screen.paint_now(self)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return lines of the screen, without Textual's layout of borders and padding, which the list does not have."""
        filters, background = self.get_line_filters(), self.background_colors[1]
        strips = []
        for y in crop.line_range:
            strip = self.render_line(y)
            for each in filters:
                strip = strip.apply_filter(each, background)
            strips.append(strip.crop(crop.x, crop.right))
        return strips

    def render_line(self, y: int) -> Strip:
        line = self._drawn[y] = self._line_at(y)
        return self.line_strip(line.parts, self.outer_size.width, "selected" if line.has_cursor else "")
