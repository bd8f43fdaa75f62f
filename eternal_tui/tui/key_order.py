"""Keys one after another: each waits until what the one before did has taken effect.

Keys typed ahead, as on a slow line, arrive in one piece. Without this, the `r` of a hurried `/red` would reach the
list before the filter line has the focus, and run a job again: a paid request by a key meant for something else.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable

from textual.events import Key
from textual.message_pump import MessagePump

ROUNDS = 3
"""Turns through everything a key may have woken: the control, what it told its parents, and the focus they set."""

PATIENCE = 2.0
"""Seconds a key waits at most for the one before: an action that takes longer is no reason to be deaf."""

MOST = 1_000
"""Keys kept waiting; a pause in which more are typed loses the rest, as a terminal's own buffer does."""


class KeyOrder:
    """Hands keys to `press` so that each finds the focus where the one before put it.

    `woken` returns what may still have messages to handle, innermost first; `failed` is told of a defect in what a
    key does.
    """

    def __init__(
        self,
        press: Callable[[Key], Awaitable[None]],
        woken: Callable[[], Iterable[MessagePump]],
        failed: Callable[[Exception], None],
    ) -> None:
        self._press = press
        self._woken = woken
        self._failed = failed
        self._waiting: deque[Key] = deque(maxlen=MOST)
        self._settling: asyncio.Task[None] | None = None

    async def key(self, event: Key) -> None:
        """Press a key now, or when those before it have taken effect."""
        if self._settling is not None:
            self._waiting.append(event)
            return
        await self._press(event)
        self._settling = asyncio.create_task(self._settle())

    def stop(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None

    async def _settle(self) -> None:
        try:
            await self._effect()
            while self._waiting:
                await self._press(self._waiting.popleft())
                await self._effect()
        except Exception as error:  # noqa: BLE001 - handed on to where the defects of handlers go
            self._failed(error)
        finally:
            self._settling = None

    async def _effect(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                for _ in range(ROUNDS):
                    for pump in list(self._woken()):
                        handled = asyncio.Event()
                        if pump.is_running and pump.call_later(handled.set):
                            await handled.wait()
        except TimeoutError:
            return
