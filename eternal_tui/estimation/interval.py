"""Poll intervals: pure functions of a job's age, its observations and learned durations."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise

import msgspec

from eternal_tui.estimation.durations import DurationModel
from eternal_tui.estimation.posterior import MixtureComponent, posterior
from eternal_tui.estimation.progress import Observation, ProgressCurve

MIN_WAIT_SECONDS = 0.5
"""Least seconds between two polls."""

MAX_WAIT_SECONDS = 45.0
"""Most seconds between two polls of a running job, so that an early failure is found."""

_MAX_AGE_SECONDS = 1e7
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

_LOOKAHEAD_POLLS = 3
"""Polls to look ahead where progress is reported."""

_FINE_STEP_LATENESS_FACTOR = 1.6
"""Weight of lateness where progress is reported: the number of polls grows by 1 to 3 %, lateness falls by a quarter
(`tests/benchmarks/cadence_simulation.py`)."""

_COARSE_STEP_LATENESS_FACTOR = 4.5
"""The same for steps of COARSE_STEP_PERCENT or more, which say nothing between two steps. For videos in steps of 25,
1.5 more polls reduce lateness from 2.1 to 1.3 s (`tests/benchmarks/cadence_simulation.py`)."""

_NOISY_LATENESS_FACTOR = 2.6
"""The same for noisy readings: noise is modelled around the true share, but progress that never falls is the highest
of many readings. For such videos 0.8 more polls reduce lateness from 1.7 to 1.3 s
(`tests/benchmarks/cadence_simulation.py`)."""

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
    lateness_weight = _clamp(lateness_weight, 0.01, 100.0)
    components = posterior(age, observations, _clamp_model(model))
    if (
        max_wait < MAX_WAIT_SECONDS
        and lateness_weight * max_wait * _probability_ended(components, age + max_wait) < _NEGLIGIBLE_LATENESS_COST
    ):
        return max_wait
    best = _best_poll_age(age, components, lateness_weight, max_wait)
    chosen = sum(later.age - earlier.age < 0.99 * max_wait for earlier, later in pairwise(observations))
    least_wait = MIN_WAIT_SECONDS * 1.3 ** min(max(chosen - _MANY_POLLS, 0), 30)
    return _clamp(max(best - age, least_wait), MIN_WAIT_SECONDS, max_wait)


def _probability_ended(components: Sequence[MixtureComponent], age: float) -> float:
    """Return the probability that the job has ended by this age."""
    log = [math.log(max(age, 1e-3))]
    return sum(each.weight * each.end_probabilities([age], log)[0] for each in components)


def _clamp_model(model: DurationModel) -> DurationModel:
    mu, sigma = _clamp(model.mu, -2.0, 10.0), _clamp(model.sigma, 0.05, 2.0)
    return model if (mu, sigma) == (model.mu, model.sigma) else msgspec.structs.replace(model, mu=mu, sigma=sigma)


def _best_poll_age(
    age: float, components: Sequence[MixtureComponent], lateness_weight: float, max_wait: float
) -> float:
    """Return the age at which a poll costs least: the poll, the expected lateness, and the polls after it."""
    soonest, latest = age + MIN_WAIT_SECONDS, age + max_wait
    ages = _candidate_ages(age, components, latest)
    logs = [math.log(max(at, 1e-3)) for at in ages]
    reachable = bisect_right(ages, latest)
    costs = [0.0] * reachable
    without_progress = [0.0] * len(ages)
    p_uninformative = sum(each.weight for each in components if each.curve is None)
    scenarios: list[_Scenario] = []
    for component in components:
        ended = component.end_probabilities(ages, logs)
        if component.curve is None:
            share = component.weight / p_uninformative
            without_progress = [total + share * p for total, p in zip(without_progress, ended, strict=True)]
        else:
            weight = lateness_weight * _lateness_factor(component.curve)
            late = component.expected_lateness(ages[:reachable], ended)
            scenarios.append(_Scenario(component, component.curve, weight, [1 - p for p in ended]))
            for i in range(reachable):
                # A poll that finds no end is followed by at least one more.
                costs[i] += component.weight * (weight * late[i] + max(1 - ended[i], 0.0))
    if p_uninformative > 1e-3:
        for i, cost in enumerate(_costs_without_progress(ages, without_progress, lateness_weight)[:reachable]):
            costs[i] += p_uninformative * cost
    best = (math.inf, 0.0)
    for least, i in sorted((cost, i) for i, cost in enumerate(costs) if ages[i] >= soonest):
        if round(least, 2) > best[0]:
            break
        best = min(best, (_total_cost(least, scenarios, i, ages[i], best[0] + 0.01), -ages[i]))
    return -best[1]


def _total_cost(
    base_cost: float, scenarios: Sequence[_Scenario], index: int, poll_age: float, cost_limit: float
) -> float:
    """Return the cost of a candidate with all later polls, to two places; infinity above `cost_limit`."""
    for scenario in scenarios:
        base_cost += scenario.later_cost(index, poll_age)
        if base_cost > cost_limit:
            return math.inf
    return round(base_cost, 2)


def _lateness_factor(curve: ProgressCurve) -> float:
    if curve.noise:
        return _NOISY_LATENESS_FACTOR
    return _FINE_STEP_LATENESS_FACTOR if curve.step < COARSE_STEP_PERCENT else _COARSE_STEP_LATENESS_FACTOR


def _candidate_ages(age: float, components: Sequence[MixtureComponent], max_poll_age: float) -> list[float]:
    """Return candidate ages, ascending from this one, near-equal ones merged."""
    soonest = age + MIN_WAIT_SECONDS
    distinct = {(b.mu, b.sigma, b.min_end, b.max_end): b for b in reversed(components)}.values()
    near: list[float] = []
    far: list[float] = []
    for component in distinct:
        quantiles = component.candidate_ages()
        near += [min(max(at, soonest), max_poll_age) for at in quantiles]
        if component.curve is None:
            far += [at for at in quantiles if at > max_poll_age]
    candidates = [age, soonest]
    for at in sorted(
        [*near, *(age + wait for wait in _CANDIDATE_WAITS_SECONDS if age + wait < max_poll_age), max_poll_age, *far]
    ):
        if at - candidates[-1] > 0.0005 * at:
            candidates.append(at)
        elif at > soonest and len(candidates) > 2:
            candidates[-1] = at if at <= max_poll_age or candidates[-1] > max_poll_age else candidates[-1]
    return candidates


def _costs_without_progress(
    ages: Sequence[float], end_probabilities: Sequence[float], lateness_weight: float
) -> list[float]:
    """Return, for a first poll at each age, the cost of lateness and of all later polls without usable progress."""
    last = len(ages) - 1
    late = [0.0] * (last + 1)
    for i in range(1, last + 1):
        late[i] = late[i - 1] + (end_probabilities[i - 1] + end_probabilities[i]) / 2 * (ages[i] - ages[i - 1])
    ahead = [0.0] * (last + 1)
    ahead[last] = 2 * (1 - end_probabilities[last])
    for i in range(last - 1, -1, -1):
        least = math.inf
        base, at, chance = late[i], ages[i], end_probabilities[i]
        for j in range(i + 1, last + 1):
            cost = lateness_weight * (late[j] - base - chance * (ages[j] - at)) + ahead[j]
            if cost < least:
                least = cost
            elif cost > 1.2 * least + 0.2:
                break
        ahead[i] = (1 - chance) + least
    return [lateness_weight * late[i] + ahead[i] for i in range(last + 1)]


class _Scenario(msgspec.Struct, frozen=True, gc=False):
    """A component with a curve; `survival` are the probabilities that the job runs beyond each candidate age."""

    component: MixtureComponent
    curve: ProgressCurve
    lateness_weight: float
    survival: list[float]

    def later_cost(self, index: int, poll_age: float) -> float:
        """Return the cost of later polls beyond the first, after a poll at this candidate."""
        left, component = self.survival[index], self.component
        if left <= 1e-6:
            return 0.0
        if component.max_end < math.inf:
            end = max((component.min_end + component.max_end) / 2, poll_age)
            width = max(component.max_end - max(poll_age, component.min_end), 0.0)
        else:
            end = max(math.exp(component.mu), poll_age * (1 + component.sigma / 2))
            width = 3 * component.sigma * end
        cost = _lookahead_cost(self.curve, poll_age / end, width / end, self.lateness_weight * end)
        return component.weight * left * (cost - 1)


def _lookahead_cost(curve: ProgressCurve, time_share: float, width: float, lateness_weight: float) -> float:
    """Return the cost of finding an end known within a width, after a poll at this share of time.

    Shares and widths are relative to the job's whole time; `lateness_weight` is the cost of being late by all of it.
    """
    time_shares, step, noise = curve.time_share, curve.step, curve.noise
    least = math.inf
    for polls in range(_LOOKAHEAD_POLLS):
        progress = min(bisect_right(time_shares, time_share), 100) - 1
        if noise:
            measured = 3 * curve.time_stddev[progress] / max(time_share, 1e-6)
            width = width * measured / math.sqrt(width * width + measured * measured)
        else:
            until = min(progress + step, 100)
            width = min(width, (time_shares[until] - time_shares[progress]) / max(time_share, 1e-6))
        cost = polls + _interval_search_cost(lateness_weight * width)
        if cost >= least or width > 0.8:
            return min(cost, least)
        least = cost
        time_share = max(time_share, 1 - 0.8 * width)
    return least


def _interval_search_cost(weighted_width: float) -> float:
    """Return the cost of finding an end uniform within this weighted width, with the best number of polls."""
    polls = max(1, round(math.sqrt(weighted_width)))
    return (polls + 1) / 2 + weighted_width / (2 * polls)


def estimate_remaining(*, age: float, observations: Sequence[Observation], model: DurationModel) -> float | None:
    """Return the median of the remaining seconds, None while there is no usable estimate."""
    if not 0 <= age <= _MAX_AGE_SECONDS:
        return None
    model = _clamp_model(model)
    components = posterior(age, observations, model)
    p_uninformative = sum(each.weight for each in components if each.curve is None)
    is_guess = p_uninformative > 0.5 or not any(each.progress for each in observations)
    if is_guess and (model.job_count == 0 or math.log(max(age, 1e-3)) > model.mu + 2 * model.sigma):
        return None
    ages = sorted({age, *(at for each in components for at in each.candidate_ages())})

    def probability(at: float) -> float:
        return _probability_ended(components, at)

    i = bisect_left(ages, 0.5, lo=1, key=probability)
    if i == len(ages):
        return None
    before, after = probability(ages[i - 1]), probability(ages[i])
    part = (0.5 - before) / max(after - before, 1e-9)
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
