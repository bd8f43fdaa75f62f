"""What is believed about when a running job ends: a mixture over the shapes its progress may follow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import msgspec

from eternal_tui.jobs.polling.durations import DurationModel
from eternal_tui.jobs.polling.progress_models import ODD, Shape, Sighting, fit, meaningless, reading, telling, window

_NEGLIGIBLE = 0.004
_MOST = 5
"""Branches kept, so that a decision stays well under a millisecond."""

_STRANGE = 0.04
"""The share of jobs whose duration has little to do with the learned one."""

_QUANTILES = (0.02, 0.06, 0.12, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.88, 0.94, 0.98, 0.995)
_FEW_QUANTILES = (0.03, 0.1, 0.22, 0.4, 0.6, 0.8, 0.93, 0.99)
_STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)
_INVERSE = NormalDist().inv_cdf
_ROOT = math.sqrt(2)


class Branch(msgspec.Struct, frozen=True, gc=False):
    """One way it may be: with this weight the end is lognormal between two ages, given that it has not come yet.

    `shape` is how progress will go on, None where it tells nothing.
    """

    weight: float
    mu: float
    sigma: float
    after: float
    before: float
    shape: Shape | None = None

    def narrow(self) -> bool:
        """Tell whether the end is as likely anywhere between the two ages."""
        return self.before < 1.05 * self.after

    def ages(self) -> list[float]:
        """Return ages that stand for this branch: where to look is one of them."""
        if self.narrow():
            return [self.after + (self.before - self.after) * step for step in _STEPS]
        first, last = self._tails()
        quantiles = _QUANTILES if self.shape is None else _FEW_QUANTILES
        ages = [math.exp(self.mu - self.sigma * _INVERSE(max(first + (last - first) * q, 1e-300))) for q in quantiles]
        return [self.after, *ages, self.before] if self.before < math.inf else [self.after, *ages]

    def ended(self, ages: Sequence[float], logs: Sequence[float]) -> list[float]:
        """Return the chance that the job has ended by each of these ages, given with their logarithms."""
        if self.narrow():
            span = self.before - self.after
            return [min(max((age - self.after) / span, 0.0), 1.0) for age in ages]
        first, last = self._tails()
        scale, erfc = 1 / (self.sigma * _ROOT), math.erfc
        mu, half = self.mu * scale, 0.5
        span = first - last
        return [min(max((first - half * erfc(log * scale - mu)) / span, 0.0), 1.0) for log in logs]

    def late(self, ages: Sequence[float], ended: Sequence[float]) -> list[float]:
        """Return the seconds by which a look at each of these ages finds the end late, on average."""
        if self.narrow():
            span = self.before - self.after
            return [
                at - self.before + span / 2 if at > self.before else max(at - self.after, 0.0) ** 2 / (2 * span)
                for at in ages
            ]
        sums = [0.0]
        for i in range(1, len(ages)):
            sums.append(sums[-1] + (ended[i - 1] + ended[i]) / 2 * (ages[i] - ages[i - 1]))
        return sums

    def _tails(self) -> tuple[float, float]:
        first = tail(self.after, self.mu, self.sigma)
        last = tail(self.before, self.mu, self.sigma)
        return (first, last) if first > last else (1.0, 0.0)


def tail(age: float, mu: float, sigma: float) -> float:
    """Return the chance that a lognormal duration is longer than this."""
    if age <= 0:
        return 1.0
    if age == math.inf:
        return 0.0
    return 0.5 * math.erfc((math.log(age) - mu) / (sigma * _ROOT))


def believe(age: float, sightings: Sequence[Sighting], model: DurationModel) -> list[Branch]:
    """Return the branches, weights summing to 1, the uninformed ones first."""
    usable = telling(sightings, age + 1)
    readings = [reading(sighting) for sighting in usable]
    told = [(sighting.at, known) for sighting in usable if (known := reading(sighting)) is not None]
    silence = ODD ** (len(readings) - len(told))
    usual = (1 - _STRANGE, model.mu, model.sigma)
    strange = (_STRANGE, model.mu, max(2.5 * model.sigma, 0.9))
    blank = meaningless(readings, model.shapes)
    plain = [
        Branch(blank * share * tail(age, mu, sigma), mu, sigma, age, math.inf) for share, mu, sigma in (usual, strange)
    ]
    informed = [
        _branch(shape, weight * silence, told, age, usual, strange) for shape, weight in model.ways() if weight > 0
    ]
    return _strongest(plain, informed, age)


_Prior = tuple[float, float, float]


def _branch(
    shape: Shape, weight: float, told: Sequence[tuple[float, int]], age: float, usual: _Prior, strange: _Prior
) -> Branch:
    if not shape.noise:
        after, before, odd = window(shape, told, age, math.inf)
        return _between(shape, weight * ODD**odd, after, before, usual, strange)
    if not told:
        return _between(shape, weight, age, math.inf, usual, strange)
    found = fit(shape, told)
    weight *= found.likelihood
    if found.speed < 3 * found.deviation:
        return _between(shape, weight, max(age, 1 / (found.speed + 2 * found.deviation)), math.inf, usual, strange)
    centre, variance = -math.log(found.speed), (found.deviation / found.speed) ** 2
    best = (0.0, centre, 1.0)
    total = 0.0
    for share, mu, sigma in (usual, strange):
        both = sigma * sigma + variance
        mean = (mu * variance + centre * sigma * sigma) / both
        spread = math.sqrt(sigma * sigma * variance / both)
        mass = share * math.sqrt(variance / both) * math.exp(-((centre - mu) ** 2) / (2 * both))
        mass *= tail(age, mean, spread)
        total += mass
        best = max(best, (mass, mean, spread))
    return Branch(weight * total, best[1], best[2], age, math.inf, shape)


def _between(shape: Shape, weight: float, after: float, before: float, usual: _Prior, strange: _Prior) -> Branch:
    low = math.log(after) if after > 0 else -math.inf
    high = math.log(before)
    total = 0.0
    best = (-1.0, 0.0, 0.0)
    for share, mu, sigma in (usual, strange):
        scale = 1 / (sigma * _ROOT)
        mass = share * 0.5 * (math.erfc((low - mu) * scale) - math.erfc((high - mu) * scale))
        total += mass
        best = max(best, (mass, mu, sigma))
    return Branch(weight * total, best[1], best[2], after, before, shape)


def _strongest(plain: list[Branch], informed: list[Branch], age: float) -> list[Branch]:
    total = sum(branch.weight for branch in (*plain, *informed))
    if not total > 1e-290:
        return [Branch(1.0, math.log(max(age, 1.0)), 1.0, age, math.inf)]
    strong = sorted((b for b in informed if b.weight > _NEGLIGIBLE * total), key=lambda b: -b.weight)[:_MOST]
    kept = [*(b for b in plain if b.weight > _NEGLIGIBLE * total / 4), *strong]
    total = sum(branch.weight for branch in kept)
    return [Branch(b.weight / total, b.mu, b.sigma, b.after, b.before, b.shape) for b in kept]
