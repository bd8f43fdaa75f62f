"""Submitter: checks requests against rules and limits, queues them, and sends the queue."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from eternal_tui.api.models import GenerateRequest, validate
from eternal_tui.core.clock import StopRequested, StopSignal
from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.history.errors import HistoryError
from eternal_tui.history.journal import Change
from eternal_tui.jobs.billing.billing import Billing
from eternal_tui.jobs.context import JobContext
from eternal_tui.jobs.errors import (
    CharacterNotAllowed,
    DailyCapExceeded,
    InvalidJobState,
    JobNotFound,
    NoApiKey,
    ShuttingDown,
)
from eternal_tui.jobs.model import Job, JobState, from_record, to_record, with_event
from eternal_tui.jobs.polling.scheduler import sleep_until_set
from eternal_tui.jobs.ports import Transaction
from eternal_tui.jobs.submit.queue import (
    CHUNK_SIZE,
    RECHECK_SECONDS,
    EntryUnavailable,
    RequestQueue,
    check_news,
    take_entry,
)
from eternal_tui.jobs.submit.sender import RequestSender
from eternal_tui.jobs.sync import HistorySync

RETRYABLE_STATES = frozenset({JobState.UNCONFIRMED, JobState.FAILED, JobState.REJECTED})


class SubmitDetails(msgspec.Struct, frozen=True, kw_only=True):
    """What is recorded with a request.

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
    """Raise InvalidJobState where the job has a result, is running, or was retried already."""
    if job.state not in RETRYABLE_STATES:
        raise InvalidJobState(
            f"Job {job.id} is in state {job.state}; only failed, rejected and unconfirmed jobs can be retried."
        )
    if job.retried_by is not None:
        raise InvalidJobState(f"Job {job.id} was already retried as job {job.retried_by}.")


def write_intent(transaction: Transaction, intent: Job) -> int:
    """Add the intent to the transaction, or take the entry of the queue that it is, and return its id.

    A retry is the one retry of the job it names, unless another process was first. Raises EntryUnavailable, JobNotFound
    or InvalidJobState; nothing is written then.
    """
    if intent.id:
        return take_entry(transaction, intent)
    if intent.retry_of is None:
        return transaction.add(to_record(intent))
    record = transaction.get(intent.retry_of)
    if record is None:
        raise JobNotFound(intent.retry_of)
    old = from_record(intent.retry_of, record)
    check_retryable(old)
    new_id = transaction.add(to_record(intent))
    noted = with_event(old, intent.created_at, "retried", f"job {new_id}")
    transaction.update(old.id, {"retried_by": new_id, "timeline": msgspec.to_builtins(noted.timeline)})
    return new_id


MAX_QUEUED_WAIT_SECONDS = 300.0
"""Seconds `submit` waits for a queued request to be sent; it stays queued then."""

CharacterCheck = Callable[[str], Awaitable[str]]
"""Returns why a character ID may not be used, empty where it may."""


async def allow_all(_character: str) -> str:
    """Allow every character."""
    return ""


