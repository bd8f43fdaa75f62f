"""Stopping a submit only where it may be stopped: while it waits, never while its outcome is being written."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class StopRequested(Exception):
    """A wait was given up because it was told to stop."""


class StopSignal:
    """A wish to stop, heeded by every wait that runs under `run_until_stopped`."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    @property
    def is_set(self) -> bool:
        """Whether stopping is wished for."""
        return self._event.is_set()

    def set(self) -> None:
        """Ask to stop at the next wait, or in the present one."""
        self._event.set()

    async def run_until_stopped(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return what `coroutine` returns; raise StopRequested where stopping was wished for before it ended."""
        waiting = asyncio.create_task(coroutine)
        wish = asyncio.create_task(self._event.wait())
        try:
            await asyncio.wait((waiting, wish), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (waiting, wish):
                task.cancel()
            await asyncio.gather(waiting, wish, return_exceptions=True)
        if waiting.cancelled():
            raise StopRequested
        return waiting.result()
