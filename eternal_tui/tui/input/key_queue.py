"""Queue of keys: each waits until the one before has taken effect.

Keys typed ahead, as on a slow line, arrive in one piece. Without this, the `r` of a hurried `/red` would reach the
list before the filter line has the focus, and run a job again: a paid request by a key meant for something else.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable

from textual.events import Key
from textual.message_pump import MessagePump

DRAIN_ROUNDS = 3
"""Rounds of waiting for every pump: a key reaches a control, then its parents, then what they focus."""

KEY_TIMEOUT_SECONDS = 2.0
"""Seconds a key waits at most for the one before: a slow action must not block the keyboard."""

MAX_SCREEN_WAITS = 8
"""Times that long a key waits while what the one before opened is still being laid out.

After that the waiting keys are dropped: letters meant for a line that did not open would act on the list.
"""

MAX_QUEUED_KEYS = 1_000
"""Queued keys; further ones are dropped, as in a terminal's own buffer."""


class KeyQueue:
    """Passes keys to `press` so that each finds the focus where the one before put it.

    `pending_pumps` returns what may still have messages to handle, innermost first; `is_screen_opening` tells whether
    something is on its way to the screen; `on_error` gets exceptions of handlers. `timeout_seconds` is in
    seconds.
    """

    def __init__(
        self,
        press: Callable[[Key], Awaitable[None]],
        pending_pumps: Callable[[], Iterable[MessagePump]],
        is_screen_opening: Callable[[], bool],
        on_error: Callable[[Exception], None],
        timeout_seconds: float = KEY_TIMEOUT_SECONDS,
    ) -> None:
        self._press = press
        self._pending_pumps = pending_pumps
        self._is_screen_opening = is_screen_opening
        self._on_error = on_error
        self._timeout_seconds = timeout_seconds
        self._queued: deque[Key] = deque(maxlen=MAX_QUEUED_KEYS)
        self._drain_task: asyncio.Task[None] | None = None

    async def put(self, event: Key) -> None:
        """Press a key now, or when those before it have taken effect."""
        if self._drain_task is not None:
            self._queued.append(event)
            return
        await self._press(event)
        self._drain_task = asyncio.create_task(self._drain())

    async def wait_idle(self) -> None:
        """Wait until every key so far has taken effect."""
        if self._drain_task is not None:
            await asyncio.wait([self._drain_task])

    def stop(self) -> None:
        """Forget what waits."""
        self._queued.clear()
        if self._drain_task is not None:
            self._drain_task.cancel()
            self._drain_task = None

    async def _drain(self) -> None:
        try:
            await self._wait_until_handled()
            while self._queued:
                await self._press(self._queued.popleft())
                await self._wait_until_handled()
        except Exception as error:  # noqa: BLE001 - reported like any exception of a handler
            self._on_error(error)
        finally:
            self._drain_task = None

    async def _wait_until_handled(self) -> None:
        for _ in range(MAX_SCREEN_WAITS):
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    await self._drain_pumps()
                return
            except TimeoutError:
                if not self._is_screen_opening():
                    return
        self._queued.clear()

    async def _drain_pumps(self) -> None:
        for _ in range(DRAIN_ROUNDS):
            for pump in list(self._pending_pumps()):
                handled = asyncio.Event()
                # One that has not begun yet is waited for, too: it is what the key has opened.
                if pump.call_later(handled.set):
                    await handled.wait()
