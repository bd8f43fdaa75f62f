"""What one reading of the credits counter changes: itself, prices still missing, verdicts on unconfirmed jobs."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import msgspec

from eternal_tui.jobs.billing.balance import CreditBalance
from eternal_tui.jobs.billing.prices import Prices
from eternal_tui.jobs.billing.reconciliation import Reconciler
from eternal_tui.jobs.model import Job
from eternal_tui.jobs.store import JobStore


class Billing:
    """Passes readings on; `run_in_background` runs a recording chore on its own."""

    def __init__(
        self,
        store: JobStore,
        prices: Prices,
        balance: CreditBalance,
        reconciler: Reconciler,
        run_in_background: Callable[[Coroutine[Any, Any, Any]], None],
    ) -> None:
        self._store = store
        self._prices = prices
        self._balance = balance
        self._reconciler = reconciler
        self._run_in_background = run_in_background

    def record_paid_reading(self, credits_left: float, job: Job, epoch_at_send: int) -> None:
        """Take the reading that the answer to `job`'s submit carried; the counter has followed the job already."""
        self._apply_reading(credits_left, job, epoch_at_send)

    def record_free_reading(self, credits_left: float, epoch_at_send: int) -> None:
        """Take a reading that came with a poll, unless something was charged while it was on its way."""
        if epoch_at_send == self._reconciler.epoch() and not self._reconciler.has_in_flight:
            self._balance.record(credits_left)
            self._apply_reading(credits_left, None, epoch_at_send)

    def _apply_reading(self, credits_left: float, job: Job | None, epoch_at_send: int) -> None:
        self._infer_missing_cost(credits_left, job, epoch_at_send)
        self._estimate_missing_costs()
        for ruling in self._reconciler.resolve(credits_left, job, epoch_at_send):
            self._run_in_background(self._store.change(ruling.job_id, ruling.apply))

    def _infer_missing_cost(self, credits_left: float, cause: Job | None, epoch_at_send: int) -> None:
        """Note about what the newest job whose answer told no credits cost, where only this one can explain them."""
        silent = [self._store[job_id] for job_id in self._balance.unpriced_ids]
        newest = max((job for job in silent if job.credits_after is None), key=lambda job: job.id, default=None)
        if newest is None or newest is cause:
            return
        price = self._reconciler.implied_cost(newest, credits_left, cause, epoch_at_send)
        if price is not None:
            self._store.change_in_memory(newest.id, partial(_with_cost, price=price))

    def _estimate_missing_costs(self) -> None:
        """Note about what the first job of a kind cost, once the second has told the price."""
        for job_id in tuple(self._balance.unpriced_ids):
            price = self._prices.estimate(self._store[job_id].request)
            if price is not None:
                self._store.change_in_memory(job_id, partial(_with_cost, price=price))


def _with_cost(job: Job, *, price: float) -> Job:
    return msgspec.structs.replace(job, cost=price)
