"""The lines of the list: made of spans once, cached until something they show changes, and painted where they did."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.strip import Strip

from eternal_tui.core.formatting import format_remaining
from eternal_tui.core.sanitize import sanitize
from eternal_tui.jobs.model import Job
from eternal_tui.tui.job_list.index import JobIndex
from eternal_tui.tui.job_list.row import (
    MAX_NAME_COLUMNS,
    MAX_TEXT_CHARS,
    batch_line,
    columns_for,
    elapsed,
    has_clock,
    job_line,
)
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
    """The estimate of one snapshot."""

    job: Job
    estimated_at: float
    remaining_seconds: float | None


class EtaCache:
    """Caches the estimated remaining seconds of jobs."""

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
    """A line, all that it was made from, and its strip for one set of styles and one width."""

    job: Job | None
    appearance: tuple[object, ...]
    line: Line
    has_cursor: bool
    strip: Strip | None = None
    strip_key: object = None


class LineCache:
    """Draws the rows of an index as spans. `marks` are the marked ids, `now` is in seconds since the epoch.

    `estimate_remaining` returns about how many seconds a job still needs, `clock_step` is the seconds by which
    running clocks advance: more over a slow line.
    """

    def __init__(
        self,
        index: JobIndex,
        estimate_remaining: Callable[[Job], float | None],
        clock_step: float,
    ) -> None:
        self.marks: set[int] = set()
        self.now = 0.0
        self._index = index
        self._clock_step = clock_step
        self._eta_cache = EtaCache(estimate_remaining)
        self._lines: dict[int | str, CachedLine] = {}
        self._name_columns = 1

    def set_estimate_allowance(self, count: int) -> None:
        """Let so many estimates be made from now on."""
        self._eta_cache.set_allowance(count)

    def fit_names(self, jobs: Iterable[Job]) -> None:
        """Make the column of names as wide as the longest of these; it never shrinks, so that nothing jumps."""
        names = {job.name or job.request.character for job in jobs}
        widest = max((cell_len(sanitize(name, limit=MAX_TEXT_CHARS)) for name in names), default=0)
        self._name_columns = max(self._name_columns, min(widest, MAX_NAME_COLUMNS))

    def line_at(self, row: int, width: int, *, cursor: bool) -> CachedLine:
        """Return the line of a row of the index."""
        if batch := self._index.batch_at(row):
            return self._batch_line(batch, row, width, cursor)
        job = self._index.job_at(row)
        columns = columns_for(width, self._name_columns, child=self._index.is_child(job))
        marked, live = job.id in self.marks, has_clock(job)
        clock = elapsed(job, self.now, self._clock_step) if live else None
        # Estimates cost time; narrow lines have no column for them.
        left = self._eta_cache.remaining_seconds(job, self.now) if live and columns.size else None
        appearance = (columns, cursor, marked, clock, format_remaining(left))
        known = self._lines.get(job.id)
        if known is not None and known.job is job and known.appearance == appearance:
            return known
        line = job_line(
            job,
            self.now,
            columns,
            remaining_seconds=left,
            cursor=cursor,
            marked=marked,
            clock_step=self._clock_step,
        )
        return self._remember(job.id, CachedLine(job, appearance, line, cursor))

    def _batch_line(self, batch: str, row: int, width: int, cursor: bool) -> CachedLine:
        ids, opened = self._index.ids_at(row), batch in self._index.open_batches
        columns, marked = columns_for(width, self._name_columns), self.marks.issuperset(ids)
        members = [self._index.jobs[job_id] for job_id in ids]
        appearance = (columns, cursor, marked, opened, members)
        known = self._lines.get(batch)
        if known is not None and known.appearance == appearance:
            return known
        line = batch_line(members, columns, opened=opened, cursor=cursor, marked=marked)
        return self._remember(batch, CachedLine(members[0], appearance, line, cursor))

    def _remember(self, key: int | str, line: CachedLine) -> CachedLine:
        if len(self._lines) >= MAX_CACHED_LINES:
            self._lines.clear()
        self._lines[key] = line
        return line


class LinePainter:
    """Remembers the line last drawn in each row of the screen, so that a change repaints only what it changed.

    `line_at` returns the line for a row of the screen, `style_for` the style of two roles.
    """

    def __init__(self, line_at: Callable[[int], CachedLine], style_for: Callable[[str, str], Style]) -> None:
        self._line_at = line_at
        self._style_for = style_for
        self._drawn: dict[int, CachedLine] = {}
        self._styles: dict[tuple[str, bool], Style] = {}
        self._styles_version = 0

    def clear(self) -> None:
        """Redraw everything, for another size or theme."""
        self._drawn.clear()
        self.restyle()

    def restyle(self) -> None:
        """Render strips again with the styles of now."""
        self._styles.clear()
        self._styles_version += 1

    def dirty_regions(self, size: Size) -> list[Region]:
        """Return the regions of the screen that are out of date."""
        dirty: list[Region] = []
        for y in range(size.height):
            new, old = self._line_at(y), self._drawn.get(y)
            if new is old:
                continue
            if old is None or old.has_cursor != new.has_cursor or _job_id(old) != _job_id(new):
                dirty.append(Region(0, y, size.width, 1))
            else:
                dirty += (Region(x, y, end - x, 1) for x, end in changed_spans(old.line, new.line))
        return dirty

    def strip(self, y: int, width: int) -> Strip:
        """Return a row of the screen, padded to `width` columns."""
        line = self._drawn[y] = self._line_at(y)
        key = (self._styles_version, width)
        if line.strip is None or line.strip_key != key:
            plain = self._style("", line.has_cursor)
            line.strip, line.strip_key = self._render(line).adjust_cell_length(width, plain), key
        return line.strip

    def _render(self, line: CachedLine) -> Strip:
        segments: list[Segment] = []
        text, style = "", self._style("", line.has_cursor)
        for cell in line.line:
            # Blanks look the same in every style of the line: they go with the cell before, and cost no colour codes.
            wanted = self._style(cell.role, line.has_cursor) if cell.text.strip() else style
            if wanted is not style and text:
                segments.append(Segment(text, style))
                text = ""
            text, style = text + cell.text, wanted
        segments.append(Segment(text, style))
        return Strip(segments, sum(cell.width for cell in line.line))

    def _style(self, role: str, has_cursor: bool) -> Style:
        style = self._styles.get((role, has_cursor))
        if style is None:
            style = self._styles[role, has_cursor] = self._style_for(role, "selected" if has_cursor else "")
        return style


def _job_id(line: CachedLine) -> int | None:
    return line.job.id if line.job is not None else None
