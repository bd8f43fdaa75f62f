"""Billing: estimates, limits, the credit balance and what each job cost, behind one class."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import msgspec

from eternal_tui.api.errors import RequestNotSent
from eternal_tui.api.models import GenerateRequest
from eternal_tui.jobs.billing.balance import CreditBalance
from eternal_tui.jobs.billing.prices import EPSILON_CREDITS, Prices
from eternal_tui.jobs.billing.reconciliation import Reconciler
from eternal_tui.jobs.billing.totals import RunningTotals, Totals, cost_of
from eternal_tui.jobs.context import JobContext
from eternal_tui.jobs.errors import CapUndeterminable, ConfirmationRequired, DailyCapExceeded
from eternal_tui.jobs.model import Job, Verdict
from eternal_tui.jobs.transitions import UnsentOverCap

MAX_UNPRICED_JOBS = 1
"""Jobs of a day whose cost may be unknown under a cap while another is sent: the second tells what both cost."""

RecordIntent = Callable[[Job], Awaitable[Job]]
"""Writes an intent durably and returns it with its id."""


class ChargeWindow:
    """The time in which one POST is in flight; `is_disturbed` when another overlaps, so that neither can be priced."""

    def __init__(self, credits_before: float | None, epoch: int, *, is_disturbed: bool) -> None:
        self.credits_before = credits_before
        self.epoch = epoch
        self.is_disturbed = is_disturbed


class Billing:
    """Answers what requests cost and whether they may be sent, and follows the service's credit counter.

    Around a paid request: `check`, `record_intent`, `check_recorded`, `charge_window`, `record_response`. Around a
    poll: `epoch` and `record_free_reading`. Amounts are in the service's credits.
    """

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._store = context.store
        self._prices = Prices()
        self._running_totals = RunningTotals(context.ports.clock.time, self._store.newest_first)
        self._store.subscribe_changes(self._running_totals.apply_change)
        self._balance = CreditBalance(self._store, self._prices)
        self._reconciler = Reconciler(self._store, self._prices)
        self._open_windows: set[ChargeWindow] = set()

    @property
    def credits(self) -> float | None:
        """The last reading of the credit counter, None before the first."""
        return self._balance.credits

    def totals(self) -> Totals:
        """Return the figures of the header."""
        totals = self._running_totals.totals(self.credits)
        return msgspec.structs.replace(totals, is_complete=self._store.is_fully_loaded)

    def estimate(self, request: GenerateRequest) -> float | None:
        """Return the likely cost of the request, None while nothing comparable was paid for."""
        return self._prices.estimate(request)

    def today_start(self) -> float:
        """Return when the local day began, in seconds since the epoch."""
        return self._running_totals.today_start()

    # Before a paid request

    def check(self, requests: Sequence[GenerateRequest], *, confirmed: bool) -> None:
        """Raise DailyCapExceeded, CapUndeterminable or ConfirmationRequired where these may not be sent together."""
        estimates = [self.estimate(request) for request in requests]
        known = sum(price for price in estimates if price is not None)
        total = known if None not in estimates else None
        cap, limit = self._context.policy.daily_cap, self._context.policy.confirm_above
        spent = self._running_totals.spent_today()
        if cap is not None and (spent >= cap or spent + known > cap):
            raise DailyCapExceeded(spent, total, cap)
        if cap is not None and total is None and (unpriced := self._unpriced_today()) > MAX_UNPRICED_JOBS:
            raise CapUndeterminable(spent, unpriced, cap)
        if limit is not None and not confirmed and (total is None or total > limit):
            raise ConfirmationRequired(total, limit)

    async def record_intent(self, intent: Job, write: RecordIntent) -> Job:
        """Write the intent with its estimate and the credits before it, and return it with its id.

        Other processes' changes must have been read just before, or their charges would be taken for this one's.
        """
        quiet = self._balance.is_certain and not self._reconciler.has_in_flight
        return await write(
            msgspec.structs.replace(
                intent, cost=self.estimate(intent.request), credits_before=self.credits if quiet else None
            )
        )

    def check_recorded(self, intent: Job) -> RequestNotSent | None:
        """Return why a recorded intent may not be sent, counting what other processes intended before it."""
        cap = self._context.policy.daily_cap
        if cap is None:
            return None
        begin = self.today_start()
        earlier = sum(
            cost_of(job) for job in self._store.newest_first() if job.id < intent.id and job.created_at >= begin
        )
        if not (earlier < cap and earlier + (intent.cost or 0.0) <= cap):
            return UnsentOverCap(str(DailyCapExceeded(earlier, intent.cost, cap)))
        if intent.cost is None and (unpriced := self._unpriced_today()) > MAX_UNPRICED_JOBS:
            return UnsentOverCap(str(CapUndeterminable(earlier, unpriced, cap)))
        return None

    def _unpriced_today(self) -> int:
        begin = self.today_start()
        unpriced = [job for job in map(self._store.get, self._balance.unpriced_ids) if job is not None]
        return sum(job.created_at >= begin and job.verdict is not Verdict.NOT_CHARGED for job in unpriced)

    # While it is in flight, and with its response

    @contextmanager
    def charge_window(self, intent: Job) -> Iterator[ChargeWindow]:
        """Mark the intent's POST as in flight, and other open windows as disturbed by it."""
        disturbed = (
            bool(self._open_windows) or not self._balance.is_certain or self._reconciler.has_other_in_flight(intent.id)
        )
        window = ChargeWindow(self.credits, self.epoch(intent.id), is_disturbed=disturbed)
        for other in self._open_windows:
            other.is_disturbed = True
        self._open_windows.add(window)
        try:
            yield window
        finally:
            self._open_windows.discard(window)

    def record_response(self, job: Job, window: ChargeWindow, credits_left: float | None) -> Job:
        """Record what an accepted job cost, where its window tells, and the reading that its response carried."""
        cost = self._measured_cost(window, credits_left) if self.epoch(job.id) == window.epoch else None
        if cost is not None and job.id in self._store:
            self._store.change_in_memory(job.id, partial(_with_cost, price=cost))
        job = self._store.get(job.id) or job
        if credits_left is not None:
            self._apply_reading(credits_left, job, window.epoch)
        return job

    # Around a poll

    def epoch(self, job_id: int = 0) -> int:
        """Return a number that stays the same while no charge but this job's comes into or out of doubt."""
        return self._reconciler.epoch(job_id)

    def record_free_reading(self, credits_left: float, epoch_at_send: int) -> None:
        """Take a reading that came with a poll, unless something was charged while it was in flight."""
        if epoch_at_send == self.epoch() and not self._reconciler.has_in_flight:
            self._balance.record(credits_left)
            self._apply_reading(credits_left, None, epoch_at_send)

    # Within

    def _measured_cost(self, window: ChargeWindow, credits_left: float | None) -> float | None:
        if window.is_disturbed or window.credits_before is None or credits_left is None:
            return None
        drop = round(window.credits_before - credits_left, 6)
        return drop if drop > EPSILON_CREDITS else None

    def _apply_reading(self, credits_left: float, job: Job | None, epoch_at_send: int) -> None:
        self._infer_missing_cost(credits_left, job, epoch_at_send)
        self._estimate_missing_costs()
        for resolution in self._reconciler.resolve(credits_left, job, epoch_at_send):
            self._context.background.start(self._store.change(resolution.job_id, resolution.apply))

    def _infer_missing_cost(self, credits_left: float, cause: Job | None, epoch_at_send: int) -> None:
        """Record the cost of the newest job whose response carried no credits, where nothing else explains the drop."""
        silent = [self._store[job_id] for job_id in self._balance.unpriced_ids]
        newest = max((job for job in silent if job.credits_after is None), key=lambda job: job.id, default=None)
        if newest is None or newest is cause:
            return
        price = self._reconciler.implied_cost(newest, credits_left, cause, epoch_at_send)
        if price is not None:
            self._store.change_in_memory(newest.id, partial(_with_cost, price=price))

    def _estimate_missing_costs(self) -> None:
        """Fill in the cost of the first job of a kind once the second has revealed the price."""
        for job_id in tuple(self._balance.unpriced_ids):
            price = self.estimate(self._store[job_id].request)
            if price is not None:
                self._store.change_in_memory(job_id, partial(_with_cost, price=price))


def _with_cost(job: Job, *, price: float) -> Job:
    return msgspec.structs.replace(job, cost=price)
