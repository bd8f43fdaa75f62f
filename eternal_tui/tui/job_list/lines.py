"""The lines of the list's rows, with an estimate of what a running job still needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from rich.cells import cell_len

from eternal_tui.core.sanitize import sanitize
from eternal_tui.jobs.model import Job
from eternal_tui.tui.job_list.index import JobIndex
from eternal_tui.tui.job_list.row import (
    MAX_NAME_COLUMNS,
    MAX_TEXT_CHARS,
    Columns,
    batch_line,
    columns_for,
    has_clock,
    job_line,
)
from eternal_tui.tui.widgets.cells import Line, Part

ESTIMATE_LIFETIME_SECONDS = 8.0
"""Seconds after which a job of which nothing new is known is estimated again; until then its time runs down."""

MAX_ESTIMATES = 512
"""Estimates remembered: several screens of them."""


class _Estimate(NamedTuple):
    """The remaining seconds of a snapshot as estimated at a time."""

    job: Job
    at: float
    seconds: float | None


class JobLines:
    """Makes the lines of an index at `now`, in seconds since the epoch.

    `estimate_remaining` returns about how many seconds a job still needs, `clock_step` is the seconds by which
    running clocks advance: more over a slow line.
    """

    def __init__(self, index: JobIndex, estimate_remaining: Callable[[Job], float | None], clock_step: float) -> None:
        self.now = 0.0
        self._index = index
        self._estimate_remaining = estimate_remaining
        self._clock_step = clock_step
        self._estimates: dict[int, _Estimate] = {}
        self._made: dict[tuple[int, Columns, Part], Line] = {}
        self._name_columns = 1

    def set_time(self, now: float) -> None:
        """Make the lines of jobs as they are now."""
        self.now = now
        self._made.clear()

    def fit_names(self, jobs: Iterable[Job]) -> None:
        """Make the column of names as wide as the longest of these; it never shrinks, so that nothing jumps."""
        names = {job.name or job.request.character for job in jobs}
        widest = max((cell_len(sanitize(name, limit=MAX_TEXT_CHARS)) for name in names), default=0)
        self._name_columns = max(self._name_columns, min(widest, MAX_NAME_COLUMNS))

    def line_at(self, row: int, width: int, marked_ids: set[int]) -> Line:
        """Return the line of a row from the column of its mark on; the cursor's is before it."""
        ids, batch, job = self._index.ids_at(row), self._index.batch_at(row), self._index.job_at(row)
        columns = columns_for(width, self._name_columns, child=not batch and self._index.is_child(job))
        mark = Part("● " if marked_ids.issuperset(ids) else "  ", "mark")
        if batch:
            jobs = [self._index.jobs[job_id] for job_id in ids]
            return (mark, *batch_line(jobs, columns, opened=batch in self._index.open_batches))
        # A held key draws the same lines at each repeat.
        key = (job.id, columns, mark)
        line = self._made.get(key)
        if line is None:
            # Estimates cost time; narrow lines have no column for them.
            left = self._remaining_seconds(job) if has_clock(job) and columns.size else None
            made = job_line(job, self.now, columns, remaining_seconds=left, clock_step=self._clock_step)
            line = self._made[key] = (mark, *made)
        return line

    def _remaining_seconds(self, job: Job) -> float | None:
        known = self._estimates.get(job.id)
        if known is None or known.job is not job or not 0 <= self.now - known.at < ESTIMATE_LIFETIME_SECONDS:
            if len(self._estimates) >= MAX_ESTIMATES:
                self._estimates.clear()
            known = self._estimates[job.id] = _Estimate(job, self.now, self._estimate_remaining(job))
        return None if known.seconds is None else max(0.0, known.seconds - (self.now - known.at))
