"""What one reading of the credits counter changes: itself, prices still missing, verdicts on unconfirmed jobs."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import msgspec

from eternal_tui.jobs.billing.balance import Counter
from eternal_tui.jobs.billing.prices import Prices
from eternal_tui.jobs.billing.reconciliation import Reconciliation
from eternal_tui.jobs.model import Job
from eternal_tui.jobs.store import Roster


class Bookkeeping:
    """Passes readings on; `later` runs a recording chore on its own."""

    def __init__(
        self,
        roster: Roster,
        prices: Prices,
        counter: Counter,
        reconciliation: Reconciliation,
        later: Callable[[Coroutine[Any, Any, Any]], None],
    ) -> None:
        self._roster = roster
        self._prices = prices
        self._counter = counter
        self._reconciliation = reconciliation
        self._later = later

    def paid(self, credits_left: float, job: Job, began: int) -> None:
        """Take the reading that the answer to `job`'s submit carried; the counter has followed the job already."""
        self._take(credits_left, job, began)

    def free(self, credits_left: float, began: int) -> None:
        """Take a reading that came with a poll, unless something was charged while it was on its way."""
        if began == self._reconciliation.moment() and not self._reconciliation.in_flight:
            self._counter.read(credits_left)
            self._take(credits_left, None, began)

    def _take(self, credits_left: float, job: Job | None, began: int) -> None:
        self._price_the_silent(credits_left, job, began)
        self._price_the_unpriced()
        for ruling in self._reconciliation.read(credits_left, job, began):
            self._later(self._roster.change(ruling.job_id, ruling.apply))

    def _price_the_silent(self, credits_left: float, cause: Job | None, began: int) -> None:
        """Note about what the newest job whose answer told no credits cost, where only this one can explain them."""
        silent = [self._roster[job_id] for job_id in self._counter.unpriced]
        newest = max((job for job in silent if job.credits_after is None), key=lambda job: job.id, default=None)
        if newest is None or newest is cause:
            return
        price = self._reconciliation.left_for(newest, credits_left, cause, began)
        if price is not None:
            self._roster.touch(newest.id, partial(_costing, price=price))

    def _price_the_unpriced(self) -> None:
        """Note about what the first job of a kind cost, once the second has told the price."""
        for job_id in tuple(self._counter.unpriced):
            price = self._prices.estimate(self._roster[job_id].request)
            if price is not None:
                self._roster.touch(job_id, partial(_costing, price=price))


def _costing(job: Job, *, price: float) -> Job:
    return msgspec.structs.replace(job, cost=price)
