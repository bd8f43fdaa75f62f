"""A clock that only moves when a test says so."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count

from eternal_tui.core.clock import Clock


class FakeClock(Clock):
    """Wall and monotonic time set by the test; sleepers wake in the order of their times."""

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self._wall = start
        self._monotonic = 1_000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()

    def time(self) -> float:
        """Return seconds since the epoch."""
        return self._wall

    def monotonic(self) -> float:
        """Return seconds on the clock that never jumps."""
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        """Wait until the test has moved the clock that far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._monotonic + seconds, next(self._order), future))
        await future

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Callable[[], object]:
        """Call `callback` once the test has moved the clock that far, unless what is returned is called before."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda rung: None if rung.cancelled() else callback())
        heapq.heappush(self._sleepers, (self._monotonic + seconds, next(self._order), future))
        return future.cancel

    def jump_wall_clock(self, seconds: float) -> None:
        """Set the wall clock forward or back, as a user or a time server does; nothing else changes."""
        self._wall += seconds

    def suspend(self, seconds: float) -> None:
        """Move both clocks on at once, as some systems do for a suspended machine."""
        self._monotonic += seconds
        self._wall += seconds

    @property
    def next_wake(self) -> float | None:
        """When the earliest sleeper wakes, on the monotonic clock."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    async def advance(self, seconds: float) -> None:
        """Move both clocks on, stopping at every sleeper on the way so that each acts at its own time."""
        end = self._monotonic + seconds
        while (wake := self.next_wake) is not None and wake <= end:
            self._move_to(wake)
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)
            await run_ready_tasks()
        self._move_to(end)
        await run_ready_tasks()

    async def advance_to_next_wake(self) -> None:
        """Move on to the very moment at which the earliest sleeper wakes, and no further."""
        if (wake := self.next_wake) is not None:
            await self.advance(wake - self._monotonic)

    def _move_to(self, monotonic: float) -> None:
        step = max(0.0, monotonic - self._monotonic)
        self._monotonic += step
        self._wall += step


async def run_ready_tasks() -> None:
    """Let every task that can run do so."""
    for _ in range(20):
        await asyncio.sleep(0)
