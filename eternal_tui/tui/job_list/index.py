"""The rows of the list: the shown jobs in order, batches folded, the cursor, and new jobs above the rows in view."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from eternal_tui.jobs.filter import normalize_text
from eternal_tui.jobs.model import Job, JobState

MIN_BATCH_SIZE = 2
"""Jobs from which a batch has a line of its own."""


class BatchTree:
    """Every batch has a row before its newest job; its jobs have rows only while it is open.

    A job's place is its id counted backwards, as in the list's own order; a batch's is half a step before that of its
    newest job. Methods that are given `shown_keys`, the places of all rows in order, bring it into line.
    """

    def __init__(self) -> None:
        self._members: dict[str, list[int]] = {}
        self._open_batches: set[str] = set()
        self._header_rows: dict[float, str] = {}

    def replace_all(self, jobs: Iterable[Job]) -> None:
        """Take these jobs for all there are; which batches are open stays as it was."""
        self._members.clear()
        for job in [job for job in jobs if job.batch]:
            self._members.setdefault(job.batch, []).append(-job.id)
        for places in self._members.values():
            places.sort()
        self._header_rows = {
            places[0] - 0.5: batch for batch, places in self._members.items() if len(places) >= MIN_BATCH_SIZE
        }

    def row_keys(self, keys: Sequence[int]) -> list[float]:
        """Return the rows for the places of all jobs, in no order."""
        folded = {
            each
            for batch in self._header_rows.values()
            if batch not in self._open_batches
            for each in self._members[batch]
        }
        return [*(place for place in keys if place not in folded), *self._header_rows]

    def add(self, batch: str, jobs: Iterable[Job], shown_keys: list[float]) -> None:
        """Take in new jobs of a batch."""
        self._remove_rows(batch, shown_keys)
        members = self._members.setdefault(batch, [])
        members.extend(-job.id for job in jobs)
        members.sort()
        self._insert_rows(batch, shown_keys)

    def remove(self, job: Job, shown_keys: list[float]) -> None:
        """Forget a job of a batch."""
        self._remove_rows(job.batch, shown_keys)
        places = self._members[job.batch]
        places.remove(-job.id)
        if places:
            self._insert_rows(job.batch, shown_keys)
        else:
            del self._members[job.batch]

    def set_open(self, batch: str, shown_keys: list[float], *, opened: bool) -> None:
        """Unfold a batch into the rows of its jobs, or fold it."""
        self._remove_rows(batch, shown_keys)
        if opened:
            self._open_batches.add(batch)
        else:
            self._open_batches.discard(batch)
        self._insert_rows(batch, shown_keys)

    def is_open(self, batch: str) -> bool:
        """Tell whether the batch is unfolded."""
        return batch in self._open_batches

    def open_all(self, batches: Iterable[str]) -> None:
        """Count these as open; the rows follow with the next `row_keys`."""
        self._open_batches.update(batches)

    def open_batches(self) -> list[str]:
        """Return the open ones that have jobs."""
        return sorted(self._open_batches & self._members.keys())

    def batch_at(self, key: float) -> str:
        """Return the batch whose own place that is, or an empty string."""
        return self._header_rows.get(key, "")

    def header_key(self, job: Job) -> float | None:
        """Return the place of the row of the job's batch, None where it has none."""
        places = self._members.get(job.batch, []) if job.batch else []
        return places[0] - 0.5 if len(places) >= MIN_BATCH_SIZE else None

    def member_ids(self, batch: str) -> list[int]:
        """Return the jobs of a batch, newest first."""
        return [-place for place in self._members.get(batch, ())]

    def _remove_rows(self, batch: str, shown_keys: list[float]) -> None:
        places = self._members.get(batch, [])
        for place in (*([places[0] - 0.5] if places else []), *places):
            at = bisect_left(shown_keys, place)
            if at < len(shown_keys) and shown_keys[at] == place:
                del shown_keys[at]
        if places:
            self._header_rows.pop(places[0] - 0.5, None)

    def _insert_rows(self, batch: str, shown_keys: list[float]) -> None:
        places = self._members[batch]
        alone = len(places) < MIN_BATCH_SIZE
        if not alone:
            self._header_rows[places[0] - 0.5] = batch
            insort(shown_keys, places[0] - 0.5)
        if alone or batch in self._open_batches:
            for place in places:
                insort(shown_keys, place)


SortKey = Any
"""The position of a row in an order: a negated job id, or a tuple of the sort value and that; half a
step before its newest job for a whole batch. A bare number costs the garbage collector nothing, which a hundred
thousand tuples do not."""


