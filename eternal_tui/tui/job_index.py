"""Which jobs the list shows and in which order, kept up to date change by change."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from eternal_tui.jobs.job import Job
from eternal_tui.tui.job_filter import folded

Place = Any
"""Where a job stands in an order: its id counted backwards, or a tuple of what it is sorted by and that. A bare number
costs the garbage collector nothing, which a hundred thousand tuples do not."""


class Order(msgspec.Struct, frozen=True):
    """A way to sort: its name on the screen, and what a job is sorted by; by nothing is the newest first."""

    name: str
    value: Callable[[Job], float | str] | None = None

    def place(self, job: Job) -> Place:
        """Return the job's place; the newer of two equals comes first."""
        return -job.id if self.value is None else (self.value(job), -job.id)

    def places(self, jobs: Sequence[Job]) -> list[Place]:
        """Return the places of jobs that come newest first, in order."""
        return [-job.id for job in jobs] if self.value is None else sorted(map(self.place, jobs))

    def job_id(self, place: Place) -> int:
        """Return whose place it is."""
        return -int(place[1] if isinstance(place, tuple) else place)


def _seconds(job: Job) -> float:
    begun = job.submitted_at if job.submitted_at is not None else job.created_at
    return job.finished_at - begun if job.finished_at is not None else 0.0


NEWEST = Order("newest first")
ORDERS = (
    NEWEST,
    Order("oldest first", lambda job: float(job.id)),
    Order("longest first", lambda job: -_seconds(job)),
    Order("dearest first", lambda job: -(job.cost or 0.0)),
    Order("by character", lambda job: folded(job.name or job.request.character)),
)


class JobIndex:
    """Every job by id, and the shown ones in order. A change costs the logarithm of the length, and one shift."""

    def __init__(self, order: Order = NEWEST) -> None:
        self.order = order
        self.jobs: dict[int, Job] = {}
        self._all: list[int] = []
        self._shown: list[Place] = []

    def __len__(self) -> int:
        return len(self._shown)

    def ids(self) -> Iterator[int]:
        """Yield the shown ids in order."""
        return map(self.order.job_id, self._shown)

    def newest(self) -> list[int]:
        """Return every known id, shown or not, newest first."""
        return [-negative for negative in self._all]

    def at(self, row: int) -> Job:
        """Return the job in a shown row."""
        return self.jobs[self.id_at(row)]

    def id_at(self, row: int) -> int:
        """Return the id in a shown row."""
        return self.order.job_id(self._shown[row])

    def row(self, job_id: int | None) -> int | None:
        """Return the row a job is shown in, or None."""
        if job_id is None or (job := self.jobs.get(job_id)) is None:
            return None
        # The place of a job follows from the job, so no table of places has to be kept.
        return self._row_of(self.order.place(job))

    def learn(self, jobs: Iterable[Job]) -> None:
        """Take in many jobs at once without showing them; `adopt` says which are shown."""
        self.jobs.update((job.id, job) for job in jobs)
        self._all = sorted(-job_id for job_id in self.jobs)

    def adopt_all(self) -> None:
        """Show every job, newest first."""
        self.adopt(self._all.copy(), NEWEST)

    def adopt(self, places: list[Place], order: Order) -> None:
        """Show exactly these places, which `order` gave."""
        self.order = order
        places.sort()
        self._shown = places

    def put(self, job: Job, *, show: bool) -> None:
        """Take in one new or changed job, and show or hide it."""
        old = self.row(job.id)
        if job.id not in self.jobs:
            self._all.insert(bisect_left(self._all, -job.id), -job.id)
        self.jobs[job.id] = job
        place = self.order.place(job)
        if old is not None:
            if show and self._shown[old] == place:
                return
            del self._shown[old]
        if show:
            self._shown.insert(bisect_left(self._shown, place), place)

    def drop(self, job_id: int) -> None:
        """Forget a job."""
        if job_id not in self.jobs:
            return
        if (row := self.row(job_id)) is not None:
            del self._shown[row]
        del self.jobs[job_id]
        del self._all[bisect_left(self._all, -job_id)]

    def _row_of(self, place: Place) -> int | None:
        row = bisect_left(self._shown, place)
        return row if row < len(self._shown) and self._shown[row] == place else None

    def clear(self) -> None:
        """Forget every job, keeping the order."""
        self.jobs.clear()
        self._all.clear()
        self._shown.clear()
