"""The live list: which jobs it shows in which order, where its cursor is, and what a person does with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Unpack

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message

from eternal_tui.core.sanitize import Shown
from eternal_tui.jobs.model import Job
from eternal_tui.tui.input.app_actions import bindings
from eternal_tui.tui.job_list.cursor import JobCursor
from eternal_tui.tui.job_list.filter import FACETS, JobFilter, parse
from eternal_tui.tui.job_list.incremental_filter import JobSearch
from eternal_tui.tui.job_list.index import ORDERS
from eternal_tui.tui.job_list.line_cache import LineOptions
from eternal_tui.tui.job_list.titles import title


class JobList(JobCursor, can_focus=True):
    """Every job as one line, newest first; draws snapshots it is given and posts what the person does."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("list")]

    class Opened(Message):
        """A person asked to open this job."""

        def __init__(self, job_id: int) -> None:
            super().__init__()
            self.job_id = job_id

    class Marked(Message):
        """Other jobs are marked now."""

        def __init__(self, job_ids: frozenset[int]) -> None:
            super().__init__()
            self.job_ids = job_ids

    class Titled(Message):
        """The list has another title now: what it shows, and how many of how many."""

        def __init__(self, title: Shown) -> None:
            super().__init__()
            self.title = title

    class FilterWanted(Message):
        """A person asked to type a filter; `text` is the present one."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class FilterCleared(Message):
        """A person cleared the filter from within the list."""

    def __init__(self, **options: Unpack[LineOptions]) -> None:
        super().__init__(**options)
        self._search = JobSearch(self._index)
        self._mark_from: int | None = None
        self._title = title(self._filter, 0, 0, glyphs=self.glyphs)
        self._searching = False
        self._keymap: object = None
        self._bound: dict[str, list[Binding]] = {}

    # What it shows

    @property
    def marked(self) -> frozenset[int]:
        """The marked ids, listed at present or not."""
        return frozenset(self._marks)

    @property
    def filter(self) -> JobFilter:
        """The filter as it was understood, with sentences about what was not."""
        return self._filter

    @property
    def title(self) -> Shown:
        """What is listed, for the pane's border."""
        return self._title

    @property
    def clearable(self) -> bool:
        """Whether there are marks or a filter to clear."""
        return bool(self._marks) or not self._filter.everything or bool(self._filter.text)

    def chosen(self) -> list[int]:
        """Return what an action is for: the marked jobs that are listed, else those of the row under the cursor."""
        marked = [job_id for job_id in self._index.ids() if job_id in self._marks] if self._marks else []
        return marked or (self._index.ids_at(self._row) if self._current is not None else [])

    def listed_ids(self) -> list[int]:
        """Return every id that passes the filter, in order."""
        return list(self._index.ids())

    def show(self, jobs: Sequence[Job], now: float) -> None:
        """Show these jobs instead of all before; `now` is in seconds since the epoch."""
        self._now = now
        self._index.clear()
        self._search.forget()
        self._index.learn(jobs)
        self._marks &= self._index.jobs.keys()
        self._newest = max(self._index.jobs, default=0)
        self._unseen.clear()
        self._refilter()

    def update(self, changed: Iterable[Job], now: float, gone: Iterable[int] = ()) -> None:
        """Take in new and changed jobs, and forget those in `gone`."""
        self._now = now
        before = self._anchor()
        jobs = list(changed)
        for job in jobs:
            self._search.touched(job)
        everything, matches = self._filter.everything, self._filter.matches
        self._index.put_many(jobs, shows=lambda job: everything or matches(job, now))
        for job_id in gone:
            self._search.gone(job_id)
            self._index.drop(job_id)
            self._marks.discard(job_id)
            self._unseen.discard(job_id)
        self._settle(before)
        self._arrived(job.id for job in jobs)

    # Filter, facet, order

    def set_filter(self, text: str) -> JobFilter:
        """Filter by `text`, keeping the facet, and return how it was understood."""
        if text != self._filter.text:
            self._filter = parse(text, self._filter.facet)
            self._refilter()
        return self._filter

    def set_facet(self, facet: str) -> None:
        """List only the jobs of one of FACETS."""
        self._filter = parse(self._filter.text, facet)
        self._refilter()

    def warm(self) -> None:
        """Prepare for typing a filter, in the background."""
        self.run_worker(self._search.warm(), group="job-list-warm", exclusive=True)

    def _refilter(self, order_step: int = 0) -> None:
        order = ORDERS[(ORDERS.index(self._index.order) + order_step) % len(ORDERS)]
        self._search.begin(self._filter, order, self._now)
        if self._search.small:
            self._search.finish()
            self._found()
        elif self.is_attached:
            self.run_worker(self._search_on(), group="job-list-search", exclusive=True)
        else:
            self._searching = True

    async def _search_on(self) -> None:
        await self._search.run()
        self._found()

    def _found(self) -> None:
        # Where the person last put the cursor counts, not where a narrower filter had pushed it.
        self._settle(self._anchor(), prefer=self._wanted)
        if self._unseen:
            self.call_after_refresh(self._see)

    def act(self, action: str) -> None:
        """Do what the key of an action without parameters does."""
        getattr(self, f"action_{action}")()

    # Actions

    def action_open(self) -> None:
        """Ask for the job under the cursor to be opened; a batch is opened or folded here."""
        if self._on_batch:
            self.action_fold(self._index.is_open(self._index.batch_at(self._row)))
        elif self._current is not None:
            self.post_message(self.Opened(self._current))

    def action_mark(self) -> None:
        """Mark the job under the cursor, or take its mark away, and go on."""
        if self._current is None:
            return
        self._mark_from = self._current
        ids = set(self._index.ids_at(self._row))
        self._marks = self._marks - ids if ids <= self._marks else self._marks | ids
        self._marks_changed()
        self._go(self._row + 1)

    def action_mark_range(self) -> None:
        """Mark every job from the last one marked to the one under the cursor."""
        start = self._index.row(self._mark_from)
        rows = (
            range(self._row, self._row + 1)
            if start is None
            else range(min(start, self._row), max(start, self._row) + 1)
        )
        self._marks.update(job_id for row in rows if row < len(self._index) for job_id in self._index.ids_at(row))
        self._mark_from = self._current
        self._marks_changed()

    def action_mark_all(self) -> None:
        """Mark every job listed, or none if all are."""
        listed = set(self._index.ids())
        self._marks = set() if listed <= self._marks else self._marks | listed
        self._marks_changed()

    def clear_marks(self) -> None:
        """Take every mark away."""
        if self._marks:
            self._marks.clear()
            self._marks_changed()

    def _marks_changed(self) -> None:
        self.post_message(self.Marked(self.marked))
        self._retitle()
        self._repaint()

    def action_filter(self) -> None:
        """Ask for the filter to be typed."""
        self.post_message(self.FilterWanted(self._filter.text))

    def action_fold(self, wanted: bool) -> None:
        """Show the batch that the cursor is in as one line, or its jobs line by line."""
        self._fold(self._index.batch_row(self._current), wanted=wanted)

    def fold_batches(self, wanted: bool) -> None:
        """Give each batch one line where everything is listed newest first, or every job its own."""
        self._index.folding = wanted
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
            return self.clearable
        if action == "fold":
            row = self._index.batch_row(self._current)
            return row is not None and self._index.is_open(self._index.batch_at(row)) is parameters[0]
        return super().check_action(action, parameters)

    # Keys, mouse and life

    async def on_key(self, event: events.Key) -> None:
        """Do at once what a key of the list does: on its way through every parent it would wait for each of them.

        Esc alone goes the long way, for it may be meant for something around the list.
        """
        if event.key == "escape":
            return
        for binding in self._keys().get(event.key, ()):
            if await self.app.run_action(binding.action, self):
                event.stop()
                event.prevent_default()
                return

    def _keys(self) -> dict[str, list[Binding]]:
        keymap = self.app._keymap
        if keymap is not self._keymap:
            bound = self._bindings.copy()
            bound.apply_keymap(keymap)
            self._keymap, self._bound = keymap, bound.key_to_bindings
        return self._bound

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the click was; a second click opens."""
        at = event.get_content_offset(self)
        if at is None or (row := at.y + self.scroll_offset.y) >= len(self._index):
            return
        self._go(row)
        if event.shift:
            self.action_mark_range()
        elif event.chain == 2:
            self.action_open()

    def on_mount(self) -> None:
        """Show what was given before there was a screen."""
        self.virtual_size = Size(self.size.width, len(self._index))
        if self._searching:
            self.run_worker(self._search_on(), group="job-list-search", exclusive=True)

    def on_focus(self) -> None:
        """Draw the cursor as the one that keys move."""
        self._restyle()
        self.refresh_line(self._row)

    def on_blur(self) -> None:
        """Draw the cursor as one at rest."""
        self._restyle()
        self.refresh_line(self._row)

    def _retitle(self) -> None:
        text = title(
            self._filter,
            len(self._index),
            len(self._index.jobs),
            len(self._marks),
            self._index.order.name,
            self.glyphs,
            above=len(self._unseen),
        )
        if text != self._title:
            self._title = text
            if self.is_attached:
                self.post_message(self.Titled(text))