class SortOrder(msgspec.Struct, frozen=True):
    """A sort order: its name on the screen and the value sorted by, None for newest first."""

    name: str
    sort_value: Callable[[Job], float | str] | None = None

    def sort_key(self, job: Job) -> SortKey:
        """Return the job's place; the newer of two equals comes first."""
        return -job.id if self.sort_value is None else (self.sort_value(job), -job.id)

    def sort_keys(self, jobs: Sequence[Job]) -> list[SortKey]:
        """Return the places of jobs that come newest first, in order."""
        return [-job.id for job in jobs] if self.sort_value is None else sorted(map(self.sort_key, jobs))

    def job_id(self, key: SortKey) -> int:
        """Return whose place it is."""
        return -int(key[1] if isinstance(key, tuple) else key)


NEWEST_FIRST = SortOrder("newest first")
SORT_ORDERS = (
    NEWEST_FIRST,
    SortOrder("oldest first", lambda job: float(job.id)),
    SortOrder("longest first", lambda job: -(job.run_seconds or 0.0)),
    SortOrder("most expensive first", lambda job: -(job.cost or 0.0)),
    SortOrder("by character", lambda job: normalize_text(job.name or job.request.character)),
    SortOrder("queue order", lambda job: job.queue_position[0] if job.state is JobState.QUEUED else math.inf),
)


class JobIndex:
    """Every job by id, and the shown ones in order. A change costs the logarithm of the length, and one shift.

    Where everything is shown newest first, and `fold_batches` is set, a batch has one row while it is folded.
    """

    def __init__(self, order: SortOrder = NEWEST_FIRST) -> None:
        self.order = order
        self.jobs: dict[int, Job] = {}
        self._all_keys: list[int] = []
        self._shown_keys: list[SortKey] = []
        self.fold_batches = True
        self.batches = BatchTree()
        self._is_folded = False

    def __len__(self) -> int:
        return len(self._shown_keys)

    def ids(self) -> Iterator[int]:
        """Yield the shown ids in order, those of a folded batch at its row."""
        return self._iter_folded_ids() if self._is_folded else map(self.order.job_id, self._shown_keys)

    def _iter_folded_ids(self) -> Iterator[int]:
        for place in self._shown_keys:
            batch = self.batches.batch_at(place)
            if not batch:
                yield -place
            elif not self.batches.is_open(batch):
                yield from self.batches.member_ids(batch)

    def ids_newest_first(self) -> list[int]:
        """Return every known id, shown or not, newest first."""
        return [-negative for negative in self._all_keys]

    def job_at(self, row: int) -> Job:
        """Return the job in a shown row."""
        return self.jobs[self.id_at(row)]

    def id_at(self, row: int) -> int:
        """Return the id in a shown row, that of its newest job for a batch."""
        return self.order.job_id(self._shown_keys[row])

    def row_of(self, job_id: int | None) -> int | None:
        """Return the row a job is shown in, that of its batch where that is folded, or None."""
        if job_id is None or (job := self.jobs.get(job_id)) is None:
            return None
        # The key of a job follows from the job, so there is no table of rows.
        own = self._find_row(self.order.sort_key(job))
        return self.batch_row_of(job_id) if own is None and self._is_folded else own

    def batch_row_of(self, job_id: int | None) -> int | None:
        """Return the row of the job's batch, None where it has none."""
        if not self._is_folded or job_id is None or (job := self.jobs.get(job_id)) is None:
            return None
        place = self.batches.header_key(job)
        return None if place is None else self._find_row(place)

    def batch_at(self, row: int) -> str:
        """Return the batch of a batch row, "" for the row of a job."""
        return self.batches.batch_at(self._shown_keys[row]) if self._is_folded else ""

    def ids_at(self, row: int) -> list[int]:
        """Return the jobs of a row, newest first."""
        batch = self.batch_at(row)
        return self.batches.member_ids(batch) if batch else [self.id_at(row)]

    def is_child(self, job: Job) -> bool:
        """Tell whether the job has a row below its batch."""
        return self._is_folded and self.batches.header_key(job) is not None

    def set_open(self, batch: str, *, opened: bool) -> None:
        """Unfold a batch into the rows of its jobs, or fold it."""
        if self._is_folded:
            self.batches.set_open(batch, self._shown_keys, opened=opened)

    def add_all(self, jobs: Iterable[Job]) -> None:
        """Add many jobs at once without showing them; `show_only` shows some."""
        self.jobs.update((job.id, job) for job in jobs)
        self._all_keys = sorted(-job_id for job_id in self.jobs)
        self.batches.replace_all(self.jobs.values())

    def show_all(self) -> None:
        """Show every job, newest first, folded into batches with `fold_batches`."""
        self.show_only(
            self.batches.row_keys(self._all_keys) if self.fold_batches else self._all_keys.copy(), NEWEST_FIRST
        )
        self._is_folded = self.fold_batches

    def show_only(self, keys: list[SortKey], order: SortOrder) -> None:
        """Show exactly these places, which `order` gave."""
        self.order = order
        keys.sort()
        self._shown_keys = keys
        self._is_folded = False

    def put(self, job: Job, *, show: bool) -> None:
        """Take in one new or changed job, and show or hide it."""
        before = self.jobs.get(job.id)
        if before is not None and before.batch != job.batch:
            self.remove(job.id)
            before = None
        if before is None:
            self._all_keys.insert(bisect_left(self._all_keys, -job.id), -job.id)
        if job.batch:
            self._put_into_batch(job, is_known=before is not None)
            if self._is_folded:
                return
        old = None if before is None else self._find_row(self.order.sort_key(before))
        self.jobs[job.id] = job
        place = self.order.sort_key(job)
        if old is not None:
            if show and self._shown_keys[old] == place:
                return
            del self._shown_keys[old]
        if show:
            self._shown_keys.insert(bisect_left(self._shown_keys, place), place)

    def put_many(self, jobs: Iterable[Job], *, is_shown: Callable[[Job], bool]) -> None:
        """Take in many new or changed jobs; new ones, as when a history is read, at the cost of one merge."""
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
            self._all_keys.extend(newest.values())
            self._all_keys.sort()
            for batch, members in batches.items():
                self.batches.add(batch, members, self._shown_keys if self._is_folded else [])
            own = (job for job in fresh if not (job.batch and self._is_folded))
            bare = self.order.sort_value is None
            self._shown_keys.extend(
                newest[job.id] if bare else self.order.sort_key(job) for job in own if is_shown(job)
            )
            self._shown_keys.sort()
        for job in known:
            self.put(job, show=is_shown(job))

    def _put_into_batch(self, job: Job, *, is_known: bool) -> None:
        # Unfolded rows follow the sort order; batches are folded by the next `show_all`.
        if not is_known:
            self.batches.add(job.batch, [job], self._shown_keys if self._is_folded else [])
        if self._is_folded:
            self.jobs[job.id] = job

    def remove(self, job_id: int) -> None:
        """Forget a job."""
        if (job := self.jobs.get(job_id)) is None:
            return
        if (row := self._find_row(self.order.sort_key(job))) is not None:
            del self._shown_keys[row]
        if job.batch:
            self.batches.remove(job, self._shown_keys if self._is_folded else [])
        del self.jobs[job_id]
        del self._all_keys[bisect_left(self._all_keys, -job_id)]

    def _find_row(self, key: SortKey) -> int | None:
        row = bisect_left(self._shown_keys, key)
        return row if row < len(self._shown_keys) and self._shown_keys[row] == key else None

    def clear(self) -> None:
        """Forget every job, keeping the order."""
        self.jobs.clear()
        self._all_keys.clear()
        self._shown_keys.clear()
        self.batches.replace_all(())


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


