"""Which jobs the list shows and in which order, kept up to date change by change."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from eternal_tui.jobs.model import Job
from eternal_tui.tui.job_list.filter import folded

LEAST = 2
"""Jobs from which a batch has a line of its own."""


class BatchFolds:
    """Every batch has a row before its newest job; its jobs have rows only while it is open.

    A job's place is its id counted backwards, as in the list's own order; a batch's is half a step before that of its
    newest job. Methods that are given `shown`, the places of all rows in order, bring it into line.
    """

    def __init__(self) -> None:
        self._members: dict[str, list[int]] = {}
        self._open: set[str] = set()
        self._heads: dict[float, str] = {}

    def learn(self, jobs: Iterable[Job]) -> None:
        """Take these jobs for all there are; which batches are open stays as it was."""
        self._members.clear()
        for job in [job for job in jobs if job.batch]:
            self._members.setdefault(job.batch, []).append(-job.id)
        for places in self._members.values():
            places.sort()
        self._heads = {places[0] - 0.5: batch for batch, places in self._members.items() if len(places) >= LEAST}

    def rows(self, places: Sequence[int]) -> list[float]:
        """Return the rows for the places of all jobs, in no order."""
        folded = {each for batch in self._heads.values() if batch not in self._open for each in self._members[batch]}
        return [*(place for place in places if place not in folded), *self._heads]

    def add(self, batch: str, jobs: Iterable[Job], shown: list[float]) -> None:
        """Take in new jobs of a batch."""
        self._take_away(batch, shown)
        members = self._members.setdefault(batch, [])
        members.extend(-job.id for job in jobs)
        members.sort()
        self._put_back(batch, shown)

    def remove(self, job: Job, shown: list[float]) -> None:
        """Forget a job of a batch."""
        self._take_away(job.batch, shown)
        places = self._members[job.batch]
        places.remove(-job.id)
        if places:
            self._put_back(job.batch, shown)
        else:
            del self._members[job.batch]

    def set_open(self, batch: str, shown: list[float], *, wanted: bool) -> None:
        """Give the jobs of a batch rows of their own, or take them away."""
        self._take_away(batch, shown)
        if wanted:
            self._open.add(batch)
        else:
            self._open.discard(batch)
        self._put_back(batch, shown)

    def is_open(self, batch: str) -> bool:
        """Tell whether the jobs of the batch have rows of their own."""
        return batch in self._open

    def batch_at(self, place: float) -> str:
        """Return the batch whose own place that is, or an empty string."""
        return self._heads.get(place, "")

    def head_of(self, job: Job) -> float | None:
        """Return the place of the row of the job's batch, None where it has none."""
        places = self._members.get(job.batch, []) if job.batch else []
        return places[0] - 0.5 if len(places) >= LEAST else None

    def ids(self, batch: str) -> list[int]:
        """Return the jobs of a batch, newest first."""
        return [-place for place in self._members.get(batch, ())]

    def _take_away(self, batch: str, shown: list[float]) -> None:
        places = self._members.get(batch, [])
        for place in (*([places[0] - 0.5] if places else []), *places):
            at = bisect_left(shown, place)
            if at < len(shown) and shown[at] == place:
                del shown[at]
        if places:
            self._heads.pop(places[0] - 0.5, None)

    def _put_back(self, batch: str, shown: list[float]) -> None:
        places = self._members[batch]
        alone = len(places) < LEAST
        if not alone:
            self._heads[places[0] - 0.5] = batch
            insort(shown, places[0] - 0.5)
        if alone or batch in self._open:
            for place in places:
                insort(shown, place)


