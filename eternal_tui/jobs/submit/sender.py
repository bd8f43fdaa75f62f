"""RequestSender: one POST for each recorded intent.

A POST is repeated only if it certainly was not sent or was answered 429. Any other unclear outcome is one
unconfirmed job.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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
from eternal_tui.api.models import CreateCharacterResponse, SubmitResponse
from eternal_tui.core.clock import StopRequested, StopSignal
from eternal_tui.core.formatting import format_datetime
from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.estimation.interval import backoff_seconds
from eternal_tui.jobs.billing.billing import Billing
from eternal_tui.jobs.context import JobContext
from eternal_tui.jobs.errors import JobNotFound
from eternal_tui.jobs.model import (
    Job,
    JobState,
    mark_accepted,
    mark_created,
    mark_rejected,
    mark_requeued,
    mark_unconfirmed,
    to_record,
)
from eternal_tui.jobs.ports import Record

STOPPED_BEFORE_SEND_MESSAGE = "The program was stopped before the request was accepted. Nothing was charged."

UNSENT_RETRY_SECONDS = (0.5, 1.5)
"""Seconds before each further try of a POST that certainly was not sent."""

RATE_LIMIT_RETRY_SECONDS = (2.0, 5.0, 15.0, 30.0)
"""Seconds before each further try after a 429 that names no time of its own."""

REQUEUED_PAUSE_SECONDS, MAX_REQUEUED_PAUSE_SECONDS = 30.0, 600.0
"""Seconds before another queued request is sent after the service could not be reached; doubled each time."""

HOLDING_ERRORS = (InsufficientCredits, KeyRejected)
"""Rejections that concern all other entries of the queue too."""


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
        """Send the recorded intent and return the job as it then stands: running, rejected, unconfirmed or queued.

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
            if stop.is_set:
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
        # A plain RequestNotSent only says that the program is being stopped.
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
        self,
        intent: Job,
        edit: Callable[[Job], Job],
        *,
        extra: Record | None = None,
        credits_left: float | None = None,
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
