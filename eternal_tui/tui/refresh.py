"""Costly drawing waits for a hand that moves on: while a key is held the list alone follows it."""

from __future__ import annotations

from collections.abc import Callable

from eternal_tui.tui.tick import Cancel, Schedule, on_the_loop

HURRY = 0.15
"""Seconds between two moves below which a hand is on its way: keys repeat every 30 to 50 ms, a reader is slower."""


SETTLE = 0.04
"""Seconds after a single move: the next key of a hurry just begun finds nobody at work on something else."""


class AtRest:
    """Calls `act` SETTLE seconds after a single move, and after several in a hurry HURRY seconds after the last."""

    def __init__(
        self, act: Callable[[], object], monotonic: Callable[[], float], schedule: Schedule = on_the_loop
    ) -> None:
        self._act = act
        self._monotonic = monotonic
        self._schedule = schedule
        self._last = float("-inf")
        self._cancel: Cancel | None = None

    @property
    def hurried(self) -> bool:
        """Whether `act` is still to come."""
        return self._cancel is not None

    def moved(self) -> None:
        """Note a move."""
        now = self._monotonic()
        hurried, self._last = now - self._last < HURRY, now
        self.stop()
        self._cancel = self._schedule(HURRY if hurried else SETTLE, self._rest)

    def stop(self) -> None:
        """Forget what was to come."""
        if self._cancel is not None:
            self._cancel()
        self._cancel = None

    def _rest(self) -> None:
        self._cancel = None
        self._act()
