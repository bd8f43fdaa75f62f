"""The live list: one line a job, drawn cell by cell, so that a change costs what changed and no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from eternal_tui.jobs.job import Job
from eternal_tui.tui.actions import bindings
from eternal_tui.tui.batch_row import batch_line
from eternal_tui.tui.cells import Line, changed_spans
from eternal_tui.tui.glyphs import UNICODE, Glyphs
from eternal_tui.tui.job_filter import FACETS, JobFilter, parse
from eternal_tui.tui.job_index import ORDERS, JobIndex
from eternal_tui.tui.job_row import job_line, ticks
from eternal_tui.tui.job_search import JobSearch
from eternal_tui.tui.list_words import empty_lines, title
from eternal_tui.untrusted import Shown


class _Drawn(NamedTuple):
    """What stands on one line of the screen."""

    job_id: int | None
    line: Line
    selected: bool


class JobList(ScrollView, can_focus=True):
    """Every job as one line, newest first; draws snapshots it is given and posts what the person does.

    The cursor belongs to a job, not to a row: it stays on its job when others come, go or are filtered. Only while
    the list is *not* focused and the cursor is at the very top does it follow to a job that newly arrives on top: a
    person at work in the form sees the job just sent, and a key pressed in the list never meets another job than the
    one it was meant for. When the lines in view are not the topmost, new jobs do not move them.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "job-list--text",
        "job-list--dim",
        "job-list--name",
        "job-list--live",
        "job-list--ok",
        "job-list--warn",
        "job-list--bad",
        "job-list--bar",
        "job-list--track",
        "job-list--mark",
        "job-list--cursor",
        "job-list--selected",
    }
    DEFAULT_CSS = """
    JobList {
        background: transparent;
        color: $foreground;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        & > .job-list--text { color: $foreground; }
        & > .job-list--name { color: $foreground; }
        & > .job-list--dim { color: $text-muted; }
        & > .job-list--live { color: $accent; }
        & > .job-list--ok { color: $success; }
        & > .job-list--warn { color: $warning; }
        & > .job-list--bad { color: $error; }
        & > .job-list--bar { color: $accent; }
        & > .job-list--track { color: $text-disabled; }
        & > .job-list--mark { color: $accent; text-style: bold; }
        & > .job-list--cursor { color: $text-muted; }
        & > .job-list--selected { background: $block-cursor-blurred-background; }
        &:focus > .job-list--cursor { color: $accent; text-style: bold; }
        &:focus > .job-list--selected { background: $block-hover-background; }
        &:ansi > .job-list--selected { background: transparent; }
        &:ansi:focus > .job-list--selected { color: ansi_default; background: transparent; text-style: reverse; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("list")]

    class Opened(Message):
        """A person asked to open this job."""

        def __init__(self, job_id: int) -> None:
            super().__init__()
            self.job_id = job_id

    class Highlighted(Message):
        """The cursor is on another job now, or on none."""

        def __init__(self, job_id: int | None) -> None:
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

    def __init__(
        self,
        *,
        glyphs: Glyphs = UNICODE,
        about_left: Callable[[Job], float | None] | None = None,
        clock_step: float = 1.0,
        retry_key: str = "t",
        id: str | None = None,  # noqa: A002 - Textual's own name
        classes: str | None = None,
    ) -> None:
        """Draw with `glyphs`; `clock_step` is the seconds by which running clocks advance, more over a slow line.

        `steered` says that keys reach the cursor from another view of the list, which `on_redrawn` keeps up to date.
        """
        super().__init__(id=id, classes=classes)
        self.glyphs = glyphs
        self.clock_step = clock_step
        self._about_left = about_left or (lambda _: None)
        self._retry_key = retry_key
        self._now = 0.0
        self._index = JobIndex()
        self._search = JobSearch(self._index)
        self._filter = JobFilter()
        self._marks: set[int] = set()
        self._mark_from: int | None = None
        self._current: int | None = None
        self._wanted: int | None = None
        self._row = 0
        self._on_batch = False
        self._title = title(self._filter, 0, 0, glyphs=glyphs)
        self._drawn: dict[int, _Drawn] = {}
        self._styles: dict[tuple[str, bool], Style] = {}
        self._searching = False
        self.steered = False
        self.on_redrawn: Callable[[], None] = lambda: None

    # What it shows

    @property
    def current(self) -> int | None:
        """The id under the cursor, or None when nothing is listed."""
        return self._current

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
    def count(self) -> int:
        """How many jobs are listed."""
        return len(self._index)

    @property
    def row(self) -> int:
        """The row of the cursor."""
        return self._row

    @property
    def clearable(self) -> bool:
        """Whether there are marks or a filter to clear."""
        return bool(self._marks) or not self._filter.everything or bool(self._filter.text)

    def chosen(self) -> list[int]:
        """Return what an action is for: the marked jobs that are listed, else those of the row under the cursor."""
        marked = [job_id for job_id in self._index.ids() if job_id in self._marks] if self._marks else []
        return marked or (self._index.ids_at(self._row) if self._current is not None else [])

    def job_at(self, row: int) -> Job:
        """Return the job listed in a row."""
        return self._index.at(row)

    def visible_ids(self) -> list[int]:
        """Return the ids of the lines in view, from the top."""
        top = self.scroll_offset.y
        return [self._index.id_at(row) for row in range(top, min(len(self._index), top + self.size.height))]

    def listed_ids(self) -> list[int]:
        """Return every id that passes the filter, in order."""
        return list(self._index.ids())

    def has_clocks(self) -> bool:
        """Tell whether a line in view changes by the passing of time alone."""
        return any(ticks(self._index.jobs[job_id]) for job_id in self.visible_ids())

    def show(self, jobs: Sequence[Job], now: float) -> None:
        """Show these jobs instead of all before; `now` is in seconds since the epoch."""
        self._now = now
        self._index.clear()
        self._search.forget()
        self._index.learn(jobs)
        self._marks &= self._index.jobs.keys()
        self._refilter()

    def update(self, changed: Iterable[Job], now: float, gone: Iterable[int] = ()) -> None:
        """Take in new and changed jobs, and forget those in `gone`."""
        self._now = now
        before = self._anchor()
        for job in changed:
            self._search.touched(job)
            self._index.put(job, show=self._filter.everything or self._filter.matches(job, now))
        for job_id in gone:
            self._search.gone(job_id)
            self._index.drop(job_id)
            self._marks.discard(job_id)
        self._settle(before)

    def tick(self, now: float) -> None:
        """Advance the clocks in view; costs nothing where no line changes."""
        self._now = now
        self._repaint()

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

    # Cursor and scrolling

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
                self.post_message(self.Highlighted(current))
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
        self._repaint()

    def go_to_row(self, row: int) -> None:
        """Put the cursor in a row, the nearest where there is none."""
        self._go(row)

    def act(self, action: str) -> None:
        """Do what the key of an action without parameters does."""
        getattr(self, f"action_{action}")()

    def go_to(self, job_id: int) -> bool:
        """Put the cursor on a job, opening its batch; False if it is not listed."""
        self._fold(self._index.batch_row(job_id), wanted=False)
        row = self._index.row(job_id)
        if row is not None:
            self._go(row)
        return row is not None

    # Actions

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

    def _fold(self, row: int | None, *, wanted: bool) -> None:
        batch = "" if row is None else self._index.batch_at(row)
        if row is None or self._index.is_open(batch) is not wanted:
            return
        before = self._anchor()
        self._index.set_open(batch, wanted=not wanted)
        self._on_batch = self._on_batch or wanted
        self._settle(before)

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

    # Mouse and life

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

    def on_resize(self) -> None:
        """Draw anew, with the cursor in view."""
        self._drawn.clear()
        self.virtual_size = Size(self.size.width, len(self._index))
        self._reveal(self._row)

    def on_focus(self) -> None:
        """Draw the cursor as the one that keys move."""
        self._restyle()

    def on_blur(self) -> None:
        """Draw the cursor as one at rest."""
        self._restyle()

    def notify_style_update(self) -> None:
        """Draw with the new theme's colours."""
        super().notify_style_update()
        self._styles.clear()
        self._drawn.clear()

    def _restyle(self) -> None:
        self._styles.clear()
        self.refresh_line(self._row)

    def _retitle(self) -> None:
        text = title(
            self._filter, len(self._index), len(self._index.jobs), len(self._marks), self._index.order.name, self.glyphs
        )
        if text != self._title:
            self._title = text
            if self.is_attached:
                self.post_message(self.Titled(text))

    # Drawing

    def _line(self, y: int) -> _Drawn:
        width, row = self.size.width, y + self.scroll_offset.y
        if row >= len(self._index):
            return _Drawn(None, self._blank(y, width), selected=False)
        job = self._index.at(row)
        if self._index.batch_at(row):
            return _Drawn(job.id, self._batch_line(row, width), row == self._row)
        line = job_line(
            job,
            self._now,
            width,
            glyphs=self.glyphs,
            left=self._about_left(job) if ticks(job) else None,
            cursor=row == self._row,
            marked=job.id in self._marks,
            step=self.clock_step,
            retry_key=self._retry_key,
        )
        return _Drawn(job.id, line, row == self._row)

    def _batch_line(self, row: int, width: int) -> Line:
        ids = self._index.ids_at(row)
        return batch_line(
            [self._index.jobs[job_id] for job_id in ids],
            width,
            opened=self._index.is_open(self._index.batch_at(row)),
            glyphs=self.glyphs,
            cursor=row == self._row,
            marked=self._marks.issuperset(ids),
        )

    def _blank(self, y: int, width: int) -> Line:
        words = empty_lines(self._filter, len(self._index.jobs), width, self.glyphs) if not len(self._index) else ()
        return words[y] if y < len(words) else ()

    def _repaint(self) -> None:
        """Mark as dirty exactly the cells in view that are not what they should be."""
        if not self.is_attached:
            return
        self.on_redrawn()
        width = self.size.width
        for y in range(self.size.height):
            new, old = self._line(y), self._drawn.get(y)
            if new == old:
                continue
            if old is None or old.job_id != new.job_id or old.selected != new.selected:
                self.refresh(Region(0, y, width, 1))
            elif spans := changed_spans(old.line, new.line):
                self.refresh(*(Region(x, y, end - x, 1) for x, end in spans))

    def render_line(self, y: int) -> Strip:
        """Return one line of the screen."""
        drawn = self._drawn[y] = self._line(y)
        return self._strip(drawn).adjust_cell_length(self.size.width, self._style("", drawn.selected))

    def _strip(self, drawn: _Drawn) -> Strip:
        segments: list[Segment] = []
        text, style = "", self._style("", drawn.selected)
        for cell in drawn.line:
            # Blanks look the same in every style of the line: they go with the cell before, and cost no colour codes.
            wanted = self._style(cell.role, drawn.selected) if cell.text.strip() else style
            if wanted is not style and text:
                segments.append(Segment(text, style))
                text = ""
            text, style = text + cell.text, wanted
        segments.append(Segment(text, style))
        return Strip(segments, sum(cell.width for cell in drawn.line))

    def _style(self, role: str, selected: bool) -> Style:
        style = self._styles.get((role, selected))
        if style is None:
            style = self.rich_style
            if role:
                style += self.get_component_rich_style(f"job-list--{role}", partial=True)
            if selected:
                style += self.get_component_rich_style("job-list--selected", partial=True)
            self._styles[role, selected] = style
        return style
