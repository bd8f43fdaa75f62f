"""Sending paid requests: intent on disk, one POST, the answer on disk, and only then on screen.

A POST is sent again only when it certainly never left or was answered 429: everything else ends as exactly one
unconfirmed job.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from eternal_tui.api.errors import NotSent, Refused, TooMany, Unclear
from eternal_tui.api.models import CreateAnswer, SubmitAnswer
from eternal_tui.core.clock import Clock
from eternal_tui.core.sanitize import Untrusted
from eternal_tui.core.waiting import Interrupted, Interruption
from eternal_tui.history.errors import HistoryError
from eternal_tui.jobs.billing.balance import Counter
from eternal_tui.jobs.billing.prices import DUST, Prices
from eternal_tui.jobs.errors import NoSuchJob
from eternal_tui.jobs.model import Job, JobState, advance, to_record
from eternal_tui.jobs.polling.interval import backoff
from eternal_tui.jobs.ports import Record, Service
from eternal_tui.jobs.store import Roster
from eternal_tui.jobs.transitions import accepted, created, rejected, unconfirmed

STOPPED_BEFORE = "The program was told to stop before the service took the request. Nothing was charged."

UNSENT_WAITS = (0.5, 1.5)
"""Seconds before each further try of a POST that certainly never left: a blink of the network, not an outage."""

BUSY_WAITS = (2.0, 5.0, 15.0, 30.0)
"""Seconds before each further try after a 429 that names no time of its own."""

BUSY_PATIENCE = 300.0
"""Seconds a submit waits in all for a service that keeps answering 429, before it counts as refused."""


class _Window:
    """The time one POST is under way; disturbed when another overlaps it, so that credits cannot be told apart."""

    def __init__(self, credits_before: float | None, disturbed: bool, began: int) -> None:
        self.credits_before = credits_before
        self.began = began
        self.disturbed = disturbed


class Outbox:
    """Sends intents, one POST each; `counter` tells what they cost."""

    def __init__(
        self,
        roster: Roster,
        service: Service,
        prices: Prices,
        counter: Counter,
        clock: Clock,
        *,
        moment: Callable[[int], int],
        in_flight_beside: Callable[[int], bool],
        hear_news: Callable[[], Awaitable[None]],
        on_busy: Callable[[float], None],
        on_reading: Callable[[float, Job, int], None],
    ) -> None:
        self._counter = counter
        self._roster = roster
        self._service = service
        self._prices = prices
        self._clock = clock
        self._moment = moment
        self._in_flight_beside = in_flight_beside
        self._hear_news = hear_news
        self._on_busy = on_busy
        self._on_reading = on_reading
        self._windows: set[_Window] = set()

    async def send(self, intent: Job, stop: Interruption) -> Job:
        """Send the recorded intent and return the job as it then stands: running, rejected or unconfirmed.

        Once told to stop it sends nothing more, and gives up the answer it waits for.
        """
        disturbed = bool(self._windows) or not self._counter.certain or self._in_flight_beside(intent.id)
        window = _Window(self._counter.credits, disturbed, self._moment(intent.id))
        for other in self._windows:
            other.disturbed = True
        self._windows.add(window)
        try:
            return await self._deliver(intent, window, stop)
        finally:
            self._windows.discard(window)

    async def withdraw(self, intent: Job, error: NotSent) -> Job:
        """End an intent that was certainly never sent."""
        return await self._settled(intent, lambda job: rejected(job, error, self._clock.time()))

    async def _deliver(self, intent: Job, window: _Window, stop: Interruption) -> Job:
        try:
            answer = await self._post_until_clear(intent, stop)
        except (NotSent, Refused) as error:
            refusal = error
            return await self._settled(intent, lambda job: rejected(job, refusal, self._clock.time()))
        except Unclear as error:
            return await self._unconfirmed(intent, error.account)
        except Interrupted:
            return await self._unconfirmed(
                intent, "The program was told to stop while the request was under way. It may have been charged."
            )
        # Neither a defect nor the end of the event loop may lose the trace of a request that may have left.
        except BaseException as defect:
            await self._unconfirmed(
                intent, f"The request was cut off while under way ({type(defect).__name__}). It may have been charged."
            )
            raise
        estimate = self._prices.estimate(intent.request)
        raw = {"submit_answer": answer.raw} if answer.raw else None
        job = await self._settled(intent, lambda job: _taken(job, answer, self._clock.time(), estimate), extra=raw)
        # The id is on disk before anything else; what the job cost may come to it a moment later.
        job = await self._priced(job, window, answer)
        if answer.credits_remaining is not None:
            self._on_reading(answer.credits_remaining, job, window.began)
        return job

    async def _post_until_clear(self, intent: Job, stop: Interruption) -> SubmitAnswer | CreateAnswer:
        unsent = iter(UNSENT_WAITS)
        busy = iter(BUSY_WAITS)
        refusals = 0
        patience = self._clock.monotonic() + BUSY_PATIENCE
        while True:
            if stop.wanted:
                raise NotSent(STOPPED_BEFORE)
            try:
                return await stop.heed(self._post(intent))
            except TooMany as error:
                refusals += 1
                named, own = error.retry_after, next(busy, None)
                # A time of "0", or one gone by, said again and again would be a storm of paid requests.
                wait = own if named is None else max(named, backoff(refusals))
                if wait is None or self._clock.monotonic() + wait > patience:
                    raise
                self._on_busy(wait)
                self._wait_shown(intent, f"The service is busy; trying again in {wait:.0f} s. Nothing charged yet.")
            except NotSent as error:
                wait = next(unsent, None)
                if wait is None:
                    raise
                self._wait_shown(intent, f"{error} Trying again.")
            await self._pause(wait, stop)

    async def _post(self, intent: Job) -> SubmitAnswer | CreateAnswer:
        if intent.is_creation:
            return await self._service.create_character(intent.request.prompt)
        return await self._service.generate(intent.request)

    async def _pause(self, seconds: float, stop: Interruption) -> None:
        """Wait while the request is certainly not taken: giving up here is a refusal, never a doubt."""
        try:
            await stop.heed(self._clock.sleep(seconds))
        except (Interrupted, asyncio.CancelledError):
            raise NotSent(STOPPED_BEFORE) from None

    def _wait_shown(self, intent: Job, reason: str) -> None:
        if intent.id in self._roster:
            self._roster.touch(intent.id, lambda job: advance(job, job.state, trouble=Untrusted(reason)))

    async def _unconfirmed(self, intent: Job, reason: str) -> Job:
        held = self._roster.get(intent.id)
        if held is not None and held.state is not JobState.SUBMITTING:
            return held
        estimate = self._prices.estimate(intent.request)
        return await self._settled(intent, lambda job: unconfirmed(job, reason, self._clock.time(), estimate))

    async def _settled(self, intent: Job, edit: Callable[[Job], Job], *, extra: Record | None = None) -> Job:
        """Record what became of the intent, also where somebody has deleted it meanwhile: it may have cost money."""
        try:
            return await self._roster.settle(intent.id, edit, extra=extra)
        except NoSuchJob:
            await self._roster.restore(intent.id, to_record(intent))
            return await self._roster.settle(intent.id, edit, extra=extra)

    async def _priced(self, job: Job, window: _Window, answer: SubmitAnswer | CreateAnswer) -> Job:
        """Note what the job cost where nothing else was charged meanwhile, by this instance or another."""
        try:
            await self._hear_news()
        except HistoryError:
            return self._roster.get(job.id) or job
        cost = self._cost(window, answer) if self._moment(job.id) == window.began else None
        if cost is None or job.id not in self._roster:
            return self._roster.get(job.id) or job
        return self._roster.touch(job.id, lambda held: advance(held, held.state, cost=cost))

    def _cost(self, window: _Window, answer: SubmitAnswer | CreateAnswer) -> float | None:
        if window.disturbed or window.credits_before is None or answer.credits_remaining is None:
            return None
        drop = round(window.credits_before - answer.credits_remaining, 6)
        return drop if drop > DUST else None


def _taken(job: Job, answer: SubmitAnswer | CreateAnswer, now: float, cost: float | None) -> Job:
    if isinstance(answer, CreateAnswer):
        return created(job, answer, now, cost)
    return accepted(job, answer, now, cost)
