"""When to look at a job next: pure functions over its age, what was seen of it, and learned durations."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from eternal_tui.jobs.durations import DurationModel, Durations, Kind

__all__ = [
    "MAX_WAIT",
    "MIN_WAIT",
    "DurationModel",
    "Durations",
    "Kind",
    "Sighting",
    "about_left",
    "backoff",
    "next_poll",
    "resume_delay",
    "stalled_wait",
]

MIN_WAIT = 0.5
"""Seconds; never look sooner than this after a look."""

MAX_WAIT = 45.0
"""Seconds; a running job is looked at this often at least: an early failure is not missed for long."""

RESUME_AT_ONCE = 4
"""Jobs looked at as soon as the program starts: as many as there are polling workers."""

RESUME_PER_SECOND = 10.0
"""Looks a second at the rest of them."""


class Sighting(msgspec.Struct, frozen=True):
    """What one look found: seconds since submit, and the service's whole per cent, if it said any."""

    at: float
    progress: int | None = None


def next_poll(*, age: float, sightings: Sequence[Sighting], model: DurationModel, weight: float) -> float:
    """Return the seconds until the next look, between MIN_WAIT and MAX_WAIT.

    `weight` is what one second of finding the end late costs, in requests; 1 is the default.
    """
    age = _clamped(age, 0.0, 1e7)
    weight = _clamped(weight, 0.01, 100.0)
    del sightings
    at = age
    share = 0.0
    while at - age < MAX_WAIT and share < 1:
        share += 0.25 * math.sqrt(weight * _hazard(at, model) / 2)
        at += 0.25
    return _clamped(at - age, MIN_WAIT, MAX_WAIT)


def _hazard(at: float, model: DurationModel) -> float:
    sigma = max(model.sigma, 0.1)
    z = (math.log(max(at, 0.01)) - model.mu) / sigma
    if z > 3:
        return z / sigma / at
    survival = 0.5 * math.erfc(z / math.sqrt(2))
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi) / (sigma * max(at, 0.01)) / survival


def about_left(*, age: float, sightings: Sequence[Sighting], model: DurationModel) -> float | None:
    """Return about how many seconds are left, for the screen; None when nothing sensible is known."""
    del sightings
    if model.n == 0 or not math.isfinite(age):
        return None
    left = model.median - age
    return left if left > 0 else None


def stalled_wait(age: float) -> float:
    """Return the seconds between looks at a stalled job: 30 at half an hour of age, 120 from two hours on."""
    return _clamped(age / 60, 30.0, 120.0)


def resume_delay(index: int, total: int) -> float:
    """Return when to look first at the `index`-th of `total` jobs found unfinished at start, in seconds."""
    place = min(max(index, 0), max(total - 1, 0))
    return max(0, place - RESUME_AT_ONCE + 1) / RESUME_PER_SECOND


def backoff(failures: int) -> float:
    """Return the seconds to wait after that many looks in a row went wrong: 1, 2, 4 … 30."""
    return min(30.0, 2.0 ** min(max(failures - 1, 0), 5))


def _clamped(value: float, least: float, most: float) -> float:
    """Return `value` within bounds; what is not a number counts as the least."""
    return min(max(value, least), most) if value == value else least  # noqa: PLR0124 — NaN alone differs from itself
