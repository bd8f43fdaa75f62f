"""From a wish to a paid request: checked against every rule and limit, recorded, and handed to the outbox once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec

from eternal_tui.api.errors import NotSent
from eternal_tui.api.models import GenerateRequest, check
from eternal_tui.core.clock import Clock
from eternal_tui.core.sanitize import Untrusted
from eternal_tui.core.waiting import Interruption
from eternal_tui.history.errors import HistoryError
from eternal_tui.history.journal import Change
from eternal_tui.jobs.billing.balance import Counter
from eternal_tui.jobs.billing.prices import Prices
from eternal_tui.jobs.billing.reconciliation import Reconciliation
from eternal_tui.jobs.billing.totals import Tally, charge_of
from eternal_tui.jobs.errors import (
    CapUnclear,
    CharacterRefused,
    Closing,
    NeedsConfirmation,
    NoKey,
    NoSuchJob,
    NotPossible,
    OverCap,
)
from eternal_tui.jobs.model import Job, JobState, Verdict, from_record, to_record, with_event
from eternal_tui.jobs.policy import Policy
from eternal_tui.jobs.ports import History, Service
from eternal_tui.jobs.store import Roster
from eternal_tui.jobs.submit.sender import Outbox
from eternal_tui.jobs.transitions import PastCap


def record_retry(history: History, old_id: int, intent: Job, now: float) -> tuple[int, list[Change]]:
    """Write `intent` as the one retry of an unconfirmed job, unless another press or instance was first.

    Returns the new id, and for the roster to absorb all that happened: the news of others, the intent and the link.
    Raises NoSuchJob, NotPossible or HistoryError; nothing was written then.
    """
    with history.transaction() as transaction:
        record = transaction.get(old_id)
        if record is None:
            raise NoSuchJob(old_id)
        old = from_record(old_id, record)
        if old.state is not JobState.UNCONFIRMED:
            raise NotPossible(f"Job {old_id} is {old.state}; only an unconfirmed job is retried like this.")
        if old.retried_by is not None:
            raise NotPossible(f"Job {old_id} was retried already, as job {old.retried_by}.")
        fresh = to_record(intent)
        new_id = transaction.add(fresh)
        noted = with_event(old, now, "retried", f"job {new_id}")
        link = {"retried_by": new_id, "timeline": msgspec.to_builtins(noted.timeline)}
        transaction.update(old_id, link)
        news = [*transaction.news, Change("put", new_id, fresh), Change("patch", old_id, link)]
    return new_id, news


ENDS_A_BATCH = frozenset({"key", "credits", "cap"})
"""Causes of a refusal that would meet every further request of a batch too."""

MOST_UNPRICED = 1
"""Jobs of a day whose cost may be unknown under a cap while another is sent: the second tells what both cost."""

Recording = Callable[[Job], Awaitable[Job]]
"""Writes an intent durably and returns it with its id."""


async def anybody(_character: str) -> str:
    """Refuse no character: for a desk that was given no list of them."""
    return ""


class Submissions:
    """Checks and sends requests for the desk; `on_left` hears of each job that has left `submitting`."""

    def __init__(
        self,
        roster: Roster,
        outbox: Outbox,
        counter: Counter,
        reconciliation: Reconciliation,
        prices: Prices,
        tally: Tally,
        service: Service,
        clock: Clock,
        policy: Policy,
        *,
        owner: str,
        service_name: str,
        vouch: Callable[[str], Awaitable[str]],
        hear_news: Callable[[], Awaitable[None]],
        on_left: Callable[[Job], None],
    ) -> None:
        self._roster = roster
        self._outbox = outbox
        self._counter = counter
        self._reconciliation = reconciliation
        self._prices = prices
        self._tally = tally
        self._service = service
        self._clock = clock
        self._policy = policy
        self._owner = owner
        self._service_name = service_name
        self._vouch = vouch
        self._hear_news = hear_news
        self._on_left = on_left
        self._sending: dict[asyncio.Task[Job], Interruption] = {}
        self._closing = False

    async def submit(
        self, requests: Sequence[GenerateRequest], names: Sequence[str], *, confirmed: bool, batch: str
    ) -> list[Job]:
        """Send requests one after the other, so that the credits counter tells what each costs.

        Each intent is recorded just before it is sent: one on disk that was never sent would count as perhaps
        charged after a crash.
        """
        await self.check(requests, confirmed=confirmed)
        jobs: list[Job] = []
        for request, name in zip(requests, names, strict=True):
            if jobs and self._closing:
                break
            jobs.append(await self._send(self._intent(request, name=name, batch=batch), self._roster.add))
            if jobs[-1].cause in ENDS_A_BATCH:
                break
        return jobs

    async def retry_unconfirmed(self, job_id: int, *, confirmed: bool) -> Job:
        """Send an unconfirmed job's request again, once, as a new job linked to it."""
        old = self._roster[job_id]
        if old.state is not JobState.UNCONFIRMED:
            raise NotPossible(f"Job {job_id} is {old.state}; only an unconfirmed job is retried like this.")
        if old.retried_by is not None:
            raise NotPossible(f"Job {job_id} was retried already, as job {old.retried_by}.")
        await self.check([old.request], confirmed=confirmed)
        intent = self._intent(old.request, name=old.name, batch=old.batch, retry_of=old.id)
        return await self._send(intent, partial(self._record_retry, old.id))

    async def check(self, requests: Sequence[GenerateRequest], *, confirmed: bool) -> None:
        """Raise why these may not be sent together: a broken rule, no key, a character, a limit on money."""
        for request in requests:
            check(request)
        if not await self._service.has_key():
            raise NoKey
        for character in dict.fromkeys(request.character for request in requests):
            if refusal := await self._vouch(character):
                raise CharacterRefused(refusal)
        estimates = [self._prices.estimate(request) for request in requests]
        known = sum(price for price in estimates if price is not None)
        total = known if None not in estimates else None
        cap, limit = self._policy.daily_cap, self._policy.confirm_above
        spent = self._tally.spent_today()
        if cap is not None and (spent >= cap or spent + known > cap):
            raise OverCap(spent, total, cap)
        if cap is not None and total is None and (unpriced := self._unpriced_today()) > MOST_UNPRICED:
            raise CapUnclear(spent, unpriced, cap)
        if limit is not None and not confirmed and (total is None or total > limit):
            raise NeedsConfirmation(total, limit)

    async def close(self, patience: float) -> None:
        """Let what is under way end for `patience` seconds, then stop it; its outcome is recorded as unclear."""
        self._closing = True
        if self._sending:
            await asyncio.wait(tuple(self._sending), timeout=patience)
        for stop in self._sending.values():
            stop.want()
        while self._sending:
            await asyncio.wait(tuple(self._sending))

    def _intent(self, request: GenerateRequest, *, name: str, batch: str, retry_of: int | None = None) -> Job:
        now = self._clock.time()
        intent = Job(
            id=0,
            request=request,
            created_at=now,
            name=Untrusted(name),
            owner=self._owner,
            service=self._service_name,
            batch=batch,
            retry_of=retry_of,
        )
        return with_event(intent, now, "intent recorded")

    async def _send(self, intent: Job, record: Recording) -> Job:
        """Carry one intent to its outcome in a task of its own, which a caller that goes away only asks to stop."""
        if self._closing:
            raise Closing
        stop = Interruption()
        sending = asyncio.create_task(self._carry(intent, record, stop), name="submit")
        self._sending[sending] = stop
        sending.add_done_callback(self._sending.pop)
        try:
            return await asyncio.shield(sending)
        except asyncio.CancelledError:
            stop.want()
            await asyncio.wait((sending,))
            raise

    async def _carry(self, intent: Job, record: Recording, stop: Interruption) -> Job:
        # Other instances' readings and submits belong before this one, or their charges would be laid on it.
        await self._hear_news()
        quiet = self._counter.certain and not self._reconciliation.in_flight
        placed = await record(
            msgspec.structs.replace(
                intent,
                cost=self._prices.estimate(intent.request),
                credits_before=self._counter.credits if quiet else None,
            )
        )
        over = await self._over_cap(placed)
        if over is not None:
            job = await self._outbox.withdraw(placed, over)
        else:
            job = await self._outbox.send(placed, stop)
        self._on_left(job)
        return job

    async def _record_retry(self, old_id: int, intent: Job) -> Job:
        history, now = self._roster.history, self._clock.time()
        new_id, news = await self._roster.on_disk(record_retry, history, old_id, intent, now)
        self._roster.absorb(news)
        return self._roster[new_id]

    async def _over_cap(self, intent: Job) -> NotSent | None:
        """Check the cap once more against what other instances intended first: ids are minted in one order."""
        cap = self._policy.daily_cap
        if cap is None:
            return None
        try:
            await self._hear_news()
        except HistoryError as error:
            return NotSent(f"The cap could not be checked, so nothing was sent. {error}")
        begin = self._tally.today_begins()
        earlier = sum(
            charge_of(job) for job in self._roster.newest_first() if job.id < intent.id and job.created_at >= begin
        )
        if not (earlier < cap and earlier + (intent.cost or 0.0) <= cap):
            return PastCap(str(OverCap(earlier, intent.cost, cap)))
        if intent.cost is None and (unpriced := self._unpriced_today()) > MOST_UNPRICED:
            return PastCap(str(CapUnclear(earlier, unpriced, cap)))
        return None

    def _unpriced_today(self) -> int:
        begin = self._tally.today_begins()
        unpriced = [job for job in map(self._roster.get, self._counter.unpriced) if job is not None]
        return sum(job.created_at >= begin and job.verdict is not Verdict.NOT_CHARGED for job in unpriced)
