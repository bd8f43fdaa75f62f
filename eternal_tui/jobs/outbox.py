"""Sending paid requests: intent on disk, one POST, the answer on disk, and only then on screen.

A POST is sent again only when it certainly never left or was answered 429: everything else ends as exactly one
unconfirmed job.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from eternal_tui.api.answers import SubmitAnswer
from eternal_tui.api.errors import NotSent, Refused, TooMany, Unclear
from eternal_tui.history.errors import HistoryError
from eternal_tui.jobs.counter import Counter
from eternal_tui.jobs.job import Job, advance
from eternal_tui.jobs.ledger import DUST, Prices
from eternal_tui.jobs.outcomes import accepted, rejected, unconfirmed
from eternal_tui.jobs.ports import Clock, Record, Service
from eternal_tui.jobs.roster import Roster
from eternal_tui.untrusted import Untrusted

UNSENT_WAITS = (0.5, 1.5)
"""Seconds before each further try of a POST that certainly never left: a blink of the network, not an outage."""

BUSY_WAITS = (2.0, 5.0, 15.0, 30.0)
"""Seconds before each further try after a 429 that names no time of its own."""

BUSY_PATIENCE = 300.0
"""Seconds a submit waits in all for a service that keeps answering 429, before it counts as refused."""


class _Window:
    """The time one POST is under way; disturbed when another overlaps it, so that credits cannot be told apart."""

    def __init__(self, credits_before: float | None, disturbed: bool) -> None:
        self.credits_before = credits_before
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
        on_busy: Callable[[float], None],
        on_reading: Callable[[float, Job], None],
    ) -> None:
        self._counter = counter
        self._roster = roster
        self._service = service
        self._prices = prices
        self._clock = clock
        self._on_busy = on_busy
        self._on_reading = on_reading
        self._windows: set[_Window] = set()

    async def send(self, job_id: int) -> Job:
        """Send the recorded intent and return the job as it then stands: running, rejected or unconfirmed."""
        window = _Window(self._counter.credits, bool(self._windows) or not self._counter.certain)
        for other in self._windows:
            other.disturbed = True
        self._windows.add(window)
        try:
            return await self._deliver(job_id, window)
        finally:
            self._windows.discard(window)

    async def _deliver(self, job_id: int, window: _Window) -> Job:
        request = self._roster[job_id].request
        try:
            answer = await self._post_until_clear(job_id)
        except (NotSent, Refused) as error:
            refusal = error
            return await self._settled(job_id, lambda job: rejected(job, refusal, self._clock.time()))
        except Unclear as error:
            reason = error.account
            return await self._unconfirmed(job_id, reason)
        except asyncio.CancelledError:
            await asyncio.shield(
                self._unconfirmed(job_id, "The program was told to stop while the request was under way.")
            )
            raise
        cost = self._cost(window, answer)
        if cost is None:
            cost = self._prices.estimate(request)
        raw = {"submit_answer": answer.raw} if answer.raw else None
        job = await self._settled(job_id, lambda job: accepted(job, answer, self._clock.time(), cost), extra=raw)
        if answer.credits_remaining is not None:
            self._on_reading(answer.credits_remaining, job)
        return job

    async def _post_until_clear(self, job_id: int) -> SubmitAnswer:
        unsent = iter(UNSENT_WAITS)
        busy = iter(BUSY_WAITS)
        patience = self._clock.monotonic() + BUSY_PATIENCE
        while True:
            try:
                return await self._service.generate(self._roster[job_id].request)
            except TooMany as error:
                wait = error.retry_after if error.retry_after is not None else next(busy, None)
                if wait is None or self._clock.monotonic() + wait > patience:
                    raise
                self._on_busy(wait)
                self._wait_shown(job_id, f"The service is busy; trying again in {wait:.0f} s. Nothing charged yet.")
                await self._pause_unsent(job_id, max(wait, 0.05))
            except NotSent as error:
                wait = next(unsent, None)
                if wait is None:
                    raise
                self._wait_shown(job_id, f"{error} Trying again.")
                await self._pause_unsent(job_id, wait)

    async def _pause_unsent(self, job_id: int, seconds: float) -> None:
        """Wait while the request is certainly not taken: giving up here is a refusal, never a doubt."""
        try:
            await self._clock.sleep(seconds)
        except asyncio.CancelledError:
            stopped = NotSent("The program was told to stop before the request was taken. Nothing was charged.")
            await asyncio.shield(self._settled(job_id, lambda job: rejected(job, stopped, self._clock.time())))
            raise

    def _wait_shown(self, job_id: int, reason: str) -> None:
        self._roster.touch(job_id, lambda job: advance(job, job.state, trouble=Untrusted(reason)))

    async def _unconfirmed(self, job_id: int, reason: str) -> Job:
        if self._roster[job_id].ended:
            return self._roster[job_id]
        estimate = self._prices.estimate(self._roster[job_id].request)
        return await self._settled(job_id, lambda job: unconfirmed(job, reason, self._clock.time(), estimate))

    async def _settled(self, job_id: int, edit: Callable[[Job], Job], *, extra: Record | None = None) -> Job:
        """Record what became of the intent; where the disk refuses, keep it on screen, say so, and retry later."""
        try:
            return await self._roster.change(job_id, edit, extra=extra)
        except HistoryError as error:
            refused = error

            def unrecorded(job: Job) -> Job:
                told = f"Not on disk yet: {refused} Note the request id."
                return msgspec.structs.replace(edit(job), trouble=Untrusted(told))

            return self._roster.touch(job_id, unrecorded)

    def _cost(self, window: _Window, answer: SubmitAnswer) -> float | None:
        if window.disturbed or window.credits_before is None or answer.credits_remaining is None:
            return None
        drop = round(window.credits_before - answer.credits_remaining, 6)
        return drop if drop > DUST else None
