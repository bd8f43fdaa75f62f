"""Costly drawing waits for a hand that moves on: while a key is held the list alone follows it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

LOCAL_INTERVAL = 0.25
"""Seconds between two beats on a local terminal: as fast as a person can read a number change."""

REMOTE_INTERVAL = 1.0
"""Seconds between two beats over SSH, where each costs bytes on a line that may be slow."""

CLOCK_INTERVAL = 1.0
"""Seconds between two beats that only advance clocks."""

REMOTE_CLOCK_STEP = 5.0
"""Seconds by which running clocks advance over SSH."""

Cancel = Callable[[], None]
Schedule = Callable[[float, Callable[[], None]], Cancel]
Drawer = Callable[[frozenset[int], float], None]


def is_remote(environ: Mapping[str, str]) -> bool:
    """Tell whether the terminal is at the other end of an SSH line."""
    return bool(environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"))


def interval_for(environ: Mapping[str, str]) -> float:
    """Return the seconds between two beats for the terminal that `environ` tells of."""
    return REMOTE_INTERVAL if is_remote(environ) else LOCAL_INTERVAL


def clock_step_for(environ: Mapping[str, str]) -> float:
    """Return the seconds by which running clocks advance for the terminal that `environ` tells of."""
    return REMOTE_CLOCK_STEP if is_remote(environ) else 1.0


def on_the_loop(delay: float, beat: Callable[[], None]) -> Cancel:
    """Run `beat` once on the running event loop after `delay` seconds; the answer cancels it."""
    return asyncio.get_running_loop().call_later(delay, beat).cancel


class Tick:
    """Gathers changed ids and calls every drawer once a beat; with nothing changed and nothing alive it has no timer.

    `alive` tells whether something on the screen changes by time alone. `monotonic` spaces the beats, `wall` is the
    time given to drawers, both in seconds. Drawers must not raise.
    """

    def __init__(
        self,
        *,
        interval: float,
        alive: Callable[[], bool],
        monotonic: Callable[[], float],
        wall: Callable[[], float],
        schedule: Schedule = on_the_loop,
    ) -> None:
        self._interval = interval
        self._alive = alive
        self._monotonic = monotonic
        self._wall = wall
        self._schedule = schedule
        self._drawers: list[Drawer] = []
        self._pending: set[int] = set()
        self._last = float("-inf")
        self._due = float("inf")
        self._cancel: Cancel | None = None

    @property
    def idle(self) -> bool:
        """Whether no beat is due."""
        return self._cancel is None

    def add(self, drawer: Drawer) -> None:
        """Call `drawer(changed ids, time)` at every beat, after those added before."""
        self._drawers.append(drawer)

    def changed(self, job_ids: Iterable[int] = ()) -> None:
        """Draw these jobs at the next beat; without ids, look again whether anything is alive."""
        self._pending.update(job_ids)
        self._plan(max(self._monotonic(), self._last + self._interval))

    def stop(self) -> None:
        """Cancel the beat that is due, if any."""
        if self._cancel is not None:
            self._cancel()
        self._cancel, self._due = None, float("inf")

    def _plan(self, at: float) -> None:
        if self._due <= at:
            return
        self.stop()
        self._due = at
        self._cancel = self._schedule(max(0.0, at - self._monotonic()), self._beat)

    def _beat(self) -> None:
        self._cancel, self._due = None, float("inf")
        self._last = self._monotonic()
        changed, self._pending = frozenset(self._pending), set()
        now = self._wall()
        for draw in self._drawers:
            draw(changed, now)
        if self._alive():
            self._plan(self._last + max(self._interval, CLOCK_INTERVAL))


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
