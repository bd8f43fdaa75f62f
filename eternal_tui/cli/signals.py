"""Ending on ctrl+c, SIGTERM and a closed terminal: within two seconds, with what is under way settled."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import ExitStack
from typing import Any, TypeVar

from eternal_tui.config.credentials import kill_key_commands
from eternal_tui.core.process import hard_exit_after, on_signals

T = TypeVar("T")

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

SUBMIT_GRACE_SECONDS = 1.0
"""Seconds a paid request under way is still waited for: its answer is worth more than a quick end."""

HARD_EXIT_SECONDS = 1.6
"""Seconds after a signal at which the process ends whatever still hangs, such as a passphrase prompt's thread.

Well inside the two that are promised: on a busy machine the signal itself, and this end, come late.
"""


class ShutdownRequested(Exception):
    """A signal stopped the run; `exit_code` is 128 + its number."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"signal {signal_number}")
        self.exit_code = 128 + signal_number


class Shutdown:
    """Turns the stop signals of one run into ShutdownRequested."""

    def __init__(self) -> None:
        self.signal_number = 0
        self.internal_error: Exception | None = None
        self._requested = asyncio.Event()

    def request(self, signal_number: int) -> None:
        """Stop the run; the first signal counts."""
        self.signal_number = self.signal_number or signal_number
        self._requested.set()

    def on_loop_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Stop on an error outside any awaited task: the program would only half work."""
        error = context.get("exception")
        if self.internal_error is None:
            self.internal_error = error if isinstance(error, Exception) else RuntimeError(str(context.get("message")))
        self.request(signal.SIGINT)

    async def run(self, awaitable: Awaitable[T], *, grace_seconds: float = 0.0) -> T:
        """Return what `awaitable` returns.

        Raises ShutdownRequested after cancelling it `grace_seconds` seconds after a signal.
        """
        task = asyncio.ensure_future(awaitable)
        waiting = asyncio.ensure_future(self._requested.wait())
        try:
            await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done() and grace_seconds:
                await asyncio.wait({task}, timeout=grace_seconds)
            if task.done():
                return task.result()
        finally:
            waiting.cancel()
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        raise ShutdownRequested(self.signal_number)


def run_with_shutdown(command: Callable[[Shutdown], Coroutine[Any, Any, int]], *, own_process: bool) -> int:
    """Run an asynchronous command and return its exit code; that of the signal where it raises ShutdownRequested."""

    async def run() -> int:
        shutdown, loop = Shutdown(), asyncio.get_running_loop()

        def on_signal(number: int) -> None:
            if own_process:
                hard_exit_after(HARD_EXIT_SECONDS, 128 + number, kill_key_commands)
            loop.call_soon_threadsafe(shutdown.request, number)

        loop.set_exception_handler(shutdown.on_loop_error)
        with ExitStack() as stack:
            if threading.current_thread() is threading.main_thread():
                # Those the parent ignores, as under nohup, stay ignored.
                heard = [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
                stack.callback(on_signals(heard, on_signal))
            try:
                return await command(shutdown)
            except ShutdownRequested as stopped:
                if shutdown.internal_error is not None:
                    raise shutdown.internal_error from None
                return stopped.exit_code

    return asyncio.run(run())
