"""The rows of the list: the shown jobs in order, batches folded, and the cursor in them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from eternal_tui.jobs.filter import normalize_text
from eternal_tui.jobs.model import Job, JobState


class SortOrder(NamedTuple):
    """A sort order: its name on the screen and the value sorted by, None for newest first, which also decides ties."""

    name: str
    sort_value: Callable[[Job], float | str] | None = None


NEWEST_FIRST = SortOrder("newest first")
SORT_ORDERS = (
    NEWEST_FIRST,
    SortOrder("oldest first", lambda job: float(job.id)),
    SortOrder("longest first", lambda job: -(job.run_seconds or 0.0)),
    SortOrder("most expensive first", lambda job: -(job.cost or 0.0)),
    SortOrder("by character", lambda job: normalize_text(job.name or job.request.character)),
    SortOrder("queue order", lambda job: job.queue_position[0] if job.state is JobState.QUEUED else math.inf),
)


SLICE_JOBS = 4_000
"""Jobs filtered between two turns of the event loop: under 10 ms even on a slow core with cold texts."""


class JobIndex:
    """Every job by id, and the rows of the shown ones in order.

    The row of a job is its id. Where everything is shown newest first, and `fold_batches` is set, a batch of several
    jobs has a row half a step before that of its newest job, and its jobs have rows only while it is open.
    `search_texts` has the texts of jobs that were searched.
    """

    def __init__(self) -> None:
        self.jobs: dict[int, Job] = {}
        self.search_texts: dict[int, str] = {}
        self.order = NEWEST_FIRST
        self.fold_batches = True
        self.open_batches: set[str] = set()
        self._rows: list[float] = []
        self._batches: dict[str, list[int]] = {}
        self._shows_all = True

    def __len__(self) -> int:
        return len(self._rows)

    def ids(self, end: int | None = None) -> Iterator[int]:
        """Yield the ids of the rows before `end` in order, those of a folded batch at its row."""
        for row in self._rows[:end]:
            if isinstance(row, int):
                yield row
            elif (batch := self.jobs[int(row)].batch) not in self.open_batches:
                yield from self._batches[batch]

    def id_at(self, row: int) -> int:
        """Return the id in a row, that of its newest job for a batch."""
        return int(self._rows[row])

    def job_at(self, row: int) -> Job:
        return self.jobs[self.id_at(row)]

    def batch_at(self, row: int) -> str:
        """Return the batch of a batch row, "" for the row of a job."""
        return "" if isinstance(self._rows[row], int) else self.job_at(row).batch

    def ids_at(self, row: int) -> list[int]:
        """Return the jobs of a row, newest first."""
        batch = self.batch_at(row)
        return self._batches[batch] if batch else [self.id_at(row)]

    def row_of(self, job_id: int | None) -> int | None:
        """Return the row a job is shown in, that of its batch where that is folded, or None."""
        if job_id is None:
            return None
        try:
            return self._rows.index(job_id)
        except ValueError:
            return self.batch_row_of(job_id)

    def batch_row_of(self, job_id: int | None) -> int | None:
        """Return the row of the job's batch, None where it has none."""
        job = self.jobs.get(job_id or 0)
        return self._rows.index(self._batches[job.batch][0] + 0.5) if job and self.is_child(job) else None

    def is_child(self, job: Job) -> bool:
        """Whether the job has a row below its batch."""
        return job.batch in self._batches

    def set_open(self, batch: str, *, opened: bool) -> None:
        """Unfold a batch into the rows of its jobs, or fold it."""
        (self.open_batches.add if opened else self.open_batches.discard)(batch)
        self.show_all()

    def replace_all(self, jobs: Iterable[Job]) -> None:
        """Replace all jobs by these; none is listed yet."""
        self.jobs = {job.id: job for job in jobs}
        self.search_texts.clear()
        self._rows, self._batches = [], {}

    def slices(self) -> Iterator[list[Job]]:
        """Return every job in slices."""
        jobs = list(self.jobs.values())
        return (jobs[start : start + SLICE_JOBS] for start in range(0, len(jobs), SLICE_JOBS))

    def show_all(self) -> None:
        """Show every job, newest first, batches folded with `fold_batches`."""
        ids = sorted(self.jobs, reverse=True)
        members: dict[str, list[int]] = {}
        for job_id in ids if self.fold_batches else ():
            if batch := self.jobs[job_id].batch:
                members.setdefault(batch, []).append(job_id)
        self._batches = {batch: own for batch, own in members.items() if len(own) > 1}
        hidden = {job_id for batch, own in self._batches.items() if batch not in self.open_batches for job_id in own}
        headers = [own[0] + 0.5 for own in self._batches.values()]
        self._rows = sorted([*(job_id for job_id in ids if job_id not in hidden), *headers], reverse=True)
        self.order, self._shows_all = NEWEST_FIRST, True

    def show_only(self, ids: Iterable[int], order: SortOrder) -> None:
        """Show exactly these jobs in this order."""
        rows = sorted(ids, reverse=True)
        if (sort_value := order.sort_value) is not None:
            rows.sort(key=lambda job_id: sort_value(self.jobs[job_id]))
        self._rows, self._batches = list[float](rows), {}
        self.order, self._shows_all = order, False

    def update(self, changed: Iterable[Job], removed_ids: Iterable[int], is_shown: Callable[[Job], bool]) -> None:
        """Add or update jobs, list those that `is_shown` accepts, and remove others."""
        fresh = {job.id: job for job in changed}
        gone = self.jobs.keys() & removed_ids
        batches = {job_id: self.jobs[job_id].batch for job_id in fresh.keys() & self.jobs.keys()}
        self.jobs.update(fresh)
        for job_id in gone:
            del self.jobs[job_id]
        for job_id in gone | fresh.keys():
            self.search_texts.pop(job_id, None)
        if not self._shows_all:
            shown = set(self.ids()).difference(fresh, gone).union(filter(lambda i: is_shown(fresh[i]), fresh))
            self.show_only(shown, self.order)
        elif gone or any(batches.get(job_id) != job.batch for job_id, job in fresh.items()):
            self.show_all()


