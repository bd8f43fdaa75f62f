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

OPENING = 8
"""Times that long a key waits while what the one before opened is still being laid out.

Behind them what waits is forgotten: letters meant for a line that did not come would be orders to the list.
"""

MOST = 1_000
"""Keys kept waiting; a pause in which more are typed loses the rest, as a terminal's own buffer does."""


class KeyOrder:
    """Hands keys to `press` so that each finds the focus where the one before put it.

    `woken` returns what may still have messages to handle, innermost first; `opening` tells whether something is on its
    way to the screen; `failed` is told of a defect in what a key does. `patience` is in seconds.
    """

    def __init__(
        self,
        press: Callable[[Key], Awaitable[None]],
        woken: Callable[[], Iterable[MessagePump]],
        opening: Callable[[], bool],
        failed: Callable[[Exception], None],
        patience: float = PATIENCE,
    ) -> None:
        self._press = press
        self._woken = woken
        self._opening = opening
        self._failed = failed
        self._patience = patience
        self._waiting: deque[Key] = deque(maxlen=MOST)
        self._settling: asyncio.Task[None] | None = None

    async def key(self, event: Key) -> None:
        """Press a key now, or when those before it have taken effect."""
        if self._settling is not None:
            self._waiting.append(event)
            return
        await self._press(event)
        self._settling = asyncio.create_task(self._settle())

    async def at_rest(self) -> None:
        """Wait until every key so far has taken effect."""
        if self._settling is not None:
            await asyncio.wait([self._settling])

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
        for _ in range(OPENING):
            try:
                async with asyncio.timeout(self._patience):
                    await self._handled()
                return
            except TimeoutError:
                if not self._opening():
                    return
        self._waiting.clear()

    async def _handled(self) -> None:
        for _ in range(ROUNDS):
            for pump in list(self._woken()):
                handled = asyncio.Event()
                # One that has not begun yet is waited for, too: it is what the key has opened.
                if pump.call_later(handled.set):
                    await handled.wait()
