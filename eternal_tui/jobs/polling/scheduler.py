"""The polling workers: a few tasks that take what is due from one schedule, within one budget and one pause.

Few on purpose: with httpx, four requests at a time were measured to carry six times the load of unbounded ones.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any

from eternal_tui.core.clock import Clock


class DueQueue:
    """Due times by job id. Setting a time again replaces the earlier one; times are monotonic seconds."""

    def __init__(self) -> None:
        self._due_times: dict[int, float] = {}
        self._heap: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._due_times)

    def __contains__(self, job_id: int) -> bool:
        return job_id in self._due_times

    def __iter__(self) -> Iterator[int]:
        return iter(self._due_times)

    def set(self, job_id: int, due: float) -> None:
        """Ask about the job at `due_at`."""
        self._due_times[job_id] = due
        heapq.heappush(self._heap, (due, job_id))

    def remove(self, job_id: int) -> None:
        """Ask no more about the job."""
        self._due_times.pop(job_id, None)

    def due_at(self, job_id: int) -> float | None:
        """Return when the job is next asked about."""
        return self._due_times.get(job_id)

    def next_due(self) -> float:
        """Return the earliest due time, infinity when nothing is scheduled."""
        while self._heap:
            due, job_id = self._heap[0]
            if self._due_times.get(job_id) == due:
                return due
            heapq.heappop(self._heap)
        return math.inf

    def pop(self, now: float) -> int | None:
        """Remove and return the job that is most overdue, or None when none is due."""
        if self.next_due() > now:
            return None
        _, job_id = heapq.heappop(self._heap)
        del self._due_times[job_id]
        return job_id


class RateLimiter:
    """A token bucket over all requests of this process: `rate` a second, at most `burst` at once."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._refilled_at: float | None = None

    def wait_seconds(self, now: float) -> float:
        """Return the seconds until a request may be made; 0 when one may be made now."""
        self._refill(now)
        return max(0.0, (1.0 - self._tokens) / self._rate)

    def take_token(self, now: float) -> None:
        """Count one request as made."""
        self._refill(now)
        self._tokens -= 1.0

    def _refill(self, now: float) -> None:
        if self._refilled_at is not None:
            self._tokens = min(self._burst, self._tokens + max(0.0, now - self._refilled_at) * self._rate)
        self._refilled_at = now


class Backoff:
    """The pause all polling of one host shares, with the reason people are shown.

    What the service asked for is kept to the end. What was only concluded from failures ends with the first answer:
    an answer to a request that was under way when the service asked for quiet must not end the quiet.
    """

    def __init__(self) -> None:
        self._hold_until = -math.inf
        self._hold_reason = ""
        self._failing_until = -math.inf
        self._failure_reason = ""
        self._failures = 0

    @property
    def reason(self) -> str:
        """Why polling waits, or last waited."""
        return self._hold_reason if self._hold_until >= self._failing_until else self._failure_reason

    def hold(self, now: float, seconds: float, reason: str) -> None:
        """Ask nothing for `seconds`; a longer pause already under way stays."""
        if now + seconds >= self._hold_until:
            self._hold_until, self._hold_reason = now + seconds, reason

    def record_failure(self, now: float, reason: str) -> None:
        """Count a failure to reach the host and wait longer after each: 1, 2, 4 … at most 30 seconds.

        Answers to requests that were under way when the pause began count as the same failure.
        """
        if now >= self._failing_until:
            self._failures += 1
            self._failing_until = now + min(30.0, 2.0 ** min(self._failures - 1, 5))
        self._failure_reason = reason

    def record_success(self) -> None:
        """Note that the host answers again: nothing waits for its return any more."""
        self._failures = 0
        self._failing_until = -math.inf

    def reset(self) -> None:
        """End every pause, as when a person has given another key."""
        self.record_success()
        self._hold_until = -math.inf

    def wait_seconds(self, now: float) -> float:
        """Return the seconds until polling may go on."""
        return max(0.0, max(self._hold_until, self._failing_until) - now)


MAX_SLEEP_SECONDS = 3600.0
"""Seconds after which an idle dispatcher looks at the clock again, whatever it was told."""


async def sleep_until_set(clock: Clock, seconds: float, event: asyncio.Event) -> None:
    """Wait until `seconds` have passed, which sets `event`, or until another has set it."""
    # An alarm, not a task: the dispatcher naps twice a look, and tasks were a third of what a look took of the loop.
    cancel = clock.call_later(seconds, event.set)
    try:
        await event.wait()
    finally:
        cancel()


