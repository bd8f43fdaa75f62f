"""Ending on ctrl+c, SIGTERM and a closed terminal: within two seconds, with what is under way settled."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from eternal_tui.config.credentials import stop_commands
from eternal_tui.core.process import cut_off_after, hear

T = TypeVar("T")

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

PATIENCE = 1.0
"""Seconds a paid request under way is still waited for: its answer is worth more than a quick end."""

LATEST = 1.6
"""Seconds after a signal at which the process ends whatever still hangs, such as a passphrase prompt's thread.

Well inside the two that are promised: on a busy machine the signal itself, and this end, come late.
"""


class Stopped(Exception):
    """The run was told to stop; `code` is what shells expect of a process that a signal ended."""

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.code = 128 + number


class Stopping:
    """Hears the signals of one run; needs a running event loop."""

    def __init__(self) -> None:
        self.number = 0
        self.defect: Exception | None = None
        self._heard = asyncio.Event()
        self._deaf: Callable[[], None] = lambda: None

    def install(self, *, own_process: bool) -> None:
        """Hear signals from now on; those the caller has ignored, as under nohup, stay ignored."""
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        wanted = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        self._deaf = hear(wanted, lambda number: self._hear(loop, number, own_process))

    def remove(self) -> None:
        """Hear no more."""
        self._deaf()

    def stop(self, number: int = signal.SIGINT) -> None:
        """Stop the run as if the signal had come."""
        self.number = self.number or number
        self._heard.set()

    async def unless_stopped(self, wish: Awaitable[T], *, patience: float = 0.0) -> T:
        """Return what `wish` returns; raise Stopped after cancelling it `patience` seconds after a signal."""
        task = asyncio.ensure_future(wish)
        hearing = asyncio.ensure_future(self._heard.wait())
        try:
            await asyncio.wait({task, hearing}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done() and patience:
                await asyncio.wait({task}, timeout=patience)
            if task.done():
                return task.result()
        finally:
            hearing.cancel()
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        raise Stopped(self.number)

    def met_defect(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Stop for an error that no task took: going on with half a program helps nobody."""
        error = context.get("exception")
        if self.defect is None:
            self.defect = error if isinstance(error, Exception) else RuntimeError(str(context.get("message")))
        self.stop()

    @property
    def stopped(self) -> bool:
        """Whether a signal has come."""
        return self._heard.is_set()

    def _hear(self, loop: asyncio.AbstractEventLoop, number: int, own_process: bool) -> None:
        if own_process and not self.number:
            cut_off_after(LATEST, 128 + number, stop_commands)
        self.number = self.number or number
        loop.call_soon_threadsafe(self.stop, number)


def run_until_stopped(verb: Callable[[Stopping], Coroutine[Any, Any, int]], *, own_process: bool) -> int:
    """Run an asynchronous verb and return its exit code; Stopped, where it lets that pass, gives the signal's."""

    async def run() -> int:
        stopping = Stopping()
        stopping.install(own_process=own_process)
        asyncio.get_running_loop().set_exception_handler(stopping.met_defect)
        try:
            return await verb(stopping)
        except Stopped as stopped:
            if stopping.defect is not None:
                raise stopping.defect from None
            return stopped.code
        finally:
            stopping.remove()

    return asyncio.run(run())
