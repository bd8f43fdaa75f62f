"""Where the list's cursor is, what of a list is restored, and which new jobs came above the rows in view."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from eternal_tui.tui.job_list.index import JobIndex


class ListView(msgspec.Struct, frozen=True, omit_defaults=True):
    """What of the list is restored at the next start."""

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
        """Go to a row, the nearest where there is none; tell whether the job is another one now."""
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