Place = Any
"""Where a row stands in an order: a job's id counted backwards, or a tuple of what it is sorted by and that; half a
step before its newest job for a whole batch. A bare number costs the garbage collector nothing, which a hundred
thousand tuples do not."""


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
    """Every job by id, and the shown ones in order. A change costs the logarithm of the length, and one shift.

    Where everything is shown newest first, and `folding` is wished, a batch has one row while it is folded.
    """

    def __init__(self, order: Order = NEWEST) -> None:
        self.order = order
        self.jobs: dict[int, Job] = {}
        self._all: list[int] = []
        self._shown: list[Place] = []
        self.folding = True
        self._folds = BatchFolds()
        self._folded = False

    def __len__(self) -> int:
        return len(self._shown)

    def ids(self) -> Iterator[int]:
        """Yield the shown ids in order, those of a folded batch where it stands."""
        return self._unfolded() if self._folded else map(self.order.job_id, self._shown)

    def _unfolded(self) -> Iterator[int]:
        for place in self._shown:
            batch = self._folds.batch_at(place)
            if not batch:
                yield -place
            elif not self._folds.is_open(batch):
                yield from self._folds.ids(batch)

    def newest(self) -> list[int]:
        """Return every known id, shown or not, newest first."""
        return [-negative for negative in self._all]

    def at(self, row: int) -> Job:
        """Return the job in a shown row."""
        return self.jobs[self.id_at(row)]

    def id_at(self, row: int) -> int:
        """Return the id in a shown row, that of its newest job for a batch."""
        return self.order.job_id(self._shown[row])

    def row(self, job_id: int | None) -> int | None:
        """Return the row a job is shown in, that of its batch where that is folded, or None."""
        if job_id is None or (job := self.jobs.get(job_id)) is None:
            return None
        # The place of a job follows from the job, so no table of places has to be kept.
        own = self._row_of(self.order.place(job))
        return self.batch_row(job_id) if own is None and self._folded else own

    def batch_row(self, job_id: int | None) -> int | None:
        """Return the row of the job's batch, None where it has none."""
        if not self._folded or job_id is None or (job := self.jobs.get(job_id)) is None:
            return None
        place = self._folds.head_of(job)
        return None if place is None else self._row_of(place)

    def batch_at(self, row: int) -> str:
        """Return the batch that a row stands for, or an empty string."""
        return self._folds.batch_at(self._shown[row]) if self._folded else ""

    def ids_at(self, row: int) -> list[int]:
        """Return the jobs that a row stands for, newest first."""
        batch = self.batch_at(row)
        return self._folds.ids(batch) if batch else [self.id_at(row)]

    def is_open(self, batch: str) -> bool:
        """Tell whether the jobs of a batch have rows of their own."""
        return self._folds.is_open(batch)

    def set_open(self, batch: str, *, wanted: bool) -> None:
        """Give the jobs of a batch rows of their own, or take them away."""
        if self._folded:
            self._folds.set_open(batch, self._shown, wanted=wanted)

    def learn(self, jobs: Iterable[Job]) -> None:
        """Take in many jobs at once without showing them; `adopt` says which are shown."""
        self.jobs.update((job.id, job) for job in jobs)
        self._all = sorted(-job_id for job_id in self.jobs)
        self._folds.learn(self.jobs.values())

    def adopt_all(self) -> None:
        """Show every job, newest first, in batches where that is wished."""
        self.adopt(self._folds.rows(self._all) if self.folding else self._all.copy(), NEWEST)
        self._folded = self.folding

    def adopt(self, places: list[Place], order: Order) -> None:
        """Show exactly these places, which `order` gave."""
        self.order = order
        places.sort()
        self._shown = places
        self._folded = False

    def put(self, job: Job, *, show: bool) -> None:
        """Take in one new or changed job, and show or hide it."""
        before = self.jobs.get(job.id)
        if before is not None and before.batch != job.batch:
            self.drop(job.id)
            before = None
        if before is None:
            self._all.insert(bisect_left(self._all, -job.id), -job.id)
        if job.batch:
            self._put_into_batch(job, known=before is not None)
            if self._folded:
                return
        old = None if before is None else self._row_of(self.order.place(before))
        self.jobs[job.id] = job
        place = self.order.place(job)
        if old is not None:
            if show and self._shown[old] == place:
                return
            del self._shown[old]
        if show:
            self._shown.insert(bisect_left(self._shown, place), place)

    def put_many(self, jobs: Iterable[Job], *, shows: Callable[[Job], bool]) -> None:
        """Take in many new or changed jobs; new ones, as when a history is read, at the cost of one merge in all."""
        fresh: list[Job] = []
        known: list[Job] = []
        batches: dict[str, list[Job]] = {}
        for job in jobs:
            if job.id in self.jobs:
                known.append(job)
                continue
            self.jobs[job.id] = job
            fresh.append(job)
            if job.batch:
                batches.setdefault(job.batch, []).append(job)
        if fresh:
            # One number for both lists: a hundred thousand of them are 3 MB.
            newest = {job.id: -job.id for job in fresh}
            self._all.extend(newest.values())
            self._all.sort()
            for batch, members in batches.items():
                self._folds.add(batch, members, self._shown if self._folded else [])
            own = (job for job in fresh if not (job.batch and self._folded))
            bare = self.order.value is None
            self._shown.extend(newest[job.id] if bare else self.order.place(job) for job in own if shows(job))
            self._shown.sort()
        for job in known:
            self.put(job, show=shows(job))

    def _put_into_batch(self, job: Job, *, known: bool) -> None:
        # What is not folded now has its rows by the order's own rule, and is folded when everything is shown again.
        if not known:
            self._folds.add(job.batch, [job], self._shown if self._folded else [])
        if self._folded:
            self.jobs[job.id] = job

    def drop(self, job_id: int) -> None:
        """Forget a job."""
        if (job := self.jobs.get(job_id)) is None:
            return
        if (row := self._row_of(self.order.place(job))) is not None:
            del self._shown[row]
        if job.batch:
            self._folds.remove(job, self._shown if self._folded else [])
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
        self._folds.learn(())
