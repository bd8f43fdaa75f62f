"""The credits counter as last read, by whichever instance, and the prices its consecutive readings tell."""

from __future__ import annotations

from eternal_tui.jobs.billing.prices import EPSILON_CREDITS, Prices
from eternal_tui.jobs.model import Job, JobState, Verdict
from eternal_tui.jobs.store import JobStore


def measured_cost(job: Job) -> float | None:
    """Return the job's cost where it was measured between two readings, not estimated; None otherwise."""
    if job.cost is None or job.credits_before is None or job.credits_after is None:
        return None
    return job.cost if abs(job.credits_before - job.credits_after - job.cost) < EPSILON_CREDITS else None


def was_accepted(job: Job) -> bool:
    """Tell whether the service certainly took the job, and so charged it."""
    return job.state not in _NOT_ACCEPTED_STATES and (job.request_id is not None or job.is_creation)


def _lacks_balance_reading(job: Job) -> bool:
    return job.is_creation and job.credits_after is None and was_accepted(job)


_NOT_ACCEPTED_STATES = frozenset({JobState.SUBMITTING, JobState.REJECTED, JobState.UNCONFIRMED})


class CreditBalance:
    """Follows every snapshot, also those of other instances. Ids tell what came before what: they are minted in order.

    `credits` is the newest reading, None before the first. `is_certain` is whether everything charged up to now stands
    in it: a submit without a known answer makes it uncertain until the next reading. `unpriced_ids` holds the ids of
    jobs that are or may be charged and whose cost is not known, because nothing was known of the counter before them.
    """

    def __init__(self, store: JobStore, prices: Prices) -> None:
        self.credits: float | None = None
        self.unpriced_ids: set[int] = set()
        self._prices = prices
        self._latest_id = 0
        self._read_up_to_id = 0
        self._doubtful_up_to_id = 0
        self._in_flight_ids: set[int] = set()
        self._overlapped_ids: set[int] = set()
        store.subscribe_changes(self._apply_change)

    @property
    def is_certain(self) -> bool:
        """Whether no charge is in doubt since the newest reading."""
        return not self._doubtful_up_to_id or self._doubtful_up_to_id < self._read_up_to_id

    def record(self, credits_left: float, job_id: int | None = None) -> None:
        """Take a reading: one carried by the answer to a job's submit, or a free one made now."""
        at = max(self._read_up_to_id, self._doubtful_up_to_id + 1) if job_id is None else job_id
        if at >= self._read_up_to_id:
            self.credits, self._read_up_to_id = credits_left, at

    def _apply_change(self, old: Job | None, new: Job | None) -> None:
        if new is None:
            if old is not None:
                self.unpriced_ids.discard(old.id)
                self._in_flight_ids.discard(old.id)
            return
        self._latest_id = max(self._latest_id, new.id)
        overlapped = self._track_overlap(new)
        self._track_price(old, new)
        fresh = old is not None and old.state is JobState.SUBMITTING
        if old is not None and old.state is new.state and old.credits_after == new.credits_after:
            return
        if new.state is JobState.UNCONFIRMED:
            if new.verdict is not Verdict.NOT_CHARGED:
                # What was sent before the doubt arose may have been answered from a counter that did not hold it yet.
                self._doubtful_up_to_id = max(self._doubtful_up_to_id, self._latest_id if fresh else new.id)
        elif new.credits_after is None:
            if was_accepted(new) and (old is None or fresh):
                # Charged, and the counter has not said so yet: the next reading holds more than its own job.
                self._doubtful_up_to_id = max(self._doubtful_up_to_id, self._latest_id if fresh else new.id)
        else:
            self.record(new.credits_after, new.id)
            if overlapped:
                # Sent side by side, they need not be charged in the order of their ids: which is newer is not told.
                self._doubtful_up_to_id = max(self._doubtful_up_to_id, self._latest_id)

    def _track_overlap(self, new: Job) -> bool:
        """Follow which submits are under way; tell whether this one, now answered, was side by side with another."""
        if new.state is JobState.SUBMITTING:
            if new.id not in self._in_flight_ids and self._in_flight_ids:
                self._overlapped_ids |= {*self._in_flight_ids, new.id}
            self._in_flight_ids.add(new.id)
            return False
        self._in_flight_ids.discard(new.id)
        overlapped = new.id in self._overlapped_ids
        self._overlapped_ids.discard(new.id)
        return overlapped

    def _track_price(self, old: Job | None, new: Job) -> None:
        if (was_accepted(new) or new.state is JobState.UNCONFIRMED) and new.cost is None:
            self.unpriced_ids.add(new.id)
        else:
            self.unpriced_ids.discard(new.id)
        if (cost := measured_cost(new)) is not None and (old is None or measured_cost(old) is None):
            self._prices.learn(new.request, cost, new.id)
        if _lacks_balance_reading(new) and new.cost is not None and (old is None or old.cost is None):
            # Its answer need not tell the credits: what the next reading left for it is all there is to learn from.
            self._prices.learn(new.request, new.cost, new.id)
