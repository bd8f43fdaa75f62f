"""When a test may move its clock on: the event loop, its threads and the real sockets have nothing left to do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from eternal_tui.sandbox.state import SandboxState

IDLE_TURNS = 3
"""Turns of a loop without anything to run that make it idle: what one end of a socket on loopback writes, the other
end, in the same loop, reads a turn later."""


class LoopActivity:
    """What goes on around one event loop: work in threads, and exchanges of clients, some held on purpose."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._sandboxes: list[SandboxState] = []
        self._threads: set[asyncio.Future[Any]] = set()
        self._exchange_count = 0
        self._exchange_ended = asyncio.Event()
        self._original_run_in_executor: Callable[..., asyncio.Future[Any]] = loop.run_in_executor
        loop.run_in_executor = self._run_in_executor  # type: ignore[method-assign, assignment]

    def _run_in_executor(self, executor: Any, call: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        future = self._original_run_in_executor(executor, call, *arguments)
        self._threads.add(future)
        future.add_done_callback(self._threads.discard)
        return future

    def add_sandbox(self, service: SandboxState) -> None:
        """Count what this sandbox holds on purpose as held."""
        if not any(known is service for known in self._sandboxes):
            self._sandboxes.append(service)

    def begin_exchange(self) -> None:
        """Count one exchange as under way."""
        self._exchange_count += 1

    def end_exchange(self) -> None:
        self._exchange_count -= 1
        self._exchange_ended.set()
        self._exchange_ended = asyncio.Event()

    async def wait_idle(self) -> None:
        """Return when nothing goes on any more but what waits for a clock, or is held on purpose."""
        while True:
            await _wait_loop_idle()
            if self._threads:
                await asyncio.wait(tuple(self._threads), return_when=asyncio.FIRST_COMPLETED)
            elif self._exchange_count > sum(service.delayed_responses for service in self._sandboxes):
                await _wait_for_first(self._exchange_ended, *(service.activity for service in self._sandboxes))
            else:
                return


async def _wait_loop_idle() -> None:
    loop: Any = asyncio.get_running_loop()
    empty = 0
    while empty < IDLE_TURNS:
        await asyncio.sleep(0)
        empty = 0 if loop._ready else empty + 1


async def _wait_for_first(*events: asyncio.Event) -> None:
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


_ACTIVITIES: WeakKeyDictionary[asyncio.AbstractEventLoop, LoopActivity] = WeakKeyDictionary()


def loop_activity() -> LoopActivity:
    """Return what goes on around the running loop, watched from the first call on."""
    loop = asyncio.get_running_loop()
    if loop not in _ACTIVITIES:
        _ACTIVITIES[loop] = LoopActivity(loop)
    return _ACTIVITIES[loop]


async def wait_idle() -> None:
    """Return when nothing goes on around the running loop but what waits for a clock, or is held on purpose."""
    await loop_activity().wait_idle()
