"""Settling unconfirmed jobs from the credits counter, from what the history holds and nothing else."""

from __future__ import annotations

from collections import Counter, deque
from typing import NamedTuple

import msgspec

from eternal_tui.jobs.billing.balance import measured, was_taken
from eternal_tui.jobs.billing.prices import CENT, Explained, Prices, settle
from eternal_tui.jobs.model import Job, JobState, Verdict
from eternal_tui.jobs.store import Roster

DOUBTFUL = frozenset({JobState.SUBMITTING, JobState.UNCONFIRMED})

STIRS_KEPT = 256
"""Jobs out of doubt whose own stirs are still told from others': more than readings can be on their way."""


class Ruling(NamedTuple):
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


class Reconciliation:
    """Compares each new reading of the counter with the one before the oldest unsettled job.

    A reading judges only when nothing else was charged or in doubt while it was on its way: the service may have
    read its counter before or after that. Otherwise the next quiet reading judges.
    """

    def __init__(self, roster: Roster, prices: Prices) -> None:
        self._roster = roster
        self._prices = prices
        self._unsettled: dict[int, Job] = {}
        self._in_flight: set[int] = set()
        self._stirs = 0
        self._stirs_of: Counter[int] = Counter()
        self._out_of_doubt: deque[int] = deque()
        roster.on_replaced(self._replaced)

    @property
    def in_flight(self) -> bool:
        """Whether a submit is under way, of this instance or another."""
        return bool(self._in_flight)

    def in_flight_beside(self, job_id: int) -> bool:
        """Tell whether a submit other than this job's is under way, of this instance or another."""
        return bool(self._in_flight - {job_id})

    def moment(self, job_id: int = 0) -> int:
        """Return a number that stays the same as long as no other job's charge comes into or out of doubt."""
        return self._stirs - self._stirs_of[job_id]

    def read(self, credits_left: float, cause: Job | None, began: int) -> list[Ruling]:
        """Return verdicts after a reading; `cause` is the job whose paid answer carried it, None for a free one.

        `began` is the `moment` at which the request that brought the reading was sent.
        """
        unsettled = sorted(self._unsettled.values(), key=lambda job: job.id)
        if not unsettled or self._in_flight or self.moment(cause.id if cause is not None else 0) != began:
            return []
        first = unsettled[0]
        settlement = settle(unsettled, first.credits_before, credits_left, self._explained(first), self._prices)
        return [Ruling(job.id, *settlement[:2], credits_left, settlement.price) for job in unsettled]

    def left_for(self, silent: Job, credits_left: float, cause: Job | None, began: int) -> float | None:
        """Return what a reading leaves for a taken job whose answer told no credits, None where it cannot be told.

        The arguments are those of `read`. Every other job since `silent` must have a known price.
        """
        moment = self.moment(cause.id if cause is not None else 0)
        if silent.credits_before is None or self._unsettled or self._in_flight or moment != began:
            return None
        explained = self._explained(silent)
        drop = silent.credits_before - credits_left
        return None if explained is None or drop - explained.usual <= CENT else round(drop - explained.usual, 6)

    def _explained(self, first: Job) -> Explained | None:
        """Return what the jobs taken since `first` cost: None when one of the prices is not known."""
        usual = least = 0.0
        for job in self._roster.newest_first():
            if job.id <= first.id:
                break
            if not was_taken(job):
                continue
            cost, lowest = measured(job), None
            if cost is None:
                # A price only inferred from a sibling's is no proof of anything.
                cost = self._prices.estimate(job.request)
                # Nor is that of a creation, which is itself only what other jobs' prices left over.
                lowest = 0.0 if job.is_creation else self._prices.lowest(job.request) or 0.0
            if cost is None:
                return None
            usual += cost
            least += cost if lowest is None else min(lowest, cost)
        return Explained(round(usual, 6), round(least, 6))

    def _replaced(self, old: Job | None, new: Job | None) -> None:
        job = new or old
        assert job is not None
        was = old.state if old is not None else None
        now = new.state if new is not None else None
        if was is not now and (was in DOUBTFUL or now in DOUBTFUL):
            self._stirs += 1
            self._stirs_of[job.id] += 1
            if now not in DOUBTFUL:
                self._forget_the_oldest(job.id)
        if now is JobState.SUBMITTING:
            self._in_flight.add(job.id)
        else:
            self._in_flight.discard(job.id)
        if new is not None and now is JobState.UNCONFIRMED and new.verdict is None:
            self._unsettled[new.id] = new
        else:
            self._unsettled.pop(job.id, None)

    def _forget_the_oldest(self, job_id: int) -> None:
        """Keep the stirs of the jobs last out of doubt; what is forgotten counts as another's, so nothing is judged."""
        self._out_of_doubt.append(job_id)
        if len(self._out_of_doubt) > STIRS_KEPT and (oldest := self._out_of_doubt.popleft()) not in self._unsettled:
            self._stirs_of.pop(oldest, None)