class UnseenJobs:
    """New jobs that came above the rows in view."""

    def __init__(self, index: JobIndex) -> None:
        self._index = index
        self._newest_id = 0
        self._ids: set[int] = set()

    def __len__(self) -> int:
        return len(self._ids)

    def reset(self) -> None:
        """Count from the newest job of the index on."""
        self._newest_id = max(self._index.jobs, default=0)
        self._ids.clear()

    def discard(self, job_id: int) -> None:
        """Forget a job that is gone."""
        self._ids.discard(job_id)

    def add_new(self, ids: Iterable[int], *, count: bool) -> set[int]:
        """Return those newer than any before, and count them where there were some before and `count` is set."""
        fresh = {job_id for job_id in ids if job_id > self._newest_id}
        begins = not self._newest_id
        self._newest_id = max(fresh, default=self._newest_id)
        if begins or not count:
            return set()
        self._ids |= fresh
        return fresh

    def update(self, top: int, job_ids: Collection[int] | None = None) -> None:
        """Forget those in or below the row `top` by now, or gone; with `job_ids` look at these alone.

        A new job leaves the others above; looking at all of them would cost 14 ms after 10,000 unseen jobs.
        """
        rows = {job_id: self._index.row_of(job_id) for job_id in (self._ids if job_ids is None else job_ids)}
        self._ids.difference_update(job_id for job_id, row in rows.items() if row is None or row >= top)
