"""From a wish to a paid request: checked against every rule and limit, recorded, and handed to the outbox once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from eternal_tui.api.request import GenerateRequest, check
from eternal_tui.jobs.counter import Counter
from eternal_tui.jobs.errors import CharacterRefused, NeedsConfirmation, NoKey, NotPossible, OverCap
from eternal_tui.jobs.job import Job, JobState, advance, with_event
from eternal_tui.jobs.ledger import Prices
from eternal_tui.jobs.outbox import Outbox
from eternal_tui.jobs.policy import Policy
from eternal_tui.jobs.ports import Clock, Service
from eternal_tui.jobs.roster import Roster
from eternal_tui.jobs.totals import Tally, charge_of
from eternal_tui.untrusted import Untrusted

ENDS_A_BATCH = frozenset({"key", "credits"})
"""Causes of a refusal that would meet every further request of a batch too."""


class Submissions:
    """Checks and sends requests for the desk; `on_left` hears of each job that has left `submitting`."""

    def __init__(
        self,
        roster: Roster,
        outbox: Outbox,
        counter: Counter,
        prices: Prices,
        tally: Tally,
        service: Service,
        clock: Clock,
        policy: Policy,
        *,
        owner: str,
        service_name: str,
        refusal: Callable[[str], str],
        hear_news: Callable[[], Awaitable[None]],
        on_left: Callable[[Job], None],
    ) -> None:
        self._roster = roster
        self._outbox = outbox
        self._counter = counter
        self._prices = prices
        self._tally = tally
        self._service = service
        self._clock = clock
        self._policy = policy
        self._owner = owner
        self._service_name = service_name
        self._refusal = refusal
        self._hear_news = hear_news
        self._on_left = on_left
        self._sending: set[asyncio.Task[Job]] = set()
        self._retrying: set[int] = set()

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
            jobs.append(await self._send(await self._intend(request, name=name, batch=batch)))
            if jobs[-1].cause in ENDS_A_BATCH:
                break
        return jobs

    async def retry_unconfirmed(self, job_id: int, *, confirmed: bool) -> Job:
        """Send an unconfirmed job's request again, once, as a new job linked to it."""
        old = self._roster[job_id]
        if old.state is not JobState.UNCONFIRMED:
            raise NotPossible(f"Job {job_id} is {old.state}; only an unconfirmed job is retried like this.")
        if old.retried_by is not None or job_id in self._retrying:
            raise NotPossible(f"Job {job_id} was retried already, as job {old.retried_by or 'under way'}.")
        self._retrying.add(job_id)
        try:
            await self.check([old.request], confirmed=confirmed)
            new = await self._intend(old.request, name=old.name, batch=old.batch, retry_of=old.id)
            now = self._clock.time()
            await self._roster.change(
                old.id,
                lambda job: with_event(
                    msgspec.structs.replace(job, retried_by=new.id), now, "retried", f"job {new.id}"
                ),
            )
        finally:
            self._retrying.discard(job_id)
        return await self._send(new)

    async def check(self, requests: Sequence[GenerateRequest], *, confirmed: bool) -> None:
        """Raise why these may not be sent together: a broken rule, no key, a character, a limit on money."""
        for request in requests:
            check(request)
            if refusal := self._refusal(request.character):
                raise CharacterRefused(refusal)
        if not await self._service.has_key():
            raise NoKey
        estimates = [self._prices.estimate(request) for request in requests]
        known = sum(price for price in estimates if price is not None)
        total = known if None not in estimates else None
        cap, limit = self._policy.daily_cap, self._policy.confirm_above
        spent = self._tally.spent_today()
        if cap is not None and (spent >= cap or spent + known > cap):
            raise OverCap(spent, total, cap)
        if limit is not None and not confirmed and (total is None or total > limit):
            raise NeedsConfirmation(total, limit)

    async def close(self, patience: float) -> None:
        """Let what is under way end for `patience` seconds, then stop it; its outcome is recorded as unclear."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=patience)
        left = tuple(self._sending)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _intend(self, request: GenerateRequest, *, name: str, batch: str, retry_of: int | None = None) -> Job:
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
            cost=self._prices.estimate(request),
            credits_before=self._counter.credits,
        )
        return await self._roster.add(with_event(intent, now, "intent recorded"))

    async def _send(self, intent: Job) -> Job:
        sending = asyncio.create_task(self._send_within_cap(intent), name=f"submit-{intent.id}")
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)
        try:
            job = await asyncio.shield(sending)
        except asyncio.CancelledError:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            raise
        self._on_left(job)
        return job

    async def _send_within_cap(self, intent: Job) -> Job:
        over = await self._over_cap(intent)
        if over is None:
            return await self._outbox.send(intent.id)
        reason, now = Untrusted(str(over)), self._clock.time()
        return await self._roster.change(
            intent.id,
            lambda job: advance(job, JobState.REJECTED, error=reason, cause="refused", cost=0.0, finished_at=now),
        )

    async def _over_cap(self, intent: Job) -> OverCap | None:
        """Check the cap once more against what other instances intended first: ids are minted in one order."""
        cap = self._policy.daily_cap
        if cap is None:
            return None
        await self._hear_news()
        begin = self._tally.today_begins()
        earlier = sum(
            charge_of(job) for job in self._roster.newest_first() if job.id < intent.id and job.created_at >= begin
        )
        if earlier < cap and earlier + (intent.cost or 0.0) <= cap:
            return None
        return OverCap(earlier, intent.cost, cap)