class ListView(msgspec.Struct, frozen=True, omit_defaults=True):
    """The part of the list that is restored at the next start."""

    cursor: int | None = None
    filter: str = ""
    facet: str = "all"
    order: str = ""
    open: tuple[str, ...] = ()


class ListCursor:
    """The row of an index that keys act on.

    It belongs to a job, not to a row: it stays on its job when others come, go or are filtered. `preferred_id` is the
    job the user last chose, to which it returns when a filter is cleared.
    """

    def __init__(self, index: JobIndex) -> None:
        self._index = index
        self.row = 0
        self.job_id: int | None = None
        self.preferred_id: int | None = None
        self.on_batch = False

    def set_row(self, row: int) -> bool:
        """Move to a row, clamped to the list; return whether the job changed."""
        self.row = max(0, min(len(self._index) - 1, row))
        self.on_batch = self.row < len(self._index) and bool(self._index.batch_at(self.row))
        before, self.job_id = self.job_id, self._index.id_at(self.row) if self.row < len(self._index) else None
        return self.job_id != before

    def find_row(self, preferred_id: int | None = None, *, follow_top: bool = False) -> int:
        """Return where the cursor belongs after a change of rows: on the preferred job, the top row, or its job."""
        row = self._index.row_of(preferred_id)
        if row is None and follow_top:
            return 0
        if row is None and self.on_batch:
            row = self._index.batch_row_of(self.job_id)
        if row is None:
            row = self._index.row_of(self.job_id)
        return self.row if row is None else row

    def next_of(self, ids: list[int], step: int) -> int:
        """Return the next of these shown ids, in list order: `step` of 1 down or -1 up, around the ends."""
        if self.job_id in ids:
            return ids[(ids.index(self.job_id) + step) % len(ids)]
        places = {job_id: place for place, job_id in enumerate(self._index.ids())}
        here = places.get(self.job_id or 0, 0)
        return min(ids, key=lambda job_id: (places[job_id] - here) * step % len(places))
