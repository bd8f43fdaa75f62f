"""Times left, asked for seldom: an estimate costs several times what the line it stands on costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from eternal_tui.jobs.model import Job

AGAIN = 8.0
"""Seconds after which a job of which nothing new is known is estimated again; until then its time runs down."""

SPREAD = 7
"""Further seconds, by the id of the job, so that a screen of jobs is not estimated in one go again."""

AT_ONCE = 64
"""Estimates made in one drawing at most; lines beyond get theirs in the next."""

MOST_ESTIMATES = 512
"""Estimates remembered: several screens of them."""


class _Known(NamedTuple):
    """What was estimated for a snapshot, and when."""

    job: Job
    at: float
    left: float | None


class Estimates:
    """Remembers what `ask` says about the seconds a job still needs."""

    def __init__(self, ask: Callable[[Job], float | None]) -> None:
        self._ask = ask
        self._known: dict[int, _Known] = {}
        self._allowed = AT_ONCE

    def allow(self, count: int) -> None:
        """Let so many estimates be made from now on."""
        self._allowed = count

    def left(self, job: Job, now: float) -> float | None:
        """Return about how many seconds the job still needs; None when nothing is known, or not yet."""
        known = self._known.get(job.id)
        if (
            known is None or known.job is not job or not 0 <= now - known.at < AGAIN + job.id % SPREAD
        ) and self._allowed > 0:
            self._allowed -= 1
            if len(self._known) >= MOST_ESTIMATES:
                self._known.clear()
            known = self._known[job.id] = _Known(job, now, self._ask(job))
        if known is None or known.left is None:
            return None
        return max(0.0, known.left - max(0.0, now - known.at))
