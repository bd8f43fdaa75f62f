"""Jobs as lines on the screen: each drawn cell by cell and remembered, so that a change costs what changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar, NamedTuple, TypedDict, Unpack

import msgspec
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.scroll_view import ScrollView
from textual.strip import Strip

from eternal_tui.jobs.filter import JobFilter
from eternal_tui.jobs.model import Job
from eternal_tui.tui.job_list.index import JobIndex
from eternal_tui.tui.job_list.row import batch_line, columns_for, elapsed, format_remaining, has_clock, job_line
from eternal_tui.tui.job_list.titles import empty_state
from eternal_tui.tui.terminal.compositor import DiffScreen
from eternal_tui.tui.terminal.glyphs import UNICODE, Glyphs
from eternal_tui.tui.widgets.cells import Line, changed_spans

ETA_LIFETIME_SECONDS = 8.0
"""Seconds after which a job of which nothing new is known is estimated again; until then its time runs down."""

ETA_LIFETIME_SPREAD_SECONDS = 7
"""Further seconds, by the id of the job, so that a screen of jobs is not estimated in one go again."""

MAX_ESTIMATES_PER_REDRAW = 64
"""Estimates made in one drawing at most; lines beyond get theirs in the next."""

MAX_CACHED_ETAS = 512
"""Estimates remembered: several screens of them."""


class _CachedEta(NamedTuple):
    """What was estimated for a snapshot, and when."""

    job: Job
    estimated_at: float
    remaining_seconds: float | None


class EtaCache:
    """Remembers what `estimate` says about the seconds a job still needs."""

    def __init__(self, estimate: Callable[[Job], float | None]) -> None:
        self._estimate = estimate
        self._cached: dict[int, _CachedEta] = {}
        self._allowance = MAX_ESTIMATES_PER_REDRAW

    def set_allowance(self, count: int) -> None:
        """Let so many estimates be made from now on."""
        self._allowance = count

    def remaining_seconds(self, job: Job, now: float) -> float | None:
        """Return about how many seconds the job still needs; None when nothing is known, or not yet."""
        known = self._cached.get(job.id)
        if (
            known is None
            or known.job is not job
            or not 0 <= now - known.estimated_at < ETA_LIFETIME_SECONDS + job.id % ETA_LIFETIME_SPREAD_SECONDS
        ) and self._allowance > 0:
            self._allowance -= 1
            if len(self._cached) >= MAX_CACHED_ETAS:
                self._cached.clear()
            known = self._cached[job.id] = _CachedEta(job, now, self._estimate(job))
        if known is None or known.remaining_seconds is None:
            return None
        return max(0.0, known.remaining_seconds - max(0.0, now - known.estimated_at))


MAX_CACHED_LINES = 512
"""Lines remembered: several screens of them."""


class CachedLine(msgspec.Struct, eq=False):
    """A line of the screen and all that it was made from."""

    job: Job | None
    appearance: tuple[object, ...]
    line: Line
    has_cursor: bool
    strip: Strip | None = None


class LineOptions(TypedDict, total=False):
    """What lines are drawn with, and Textual's own options of a widget.

    `estimate_remaining` returns about how many seconds a job still needs, `clock_step` is the seconds by which
    running clocks advance, more over a slow line, and `retry_key` the key that a line names where something is to be
    decided.
    """

    glyphs: Glyphs
    estimate_remaining: Callable[[Job], float | None] | None
    clock_step: float
    retry_key: str
    id: str | None
    classes: str | None


class LineCache(ScrollView):
    """Draws the jobs of an index, a line each; which of them the cursor is on is for others to say."""

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
    LineCache {
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

    def __init__(self, **options: Unpack[LineOptions]) -> None:
        super().__init__(id=options.get("id"), classes=options.get("classes"))
        self.glyphs = options.get("glyphs", UNICODE)
        self.clock_step = options.get("clock_step", 1.0)
        self.on_redrawn: Callable[[], None] = lambda: None
        self._index = JobIndex()
        self._filter = JobFilter()
        self._marks: set[int] = set()
        self._cursor_row = 0
        self._now = 0.0
        self._retry_key = options.get("retry_key", "t")
        self._eta_cache = EtaCache(options.get("estimate_remaining") or (lambda _: None))
        self._cached_lines: dict[int | str, CachedLine] = {}
        self._drawn_lines: dict[int, CachedLine] = {}
        self._styles: dict[tuple[str, bool], Style] = {}

    @property
    def count(self) -> int:
        """How many jobs are listed."""
        return len(self._index)

    def job_at(self, row: int) -> Job:
        """Return the job listed in a row."""
        return self._index.job_at(row)

    def visible_ids(self) -> list[int]:
        """Return the ids of the lines in view, from the top."""
        top = self.scroll_offset.y
        return [self._index.id_at(row) for row in range(top, min(len(self._index), top + self.size.height))]

    def has_clocks(self) -> bool:
        """Tell whether a line in view changes by the passing of time alone."""
        return any(has_clock(self._index.jobs[job_id]) for job_id in self.visible_ids())

    def tick(self, now: float) -> None:
        """Advance the clocks in view; costs nothing where no line changes."""
        self._now = now
        self._repaint()

    def notify_style_update(self) -> None:
        """Draw with the new theme's colours."""
        super().notify_style_update()
        self._restyle()
        self._drawn_lines.clear()

    def _restyle(self) -> None:
        self._styles.clear()
        for drawn in self._cached_lines.values():
            drawn.strip = None

    # From jobs to lines

    def _line_at(self, y: int) -> CachedLine:
        width, row = self.size.width, y + self.scroll_offset.y
        if row >= len(self._index):
            return CachedLine(None, (), self._empty_line(y, width), has_cursor=False)
        if batch := self._index.batch_at(row):
            return self._batch_line(batch, row, width)
        job = self._index.job_at(row)
        cursor, marked, live = row == self._cursor_row, job.id in self._marks, has_clock(job)
        clock = elapsed(job, self._now, self.clock_step) if live else None
        # Where a line has no room for the time that is left, nobody need work it out.
        left = self._eta_cache.remaining_seconds(job, self._now) if live and columns_for(width).note else None
        look = (width, cursor, marked, clock, format_remaining(left))
        known = self._cached_lines.get(job.id)
        if known is not None and known.job is job and known.appearance == look:
            return known
        line = job_line(
            job,
            self._now,
            width,
            glyphs=self.glyphs,
            remaining_seconds=left,
            cursor=cursor,
            marked=marked,
            clock_step=self.clock_step,
            retry_key=self._retry_key,
        )
        return self._cache_line(job.id, CachedLine(job, look, line, cursor))

    def _batch_line(self, batch: str, row: int, width: int) -> CachedLine:
        jobs, cursor, opened = self._index.jobs, row == self._cursor_row, self._index.is_open(batch)
        ids = self._index.ids_at(row)
        marked = self._marks.issuperset(ids)
        members = [jobs[job_id] for job_id in ids]
        look = (width, cursor, marked, opened, members)
        known = self._cached_lines.get(batch)
        if known is not None and known.appearance == look:
            return known
        line = batch_line(members, width, opened=opened, glyphs=self.glyphs, cursor=cursor, marked=marked)
        return self._cache_line(batch, CachedLine(members[0], look, line, cursor))

    def _cache_line(self, key: int | str, line: CachedLine) -> CachedLine:
        if len(self._cached_lines) >= MAX_CACHED_LINES:
            self._cached_lines.clear()
        self._cached_lines[key] = line
        return line

    def _empty_line(self, y: int, width: int) -> Line:
        words = empty_state(self._filter, len(self._index.jobs), width, self.glyphs) if not len(self._index) else ()
        return words[y] if y < len(words) else ()

    # From lines to the screen

    def _repaint(self, *, immediately: bool = False) -> None:
        """Mark as dirty exactly the cells in view that are not what they should be.

        What a hand waits for is painted `immediately`, with the estimates there are.
        """
        if not self.is_attached:
            return
        self.on_redrawn()
        self._eta_cache.set_allowance(0 if immediately else MAX_ESTIMATES_PER_REDRAW)
        self._mark_dirty(range(self.size.height))
        if immediately and isinstance(self.screen, DiffScreen):
            self.screen.paint_now(self)
        self._eta_cache.set_allowance(MAX_ESTIMATES_PER_REDRAW)

    def _mark_dirty(self, lines: Iterable[int]) -> None:
        width = self.size.width
        dirty: list[Region] = []
        for y in lines:
            new, old = self._line_at(y), self._drawn_lines.get(y)
            if new is old:
                continue
            if old is None or old.has_cursor != new.has_cursor or _is_other_job(old.job, new.job):
                dirty.append(Region(0, y, width, 1))
            else:
                dirty += (Region(x, y, end - x, 1) for x, end in changed_spans(old.line, new.line))
        if dirty:
            self.refresh(*dirty)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return lines of the screen; they have neither border nor padding, so nothing is laid around them."""
        filters, background = self.get_line_filters(), self.background_colors[1]
        strips = []
        for y in crop.line_range:
            strip = self.render_line(y)
            for each in filters:
                strip = strip.apply_filter(each, background)
            strips.append(strip.crop(crop.x, crop.right))
        return strips

    def render_line(self, y: int) -> Strip:
        """Return one line of the screen, as wide as the list with its scrollbar."""
        drawn = self._drawn_lines[y] = self._line_at(y)
        if drawn.strip is None or drawn.strip.cell_length != self.outer_size.width:
            plain = self._style_for("", drawn.has_cursor)
            drawn.strip = self._render_strip(drawn).adjust_cell_length(self.outer_size.width, plain)
        return drawn.strip

    def _render_strip(self, line: CachedLine) -> Strip:
        segments: list[Segment] = []
        text, style = "", self._style_for("", line.has_cursor)
        for cell in line.line:
            # Blanks look the same in every style of the line: they go with the cell before, and cost no colour codes.
            wanted = self._style_for(cell.role, line.has_cursor) if cell.text.strip() else style
            if wanted is not style and text:
                segments.append(Segment(text, style))
                text = ""
            text, style = text + cell.text, wanted
        segments.append(Segment(text, style))
        return Strip(segments, sum(cell.width for cell in line.line))

    def _style_for(self, role: str, has_cursor: bool) -> Style:
        style = self._styles.get((role, has_cursor))
        if style is None:
            style = self.rich_style
            if role:
                style += self.get_component_rich_style(f"job-list--{role}", partial=True)
            if has_cursor:
                style += self.get_component_rich_style("job-list--selected", partial=True)
            self._styles[role, has_cursor] = style
        return style


def _is_other_job(old: Job | None, new: Job | None) -> bool:
    return (old and old.id) != (new and new.id)