class Submitter:
    """Checks requests and sends them; `JobEvents.submitted` fires for each job that leaves `submitting`."""

    def __init__(
        self,
        context: JobContext,
        billing: Billing,
        sender: RequestSender,
        sync: HistorySync,
        queue: RequestQueue,
        check_character: CharacterCheck,
    ) -> None:
        self._context = context
        self._store = context.store
        self._billing = billing
        self._sender = sender
        self._sync = sync
        self._queue = queue
        self._check_character = check_character
        self._active_sends: dict[asyncio.Task[Job], StopSignal] = {}
        self._closing = False

    async def submit(
        self,
        requests: Sequence[GenerateRequest],
        details: Sequence[SubmitDetails],
        *,
        confirmed: bool,
        only_queue: bool = False,
        wait_seconds: float | None = MAX_QUEUED_WAIT_SECONDS,
    ) -> list[Job]:
        """Queue requests and wait until each was sent, the queue is held, or `wait_seconds` have passed for one.

        With None it waits only while sending goes on. A single request that nothing holds up is sent at once. With
        `only_queue` they wait for `queue run` or `H`.
        """
        for one in details:
            if one.retry_of is not None:
                check_retryable(self._store[one.retry_of])
        await self.check(requests, confirmed=confirmed)
        if self._closing:
            raise ShuttingDown
        if len(requests) == 1 and not only_queue and not self._queue.is_blocked():
            try:
                sent = await self._send(self._new_intent(requests[0], details[0]))
                return [await self.wait_until_sent(sent, wait_seconds)]
            except EntryUnavailable:
                await self._sync.sync()
        # Without an owner, nothing is sent before the queue is released.
        queued = await self._enqueue(requests, details, "" if only_queue else self._context.ports.registry.id)
        return queued if only_queue else [await self.wait_until_sent(job, wait_seconds) for job in queued]

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
        """Raise why these may not be sent together: an invalid request, no key, a character, a spending limit."""
        for request in requests:
            validate(request)
        if not await self._context.ports.service.has_key():
            raise NoApiKey
        for character in dict.fromkeys(request.character for request in requests):
            if refusal := await self._check_character(character):
                raise CharacterNotAllowed(refusal)
        self._billing.check(requests, confirmed=confirmed)

    async def close(self, grace_seconds: float) -> None:
        """Let submits in flight end for `grace_seconds` seconds, then stop them; they are recorded as unconfirmed."""
        self._closing = True
        # Ends the wait for queued requests.
        self._store.publish([])
        if self._active_sends:
            await asyncio.wait(tuple(self._active_sends), timeout=grace_seconds)
        for stop in self._active_sends.values():
            stop.set()
        while self._active_sends:
            await asyncio.wait(tuple(self._active_sends))

    def _new_intent(self, request: GenerateRequest, details: SubmitDetails, queued_by: str | None = None) -> Job:
        """Return the job to be sent at once, or the queued one of that owner."""
        now = self._context.ports.clock.time()
        intent = Job(
            id=0,
            request=request,
            state=JobState.SUBMITTING if queued_by is None else JobState.QUEUED,
            created_at=now,
            cost=self._billing.estimate(request),
            name=UntrustedText(details.character_name),
            owner=self._context.ports.registry.id if queued_by is None else queued_by,
            service=self._context.ports.service_name,
            batch=details.batch,
            batch_index=details.batch_index,
            tags=details.tags,
            note=UntrustedText(details.note),
            template=details.template,
            retry_of=details.retry_of,
        )
        return with_event(intent, now, "queued")

    async def _send(self, intent: Job) -> Job:
        """Send one intent in a task of its own; a cancelled caller only asks it to stop."""
        if self._closing:
            raise ShuttingDown
        stop = StopSignal()
        sending = asyncio.create_task(self._record_and_send(intent, stop), name="submit")
        self._active_sends[sending] = stop
        sending.add_done_callback(self._active_sends.pop)
        try:
            return await asyncio.shield(sending)
        except asyncio.CancelledError:
            stop.set()
            await asyncio.wait((sending,))
            raise

    async def _record_and_send(self, intent: Job, stop: StopSignal) -> Job:
        await self._queue.wait_for_turn()
        await self._sync.sync()
        try:
            placed = await self._billing.record_intent(intent, self._write_intent, stop)
        except StopRequested:
            raise ShuttingDown from None
        job = await self._sender.send(placed, stop, from_queue=intent.id != 0)
        self._context.events.submitted.emit(job)
        return job

    def _write_intent(self, transaction: Transaction, intent: Job) -> int:
        self._queue.check_allowed(transaction)
        return write_intent(transaction, intent)

    async def _enqueue(
        self, requests: Sequence[GenerateRequest], details: Sequence[SubmitDetails], owner: str
    ) -> list[Job]:
        ids: list[int] = []
        for begin in range(0, len(requests), CHUNK_SIZE):
            pairs = zip(requests[begin : begin + CHUNK_SIZE], details[begin : begin + CHUNK_SIZE], strict=True)
            intents = [self._new_intent(request, one, owner) for request, one in pairs]
            while True:
                try:
                    ids += await self._store.call_with_news(self._write_entries, intents)
                    break
                except EntryUnavailable:
                    # Others have queued or sent requests meanwhile, which the cap has to count.
                    await self._sync.sync()
                    self._billing.check([intent.request for intent in intents], confirmed=True)
        return [self._store[job_id] for job_id in ids]

    def _write_entries(self, intents: Sequence[Job]) -> tuple[list[int], list[Change]]:
        with self._store.history.transaction() as transaction:
            if self._context.policy.daily_cap is not None:
                check_news(transaction)
            ids = [write_intent(transaction, intent) for intent in intents]
            return ids, [*transaction.concurrent_changes, *transaction.changes]

    async def wait_until_sent(self, job: Job, wait_seconds: float | None) -> Job:
        """Wait until a queued job was sent or deleted, the queue is held, or it cannot be sent in time."""
        changed = asyncio.Event()
        clock = self._context.ports.clock
        until = None if wait_seconds is None else clock.monotonic() + wait_seconds
        unsubscribe = self._store.subscribe(lambda _: changed.set())
        try:
            while (job := self._store.get(job.id) or job).state in (JobState.QUEUED, JobState.SUBMITTING):
                is_queued = job.state is JobState.QUEUED
                if job.id not in self._store or (is_queued and (self._closing or self._is_hopeless(until))):
                    break
                changed.clear()
                await sleep_until_set(clock, RECHECK_SECONDS, changed)
        finally:
            unsubscribe()
        return job

    def _is_hopeless(self, until: float | None) -> bool:
        """Return whether nothing queued will be sent by then, on the monotonic clock; None: at once."""
        if until is None:
            return not self._queue.can_send()
        now = self._context.ports.clock.monotonic()
        return self._queue.state.held or now + self._queue.pause_seconds >= until

    async def run(self) -> None:
        """Send this process's entries of the queue until cancelled."""
        while True:
            await self._queue.wait()
            while not self._closing and (entry := self._queue.next_entry()) is not None:
                await self._send_entry(entry)

    async def _send_entry(self, entry: Job) -> None:
        now = self._context.ports.clock.time()
        # Its charge counts on the day on which it is sent.
        intent = msgspec.structs.replace(
            entry, created_at=now, state=JobState.SUBMITTING, waiting_reason=UntrustedText(""), cause=""
        )
        try:
            await self._send(intent)
            self._queue.mark_sent(entry)
        except EntryUnavailable:
            await self._context.background.run_guarded(self._sync.sync())
        except DailyCapExceeded as refusal:
            self._context.events.queue_held.emit(str(refusal))
        except ShuttingDown:
            return
        except HistoryError as error:
            self._context.events.warning.emit(str(error))
            self._queue.postpone(RECHECK_SECONDS)
