"""Settling unconfirmed jobs from the credits counter, from what the history holds and nothing else."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from eternal_tui.jobs.job import Job, JobState, Verdict
from eternal_tui.jobs.ledger import Prices, settle
from eternal_tui.jobs.roster import Roster


class Ruling(NamedTuple):
    """A verdict on one unconfirmed job, ready to be written."""

    job_id: int
    verdict: Verdict
    reason: str
    reading: float

    def apply(self, job: Job) -> Job:
        """Return the job with the verdict, unless it was settled meanwhile."""
        if job.state is not JobState.UNCONFIRMED or job.verdict is not None:
            return job
        return msgspec.structs.replace(
            job, verdict=self.verdict, verdict_reason=self.reason, credits_after=self.reading
        )


class Reconciliation:
    """Compares each new reading of the counter with the one before the oldest unsettled job."""

    def __init__(self, roster: Roster, prices: Prices) -> None:
        self._roster = roster
        self._prices = prices
        self._unsettled: dict[int, Job] = {}
        roster.on_replaced(self._replaced)

    def read(self, credits_left: float, cause: Job | None) -> list[Ruling]:
        """Return verdicts after a reading; `cause` is the job whose paid answer carried it, None for a free one."""
        unsettled = sorted(self._unsettled.values(), key=lambda job: job.id)
        if not unsettled:
            return []
        first = unsettled[0]
        explained = self._explained(first, cause)
        settlement = settle(unsettled, first.credits_before, credits_left, explained, self._prices)
        return [
            Ruling(job.id, settlement.verdict, settlement.reason, credits_left)
            for job in unsettled
            if cause is None or job.id < cause.id
        ]

    def _explained(self, first: Job, cause: Job | None) -> float | None:
        """Return what the jobs taken since `first` cost: None when one of the prices is not known."""
        total = 0.0
        for job in self._roster.newest_first():
            if job.id <= first.id:
                break
            if job.request_id is None or job.state in (JobState.REJECTED, JobState.UNCONFIRMED):
                continue
            price = self._prices.estimate(job.request)
            if price is None:
                return None
            total += price
        del cause
        return round(total, 6)

    def _replaced(self, old: Job | None, new: Job | None) -> None:
        if new is not None and new.state is JobState.UNCONFIRMED and new.verdict is None:
            self._unsettled[new.id] = new
        elif old is not None or new is not None:
            self._unsettled.pop((new or old).id, None)  # type: ignore[union-attr]
