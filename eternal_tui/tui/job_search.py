"""Filtering and sorting a hundred thousand jobs in slices, so that no key press waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from eternal_tui.jobs.job import Job
from eternal_tui.tui.job_filter import JobFilter, fill
from eternal_tui.tui.job_index import NEWEST, Entry, JobIndex, Order

SLICE = 2_000
"""Jobs looked at between two looks at the keyboard: under 10 ms of work even on a slow core with cold texts."""


class JobSearch:
    """One search at a time over an index; changes that come while it is under way are not lost."""

    def __init__(self, index: JobIndex) -> None:
        self._index = index
        self._haystacks: dict[int, str] = {}
        self._filter = JobFilter()
        self._order = NEWEST
        self._now = 0.0
        self._slices: Iterator[list[Job]] = iter(())
        self._places: list[Entry] = []
        self._touched: set[int] | None = None

    @property
    def small(self) -> bool:
        """Whether the search is short enough to be done at once."""
        return len(self._index.jobs) <= SLICE

    def begin(self, wanted: JobFilter, order: Order, now: float) -> None:
        """Start anew; the index keeps what it shows until `finish`."""
        self._filter, self._order, self._now = wanted, order, now
        self._places, self._touched = [], set()
        ids = self._index.newest()
        self._slices = iter(self._cut(ids))

    def _cut(self, ids: list[int]) -> Iterator[list[Job]]:
        jobs = self._index.jobs
        for start in range(0, len(ids), SLICE):
            yield [jobs[job_id] for job_id in ids[start : start + SLICE] if job_id in jobs]

    def step(self) -> bool:
        """Look at one slice; False when none is left."""
        jobs = next(self._slices, None)
        if jobs is None:
            return False
        chosen = self._filter.select(jobs, self._now, self._haystacks)
        self._places.extend(sorted(map(self._order.entry, chosen)))
        return True

    def finish(self) -> None:
        """Look at what is left and let the index show what was found."""
        while self.step():
            pass
        touched, self._touched = self._touched or set(), None
        places = [place for place in self._places if -place[1] not in touched] if touched else self._places
        self._index.adopt(places, self._order)
        for job_id in touched:
            if (job := self._index.jobs.get(job_id)) is not None:
                self._index.put(job, show=self._filter.matches(job, self._now))

    async def run(self) -> None:
        """Search slice by slice, letting others run in between, then finish."""
        for _ in iter(self.step, False):
            await asyncio.sleep(0)
        self.finish()

    async def warm(self) -> None:
        """Make every text that words are looked up in, slice by slice."""
        for jobs in self._cut(self._index.newest()):
            fill(self._haystacks, jobs)
            await asyncio.sleep(0)

    def touched(self, job: Job) -> None:
        """Note that a job changed: its text is made anew when next needed."""
        self._haystacks.pop(job.id, None)
        if self._touched is not None:
            self._touched.add(job.id)

    def gone(self, job_id: int) -> None:
        """Note that a job was forgotten."""
        self._haystacks.pop(job_id, None)
        if self._touched is not None:
            self._touched.add(job_id)

    def forget(self) -> None:
        """Drop every text."""
        self._haystacks.clear()
