"""The refresh timer, and a debouncer for redraws that are too expensive while a cursor key is held."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

CLOCK_REFRESH_SECONDS = 1.0
"""Seconds between two refreshes that only advance clocks."""

Cancel = Callable[[], None]
Schedule = Callable[[float, Callable[[], None]], Cancel]


def schedule_on_loop(delay: float, callback: Callable[[], None]) -> Cancel:
    """Call `callback` on the running event loop after `delay` seconds; return the function that cancels it."""
    return asyncio.get_running_loop().call_later(delay, callback).cancel


class RefreshTimer:
    """Collects changed ids and calls `draw` with them once per refresh; without changes and clocks it has no timer.

    `needs_clock` tells whether something on the screen changes by time alone. `draw` must not raise.
    """

    def __init__(
        self,
        draw: Callable[[frozenset[int]], None],
        *,
        interval_seconds: float,
        needs_clock: Callable[[], bool],
        monotonic: Callable[[], float],
        schedule: Schedule = schedule_on_loop,
    ) -> None:
        self._draw = draw
        self._interval_seconds = interval_seconds
        self._needs_clock = needs_clock
        self._monotonic = monotonic
        self._schedule = schedule
        self._changed_ids: set[int] = set()
        self._last_refresh = float("-inf")
        self._due_at = float("inf")
        self._cancel: Cancel | None = None

    def mark_changed(self, job_ids: Iterable[int] = ()) -> None:
        """Redraw these jobs at the next refresh; without ids, check again whether a clock is needed."""
        self._changed_ids.update(job_ids)
        self._schedule_at(max(self._monotonic(), self._last_refresh + self._interval_seconds))

    def stop(self) -> None:
        """Cancel the refresh that is due, if any."""
        if self._cancel is not None:
            self._cancel()
        self._cancel, self._due_at = None, float("inf")

    def _schedule_at(self, at: float) -> None:
        if self._due_at <= at:
            return
        self.stop()
        self._due_at = at
        self._cancel = self._schedule(max(0.0, at - self._monotonic()), self._refresh)

    def _refresh(self) -> None:
        self._cancel, self._due_at = None, float("inf")
        self._last_refresh = self._monotonic()
        changed, self._changed_ids = frozenset(self._changed_ids), set()
        self._draw(changed)
        if self._needs_clock():
            self._schedule_at(self._last_refresh + max(self._interval_seconds, CLOCK_REFRESH_SECONDS))


BURST_DELAY_SECONDS = 0.15
"""Seconds between two moves below which a key counts as held: keys repeat every 30 to 50 ms."""

SINGLE_DELAY_SECONDS = 0.04
"""Delay after a single move, which may be the first of a held key."""


class Debouncer:
    """Calls `callback` SINGLE_DELAY_SECONDS after a single move, BURST_DELAY_SECONDS after the last of several."""

    def __init__(
        self, callback: Callable[[], object], monotonic: Callable[[], float], schedule: Schedule = schedule_on_loop
    ) -> None:
        self._callback = callback
        self._monotonic = monotonic
        self._schedule = schedule
        self._last_trigger = float("-inf")
        self._cancel: Cancel | None = None

    @property
    def is_pending(self) -> bool:
        """Whether a call of `callback` is due."""
        return self._cancel is not None

    def trigger(self) -> None:
        """Record a move."""
        now = self._monotonic()
        is_burst, self._last_trigger = now - self._last_trigger < BURST_DELAY_SECONDS, now
        self.stop()
        self._cancel = self._schedule(BURST_DELAY_SECONDS if is_burst else SINGLE_DELAY_SECONDS, self._fire)

    def stop(self) -> None:
        """Cancel the call that is due, if any."""
        if self._cancel is not None:
            self._cancel()
        self._cancel = None

    def _fire(self) -> None:
        self._cancel = None
        self._callback()
