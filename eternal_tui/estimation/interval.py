"""Poll intervals: the distribution of the end of a job by its age and observations, and the poll that costs least."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from statistics import NormalDist

import msgspec

from eternal_tui.estimation.durations import DurationModel
from eternal_tui.estimation.progress import (
    OUTLIER_PROBABILITY,
    Observation,
    ProgressCurve,
    SpeedFit,
    curve_library,
    end_bounds,
    fit_speed,
    informative,
    split_readings,
    uninformative_likelihood,
)

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

_FINE_STEP_LATENESS_FACTOR, _COARSE_STEP_LATENESS_FACTOR = 8.0, 4.0
"""Weight of lateness where progress is reported, for steps below and from COARSE_STEP_PERCENT on: each poll then also
narrows the time of the end, which the costs below leave out. Without it images with linear progress take 1.7 polls
instead of 2.1 and are found 0.84 s late instead of 0.24 (`tests/benchmarks/cadence_simulation.py`)."""

_EQUAL_COST = 0.03
"""Requests; of candidates whose costs differ by less, the latest is chosen."""

COARSE_STEP_PERCENT = 20
"""Per cent."""

IMMEDIATE_RESUME_COUNT = 4
"""Jobs polled at once after a start: the number of polling workers."""

RESUMED_POLLS_PER_SECOND = 10.0
"""Polls per second for the rest."""

_MIN_COMPONENT_WEIGHT = 0.004
_MAX_COMPONENTS = 5
"""Components kept: a decision takes well under a millisecond."""

_WIDE_PRIOR_WEIGHT = 0.04
"""Weight of a wide prior, for jobs whose duration is unlike the learned one."""

_QUANTILES = (0.02, 0.06, 0.12, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.88, 0.94, 0.98, 0.995)
_UNIFORM_STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)
_INVERSE_NORMAL_CDF = NormalDist().inv_cdf


class MixtureComponent(msgspec.Struct, frozen=True, gc=False):
    """One component: the end is lognormal, truncated to the ages from `min_end` to `max_end`.

    `curve` is the progress curve, None where progress is uninformative.
    """

    weight: float
    mu: float
    sigma: float
    min_end: float
    max_end: float
    curve: ProgressCurve | None = None

    def is_uniform(self) -> bool:
        """Whether the end is treated as uniform between the two ages."""
        return self.max_end < 1.05 * self.min_end

    def candidate_ages(self) -> list[float]:
        """Return ages at quantiles of the end time: candidates for the next poll."""
        if self.is_uniform():
            return [self.min_end + (self.max_end - self.min_end) * step for step in _UNIFORM_STEPS]
        first, last = self._tail_probabilities()
        ages = [
            math.exp(self.mu - self.sigma * _INVERSE_NORMAL_CDF(max(first + (last - first) * q, 1e-300)))
            for q in _QUANTILES
        ]
        return [self.min_end, *ages, self.max_end] if self.max_end < math.inf else [self.min_end, *ages]

    def end_probability(self, age: float) -> float:
        """Return the probability of having ended by this age."""
        if self.is_uniform():
            part = (age - self.min_end) / (self.max_end - self.min_end)
        else:
            first, last = self._tail_probabilities()
            part = (first - lognormal_survival(age, self.mu, self.sigma)) / (first - last)
        return min(max(part, 0.0), 1.0)

    def _tail_probabilities(self) -> tuple[float, float]:
        first = lognormal_survival(self.min_end, self.mu, self.sigma)
        last = lognormal_survival(self.max_end, self.mu, self.sigma)
        return (first, last) if first > last else (1.0, 0.0)


def end_probabilities(components: Sequence[MixtureComponent], ages: Sequence[float]) -> list[float]:
    """Return the probability of having ended by each of these ages."""
    return [sum(each.weight * each.end_probability(age) for each in components) for age in ages]


def lognormal_survival(age: float, mu: float, sigma: float) -> float:
    """Return the probability that a lognormal duration exceeds this age."""
    if age <= 0:
        return 1.0
    if age == math.inf:
        return 0.0
    return 0.5 * math.erfc((math.log(age) - mu) / (sigma * math.sqrt(2)))


def posterior(age: float, observations: Sequence[Observation], model: DurationModel) -> list[MixtureComponent]:
    """Return the components, weights summing to 1, those without a curve first."""
    usable = informative(observations, age + 1)
    progress, readings, p_missing = split_readings(usable)
    priors = (
        (1 - _WIDE_PRIOR_WEIGHT, model.mu, model.sigma),
        (_WIDE_PRIOR_WEIGHT, model.mu, max(2.5 * model.sigma, 0.9)),
    )
    p_uninformative = uninformative_likelihood(progress, model.curve_weights)
    prior_components = [
        MixtureComponent(p_uninformative * share * lognormal_survival(age, mu, sigma), mu, sigma, age, math.inf)
        for share, mu, sigma in priors
    ]
    curve_components = [
        _curve_component(curve, weight * p_missing, readings, age, priors)
        for curve, weight in zip(curve_library(), model.curve_weights[2:], strict=True)
        if weight > 0
    ]
    return _prune_components(prior_components, curve_components, age)


_Priors = tuple[tuple[float, float, float], ...]
"""Weight, mean and standard deviation of ln(seconds) of each prior."""


def _curve_component(
    curve: ProgressCurve, weight: float, readings: Sequence[tuple[float, int]], age: float, priors: _Priors
) -> MixtureComponent:
    min_end, max_end = age, math.inf
    if not curve.noise:
        min_end, max_end, outliers = end_bounds(curve, readings, age, math.inf)
        weight *= OUTLIER_PROBABILITY**outliers
    elif readings:
        fit = fit_speed(curve, readings)
        weight *= fit.likelihood
        if fit.speed >= 3 * fit.stddev:
            return _fitted_component(curve, weight, fit, age, priors)
        min_end = max(age, 1 / (fit.speed + 2 * fit.stddev))
    masses = [
        (share * (lognormal_survival(min_end, mu, sigma) - lognormal_survival(max_end, mu, sigma)), mu, sigma)
        for share, mu, sigma in priors
    ]
    return _likeliest(masses, weight, min_end, max_end, curve)


def _fitted_component(
    curve: ProgressCurve, weight: float, fit: SpeedFit, age: float, priors: _Priors
) -> MixtureComponent:
    """Return the component of a noisy curve whose speed is known: the product of two lognormal distributions."""
    centre, variance = -math.log(fit.speed), (fit.stddev / fit.speed) ** 2
    masses = []
    for share, mu, sigma in priors:
        both = sigma * sigma + variance
        mean = (mu * variance + centre * sigma * sigma) / both
        spread = math.sqrt(sigma * sigma * variance / both)
        mass = share * math.sqrt(variance / both) * math.exp(-((centre - mu) ** 2) / (2 * both))
        masses.append((mass * lognormal_survival(age, mean, spread), mean, spread))
    return _likeliest(masses, weight, age, math.inf, curve)


def _likeliest(
    masses: Sequence[tuple[float, float, float]], weight: float, min_end: float, max_end: float, curve: ProgressCurve
) -> MixtureComponent:
    """Return a component with the mass of all and the shape of the likeliest."""
    _, mu, sigma = max(masses)
    return MixtureComponent(weight * sum(mass for mass, _, _ in masses), mu, sigma, min_end, max_end, curve)


def _prune_components(
    prior_components: list[MixtureComponent], curve_components: list[MixtureComponent], age: float
) -> list[MixtureComponent]:
    total = sum(each.weight for each in (*prior_components, *curve_components))
    if not total > 1e-290:
        return [MixtureComponent(1.0, math.log(max(age, 1.0)), 1.0, age, math.inf)]
    strongest = sorted(curve_components, key=lambda each: -each.weight)[:_MAX_COMPONENTS]
    kept = [each for each in (*prior_components, *strongest) if each.weight > _MIN_COMPONENT_WEIGHT * total]
    total = sum(each.weight for each in kept)
    return [msgspec.structs.replace(each, weight=each.weight / total) for each in kept]


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


def resume_delay(index: int) -> float:
    """Return the seconds until the first poll of the `index`-th of the jobs that are unfinished at start."""
    return max(0, index - IMMEDIATE_RESUME_COUNT + 1) / RESUMED_POLLS_PER_SECOND


def backoff_seconds(failures: int) -> float:
    """Return the seconds to wait after that many failures in a row: 1, 2, 4 … 30."""
    return min(30.0, 2.0 ** min(max(failures - 1, 0), 5))


def _clamp(value: float, minimum: float, maximum: float) -> float:
    return min(max(value, minimum), maximum)