def raise_task_exception(task: asyncio.Task[None]) -> None:
    """Let a defect that ended a standing task be heard: nobody would do its work any more."""
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error


MIN_SLEEP_SECONDS = 0.001
"""Seconds: a remainder of floating-point dust is waited for, not spun on."""


SLOT_TIMEOUT_SECONDS = 3.0
"""Seconds after which a look without an answer leaves its place to another: a service that says nothing about a few
jobs must not hold up all others until the looks at them are given up."""

MAX_CONCURRENT_POLLS = 16
"""Looks under way at most, silent ones and all: beyond that httpx's pool collapses."""


class PollScheduler:
    """Runs `poll(job_id)` for every job when it is due, with at most `workers` looks at work.

    Those the service has kept waiting for `SLOT_TIMEOUT_SECONDS` seconds do not count, until `MAX_CONCURRENT_POLLS`
    wait.
    """

    def __init__(
        self,
        poll: Callable[[int], Coroutine[Any, Any, None]],
        clock: Clock,
        *,
        workers: int,
        requests_per_second: float,
    ) -> None:
        self.queue = DueQueue()
        self.backoff = Backoff()
        self._poll = poll
        self._clock = clock
        self._workers = workers
        self._rate_limiter = RateLimiter(requests_per_second, burst=workers)
        self._wake = asyncio.Event()
        self._sleeping_until = math.inf
        self._slot_freed = asyncio.Event()
        self._active_polls: dict[int, asyncio.Task[None]] = {}
        self._start_times: dict[int, float] = {}

    def poll_in(self, job_id: int, seconds: float) -> None:
        """Look at the job `seconds` from now; replaces an earlier time."""
        due = self._clock.monotonic() + seconds
        self.queue.set(job_id, due)
        if due < self._sleeping_until:
            self._wake.set()

    def remove(self, job_id: int) -> None:
        """Look at the job no more; a look under way is left to end."""
        self.queue.remove(job_id)

    def is_polling(self, job_id: int) -> bool:
        """Tell whether a look at the job is under way."""
        return job_id in self._active_polls

    async def run(self) -> None:
        """Take what is due until cancelled; looks under way are cancelled and awaited with it."""
        try:
            while True:
                await self._wait_for_slot()
                job_id = await self._next_due_job()
                task = asyncio.create_task(self._poll(job_id), name=f"poll-{job_id}")
                self._active_polls[job_id] = task
                self._start_times[job_id] = self._clock.monotonic()
                task.add_done_callback(partial(self._on_poll_done, job_id))
        finally:
            under_way = tuple(self._active_polls.values())
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _wait_for_slot(self) -> None:
        """Wait until another look may be under way."""
        while len(self._active_polls) >= self._workers:
            now = self._clock.monotonic()
            at_work = [since for since in self._start_times.values() if now - since < SLOT_TIMEOUT_SECONDS]
            if len(at_work) < self._workers and len(self._active_polls) < MAX_CONCURRENT_POLLS:
                return
            self._slot_freed.clear()
            nap = min(at_work) + SLOT_TIMEOUT_SECONDS - now if len(at_work) >= self._workers else MAX_SLEEP_SECONDS
            await sleep_until_set(self._clock, max(nap, MIN_SLEEP_SECONDS), self._slot_freed)

    async def _next_due_job(self) -> int:
        while True:
            now = self._clock.monotonic()
            wait = max(
                self.queue.next_due() - now, self.backoff.wait_seconds(now), self._rate_limiter.wait_seconds(now)
            )
            if wait <= 0 and (job_id := self.queue.pop(now)) is not None:
                if job_id in self._active_polls:
                    continue  # that look sets the next time itself
                self._rate_limiter.take_token(now)
                return job_id
            self._wake.clear()
            nap = min(max(wait, MIN_SLEEP_SECONDS), MAX_SLEEP_SECONDS)
            self._sleeping_until = now + nap
            await sleep_until_set(self._clock, nap, self._wake)

    def _on_poll_done(self, job_id: int, task: asyncio.Task[None]) -> None:
        self._active_polls.pop(job_id, None)
        self._start_times.pop(job_id, None)
        self._slot_freed.set()
        raise_task_exception(task)
