"""When to look at a job next: pure functions over its age, what was seen of it, and learned durations."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise

import msgspec

from eternal_tui.estimation.durations import DurationEstimator, DurationModel, JobKind
from eternal_tui.estimation.posterior import MixtureComponent, posterior
from eternal_tui.estimation.progress import Observation, ProgressCurve

__all__ = [
    "MAX_WAIT_SECONDS",
    "MIN_WAIT_SECONDS",
    "DurationEstimator",
    "DurationModel",
    "JobKind",
    "Observation",
    "backoff_seconds",
    "estimate_remaining",
    "next_poll",
    "resume_delay",
    "stalled_wait",
]

MIN_WAIT_SECONDS = 0.5
"""Seconds; never look sooner than this after a look."""

MAX_WAIT_SECONDS = 45.0
"""Seconds; a running job is looked at this often at least: an early failure is not missed for long."""

_MAX_AGE_SECONDS = 1e7
"""Seconds; ages beyond are taken for this one."""

_CANDIDATE_WAITS_SECONDS = (1.0, 1.9, 3.6, 6.8, 9.0, 13.0, 18.0, 24.0, 32.0)
"""Seconds; waits weighed beside those that the learned durations suggest, for jobs far beyond these."""

_MANY_POLLS = 12
"""Polls by choice that even an unlucky job hardly needs; each one more raises the least wait, so that none is a storm.
Those forced by `max_wait` do not count: they would make every wait `max_wait` after a minute of attention."""

_NEGLIGIBLE_LATENESS_COST = 0.5
"""Requests; what finding the end late can cost before the longest wait is over, below which that wait is not weighed
against shorter ones. A job in view is so all the time long before its end: with progress that nears its end ever more
slowly, a clip took 23 looks and was 2.7 seconds late where each was weighed, and takes 14 and 0.9."""

_LOOKAHEAD_POLLS = 3
"""Looks thought ahead where progress is reported."""

_FINE_STEP_LATENESS_FACTOR = 1.6
"""Where progress is reported, lateness counts this much more: looks are cheap there, their sum hardly grows
(measured by `tests/benchmarks/cadence_simulation.py`: 1 to 3 %), and lateness falls by a quarter."""

_COARSE_STEP_LATENESS_FACTOR = 4.5
"""The same where progress moves in steps of COARSE or more: between two steps nothing is told. For clips in
steps of 25 a look and a half more brings 2.1 seconds late to 1.3 (`tests/benchmarks/cadence_simulation.py`)."""

_NOISY_LATENESS_FACTOR = 2.6
"""The same where readings are noisy: the noise is taken to be about the job's true share of time, and a service whose
progress never falls reports the highest of many such readings. For such clips 0.8 looks more bring 1.7 seconds
late to 1.3 (`tests/benchmarks/cadence_simulation.py`)."""

COARSE_STEP_PERCENT = 20
"""Per cent."""

IMMEDIATE_RESUME_COUNT = 4
"""Jobs looked at as soon as the program starts: as many as there are polling workers."""

RESUMED_POLLS_PER_SECOND = 10.0
"""Looks a second at the rest of them."""


def next_poll(
    *,
    age: float,
    observations: Sequence[Observation],
    model: DurationModel,
    lateness_weight: float,
    max_wait: float = MAX_WAIT_SECONDS,
) -> float:
    """Return the seconds until the next look, between MIN_WAIT_SECONDS and `max_wait`, itself at most MAX_WAIT_SECONDS.

    `observations` are all looks at the job so far, oldest first. `lateness_weight` is what one second of finding the
    end late costs, in requests; 1 is the default.
    """
    max_wait = _clamp(max_wait, MIN_WAIT_SECONDS, MAX_WAIT_SECONDS)
    age = _clamp(age, 0.0, _MAX_AGE_SECONDS)
    lateness_weight = _clamp(lateness_weight, 0.01, 100.0)
    branches = posterior(age, observations, _clamp_model(model))
    if (
        max_wait < MAX_WAIT_SECONDS
        and lateness_weight * max_wait * _probability_ended(branches, age + max_wait) < _NEGLIGIBLE_LATENESS_COST
    ):
        return max_wait
    best = _best_poll_age(age, branches, lateness_weight, max_wait)
    chosen = sum(later.age - earlier.age < 0.99 * max_wait for earlier, later in pairwise(observations))
    least_wait = MIN_WAIT_SECONDS * 1.3 ** min(max(chosen - _MANY_POLLS, 0), 30)
    return _clamp(max(best - age, least_wait), MIN_WAIT_SECONDS, max_wait)


def _probability_ended(components: Sequence[MixtureComponent], age: float) -> float:
    """Return the chance that the job has ended by this age."""
    log = [math.log(max(age, 1e-3))]
    return sum(branch.weight * branch.end_probabilities([age], log)[0] for branch in components)


def _clamp_model(model: DurationModel) -> DurationModel:
    mu, sigma = _clamp(model.mu, -2.0, 10.0), _clamp(model.sigma, 0.05, 2.0)
    return model if (mu, sigma) == (model.mu, model.sigma) else msgspec.structs.replace(model, mu=mu, sigma=sigma)


def _best_poll_age(
    age: float, components: Sequence[MixtureComponent], lateness_weight: float, max_wait: float
) -> float:
    """Return the age to look at: least expected cost of this look, of finding the end late, and of what follows."""
    soonest, latest = age + MIN_WAIT_SECONDS, age + max_wait
    ages = _candidate_ages(age, components, latest)
    logs = [math.log(max(at, 1e-3)) for at in ages]
    reachable = bisect_right(ages, latest)
    costs = [0.0] * reachable
    unaided = [0.0] * len(ages)
    blank = sum(branch.weight for branch in components if branch.curve is None)
    ways: list[_Scenario] = []
    for branch in components:
        ended = branch.end_probabilities(ages, logs)
        if branch.curve is None:
            share = branch.weight / blank
            unaided = [sum_ + share * chance for sum_, chance in zip(unaided, ended, strict=True)]
        else:
            eager = lateness_weight * _lateness_factor(branch.curve)
            late = branch.expected_lateness(ages[:reachable], ended)
            ways.append(_Scenario(branch, branch.curve, eager, [1 - chance for chance in ended]))
            for i in range(reachable):
                # What follows a look that finds no end is one more look at least.
                costs[i] += branch.weight * (eager * late[i] + max(1 - ended[i], 0.0))
    if blank > 1e-3:
        for i, cost in enumerate(_costs_without_progress(ages, unaided, lateness_weight)[:reachable]):
            costs[i] += blank * cost
    best = (math.inf, 0.0)
    for least, i in sorted((cost, i) for i, cost in enumerate(costs) if ages[i] >= soonest):
        if round(least, 2) > best[0]:
            break
        best = min(best, (_total_cost(least, ways, i, ages[i], best[0] + 0.01), -ages[i]))
    return -best[1]


def _total_cost(
    base_cost: float, scenarios: Sequence[_Scenario], index: int, poll_age: float, cost_limit: float
) -> float:
    """Return what a candidate costs with all later polls, to two places; infinity beyond `cost_limit`."""
    for way in scenarios:
        base_cost += way.later_cost(index, poll_age)
        if base_cost > cost_limit:
            return math.inf
    return round(base_cost, 2)


def _lateness_factor(curve: ProgressCurve) -> float:
    if curve.noise:
        return _NOISY_LATENESS_FACTOR
    return _FINE_STEP_LATENESS_FACTOR if curve.step < COARSE_STEP_PERCENT else _COARSE_STEP_LATENESS_FACTOR


def _candidate_ages(age: float, components: Sequence[MixtureComponent], max_poll_age: float) -> list[float]:
    """Return the ages worth weighing, ascending from this one, none a hair beside another."""
    soonest = age + MIN_WAIT_SECONDS
    distinct = {(b.mu, b.sigma, b.min_end, b.max_end): b for b in reversed(components)}.values()
    near: list[float] = []
    far: list[float] = []
    for branch in distinct:
        worth = branch.candidate_ages()
        near += [min(max(at, soonest), max_poll_age) for at in worth]
        if branch.curve is None:
            far += [at for at in worth if at > max_poll_age]
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
    """Return, for a first look at each age, what lateness and all later looks cost where progress tells nothing."""
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
    """A branch whose progress goes on in a shape; `survival` are the chances that no end has come by each candidate."""

    component: MixtureComponent
    curve: ProgressCurve
    lateness_weight: float
    survival: list[float]

    def later_cost(self, index: int, poll_age: float) -> float:
        """Return what later looks cost beyond one, where the first is at this candidate."""
        left, branch = self.survival[index], self.component
        if left <= 1e-6:
            return 0.0
        bounded = branch.max_end < math.inf
        usual = (branch.min_end + branch.max_end) / 2 if bounded else math.exp(branch.mu)
        end = max(usual, poll_age if bounded else poll_age * (1 + branch.sigma / 2))
        width = max(branch.max_end - max(poll_age, branch.min_end), 0.0) if bounded else 3 * branch.sigma * end
        return (
            branch.weight
            * left
            * (_lookahead_cost(self.curve, poll_age / end, width / end, self.lateness_weight * end) - 1)
        )


def _lookahead_cost(curve: ProgressCurve, time_share: float, width: float, lateness_weight: float) -> float:
    """Return what it costs to find an end known within a width, once a look at this share told the progress.

    Shares and widths are of the job's whole time, which `lateness_weight` is the cost of finding the end late by.
    """
    reach, step, noise = curve.time_share, curve.step, curve.noise
    least = math.inf
    for looks in range(_LOOKAHEAD_POLLS):
        progress = min(bisect_right(reach, time_share), 100) - 1
        if noise:
            told = 3 * curve.time_stddev[progress] / max(time_share, 1e-6)
            width = width * told / math.sqrt(width * width + told * told)
        else:
            until = min(progress + step, 100)
            width = min(width, (reach[until] - reach[progress]) / max(time_share, 1e-6))
        cost = looks + _interval_search_cost(lateness_weight * width)
        if cost >= least or width > 0.8:
            return min(cost, least)
        least = cost
        time_share = max(time_share, 1 - 0.8 * width)
    return least


def _interval_search_cost(weighted_width: float) -> float:
    """Return the cost of finding an end that lies anywhere within this weighted width, with the best count of looks."""
    looks = max(1, round(math.sqrt(weighted_width)))
    return (looks + 1) / 2 + weighted_width / (2 * looks)


def estimate_remaining(*, age: float, observations: Sequence[Observation], model: DurationModel) -> float | None:
    """Return about how many seconds are left, for the screen; None when nothing sensible is known."""
    if not 0 <= age <= _MAX_AGE_SECONDS:
        return None
    model = _clamp_model(model)
    branches = posterior(age, observations, model)
    blank = sum(branch.weight for branch in branches if branch.curve is None)
    guessing = blank > 0.5 or not any(sighting.progress for sighting in observations)
    if guessing and (model.job_count == 0 or math.log(max(age, 1e-3)) > model.mu + 2 * model.sigma):
        return None
    ages = sorted({age, *(at for branch in branches for at in branch.candidate_ages())})

    def chance(at: float) -> float:
        return _probability_ended(branches, at)

    i = bisect_left(ages, 0.5, lo=1, key=chance)
    if i == len(ages):
        return None
    before, after = chance(ages[i - 1]), chance(ages[i])
    part = (0.5 - before) / max(after - before, 1e-9)
    return max(ages[i - 1] + part * (ages[i] - ages[i - 1]) - age, 0.0)


def stalled_wait(age: float) -> float:
    """Return the seconds between looks at a stalled job: 30 at half an hour of age, 120 from two hours on."""
    return _clamp(age / 60, 30.0, 120.0)


def resume_delay(index: int, total: int) -> float:
    """Return when to look first at the `index`-th of `total` jobs found unfinished at start, in seconds."""
    place = min(max(index, 0), max(total - 1, 0))
    return max(0, place - IMMEDIATE_RESUME_COUNT + 1) / RESUMED_POLLS_PER_SECOND


def backoff_seconds(failures: int) -> float:
    """Return the seconds to wait after that many looks in a row went wrong: 1, 2, 4 … 30."""
    return min(30.0, 2.0 ** min(max(failures - 1, 0), 5))


def _clamp(value: float, minimum: float, maximum: float) -> float:
    """Return `value` within bounds; what is not a number counts as the least."""
    return min(max(value, minimum), maximum) if value == value else minimum  # noqa: PLR0124 — NaN alone differs from itself
