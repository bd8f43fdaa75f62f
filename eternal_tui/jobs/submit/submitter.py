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

RETRYABLE_STATES = frozenset({JobState.UNCONFIRMED, JobState.FAILED, JobState.REJECTED})


class SubmitDetails(msgspec.Struct, frozen=True, kw_only=True):
    """What is recorded with a request besides the request itself.

    `batch_index` counts from 1 within the batch, `template` is the prompt before its alternatives were chosen.
    `retry_of` is a job of `RETRYABLE_STATES`, which is linked both ways; it can be retried once.
    """

    character_name: str = ""
    batch: str = ""
    batch_index: int | None = None
    tags: tuple[str, ...] = ()
    note: str = ""
    template: str = ""
    retry_of: int | None = None


NO_DETAILS = SubmitDetails()


def check_retryable(job: Job) -> None:
    """Raise InvalidJobState where the job cannot be retried: it has a result, is running, or was retried already."""
    if job.state not in RETRYABLE_STATES:
        raise InvalidJobState(f"Job {job.id} is {job.state}; only failed, rejected and unconfirmed jobs are retried.")
    if job.retried_by is not None:
        raise InvalidJobState(f"Job {job.id} was already retried as job {job.retried_by}.")


def record_retry(history: History, old_id: int, intent: Job, now: float) -> tuple[int, list[Change]]:
    """Write `intent` as the one retry of a job, unless another process was first.

    Returns the new id and every change of the transaction. Raises JobNotFound, InvalidJobState or HistoryError.
    """
    with history.transaction() as transaction:
        record = transaction.get(old_id)
        if record is None:
            raise JobNotFound(old_id)
        old = from_record(old_id, record)
        check_retryable(old)
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
        self, requests: Sequence[GenerateRequest], details: Sequence[SubmitDetails], *, confirmed: bool
    ) -> list[Job]:
        """Send requests one after the other, so that the credits counter tells what each costs.

        Each intent is recorded just before it is sent: one on disk that was never sent would count as perhaps
        charged after a crash.
        """
        for one in details:
            if one.retry_of is not None:
                check_retryable(self._store[one.retry_of])
        await self.check(requests, confirmed=confirmed)
        jobs: list[Job] = []
        for request, one in zip(requests, details, strict=True):
            if jobs and self._closing:
                break
            record = self._store.add if one.retry_of is None else partial(self._record_retry, one.retry_of)
            jobs.append(await self._send(self._new_intent(request, one), record))
            if jobs[-1].cause in BATCH_STOPPING_CAUSES:
                break
        return jobs

    async def retry_unconfirmed(self, job_id: int, *, confirmed: bool = False) -> Job:
        """Submit the request of a job of `RETRYABLE_STATES` again, once, as a new job linked to it."""
        old = self._store[job_id]
        details = SubmitDetails(
            character_name=old.name,
            batch=old.batch,
            batch_index=old.batch_index,
            template=old.template,
            retry_of=job_id,
        )
        (job,) = await self.submit([old.request], [details], confirmed=confirmed)
        return job

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

    def _new_intent(self, request: GenerateRequest, details: SubmitDetails) -> Job:
        now = self._context.ports.clock.time()
        intent = Job(
            id=0,
            request=request,
            created_at=now,
            name=UntrustedText(details.character_name),
            owner=self._context.ports.registry.id,
            service=self._context.ports.service_name,
            batch=details.batch,
            batch_index=details.batch_index,
            tags=details.tags,
            note=UntrustedText(details.note),
            template=details.template,
            retry_of=details.retry_of,
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
