"""Sends requests: RequestSender makes one POST for each recorded intent, Submitter checks them and sends the queue.

A POST is repeated only if it certainly was not sent or was answered 429. Any other unclear outcome is one
unconfirmed job.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec

from eternal_tui.api.errors import (
    ApiError,
    InsufficientCredits,
    KeyRejected,
    OutcomeUnknown,
    RateLimited,
    RequestNotSent,
    RequestRejected,
)
from eternal_tui.api.models import CreateCharacterResponse, GenerateRequest, SubmitResponse, validate
from eternal_tui.core.clock import StopRequested, StopSignal
from eternal_tui.core.formatting import format_datetime
from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.estimation.interval import backoff_seconds
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
from eternal_tui.jobs.model import (
    Job,
    JobState,
    from_record,
    mark_accepted,
    mark_created,
    mark_rejected,
    mark_requeued,
    mark_unconfirmed,
    to_record,
    with_event,
)
from eternal_tui.jobs.polling.scheduler import sleep_until_set
from eternal_tui.jobs.ports import Record, Transaction
from eternal_tui.jobs.submit.queue import (
    CHUNK_SIZE,
    RECHECK_SECONDS,
    EntryUnavailable,
    RequestQueue,
    check_news,
    take_entry,
)
from eternal_tui.jobs.sync import HistorySync

STOPPED_BEFORE_SEND_MESSAGE = "The program was stopped before the request was accepted. Nothing was charged."

UNSENT_RETRY_SECONDS = (0.5, 1.5)
"""Seconds before each further try of a POST that certainly was not sent."""

RATE_LIMIT_RETRY_SECONDS = (2.0, 5.0, 15.0, 30.0)
"""Seconds before each further try after a 429 that names no time of its own."""

REQUEUED_PAUSE_SECONDS, MAX_REQUEUED_PAUSE_SECONDS = 30.0, 600.0
"""Seconds before another queued request is sent after the service could not be reached; doubled each time."""

HOLDING_ERRORS = (InsufficientCredits, KeyRejected)
"""Rejections that concern all other entries of the queue too."""

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


class RequestSender:
    """Sends intents, one POST each."""

    def __init__(self, context: JobContext, billing: Billing) -> None:
        self._store = context.store
        self._service = context.ports.service
        self._clock = context.ports.clock
        self._events = context.events
        self._refusal_count = self._outage_count = 0
        self._billing = billing

    async def send(self, intent: Job, stop: StopSignal, *, from_queue: bool = False) -> Job:
        """Send the recorded intent and return the job afterwards: running, rejected, unconfirmed or queued.

        After a 429 it is queued again; `from_queue`, after everything else that concerns the next entry as well. Once
        told to stop it sends nothing more, and gives up the response it waits for.
        """
        try:
            answer = await self._post_with_retries(intent, stop)
        except (RequestNotSent, RequestRejected) as error:
            concerns_others = isinstance(error, (RequestNotSent, *HOLDING_ERRORS))
            if isinstance(error, RateLimited) or (from_queue and concerns_others):
                return await self._requeue(intent, error)
            return await self._record_outcome(intent, partial(mark_rejected, error=error, now=self._clock.time()))
        except OutcomeUnknown as error:
            return await self._mark_unconfirmed(intent, error.full_message)
        except StopRequested:
            return await self._mark_unconfirmed(
                intent, "The program was told to stop while the request was under way. It may have been charged."
            )
        # Neither a bug nor the end of the event loop may lose a request that may have been sent.
        except BaseException as defect:
            await self._mark_unconfirmed(
                intent, f"The request was cut off while under way ({type(defect).__name__}). It may have been charged."
            )
            raise
        self._billing.warn_of_unusable_balance(answer.raw, answer.credits_remaining)
        cost = self._billing.estimate(intent.request)
        mark: Callable[..., Job] = mark_created if isinstance(answer, CreateCharacterResponse) else mark_accepted
        return await self._record_outcome(
            intent,
            partial(mark, response=answer, now=self._clock.time(), cost=cost),
            extra={"submit_answer": answer.raw} if answer.raw else None,
            credits_left=answer.credits_remaining,
        )

    async def _post_with_retries(self, intent: Job, stop: StopSignal) -> SubmitResponse | CreateCharacterResponse:
        unsent = iter(UNSENT_RETRY_SECONDS)
        while True:
            if stop.is_set():
                raise RequestNotSent(STOPPED_BEFORE_SEND_MESSAGE)
            try:
                response = await stop.run_until_stopped(self._post(intent))
            except RequestNotSent as error:
                wait = next(unsent, None)
                if wait is None:
                    raise
                if intent.id in self._store:
                    reason = UntrustedText(f"{error} Trying again.")
                    self._store.change_in_memory(intent.id, partial(msgspec.structs.replace, waiting_reason=reason))
            else:
                self._refusal_count = self._outage_count = 0
                return response
            try:
                await stop.run_until_stopped(self._clock.sleep(wait))
            except (StopRequested, asyncio.CancelledError):
                raise RequestNotSent(STOPPED_BEFORE_SEND_MESSAGE) from None

    async def _requeue(self, intent: Job, error: ApiError) -> Job:
        """Put the job back into the queue, and pause or hold that as the error asks."""
        reason = f"{error.full_message} Nothing was charged."
        if isinstance(error, RateLimited):
            self._refusal_count += 1
            named = RATE_LIMIT_RETRY_SECONDS[min(self._refusal_count, len(RATE_LIMIT_RETRY_SECONDS)) - 1]
            # A Retry-After of 0, or a time in the past, again and again would be a storm of paid requests.
            wait = named if error.retry_after is None else max(error.retry_after, backoff_seconds(self._refusal_count))
            self._events.rate_limited.emit(wait)
            reason = f"Rate limited (HTTP 429). {self._resumption(wait)} Nothing was charged."
        elif isinstance(error, HOLDING_ERRORS):
            self._events.queue_held.emit(str(error))
        # A plain RequestNotSent means only that the program is being stopped.
        elif type(error) is not RequestNotSent:
            self._outage_count += 1
            wait = min(REQUEUED_PAUSE_SECONDS * 2 ** min(self._outage_count - 1, 10), MAX_REQUEUED_PAUSE_SECONDS)
            self._events.unreachable.emit(wait)
            reason = f"{reason} {self._resumption(wait)}"
        edit = partial(mark_requeued, error=error, reason=reason, now=self._clock.time())
        return await self._record_outcome(intent, edit)

    def _resumption(self, seconds: float) -> str:
        return f"Sending continues at {format_datetime(self._clock.time() + seconds, '%H:%M:%S')}."

    async def _post(self, intent: Job) -> SubmitResponse | CreateCharacterResponse:
        if intent.is_creation:
            return await self._service.create_character(intent.request.prompt)
        return await self._service.submit(intent.request)

    async def _mark_unconfirmed(self, intent: Job, reason: str) -> Job:
        held = self._store.get(intent.id)
        if held is not None and held.state is not JobState.SUBMITTING:
            return held
        estimate = self._billing.estimate(intent.request)
        edit = partial(mark_unconfirmed, reason=reason, now=self._clock.time(), estimate=estimate)
        return await self._record_outcome(intent, edit)

    async def _record_outcome(
        self, intent: Job, edit: Callable[[Job], Job], *, extra: Record | None = None, credits_left: float | None = None
    ) -> Job:
        """Record the outcome of the intent, also where it was deleted meanwhile: it may have been charged.

        The job comes first, with the request id; the charge follows.
        """
        try:
            job = await self._store.apply_remote(intent.id, edit, extra=extra)
        except JobNotFound:
            await self._store.restore(intent.id, to_record(intent))
            job = await self._store.apply_remote(intent.id, edit, extra=extra)
        await self._billing.record_outcome(job, credits_left)
        return self._store.get(job.id) or job


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
        sync: HistorySync,
        queue: RequestQueue,
        check_character: CharacterCheck,
    ) -> None:
        self._context = context
        self._store = context.store
        self._billing = billing
        self._sender = RequestSender(context, billing)
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
        try:
            await stop.run_until_stopped(self._queue.wait_for_turn())
            await self._sync.sync()
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
