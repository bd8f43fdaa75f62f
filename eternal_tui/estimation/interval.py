"""Poll intervals: pure functions of a job's age, its observations and learned durations."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from eternal_tui.estimation.durations import DurationModel
from eternal_tui.estimation.posterior import MixtureComponent, end_probabilities, posterior
from eternal_tui.estimation.progress import Observation, ProgressCurve

MIN_WAIT_SECONDS = 0.5
"""Least seconds between two polls."""

MAX_WAIT_SECONDS = 45.0
"""Most seconds between two polls of a running job, so that an early failure is found."""

_MAX_AGE_SECONDS = 1e6
"""Seconds; larger ages are clamped."""

_CANDIDATE_WAITS_SECONDS = (1.0, 1.9, 3.6, 6.8, 9.0, 13.0, 18.0, 24.0, 32.0)
"""Seconds; candidates besides those from learned durations, for jobs that take much longer."""

_MANY_POLLS = 12
"""Polls that hardly any job needs; each further one raises the least wait. Those forced by `max_wait` do not count:
else every wait would be `max_wait` after a minute of attention."""

_NEGLIGIBLE_LATENESS_COST = 0.5
"""Requests; where lateness within `max_wait` costs less than this, `max_wait` is taken without weighing shorter waits,
as for a visible job long before its end. With slowing progress a video then takes 14 polls and is 0.9 s late, instead
of 23 and 2.7."""

_FINE_STEP_LATENESS_FACTOR, _COARSE_STEP_LATENESS_FACTOR = 8.0, 4.0
"""Weight of lateness where progress is reported, for steps below and from COARSE_STEP_PERCENT on: each poll then also
narrows the time of the end, which the costs below leave out. Without it images with linear progress take 1.7 polls
instead of 2.1 and are found 0.84 s late instead of 0.24 (`tests/benchmarks/cadence_simulation.py`)."""

_EQUAL_COST = 0.03
"""Requests; of candidates whose costs differ by less, the latest is taken."""

COARSE_STEP_PERCENT = 20
"""Per cent."""

IMMEDIATE_RESUME_COUNT = 4
"""Jobs polled at once after a start: the number of polling workers."""

RESUMED_POLLS_PER_SECOND = 10.0
"""Polls per second for the rest."""


def next_poll(
    *,
    age: float,
    observations: Sequence[Observation],
    model: DurationModel,
    lateness_weight: float,
    max_wait: float = MAX_WAIT_SECONDS,
) -> float:
    """Return the seconds until the next poll, from MIN_WAIT_SECONDS to `max_wait` (at most MAX_WAIT_SECONDS).

    `observations` are those of all polls, oldest first. `lateness_weight` is the cost, in requests, of finding the end
    one second late.
    """
    max_wait = _clamp(max_wait, MIN_WAIT_SECONDS, MAX_WAIT_SECONDS)
    age = _clamp(age, 0.0, _MAX_AGE_SECONDS)
    components = posterior(age, observations, model)
    p_ended = end_probabilities(components, [age + max_wait])[0]
    if max_wait < MAX_WAIT_SECONDS and lateness_weight * max_wait * p_ended < _NEGLIGIBLE_LATENESS_COST:
        return max_wait
    best = _best_poll_age(age, components, lateness_weight, max_wait)
    chosen = sum(later.age - earlier.age < 0.99 * max_wait for earlier, later in pairwise(observations))
    least_wait = MIN_WAIT_SECONDS * 1.3 ** min(max(chosen - _MANY_POLLS, 0), 30)
    return _clamp(max(best - age, least_wait), MIN_WAIT_SECONDS, max_wait)


def _best_poll_age(
    age: float, components: Sequence[MixtureComponent], lateness_weight: float, max_wait: float
) -> float:
    """Return the age at which a poll costs least: the poll, the expected lateness, and the polls after it."""
    ages = _candidate_ages(age, components, age + max_wait)
    ended = end_probabilities(components, ages)
    lateness_weight *= sum(each.weight * _lateness_factor(each.curve) for each in components)
    late = [0.0]
    for (at, p), (to, q) in pairwise(zip(ages, ended, strict=True)):
        late.append(late[-1] + (p + q) / 2 * (to - at))
    ahead = [0.0] * len(ages)
    ahead[-1] = 2 * (1 - ended[-1])
    for i in range(len(ages) - 2, -1, -1):
        base = late[i] - ended[i] * ages[i]
        least = min(lateness_weight * (late[j] - base - ended[i] * ages[j]) + ahead[j] for j in range(i + 1, len(ages)))
        ahead[i] = 1 - ended[i] + least
    reachable = (i for i, at in enumerate(ages) if age + MIN_WAIT_SECONDS <= at <= age + max_wait)
    return max((-round((lateness_weight * late[i] + ahead[i]) / _EQUAL_COST), ages[i]) for i in reachable)[1]


def _lateness_factor(curve: ProgressCurve | None) -> float:
    if curve is None:
        return 1.0
    return _FINE_STEP_LATENESS_FACTOR if curve.step < COARSE_STEP_PERCENT else _COARSE_STEP_LATENESS_FACTOR


def _candidate_ages(age: float, components: Sequence[MixtureComponent], max_poll_age: float) -> list[float]:
    """Return candidate ages, ascending from this one, without near-equal ones."""
    soonest = age + MIN_WAIT_SECONDS
    candidates = [age]
    for at in sorted(
        {
            soonest,
            max_poll_age,
            *(age + wait for wait in _CANDIDATE_WAITS_SECONDS if age + wait < max_poll_age),
            *(max(at, soonest) for each in components for at in each.candidate_ages()),
        }
    ):
        if at - candidates[-1] > 0.0005 * at or at == max_poll_age:
            candidates.append(at)
    return candidates


def estimate_remaining(*, age: float, observations: Sequence[Observation], model: DurationModel) -> float | None:
    """Return the median of the remaining seconds, None while there is no usable estimate."""
    if not 0 <= age <= _MAX_AGE_SECONDS:
        return None
    components = posterior(age, observations, model)
    p_uninformative = sum(each.weight for each in components if each.curve is None)
    is_guess = p_uninformative > 0.5 or not any(each.progress for each in observations)
    if is_guess and (model.job_count == 0 or math.log(max(age, 1e-3)) > model.mu + 2 * model.sigma):
        return None
    ages = sorted({age, *(at for each in components for at in each.candidate_ages())})
    ended = end_probabilities(components, ages)
    i = bisect_left(ended, 0.5, lo=1)
    if i == len(ages):
        return None
    part = (0.5 - ended[i - 1]) / max(ended[i] - ended[i - 1], 1e-9)
    return max(ages[i - 1] + part * (ages[i] - ages[i - 1]) - age, 0.0)


def stalled_wait(age: float) -> float:
    """Return the seconds between polls of a stalled job: 30 at half an hour of age, 120 from two hours on."""
    return _clamp(age / 60, 30.0, 120.0)


def resume_delay(index: int, total: int) -> float:
    """Return the seconds until the first poll of the `index`-th of `total` jobs that are unfinished at start."""
    place = min(max(index, 0), max(total - 1, 0))
    return max(0, place - IMMEDIATE_RESUME_COUNT + 1) / RESUMED_POLLS_PER_SECOND


def backoff_seconds(failures: int) -> float:
    """Return the seconds to wait after that many failures in a row: 1, 2, 4 … 30."""
    return min(30.0, 2.0 ** min(max(failures - 1, 0), 5))


def _clamp(value: float, minimum: float, maximum: float) -> float:
    """Return `value` within bounds; NaN becomes the minimum."""
    return min(max(value, minimum), maximum) if value == value else minimum  # noqa: PLR0124 — NaN alone differs from itself
