"""Going away: by key, by signal or because the terminal is gone, within two seconds and with nothing lost.

Everything that must survive is on disk before the screen shows it, so a departure never has to finish anything:
what is not done in time is left to the next start.
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
import signal
import sys
import threading
from collections.abc import Callable

from eternal_tui.workbench import Workbench

_log = logging.getLogger(__name__)

WITHIN = 1.7
"""Seconds from a signal to the end of the process, whatever hangs: inside the two that are promised."""

FOLD_BELOW = 8 * 1024 * 1024
"""Bytes of journal that are folded on the way out of an ordinary quit."""

LOOK_EVERY = 1.0
"""Seconds between looks whether the terminal is still there, for a hang-up that sends no signal."""


class Departure:
    """Ends the app. `leave` makes the app end in order; a guard ends the process where that does not happen."""

    def __init__(self, bench: Workbench, leave: Callable[[], None]) -> None:
        self._bench = bench
        self._leave = leave
        self._hurried = False
        self._closed = False
        self._watch: asyncio.TimerHandle | None = None
        self.signal: int | None = None

    def arm(self, loop: asyncio.AbstractEventLoop) -> None:
        """Leave on SIGTERM and SIGHUP, even where the latter was ignored by whoever started us, and on hang-up."""
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal, number)
        self._look(loop)

    async def close(self) -> None:
        """Close the workbench once."""
        if self._closed:
            return
        self._closed = True
        if self._watch is not None:
            self._watch.cancel()
        await self._bench.close(fold=not self._hurried, patience=0.3 if self._hurried else 1.0)

    def _on_signal(self, number: int) -> None:
        if self._hurried:
            return
        self._hurried = True
        self.signal = number
        guard = threading.Timer(WITHIN, os._exit, (128 + number,))
        guard.daemon = True
        guard.start()
        _log.warning("told to leave", extra={"signal": number})
        self._leave()

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        if terminal_gone():
            self._on_signal(signal.SIGHUP)
            return
        self._watch = loop.call_later(LOOK_EVERY, self._look, loop)


def terminal_gone() -> bool:
    """Tell whether standard input was a terminal that has hung up."""
    stdin = sys.__stdin__
    if stdin is None or not hasattr(select, "poll"):
        return False
    try:
        descriptor = stdin.fileno()
    except (OSError, ValueError):
        return False
    poller = select.poll()
    poller.register(descriptor, select.POLLHUP | select.POLLERR)
    return any(event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in poller.poll(0))
