"""Clock protocol and the system clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Time as an argument: the wall for what is written down, the monotonic clock for waiting."""

    def time(self) -> float:
        """Return seconds since the epoch."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never jumps."""

    async def sleep(self, seconds: float) -> None:
        """Wait that long."""

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Callable[[], object]:
        """Call `callback` on the running event loop after that long, unless what is returned is called before."""


class SystemClock:
    """The machine's own clocks."""

    def time(self) -> float:
        """Return seconds since the epoch."""
        import time

        return time.time()

    def monotonic(self) -> float:
        """Return seconds on a clock that never jumps."""
        import time

        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait that long."""
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Callable[[], object]:
        """Call `callback` on the running event loop after that long, unless what is returned is called before."""
        return asyncio.get_running_loop().call_later(seconds, callback).cancel
