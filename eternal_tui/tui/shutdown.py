"""Going away: by key, by signal or because the terminal is gone, within two seconds and with nothing lost.

Everything that must survive is on disk before the screen shows it, so a departure never has to finish anything:
what is not done in time is left to the next start.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable

from eternal_tui.core.process import cut_off_after, hear
from eternal_tui.services import Workbench
from eternal_tui.tui.terminal.hangup import terminal_gone

_log = logging.getLogger(__name__)

WITHIN = 1.4
"""Seconds from a signal to the end of the process, whatever hangs.

Well inside the two that are promised: on a busy machine the signal itself, and this end, come late.
"""

PATIENCE = 0.3
"""Seconds of them in which a paid request under way may still be answered, and the demo's service may end."""

LOOK_EVERY = 1.0
"""Seconds between looks whether the terminal is still there, for a hang-up that sends no signal."""


class Departure:
    """Ends the app. `leave` makes the app end in order; a guard ends the process where that does not happen.

    The guard gives the terminal back by `release_terminal`, from a thread of its own, and takes the demo's service
    with it.
    """

    def __init__(
        self, bench: Workbench, leave: Callable[[], None], release_terminal: Callable[[], None] = lambda: None
    ) -> None:
        self._bench = bench
        self._leave = leave
        self._release_terminal = release_terminal
        self._closed = False
        self._deaf: Callable[[], None] = lambda: None
        self._watch: asyncio.TimerHandle | None = None
        self.signal: int | None = None

    def arm(self, loop: asyncio.AbstractEventLoop) -> None:
        """Leave on SIGTERM and SIGHUP, even where the latter was ignored by whoever started us, and on hang-up."""
        self._deaf = hear((signal.SIGTERM, signal.SIGHUP), lambda number: self._hurry(loop, number))
        self._look(loop)

    async def close(self) -> None:
        """Close the workbench once."""
        if self._closed:
            return
        self._closed = True
        if self._watch is not None:
            self._watch.cancel()
        try:
            if self.signal is None:
                await self._bench.close()
            else:
                await self._bench.close(fold=False, patience=PATIENCE)
        finally:
            self._deaf()

    def _hurry(self, loop: asyncio.AbstractEventLoop, number: int) -> None:
        if self.signal is not None:
            return
        self.signal = number
        cut_off_after(WITHIN, 128 + number, self._last_act)
        loop.call_soon_threadsafe(self._go, number)

    def _go(self, number: int) -> None:
        _log.warning("told to leave", extra={"signal": number})
        self._leave()

    def _last_act(self) -> None:
        try:
            self._release_terminal()
        finally:
            self._bench.abandon()

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        if terminal_gone():
            self._hurry(loop, signal.SIGHUP)
            return
        self._watch = loop.call_later(LOOK_EVERY, self._look, loop)
