"""Posterior distribution of a job's end time, as a mixture over progress curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
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

_MIN_COMPONENT_WEIGHT = 0.004
_MAX_COMPONENTS = 5
"""Components kept: a decision takes well under a millisecond."""

_WIDE_PRIOR_WEIGHT = 0.04
"""Weight of a wide prior, for jobs whose duration is unlike the learned one."""

_QUANTILES = (0.02, 0.06, 0.12, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.88, 0.94, 0.98, 0.995)
_UNIFORM_STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)
_INVERSE_NORMAL_CDF = NormalDist().inv_cdf
_SQRT_2 = math.sqrt(2)


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
    return 0.5 * math.erfc((math.log(age) - mu) / (sigma * _SQRT_2))


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
    low = math.log(min_end) if min_end > 0 else -math.inf
    high = math.log(max_end)
    masses = []
    for share, mu, sigma in priors:
        scale = 1 / (sigma * _SQRT_2)
        masses.append((share * 0.5 * (math.erfc((low - mu) * scale) - math.erfc((high - mu) * scale)), mu, sigma))
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
