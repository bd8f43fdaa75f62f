"""Settling unconfirmed jobs from the credits counter, from what the history holds and nothing else."""

from __future__ import annotations

from collections import Counter, deque
from typing import NamedTuple

import msgspec

from eternal_tui.jobs.billing.balance import measured_cost, was_accepted
from eternal_tui.jobs.billing.prices import ROUNDING_CREDITS, ExpectedSpend, Prices, judge
from eternal_tui.jobs.model import Job, JobState, Verdict
from eternal_tui.jobs.store import JobStore

UNCERTAIN_STATES = frozenset({JobState.SUBMITTING, JobState.UNCONFIRMED})

MAX_TRACKED_JOBS = 256
"""Jobs out of doubt whose own stirs are still told from others': more than readings can be on their way."""


class Resolution(NamedTuple):
    """A verdict on one unconfirmed job, ready to be written."""

    job_id: int
    verdict: Verdict
    reason: str
    reading: float
    price: float | None

    def apply(self, job: Job) -> Job:
        """Return the job with the verdict, unless it was settled meanwhile."""
        if job.state is not JobState.UNCONFIRMED or job.verdict is not None:
            return job
        return msgspec.structs.replace(
            job,
            verdict=self.verdict,
            verdict_reason=self.reason,
            credits_after=self.reading,
            cost=self.price if job.cost is None else job.cost,
        )


class Reconciler:
    """Compares each new reading of the counter with the one before the oldest unsettled job.

    A reading judges only when nothing else was charged or in doubt while it was on its way: the service may have
    read its counter before or after that. Otherwise the next quiet reading judges.
    """

    def __init__(self, store: JobStore, prices: Prices) -> None:
        self._store = store
        self._prices = prices
        self._unjudged: dict[int, Job] = {}
        self._in_flight_ids: set[int] = set()
        self._changes = 0
        self._changes_by_job: Counter[int] = Counter()
        self._resolved_ids: deque[int] = deque()
        store.subscribe_changes(self._apply_change)

    @property
    def has_in_flight(self) -> bool:
        """Whether a submit is under way, of this instance or another."""
        return bool(self._in_flight_ids)

    def has_other_in_flight(self, job_id: int) -> bool:
        """Tell whether a submit other than this job's is under way, of this instance or another."""
        return bool(self._in_flight_ids - {job_id})

    def epoch(self, job_id: int = 0) -> int:
        """Return a number that stays the same as long as no other job's charge comes into or out of doubt."""
        return self._changes - self._changes_by_job[job_id]

    def resolve(self, credits_left: float, cause: Job | None, epoch_at_send: int) -> list[Resolution]:
        """Return verdicts after a reading; `cause` is the job whose paid answer carried it, None for a free one.

        `epoch_at_send` is the `epoch` at which the request that brought the reading was sent.
        """
        unsettled = sorted(self._unjudged.values(), key=lambda job: job.id)
        if not unsettled or self._in_flight_ids or self.epoch(cause.id if cause is not None else 0) != epoch_at_send:
            return []
        first = unsettled[0]
        settlement = judge(unsettled, first.credits_before, credits_left, self._expected_spend(first), self._prices)
        return [Resolution(job.id, *settlement[:2], credits_left, settlement.price) for job in unsettled]

    def implied_cost(self, job: Job, credits_left: float, cause: Job | None, epoch_at_send: int) -> float | None:
        """Return what a reading leaves for a taken job whose answer told no credits, None where it cannot be told.

        The arguments are those of `resolve`. Every other job since `job` must have a known price.
        """
        moment = self.epoch(cause.id if cause is not None else 0)
        if job.credits_before is None or self._unjudged or self._in_flight_ids or moment != epoch_at_send:
            return None
        explained = self._expected_spend(job)
        drop = job.credits_before - credits_left
        return (
            None
            if explained is None or drop - explained.typical <= ROUNDING_CREDITS
            else round(drop - explained.typical, 6)
        )

    def _expected_spend(self, first: Job) -> ExpectedSpend | None:
        """Return what the jobs taken since `first` cost: None when one of the prices is not known."""
        usual = least = 0.0
        for job in self._store.newest_first():
            if job.id <= first.id:
                break
            if not was_accepted(job):
                continue
            cost, lowest = measured_cost(job), None
            if cost is None:
                # A price only inferred from a sibling's is no proof of anything.
                cost = self._prices.estimate(job.request)
                # Nor is that of a creation, which is itself only what other jobs' prices left over.
                lowest = 0.0 if job.is_creation else self._prices.lowest_price(job.request) or 0.0
            if cost is None:
                return None
            usual += cost
            least += cost if lowest is None else min(lowest, cost)
        return ExpectedSpend(round(usual, 6), round(least, 6))

    def _apply_change(self, old: Job | None, new: Job | None) -> None:
        job = new or old
        assert job is not None
        was = old.state if old is not None else None
        now = new.state if new is not None else None
        if was is not now and (was in UNCERTAIN_STATES or now in UNCERTAIN_STATES):
            self._changes += 1
            self._changes_by_job[job.id] += 1
            if now not in UNCERTAIN_STATES:
                self._trim_tracked_jobs(job.id)
        if now is JobState.SUBMITTING:
            self._in_flight_ids.add(job.id)
        else:
            self._in_flight_ids.discard(job.id)
        if new is not None and now is JobState.UNCONFIRMED and new.verdict is None:
            self._unjudged[new.id] = new
        else:
            self._unjudged.pop(job.id, None)

    def _trim_tracked_jobs(self, job_id: int) -> None:
        """Keep the stirs of the jobs last out of doubt; what is forgotten counts as another's, so nothing is judged."""
        self._resolved_ids.append(job_id)
        if (
            len(self._resolved_ids) > MAX_TRACKED_JOBS
            and (oldest := self._resolved_ids.popleft()) not in self._unjudged
        ):
            self._changes_by_job.pop(oldest, None)
