"""From a wish to a paid request: checked against every rule and limit, recorded, and handed to the outbox once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec

from eternal_tui.api.errors import RequestNotSent
from eternal_tui.api.models import GenerateRequest, validate
from eternal_tui.core.clock import Clock
from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.core.waiting import StopSignal
from eternal_tui.history.errors import HistoryError
from eternal_tui.history.journal import Change
from eternal_tui.jobs.billing.balance import CreditBalance
from eternal_tui.jobs.billing.prices import Prices
from eternal_tui.jobs.billing.reconciliation import Reconciler
from eternal_tui.jobs.billing.totals import RunningTotals, cost_of
from eternal_tui.jobs.errors import (
    CapUndeterminable,
    CharacterNotAllowed,
    ConfirmationRequired,
    DailyCapExceeded,
    InvalidJobState,
    JobNotFound,
    NoApiKey,
    ShuttingDown,
)
from eternal_tui.jobs.model import Job, JobState, Verdict, from_record, to_record, with_event
from eternal_tui.jobs.policy import JobPolicy
from eternal_tui.jobs.ports import History, Service
from eternal_tui.jobs.store import JobStore
from eternal_tui.jobs.submit.sender import RequestSender
from eternal_tui.jobs.transitions import UnsentOverCap


def record_retry(history: History, old_id: int, intent: Job, now: float) -> tuple[int, list[Change]]:
    """Write `intent` as the one retry of an unconfirmed job, unless another press or instance was first.

    Returns the new id, and for the roster to absorb all that happened: the news of others, the intent and the link.
    Raises JobNotFound, InvalidJobState or HistoryError; nothing was written then.
    """
    with history.transaction() as transaction:
        record = transaction.get(old_id)
        if record is None:
            raise JobNotFound(old_id)
        old = from_record(old_id, record)
        if old.state is not JobState.UNCONFIRMED:
            raise InvalidJobState(f"Job {old_id} is {old.state}; only an unconfirmed job is retried like this.")
        if old.retried_by is not None:
            raise InvalidJobState(f"Job {old_id} was retried already, as job {old.retried_by}.")
        fresh = to_record(intent)
        new_id = transaction.add(fresh)
        noted = with_event(old, now, "retried", f"job {new_id}")
        link = {"retried_by": new_id, "timeline": msgspec.to_builtins(noted.timeline)}
        transaction.update(old_id, link)
        news = [*transaction.concurrent_changes, Change("put", new_id, fresh), Change("patch", old_id, link)]
    return new_id, news


BATCH_STOPPING_CAUSES = frozenset({"key", "credits", "cap"})
"""Causes of a refusal that would meet every further request of a batch too."""

MAX_UNPRICED_JOBS = 1
"""Jobs of a day whose cost may be unknown under a cap while another is sent: the second tells what both cost."""

RecordIntent = Callable[[Job], Awaitable[Job]]
"""Writes an intent durably and returns it with its id."""


async def allow_all(_character: str) -> str:
    """Refuse no character: for a desk that was given no list of them."""
    return ""


class Submitter:
    """Checks and sends requests for the desk; `on_submitted` hears of each job that has left `submitting`."""

    def __init__(
        self,
        store: JobStore,
        sender: RequestSender,
        balance: CreditBalance,
        reconciler: Reconciler,
        prices: Prices,
        running_totals: RunningTotals,
        service: Service,
        clock: Clock,
        policy: JobPolicy,
        *,
        owner: str,
        service_name: str,
        check_character: Callable[[str], Awaitable[str]],
        sync: Callable[[], Awaitable[None]],
        on_submitted: Callable[[Job], None],
    ) -> None:
        self._store = store
        self._sender = sender
        self._balance = balance
        self._reconciler = reconciler
        self._prices = prices
        self._running_totals = running_totals
        self._service = service
        self._clock = clock
        self._policy = policy
        self._owner = owner
        self._service_name = service_name
        self._check_character = check_character
        self._sync = sync
        self._on_submitted = on_submitted
        self._active_sends: dict[asyncio.Task[Job], StopSignal] = {}
        self._closing = False

    async def submit(
        self, requests: Sequence[GenerateRequest], character_names: Sequence[str], *, confirmed: bool, batch: str
    ) -> list[Job]:
        """Send requests one after the other, so that the credits counter tells what each costs.

        Each intent is recorded just before it is sent: one on disk that was never sent would count as perhaps
        charged after a crash.
        """
        await self.check(requests, confirmed=confirmed)
        jobs: list[Job] = []
        for request, name in zip(requests, character_names, strict=True):
            if jobs and self._closing:
                break
            jobs.append(await self._send(self._new_intent(request, character_name=name, batch=batch), self._store.add))
            if jobs[-1].cause in BATCH_STOPPING_CAUSES:
                break
        return jobs

    async def retry_unconfirmed(self, job_id: int, *, confirmed: bool) -> Job:
        """Send an unconfirmed job's request again, once, as a new job linked to it."""
        old = self._store[job_id]
        if old.state is not JobState.UNCONFIRMED:
            raise InvalidJobState(f"Job {job_id} is {old.state}; only an unconfirmed job is retried like this.")
        if old.retried_by is not None:
            raise InvalidJobState(f"Job {job_id} was retried already, as job {old.retried_by}.")
        await self.check([old.request], confirmed=confirmed)
        intent = self._new_intent(old.request, character_name=old.name, batch=old.batch, retry_of=old.id)
        return await self._send(intent, partial(self._record_retry, old.id))

    async def check(self, requests: Sequence[GenerateRequest], *, confirmed: bool) -> None:
        """Raise why these may not be sent together: a broken rule, no key, a character, a limit on money."""
        for request in requests:
            validate(request)
        if not await self._service.has_key():
            raise NoApiKey
        for character in dict.fromkeys(request.character for request in requests):
            if refusal := await self._check_character(character):
                raise CharacterNotAllowed(refusal)
        estimates = [self._prices.estimate(request) for request in requests]
        known = sum(price for price in estimates if price is not None)
        total = known if None not in estimates else None
        cap, limit = self._policy.daily_cap, self._policy.confirm_above
        spent = self._running_totals.spent_today()
        if cap is not None and (spent >= cap or spent + known > cap):
            raise DailyCapExceeded(spent, total, cap)
        if cap is not None and total is None and (unpriced := self._unpriced_today()) > MAX_UNPRICED_JOBS:
            raise CapUndeterminable(spent, unpriced, cap)
        if limit is not None and not confirmed and (total is None or total > limit):
            raise ConfirmationRequired(total, limit)

    async def close(self, grace_seconds: float) -> None:
        """Let what is under way end for `grace_seconds` seconds, then stop it; its outcome is recorded as unclear."""
        self._closing = True
        if self._active_sends:
            await asyncio.wait(tuple(self._active_sends), timeout=grace_seconds)
        for stop in self._active_sends.values():
            stop.set()
        while self._active_sends:
            await asyncio.wait(tuple(self._active_sends))

    def _new_intent(
        self, request: GenerateRequest, *, character_name: str, batch: str, retry_of: int | None = None
    ) -> Job:
        now = self._clock.time()
        intent = Job(
            id=0,
            request=request,
            created_at=now,
            name=UntrustedText(character_name),
            owner=self._owner,
            service=self._service_name,
            batch=batch,
            retry_of=retry_of,
        )
        return with_event(intent, now, "intent recorded")

    async def _send(self, intent: Job, record: RecordIntent) -> Job:
        """Carry one intent to its outcome in a task of its own, which a caller that goes away only asks to stop."""
        if self._closing:
            raise ShuttingDown
        stop = StopSignal()
        sending = asyncio.create_task(self._record_and_send(intent, record, stop), name="submit")
        self._active_sends[sending] = stop
        sending.add_done_callback(self._active_sends.pop)
        try:
            return await asyncio.shield(sending)
        except asyncio.CancelledError:
            stop.set()
            await asyncio.wait((sending,))
            raise

    async def _record_and_send(self, intent: Job, record: RecordIntent, stop: StopSignal) -> Job:
        # Other instances' readings and submits belong before this one, or their charges would be laid on it.
        await self._sync()
        quiet = self._balance.is_certain and not self._reconciler.has_in_flight
        placed = await record(
            msgspec.structs.replace(
                intent,
                cost=self._prices.estimate(intent.request),
                credits_before=self._balance.credits if quiet else None,
            )
        )
        over = await self._check_cap(placed)
        if over is not None:
            job = await self._sender.reject_unsent(placed, over)
        else:
            job = await self._sender.send(placed, stop)
        self._on_submitted(job)
        return job

    async def _record_retry(self, old_id: int, intent: Job) -> Job:
        history, now = self._store.history, self._clock.time()
        new_id, news = await self._store.call_history(record_retry, history, old_id, intent, now)
        self._store.apply_changes(news)
        return self._store[new_id]

    async def _check_cap(self, intent: Job) -> RequestNotSent | None:
        """Check the cap once more against what other instances intended first: ids are minted in one order."""
        cap = self._policy.daily_cap
        if cap is None:
            return None
        try:
            await self._sync()
        except HistoryError as error:
            return RequestNotSent(f"The cap could not be checked, so nothing was sent. {error}")
        begin = self._running_totals.today_start()
        earlier = sum(
            cost_of(job) for job in self._store.newest_first() if job.id < intent.id and job.created_at >= begin
        )
        if not (earlier < cap and earlier + (intent.cost or 0.0) <= cap):
            return UnsentOverCap(str(DailyCapExceeded(earlier, intent.cost, cap)))
        if intent.cost is None and (unpriced := self._unpriced_today()) > MAX_UNPRICED_JOBS:
            return UnsentOverCap(str(CapUndeterminable(earlier, unpriced, cap)))
        return None

    def _unpriced_today(self) -> int:
        begin = self._running_totals.today_start()
        unpriced = [job for job in map(self._store.get, self._balance.unpriced_ids) if job is not None]
        return sum(job.created_at >= begin and job.verdict is not Verdict.NOT_CHARGED for job in unpriced)
