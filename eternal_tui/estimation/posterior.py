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
    end_bounds,
    fit_speed,
    informative,
    uninformative_likelihood,
    usable_progress,
)

_MIN_COMPONENT_WEIGHT = 0.004
_MAX_COMPONENTS = 5
"""Components kept: a decision takes well under a millisecond."""

_WIDE_PRIOR_WEIGHT = 0.04
"""Weight of a wide prior, for jobs whose duration is unlike the learned one."""

_QUANTILES = (0.02, 0.06, 0.12, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.88, 0.94, 0.98, 0.995)
_COARSE_QUANTILES = (0.03, 0.1, 0.22, 0.4, 0.6, 0.8, 0.93, 0.99)
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
        quantiles = _QUANTILES if self.curve is None else _COARSE_QUANTILES
        ages = [
            math.exp(self.mu - self.sigma * _INVERSE_NORMAL_CDF(max(first + (last - first) * q, 1e-300)))
            for q in quantiles
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
    progress = [usable_progress(each) for each in usable]
    readings = [(each.age, known) for each, known in zip(usable, progress, strict=True) if known is not None]
    p_missing = OUTLIER_PROBABILITY ** (len(progress) - len(readings))
    usual_prior = (1 - _WIDE_PRIOR_WEIGHT, model.mu, model.sigma)
    wide_prior = (_WIDE_PRIOR_WEIGHT, model.mu, max(2.5 * model.sigma, 0.9))
    p_uninformative = uninformative_likelihood(progress, model.curve_weights)
    prior_components = [
        MixtureComponent(p_uninformative * share * lognormal_survival(age, mu, sigma), mu, sigma, age, math.inf)
        for share, mu, sigma in (usual_prior, wide_prior)
    ]
    curve_components = [
        _curve_component(curve, weight * p_missing, readings, age, usual_prior, wide_prior)
        for curve, weight in model.weighted_curves()
    ]
    return _prune_components(prior_components, curve_components, age)


_Prior = tuple[float, float, float]


def _curve_component(
    curve: ProgressCurve,
    weight: float,
    readings: Sequence[tuple[float, int]],
    age: float,
    usual_prior: _Prior,
    wide_prior: _Prior,
) -> MixtureComponent:
    if not curve.noise:
        min_end, max_end, outliers = end_bounds(curve, readings, age, math.inf)
        weight *= OUTLIER_PROBABILITY**outliers
        return _truncated_component(curve, weight, min_end, max_end, usual_prior, wide_prior)
    if not readings:
        return _truncated_component(curve, weight, age, math.inf, usual_prior, wide_prior)
    fit = fit_speed(curve, readings)
    weight *= fit.likelihood
    if fit.speed < 3 * fit.stddev:
        min_end = max(age, 1 / (fit.speed + 2 * fit.stddev))
        return _truncated_component(curve, weight, min_end, math.inf, usual_prior, wide_prior)
    centre, variance = -math.log(fit.speed), (fit.stddev / fit.speed) ** 2
    best = (0.0, centre, 1.0)
    total = 0.0
    for share, mu, sigma in (usual_prior, wide_prior):
        both = sigma * sigma + variance
        mean = (mu * variance + centre * sigma * sigma) / both
        spread = math.sqrt(sigma * sigma * variance / both)
        mass = share * math.sqrt(variance / both) * math.exp(-((centre - mu) ** 2) / (2 * both))
        mass *= lognormal_survival(age, mean, spread)
        total += mass
        best = max(best, (mass, mean, spread))
    return MixtureComponent(weight * total, best[1], best[2], age, math.inf, curve)


def _truncated_component(
    curve: ProgressCurve, weight: float, min_end: float, max_end: float, usual_prior: _Prior, wide_prior: _Prior
) -> MixtureComponent:
    low = math.log(min_end) if min_end > 0 else -math.inf
    high = math.log(max_end)
    total = 0.0
    best = (-1.0, 0.0, 0.0)
    for share, mu, sigma in (usual_prior, wide_prior):
        scale = 1 / (sigma * _SQRT_2)
        mass = share * 0.5 * (math.erfc((low - mu) * scale) - math.erfc((high - mu) * scale))
        total += mass
        best = max(best, (mass, mu, sigma))
    return MixtureComponent(weight * total, best[1], best[2], min_end, max_end, curve)


def _prune_components(
    prior_components: list[MixtureComponent], curve_components: list[MixtureComponent], age: float
) -> list[MixtureComponent]:
    total = sum(branch.weight for branch in (*prior_components, *curve_components))
    if not total > 1e-290:
        return [MixtureComponent(1.0, math.log(max(age, 1.0)), 1.0, age, math.inf)]
    strong = sorted((b for b in curve_components if b.weight > _MIN_COMPONENT_WEIGHT * total), key=lambda b: -b.weight)[
        :_MAX_COMPONENTS
    ]
    kept = [*(b for b in prior_components if b.weight > _MIN_COMPONENT_WEIGHT * total / 4), *strong]
    total = sum(branch.weight for branch in kept)
    return [MixtureComponent(b.weight / total, b.mu, b.sigma, b.min_end, b.max_end, b.curve) for b in kept]
