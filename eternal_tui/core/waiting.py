"""Stopping a submit only where it may be stopped: while it waits, never while its outcome is being written."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Interrupted(Exception):
    """A wait was given up because it was told to stop."""


class Interruption:
    """A wish to stop, heeded by every wait that runs under `heed`."""

    def __init__(self) -> None:
        self._wanted = asyncio.Event()

    @property
    def wanted(self) -> bool:
        """Whether stopping is wished for."""
        return self._wanted.is_set()

    def want(self) -> None:
        """Ask to stop at the next wait, or in the present one."""
        self._wanted.set()

    async def heed(self, wait: Coroutine[Any, Any, T]) -> T:
        """Return what `wait` returns; raise Interrupted where stopping was wished for before it ended."""
        waiting = asyncio.create_task(wait)
        wish = asyncio.create_task(self._wanted.wait())
        try:
            await asyncio.wait((waiting, wish), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (waiting, wish):
                task.cancel()
            await asyncio.gather(waiting, wish, return_exceptions=True)
        if waiting.cancelled():
            raise Interrupted
        return waiting.result()
