"""The credits counter as last read, by whichever instance, and the prices its consecutive readings tell."""

from __future__ import annotations

from eternal_tui.jobs.billing.prices import DUST, Prices
from eternal_tui.jobs.model import Job, JobState, Verdict
from eternal_tui.jobs.store import Roster


def measured(job: Job) -> float | None:
    """Return the job's cost where it was measured between two readings, not estimated; None otherwise."""
    if job.cost is None or job.credits_before is None or job.credits_after is None:
        return None
    return job.cost if abs(job.credits_before - job.credits_after - job.cost) < DUST else None


def was_taken(job: Job) -> bool:
    """Tell whether the service certainly took the job, and so charged it."""
    return job.state not in _NOT_TAKEN and (job.request_id is not None or job.is_creation)


def _told_elsewhere(job: Job) -> bool:
    return job.is_creation and job.credits_after is None and was_taken(job)


_NOT_TAKEN = frozenset({JobState.SUBMITTING, JobState.REJECTED, JobState.UNCONFIRMED})


class Counter:
    """Follows every snapshot, also those of other instances. Ids tell what came before what: they are minted in order.

    `credits` is the newest reading, None before the first. `certain` is whether everything charged up to now stands
    in it: a submit without a known answer makes it uncertain until the next reading. `unpriced` holds the ids of
    jobs that are or may be charged and whose cost is not known, because nothing was known of the counter before them.
    """

    def __init__(self, roster: Roster, prices: Prices) -> None:
        self.credits: float | None = None
        self.unpriced: set[int] = set()
        self._prices = prices
        self._latest = 0
        self._read_by = 0
        self._doubted_by = 0
        self._sending: set[int] = set()
        self._overlapped: set[int] = set()
        roster.on_replaced(self._replaced)

    @property
    def certain(self) -> bool:
        """Whether no charge is in doubt since the newest reading."""
        return not self._doubted_by or self._doubted_by < self._read_by

    def read(self, credits_left: float, job_id: int | None = None) -> None:
        """Take a reading: one carried by the answer to a job's submit, or a free one made now."""
        at = max(self._read_by, self._doubted_by + 1) if job_id is None else job_id
        if at >= self._read_by:
            self.credits, self._read_by = credits_left, at

    def _replaced(self, old: Job | None, new: Job | None) -> None:
        if new is None:
            if old is not None:
                self.unpriced.discard(old.id)
                self._sending.discard(old.id)
            return
        self._latest = max(self._latest, new.id)
        overlapped = self._note_overlap(new)
        self._note_price(old, new)
        fresh = old is not None and old.state is JobState.SUBMITTING
        if old is not None and old.state is new.state and old.credits_after == new.credits_after:
            return
        if new.state is JobState.UNCONFIRMED:
            if new.verdict is not Verdict.NOT_CHARGED:
                # What was sent before the doubt arose may have been answered from a counter that did not hold it yet.
                self._doubted_by = max(self._doubted_by, self._latest if fresh else new.id)
        elif new.credits_after is None:
            if was_taken(new) and (old is None or fresh):
                # Charged, and the counter has not said so yet: the next reading holds more than its own job.
                self._doubted_by = max(self._doubted_by, self._latest if fresh else new.id)
        else:
            self.read(new.credits_after, new.id)
            if overlapped:
                # Sent side by side, they need not be charged in the order of their ids: which is newer is not told.
                self._doubted_by = max(self._doubted_by, self._latest)

    def _note_overlap(self, new: Job) -> bool:
        """Follow which submits are under way; tell whether this one, now answered, was side by side with another."""
        if new.state is JobState.SUBMITTING:
            if new.id not in self._sending and self._sending:
                self._overlapped |= {*self._sending, new.id}
            self._sending.add(new.id)
            return False
        self._sending.discard(new.id)
        overlapped = new.id in self._overlapped
        self._overlapped.discard(new.id)
        return overlapped

    def _note_price(self, old: Job | None, new: Job) -> None:
        if (was_taken(new) or new.state is JobState.UNCONFIRMED) and new.cost is None:
            self.unpriced.add(new.id)
        else:
            self.unpriced.discard(new.id)
        if (cost := measured(new)) is not None and (old is None or measured(old) is None):
            self._prices.learn(new.request, cost, new.id)
        if _told_elsewhere(new) and new.cost is not None and (old is None or old.cost is None):
            # Its answer need not tell the credits: what the next reading left for it is all there is to learn from.
            self._prices.learn(new.request, new.cost, new.id)
