"""Reported progress over time: a library of curves, their fit to observations, and learning which one applies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from statistics import fmean

import msgspec

OUTLIER_PROBABILITY = 5e-4
"""Probability of one reading that does not fit the curve: one reading in twenty, any of a hundred values."""

MAX_READINGS = 8
"""Newest observations used; older ones add little."""


_MIN_AGE_SECONDS = 0.05
"""Seconds; the response to the submit says nothing about speed."""


class Observation(msgspec.Struct, frozen=True):
    """One poll: seconds since the submit, and the reported per cent, None where none was reported."""

    age: float
    progress: int | None = None


class ProgressCurve:
    """Reported progress as a function of time.

    `time_share[p]` is the share of its whole time that a job has run when it reports `p` per cent, 0 to 100; `step` the
    granularity in per cent; `noise` the standard deviation of a reading in per cent, 0 for exact readings. For noisy
    curves `mean_time_share[p]`, `time_stddev[p]` and `precision[p]` (its inverse square) are those of a reading.
    """

    __slots__ = ("mean_time_share", "name", "noise", "precision", "step", "time_share", "time_stddev")

    def __init__(self, name: str, time_share: tuple[float, ...], *, step: int = 1, noise: float = 0.0) -> None:
        self.name, self.step, self.noise = name, step, noise
        self.time_share = time_share = (0.0, *time_share[1:100], 1.0)
        self.mean_time_share = tuple((here + there) / 2 for here, there in pairwise(time_share))
        self.time_stddev = tuple(_time_stddev(time_share, progress, noise) for progress in range(100)) if noise else ()
        self.precision = tuple(stddev**-2 for stddev in self.time_stddev)


def _time_stddev(time_share: tuple[float, ...], progress: int, noise: float) -> float:
    around = max(round(noise), 2)
    first, last = max(progress - around, 0), min(progress + around, 100)
    return max(noise * (time_share[last] - time_share[first]) / (last - first), 1e-4)


def _power_ease(power: float, *, ease_in: bool) -> tuple[float, ...]:
    shares = [percent / 100 for percent in range(101)]
    if ease_in:
        return tuple(share ** (1 / power) for share in shares)
    return tuple(1 - (1 - share) ** (1 / power) for share in shares)


LINEAR_TIME_SHARE = tuple(percent / 100 for percent in range(101))
_SMOOTHSTEP_TIME_SHARE = tuple(0.5 - math.sin(math.asin(1 - percent / 50) / 3) for percent in range(101))

_LINEAR_TO_98_TIME_SHARE = tuple(min(percent / 98, 1.0) for percent in range(101))
"""Progress that stops at 98 before the job is done."""

_EXPONENTIAL_TIME_SHARE = tuple(-math.log(1 - percent / 100 * (1 - math.exp(-3))) / 3 for percent in range(101))
"""Progress that slows down towards its end, as invented progress often does."""

_BASE_CURVES = (
    ("linear", LINEAR_TIME_SHARE, 0.40),
    ("smooth", _SMOOTHSTEP_TIME_SHARE, 0.10),
    ("ease out 1.5", _power_ease(1.5, ease_in=False), 0.04),
    ("ease out 2", _power_ease(2, ease_in=False), 0.08),
    ("ease out 3", _power_ease(3, ease_in=False), 0.05),
    ("approach", _EXPONENTIAL_TIME_SHARE, 0.05),
    ("ease in 1.5", _power_ease(1.5, ease_in=True), 0.03),
    ("ease in 2", _power_ease(2, ease_in=True), 0.05),
)

_CURVE_PRIORS = (
    *((0.6 * share, name, curve, 1, 0.0) for name, curve, share in _BASE_CURVES),
    *((0.15 * share, name, curve, 1, 1.2) for name, curve, share in _BASE_CURVES),
    *((0.25 * share, name, curve, 1, 4.0) for name, curve, share in _BASE_CURVES),
    (0.08, "linear to 98", _LINEAR_TO_98_TIME_SHARE, 1, 0.0),
    *((0.03, f"steps of {step}", LINEAR_TIME_SHARE, step, 0.0) for step in (5, 10, 20, 25)),
)

PRIOR_CURVE_WEIGHTS = (0.12, 0.03, *(guess[0] for guess in _CURVE_PRIORS))
"""Prior weights: never moves, uninformative, then each curve of the library."""


@cache
def curve_library() -> tuple[ProgressCurve, ...]:
    """Return the informative curves."""
    return tuple(ProgressCurve(name, curve, step=step, noise=noise) for _, name, curve, step, noise in _CURVE_PRIORS)


def informative(observations: Sequence[Observation], max_age: float) -> list[Observation]:
    """Return the newest informative observations up to an age: of a run of equal ones the first and the last."""
    result: list[Observation] = []
    for each in observations:
        if not _MIN_AGE_SECONDS <= each.age <= max_age:
            continue
        if len(result) > 1 and result[-1].progress == each.progress == result[-2].progress:
            result[-1] = each
        else:
            result.append(each)
    return result[-MAX_READINGS:]


def split_readings(usable: Sequence[Observation]) -> tuple[list[int | None], list[tuple[float, int]], float]:
    """Return the per cents from 0 to 99, those reported with their ages, and the likelihood of the missing ones."""
    progress = [None if each.progress is None else min(max(each.progress, 0), 99) for each in usable]
    readings = [(each.age, known) for each, known in zip(usable, progress, strict=True) if known is not None]
    return progress, readings, OUTLIER_PROBABILITY ** (len(progress) - len(readings))


def uninformative_likelihood(readings: Sequence[int | None], weights: Sequence[float]) -> float:
    """Return the likelihood of the readings where progress is independent of the end: constant, or arbitrary."""
    moves = sum(reading != before for before, reading in pairwise(readings))
    first = bool(readings) and readings[0] not in {None, 0}
    return weights[0] * OUTLIER_PROBABILITY ** (moves + first) + weights[1] * (1 / 100) ** (moves + 1)


def end_bounds(
    curve: ProgressCurve, readings: Sequence[tuple[float, int]], min_end: float, max_end: float
) -> tuple[float, float, int]:
    """Return bounds in seconds of the end of a job with exact readings, and the number of outliers.

    `readings` are ages and per cents, oldest first; later ones take precedence.
    """
    outliers = 0
    for at, progress in reversed(readings):
        if progress % curve.step:
            outliers += 1
            continue
        until = progress + curve.step
        later = at / curve.time_share[until] if until < 100 else at
        sooner = at / curve.time_share[progress] if curve.time_share[progress] > 0 else math.inf
        narrower, wider = max(min_end, later), min(max_end, sooner)
        if narrower < wider:
            min_end, max_end = narrower, wider
        else:
            outliers += 1
    return min_end, max_end, outliers


class SpeedFit(msgspec.Struct, frozen=True):
    """A noisy curve fitted to readings: speed in shares per second, its standard deviation, and the likelihood."""

    speed: float
    stddev: float
    likelihood: float


def fit_speed(curve: ProgressCurve, readings: Sequence[tuple[float, int]]) -> SpeedFit:
    """Fit the speed of a job with noisy readings by weighted least squares; `readings` are not empty."""
    squares = products = shares = 0.0
    for at, progress in readings:
        precision, share = curve.precision[progress], curve.mean_time_share[progress]
        weighted = precision * at
        squares += weighted * at
        products += weighted * share
        shares += precision * share * share
    residual = max(shares - products * products / squares, 0.0)
    density = (curve.noise * math.sqrt(2 * math.pi)) ** -len(readings)
    return SpeedFit(products / squares, squares**-0.5, math.exp(-residual / 2) * density)


_MAX_DURATION_SECONDS = 1e6
"""Seconds; longer jobs are not used."""

_EVIDENCE_DECAY = 0.97
"""Factor applied to earlier evidence with each job: a service may change."""

_MAX_LOG_ODDS = 12.0
"""Bound of the log odds between two curves: a change is noticed within a few jobs."""

_MIN_CURVE_WEIGHT = 0.002


class ProgressLearner:
    """The evidence for each progress curve of one media type."""

    def __init__(self) -> None:
        self._log_evidence = [0.0] * len(PRIOR_CURVE_WEIGHTS)

    def learn(self, observations: Sequence[Observation], seconds: float) -> None:
        """Add a job found ended `seconds` after its submit."""
        usable = informative([each for each in observations if each.age < seconds], seconds)
        if not usable or seconds > _MAX_DURATION_SECONDS:
            return
        progress, readings, p_missing = split_readings(usable)
        likelihoods = [uninformative_likelihood(progress, weights) for weights in ((1.0, 0.0), (0.0, 1.0))]
        likelihoods += [
            p_missing * _curve_likelihood(curve, readings, usable[-1].age, seconds) for curve in curve_library()
        ]
        evidence = [
            _EVIDENCE_DECAY * old + math.log(max(likelihood, 1e-12))
            for old, likelihood in zip(self._log_evidence, likelihoods, strict=True)
        ]
        least = max(evidence) - _MAX_LOG_ODDS
        self._log_evidence = [max(each, least) - least for each in evidence]

    def weights(self) -> tuple[float, ...]:
        """Return the weights: never moves, uninformative, then each curve of the library."""
        raw = [prior * math.exp(each) for prior, each in zip(PRIOR_CURVE_WEIGHTS, self._log_evidence, strict=True)]
        total = sum(raw)
        return (
            max(raw[0] / total, 0.004),
            max(raw[1] / total, 0.004),
            *(share if (share := weight / total) > _MIN_CURVE_WEIGHT else 0.0 for weight in raw[2:]),
        )


def _curve_likelihood(
    curve: ProgressCurve, readings: Sequence[tuple[float, int]], min_end: float, max_end: float
) -> float:
    """Return the likelihood of the readings of a job that ended between these two ages."""
    if not readings:
        return 1.0
    if not curve.noise:
        first, last, outliers = end_bounds(curve, readings, min_end, max_end)
        return OUTLIER_PROBABILITY**outliers * max((last - first) / (max_end - min_end), 0.02)
    fit = fit_speed(curve, readings)
    densities = (
        math.exp(-(((1 / (min_end + (max_end - min_end) * part)) - fit.speed) ** 2) / (2 * fit.stddev**2))
        for part in (0.1, 0.3, 0.5, 0.7, 0.9)
    )
    return fit.likelihood * fmean(densities)
