"""From a wish to a paid request: checked against every rule and limit, recorded, and handed to the outbox once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec

from eternal_tui.api.errors import RequestNotSent
from eternal_tui.api.models import GenerateRequest, validate
from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.core.waiting import StopSignal
from eternal_tui.history.errors import HistoryError
from eternal_tui.history.journal import Change
from eternal_tui.jobs.billing.billing import Billing, RecordIntent
from eternal_tui.jobs.context import JobContext
from eternal_tui.jobs.errors import (
    CharacterNotAllowed,
    InvalidJobState,
    JobNotFound,
    NoApiKey,
    ShuttingDown,
)
from eternal_tui.jobs.model import Job, JobState, from_record, to_record, with_event
from eternal_tui.jobs.ports import History
from eternal_tui.jobs.submit.sender import RequestSender
from eternal_tui.jobs.sync import HistorySync


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

CharacterCheck = Callable[[str], Awaitable[str]]
"""Returns why a character ID may not be used, empty where it may."""


async def allow_all(_character: str) -> str:
    """Refuse no character: for a desk that was given no list of them."""
    return ""


class Submitter:
    """Checks requests and sends them; `JobEvents.submitted` fires for each job that has left `submitting`."""

    def __init__(
        self,
        context: JobContext,
        billing: Billing,
        sender: RequestSender,
        sync: HistorySync,
        check_character: CharacterCheck,
    ) -> None:
        self._context = context
        self._store = context.store
        self._billing = billing
        self._sender = sender
        self._sync = sync
        self._check_character = check_character
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

    async def retry_unconfirmed(self, job_id: int, *, confirmed: bool = False) -> Job:
        """Send an unconfirmed job's request again, once, as a new job linked to it."""
        old = self._store[job_id]
        if old.state is not JobState.UNCONFIRMED:
            raise InvalidJobState(f"Job {job_id} is {old.state}; only an unconfirmed job is retried like this.")
        if old.retried_by is not None:
            raise InvalidJobState(f"Job {job_id} was retried already, as job {old.retried_by}.")
        await self.check([old.request], confirmed=confirmed)
        intent = self._new_intent(old.request, character_name=old.name, batch=old.batch, retry_of=old.id)
        return await self._send(intent, partial(self._record_retry, old.id))

    async def check(self, requests: Sequence[GenerateRequest], *, confirmed: bool = False) -> None:
        """Raise why these may not be sent together: a broken rule, no key, a character, a limit on money."""
        for request in requests:
            validate(request)
        if not await self._context.ports.service.has_key():
            raise NoApiKey
        for character in dict.fromkeys(request.character for request in requests):
            if refusal := await self._check_character(character):
                raise CharacterNotAllowed(refusal)
        self._billing.check(requests, confirmed=confirmed)

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
        now = self._context.ports.clock.time()
        intent = Job(
            id=0,
            request=request,
            created_at=now,
            name=UntrustedText(character_name),
            owner=self._context.ports.registry.id,
            service=self._context.ports.service_name,
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
        await self._sync.sync()
        placed = await self._billing.record_intent(intent, record)
        refusal = await self._check_cap(placed)
        if refusal is not None:
            job = await self._sender.reject_unsent(placed, refusal)
        else:
            job = await self._sender.send(placed, stop)
        self._context.events.submitted.emit(job)
        return job

    async def _record_retry(self, old_id: int, intent: Job) -> Job:
        history, now = self._store.history, self._context.ports.clock.time()
        new_id, news = await self._store.call_history(record_retry, history, old_id, intent, now)
        self._store.apply_changes(news)
        return self._store[new_id]

    async def _check_cap(self, intent: Job) -> RequestNotSent | None:
        """Check the cap once more against what other instances intended first: ids are minted in one order."""
        if self._context.policy.daily_cap is None:
            return None
        try:
            await self._sync.sync()
        except HistoryError as error:
            return RequestNotSent(f"The cap could not be checked, so nothing was sent. {error}")
        return self._billing.check_recorded(intent)
