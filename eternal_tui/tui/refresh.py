"""Costly drawing waits for a hand that moves on: while a key is held the list alone follows it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

LOCAL_REFRESH_SECONDS = 0.25
"""Seconds between two beats on a local terminal: as fast as a person can read a number change."""

REMOTE_REFRESH_SECONDS = 1.0
"""Seconds between two beats over SSH, where each costs bytes on a line that may be slow."""

CLOCK_REFRESH_SECONDS = 1.0
"""Seconds between two beats that only advance clocks."""

REMOTE_CLOCK_STEP_SECONDS = 5.0
"""Seconds by which running clocks advance over SSH."""

Cancel = Callable[[], None]
Schedule = Callable[[float, Callable[[], None]], Cancel]
RefreshCallback = Callable[[frozenset[int], float], None]


def is_remote(environ: Mapping[str, str]) -> bool:
    """Tell whether the terminal is at the other end of an SSH line."""
    return bool(environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"))


def refresh_seconds_for(environ: Mapping[str, str]) -> float:
    """Return the seconds between two beats for the terminal that `environ` tells of."""
    return REMOTE_REFRESH_SECONDS if is_remote(environ) else LOCAL_REFRESH_SECONDS


def clock_step_seconds_for(environ: Mapping[str, str]) -> float:
    """Return the seconds by which running clocks advance for the terminal that `environ` tells of."""
    return REMOTE_CLOCK_STEP_SECONDS if is_remote(environ) else 1.0


def schedule_on_loop(delay: float, callback: Callable[[], None]) -> Cancel:
    """Run `callback` once on the running event loop after `delay` seconds; the answer cancels it."""
    return asyncio.get_running_loop().call_later(delay, callback).cancel


class RefreshTimer:
    """Gathers changed ids and calls every drawer once a beat; with nothing changed and nothing alive it has no timer.

    `needs_clock` tells whether something on the screen changes by time alone. `monotonic` spaces the beats, `wall` is
    the time given to drawers, both in seconds. Drawers must not raise.
    """

    def __init__(
        self,
        *,
        interval_seconds: float,
        needs_clock: Callable[[], bool],
        monotonic: Callable[[], float],
        wall: Callable[[], float],
        schedule: Schedule = schedule_on_loop,
    ) -> None:
        self._interval_seconds = interval_seconds
        self._needs_clock = needs_clock
        self._monotonic = monotonic
        self._wall = wall
        self._schedule = schedule
        self._callbacks: list[RefreshCallback] = []
        self._changed_ids: set[int] = set()
        self._last_refresh = float("-inf")
        self._due_at = float("inf")
        self._cancel: Cancel | None = None

    @property
    def idle(self) -> bool:
        """Whether no beat is due."""
        return self._cancel is None

    def subscribe(self, callback: RefreshCallback) -> None:
        """Call `callback(changed ids, time)` at every beat, after those added before."""
        self._callbacks.append(callback)

    def mark_changed(self, job_ids: Iterable[int] = ()) -> None:
        """Draw these jobs at the next beat; without ids, look again whether anything is alive."""
        self._changed_ids.update(job_ids)
        self._schedule_at(max(self._monotonic(), self._last_refresh + self._interval_seconds))

    def stop(self) -> None:
        """Cancel the beat that is due, if any."""
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
        now = self._wall()
        for draw in self._callbacks:
            draw(changed, now)
        if self._needs_clock():
            self._schedule_at(self._last_refresh + max(self._interval_seconds, CLOCK_REFRESH_SECONDS))


BURST_DELAY_SECONDS = 0.15
"""Seconds between two moves below which a hand is on its way: keys repeat every 30 to 50 ms, a reader is slower."""


SINGLE_DELAY_SECONDS = 0.04
"""Seconds after a single move: the next key of a hurry just begun finds nobody at work on something else."""


class Debouncer:
    """Calls `callback` SINGLE_DELAY_SECONDS after a single move.

    Of several in a hurry it follows the last, by BURST_DELAY_SECONDS.
    """

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
        """Whether `callback` is still to come."""
        return self._cancel is not None

    def trigger(self) -> None:
        """Note a move."""
        now = self._monotonic()
        hurried, self._last_trigger = now - self._last_trigger < BURST_DELAY_SECONDS, now
        self.stop()
        self._cancel = self._schedule(BURST_DELAY_SECONDS if hurried else SINGLE_DELAY_SECONDS, self._fire)

    def stop(self) -> None:
        """Forget what was to come."""
        if self._cancel is not None:
            self._cancel()
        self._cancel = None

    def _fire(self) -> None:
        self._cancel = None
        self._callback()
