"""Shutdown by key, signal or hang-up, within two seconds.

Everything that must survive is on disk before it is shown, so what is not done in time is left to the next start.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable

from eternal_tui.core.process import hard_exit_after, on_signals
from eternal_tui.services import Services
from eternal_tui.tui.terminal.driver import is_hung_up

_log = logging.getLogger(__name__)

STOP_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)

SHUTDOWN_DEADLINE_SECONDS = 1.4
"""Seconds from a signal to the end of the process: on a busy machine both come late, and two seconds are promised."""

GRACE_SECONDS = 0.3
"""Seconds of these for the response to a paid request, and for the demo's service to end."""

HANGUP_CHECK_SECONDS = 1.0
"""Interval of checks for a hang-up that sends no signal."""


class GracefulShutdown:
    """Ends the app by `exit_app`, and the process where that takes too long.

    Then a thread restores the terminal by `release_terminal` and ends the demo's service.
    """

    def __init__(
        self, services: Services, exit_app: Callable[[], None], release_terminal: Callable[[], None] = lambda: None
    ) -> None:
        self._services = services
        self._exit_app = exit_app
        self._release_terminal = release_terminal
        self._closed = False
        self._remove_signal_handlers: Callable[[], None] = lambda: None
        self._hangup_timer: asyncio.TimerHandle | None = None
        self.signal_number: int | None = None

    def install(self, loop: asyncio.AbstractEventLoop) -> None:
        """Handle signals, even a SIGHUP that the parent process ignored, and hang-ups."""
        self._remove_signal_handlers = on_signals(STOP_SIGNALS, lambda number: self._on_signal(loop, number))
        self._check_hangup(loop)

    async def close(self) -> None:
        """Close the services once."""
        if self._closed:
            return
        self._closed = True
        if self._hangup_timer is not None:
            self._hangup_timer.cancel()
        try:
            if self.signal_number is None:
                await self._services.close()
            else:
                await self._services.close(compact=False, grace_seconds=GRACE_SECONDS)
        finally:
            self._remove_signal_handlers()

    def _on_signal(self, loop: asyncio.AbstractEventLoop, number: int) -> None:
        if self.signal_number is not None:
            return
        self.signal_number = number
        hard_exit_after(SHUTDOWN_DEADLINE_SECONDS, 128 + number, self._release_resources)
        loop.call_soon_threadsafe(self._request_exit, number)

    def _request_exit(self, number: int) -> None:
        _log.warning("signal", extra={"signal": number})
        self._exit_app()

    def _release_resources(self) -> None:
        try:
            self._release_terminal()
        finally:
            self._services.abandon()

    def _check_hangup(self, loop: asyncio.AbstractEventLoop) -> None:
        if is_hung_up():
            self._on_signal(loop, signal.SIGHUP)
            return
        self._hangup_timer = loop.call_later(HANGUP_CHECK_SECONDS, self._check_hangup, loop)
