"""Which listed jobs were sent together, and which of those batches stand open: the rows a list makes of them."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence

from eternal_tui.jobs.model import Job

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
