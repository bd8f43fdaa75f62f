"""The clock as an argument, waits that can be stopped, and timeouts that do not count suspended time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar


class Clock:
    """The machine's clocks as an argument: the wall for what is written down, the monotonic clock for waiting."""

    def time(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds on a clock that never jumps."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait that long."""
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Callable[[], object]:
        """Call `callback` on the running event loop after that long, unless what is returned is called before."""
        return asyncio.get_running_loop().call_later(seconds, callback).cancel


T = TypeVar("T")


class StopRequested(Exception):
    """A wait ended because of a StopSignal."""


class StopSignal(asyncio.Event):
    """Stops every wait that runs under `run_until_stopped`, once it is set."""

    async def run_until_stopped(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return what `coroutine` returns; raise StopRequested where a stop was requested before it ended."""
        waiting = asyncio.create_task(coroutine)
        tasks = (waiting, asyncio.create_task(self.wait()))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if waiting.cancelled():
            raise StopRequested
        return waiting.result()


TICK_SECONDS = 0.5


@asynccontextmanager
async def awake_timeout(seconds: float, silence: float, progress: Callable[[], object]) -> AsyncIterator[None]:
    """Raise TimeoutError after `seconds`, or `silence` seconds in which `progress` returned the same.

    Time in which the process was stopped does not count: what arrived meanwhile is read first.
    """
    loop = asyncio.get_running_loop()
    tick = min(TICK_SECONDS, seconds / 4, silence / 4)
    left, quiet, last, seen = seconds, silence, loop.time(), progress()
    timer: asyncio.TimerHandle
    async with asyncio.timeout(None) as limit:

        def count() -> None:
            nonlocal left, quiet, last, seen, timer
            now, found = loop.time(), progress()
            passed = min(now - last, 2 * tick)
            last, left = now, left - passed
            quiet, seen = (quiet - passed if found == seen else silence), found
            if min(left, quiet) <= 0:
                limit.reschedule(now)
            else:
                timer = loop.call_later(tick, count)

        timer = loop.call_later(tick, count)
        try:
            yield
        finally:
            timer.cancel()
