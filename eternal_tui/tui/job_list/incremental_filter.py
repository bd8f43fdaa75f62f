"""Filtering and sorting a hundred thousand jobs in slices, so that no key press waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from eternal_tui.jobs.model import Job
from eternal_tui.tui.job_list.filter import JobFilter, fill
from eternal_tui.tui.job_list.index import NEWEST, JobIndex, Order, Place

SLICE = 4_000
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
        self._places: list[Place] = []
        self._touched: set[int] | None = None
        self._done = False

    @property
    def small(self) -> bool:
        """Whether the search is short enough to be done at once."""
        return len(self._index.jobs) <= SLICE or self._trivial

    @property
    def _trivial(self) -> bool:
        return self._filter.everything and self._order is NEWEST

    def begin(self, wanted: JobFilter, order: Order, now: float) -> None:
        """Start anew; the index keeps what it shows until `finish`."""
        # A longer word is looked for only where the shorter one was found, if that search came to its end.
        settled = self._touched is None and self._done
        narrower = settled and order is NEWEST is self._order and wanted.within(self._filter)
        self._filter, self._order, self._now = wanted, order, now
        self._places, self._touched, self._done = [], set(), False
        self._slices = self._cut(list(self._index.ids()) if narrower else self._index.newest())

    def _cut(self, ids: list[int]) -> Iterator[list[Job]]:
        jobs = self._index.jobs
        for start in range(0, len(ids), SLICE):
            yield [job for job in map(jobs.get, ids[start : start + SLICE]) if job is not None]

    def step(self) -> bool:
        """Look at one slice; False when none is left."""
        jobs = next(self._slices, None)
        if jobs is None:
            return False
        chosen = self._filter.select(jobs, self._now, self._haystacks)
        self._places.extend(self._order.places(chosen))
        return True

    def finish(self) -> None:
        """Look at what is left and let the index show what was found."""
        if self._trivial:
            self._index.adopt_all()
            self._touched, self._done = None, True
            return
        while self.step():
            pass
        self._done = True
        touched, self._touched = self._touched or set(), None
        places = self._places
        if touched:
            places = [place for place in places if self._order.job_id(place) not in touched]
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
        """Drop every text, and what was found."""
        self._haystacks.clear()
        self._done = False
