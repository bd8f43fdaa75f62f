"""Reported progress over time: a library of curves, their fit to observations, and learning which one applies."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from statistics import fmean

import msgspec

OUTLIER_PROBABILITY = 5e-4
"""The chance of one certain reading that does not fit the shape: one reading in twenty, any of a hundred values."""

MAX_READINGS = 8
"""Sightings that are weighed; older ones say little beside them."""


_MIN_AGE_SECONDS = 0.05
"""Seconds; the answer to the submit says nothing about speed."""


class Observation(msgspec.Struct, frozen=True):
    """What one look found: seconds since submit, and the service's whole per cent, if it said any."""

    age: float
    progress: int | None = None


class ProgressCurve:
    """One way to report progress.

    `reach[p]` is the share of its whole time a job has run when its progress reaches `p` per cent, 0 to 100; `step`
    the granularity in per cent; `noise` the deviation of a reading in per cent, 0 where readings are exact.
    `middle[p]` and `blur[p]` are, of a noisy shape, the share of time that a reading stands for and its deviation;
    `sharpness[p]` is what such a reading weighs, one through the square of its deviation.
    """

    __slots__ = ("mean_time_share", "name", "noise", "precision", "step", "time_share", "time_stddev")

    def __init__(self, name: str, time_share: tuple[float, ...], *, step: int = 1, noise: float = 0.0) -> None:
        self.name, self.step, self.noise = name, step, noise
        self.time_share = time_share = (0.0, *time_share[1:100], 1.0)
        self.mean_time_share = tuple((here + there) / 2 for here, there in pairwise(time_share))
        self.time_stddev = tuple(_time_stddev(time_share, progress, noise) for progress in range(100)) if noise else ()
        self.precision = tuple(blur**-2 for blur in self.time_stddev)


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
"""Progress that ends at 98 while the job is not done."""

_EXPONENTIAL_TIME_SHARE = tuple(-math.log(1 - percent / 100 * (1 - math.exp(-3))) / 3 for percent in range(101))
"""Progress that nears its end ever more slowly, as made-up progress often does."""

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
"""Weights before any job was seen: never moves, means nothing, then each shape of the library."""


@cache
def curve_library() -> tuple[ProgressCurve, ...]:
    """Return the shapes that tell something; beside them stand progress that never moves or means nothing."""
    return tuple(ProgressCurve(name, curve, step=step, noise=noise) for _, name, curve, step, noise in _CURVE_PRIORS)


def usable_progress(observation: Observation) -> int | None:
    """Return the progress as a per cent that a shape can explain, or None where there is none."""
    progress = observation.progress
    return None if progress is None else min(max(progress, 0), 99)


def informative(observations: Sequence[Observation], max_age: float) -> list[Observation]:
    """Return the latest sightings before an age that add something: of a run of equal ones the first and the last."""
    kept: list[Observation] = []
    for sighting in observations:
        if not _MIN_AGE_SECONDS <= sighting.age <= max_age:
            continue
        if len(kept) > 1 and kept[-1].progress == sighting.progress == kept[-2].progress:
            kept[-1] = sighting
        else:
            kept.append(sighting)
    return kept[-MAX_READINGS:]


def uninformative_likelihood(readings: Sequence[int | None], weights: Sequence[float]) -> float:
    """Return how likely the readings are where they say nothing about the end: never moving, or any at all."""
    moves = sum(reading != before for before, reading in pairwise(readings))
    first = bool(readings) and readings[0] not in {None, 0}
    return weights[0] * OUTLIER_PROBABILITY ** (moves + first) + weights[1] * (1 / 100) ** (moves + 1)


def end_bounds(
    curve: ProgressCurve, readings: Sequence[tuple[float, int]], min_end: float, max_end: float
) -> tuple[float, float, int]:
    """Return between which seconds an exactly reported job ends, and how many readings do not fit.

    `readings` are times and per cents, oldest first; a later one is believed over an earlier one.
    """
    odd = 0
    for at, progress in reversed(readings):
        if progress % curve.step:
            odd += 1
            continue
        until = progress + curve.step
        later = at / curve.time_share[until] if until < 100 else at
        sooner = at / curve.time_share[progress] if curve.time_share[progress] > 0 else math.inf
        narrower, wider = max(min_end, later), min(max_end, sooner)
        if narrower < wider:
            min_end, max_end = narrower, wider
        else:
            odd += 1
    return min_end, max_end, odd


class SpeedFit(msgspec.Struct, frozen=True):
    """A noisy shape fitted to readings: the speed in shares a second, its deviation, the readings' likelihood."""

    speed: float
    stddev: float
    likelihood: float


def fit_speed(curve: ProgressCurve, readings: Sequence[tuple[float, int]]) -> SpeedFit:
    """Return the speed at which a noisily reported job runs, by weighted least squares; readings are not empty."""
    squares = products = shares = 0.0
    for at, progress in readings:
        precision, share = curve.precision[progress], curve.mean_time_share[progress]
        told = precision * at
        squares += told * at
        products += told * share
        shares += precision * share * share
    miss = max(shares - products * products / squares, 0.0)
    density = (curve.noise * math.sqrt(2 * math.pi)) ** -len(readings)
    return SpeedFit(products / squares, squares**-0.5, math.exp(-miss / 2) * density)


_MAX_POINTS = 240
"""Pairs of time and progress from which a shape is drawn: some eighty jobs."""

_MAX_DURATION_SECONDS = 1e6
"""Seconds; a job found ended later teaches no shape."""

_MIN_POINTS_TO_FIT = 24
_FIT_EVERY_JOBS = 4
_EVIDENCE_DECAY = 0.97
"""What is left of the evidence of one job when the next has ended: a service may change its ways."""

_MAX_LOG_ODDS = 12.0
"""The most, in logarithms, that one shape may lead another by: a change is noticed within a few jobs."""

_MIN_CURVE_WEIGHT = 0.002

_MIN_EXPLORED_WEIGHT = 0.05
"""The least weight of the second likeliest shape that leaves open which it is."""

_EXPLORE_EVERY_JOBS = 4
"""Of the jobs ended while it is open, one in so many is followed by trust in the second."""

_FITTED_CURVE_PRIOR = 0.1
_MIN_NOISE_PERCENT = 1.0
"""Per cent; readings are whole per cents, so that no drawn shape is finer than this."""


class ProgressLearner:
    """How one type of job reports progress: the evidence for each shape, and a shape drawn from what was seen."""

    def __init__(self) -> None:
        self._log_evidence = [0.0] * (len(PRIOR_CURVE_WEIGHTS) + 1)
        self._points: deque[tuple[float, int]] = deque(maxlen=_MAX_POINTS)
        self._job_count = 0
        self.fitted_curve: ProgressCurve | None = None

    def learn(self, observations: Sequence[Observation], seconds: float) -> None:
        """Take in a job found ended `seconds` after its submit, with what was seen of it before."""
        usable = informative([sighting for sighting in observations if sighting.age < seconds], seconds)
        if not usable or seconds > _MAX_DURATION_SECONDS:
            return
        told = [(sighting.age, known) for sighting in usable if (known := usable_progress(sighting)) is not None]
        silence = OUTLIER_PROBABILITY ** (len(usable) - len(told))
        readings = [usable_progress(sighting) for sighting in usable]
        chances = [uninformative_likelihood(readings, (1.0, 0.0)), uninformative_likelihood(readings, (0.0, 1.0))]
        chances += [silence * curve_likelihood(shape, told, usable[-1].age, seconds) for shape in curve_library()]
        chances.append(
            silence * curve_likelihood(self.fitted_curve, told, usable[-1].age, seconds)
            if self.fitted_curve
            else fmean(chances)
        )
        self._log_evidence = [
            _EVIDENCE_DECAY * old + math.log(max(chance, 1e-12))
            for old, chance in zip(self._log_evidence, chances, strict=True)
        ]
        lead = max(self._log_evidence) - _MAX_LOG_ODDS
        self._log_evidence = [max(evidence, lead) - lead for evidence in self._log_evidence]
        end = (usable[-1].age + seconds) / 2
        self._points.extend((at / end, progress) for at, progress in told)
        self._job_count += 1
        if self._job_count % _FIT_EVERY_JOBS == 0 and len(self._points) >= _MIN_POINTS_TO_FIT:
            self.fitted_curve = fit_isotonic(self._points)

    def weights(self) -> tuple[float, ...]:
        """Return the weight of each shape: never moves, means nothing, the library, and the drawn one if any."""
        guesses = [*PRIOR_CURVE_WEIGHTS, _FITTED_CURVE_PRIOR] if self.fitted_curve else list(PRIOR_CURVE_WEIGHTS)
        most = max(self._log_evidence)
        raw = [guess * math.exp(evidence - most) for guess, evidence in zip(guesses, self._log_evidence, strict=False)]
        if self._job_count % _EXPLORE_EVERY_JOBS == _EXPLORE_EVERY_JOBS - 1:
            raw = explore(raw)
        total = sum(raw)
        return (
            max(raw[0] / total, 0.004),
            max(raw[1] / total, 0.004),
            *(share if (share := weight / total) > _MIN_CURVE_WEIGHT else 0.0 for weight in raw[2:]),
        )


def explore(weights: Sequence[float]) -> list[float]:
    """Return the weights with the likeliest two of the shapes exchanged while it is open which it is.

    Else a habit may confirm itself: whoever looks where either shape has the job ended never learns which it was.
    """
    swapped = list(weights)
    second, first = sorted(range(2, len(weights)), key=weights.__getitem__)[-2:]
    if weights[second] > _MIN_EXPLORED_WEIGHT * sum(weights):
        swapped[first], swapped[second] = weights[second], weights[first]
    return swapped


def curve_likelihood(
    curve: ProgressCurve, readings: Sequence[tuple[float, int]], min_end: float, max_end: float
) -> float:
    """Return how well a shape explains the readings of a job that ended between these two ages."""
    if not readings:
        return 1.0
    if not curve.noise:
        after, before, odd = end_bounds(curve, readings, min_end, max_end)
        return OUTLIER_PROBABILITY**odd * max((before - after) / (max_end - min_end), 0.02)
    found = fit_speed(curve, readings)
    chances = (
        math.exp(-(((1 / (min_end + (max_end - min_end) * part)) - found.speed) ** 2) / (2 * found.stddev**2))
        for part in (0.1, 0.3, 0.5, 0.7, 0.9)
    )
    return found.likelihood * fmean(chances)


def fit_isotonic(points: Sequence[tuple[float, int]]) -> ProgressCurve:
    """Return the rising shape nearest to pairs of share of time and per cent (isotonic regression)."""
    blocks: list[list[float]] = []
    for share, progress in sorted(points):
        blocks.append([share, progress + 0.5, 1.0])
        while len(blocks) > 1 and blocks[-2][1] >= blocks[-1][1]:
            share_after, progress_after, n_after = blocks.pop()
            share_before, progress_before, n_before = blocks[-1]
            n = n_before + n_after
            blocks[-1] = [
                (share_before * n_before + share_after * n_after) / n,
                (progress_before * n_before + progress_after * n_after) / n,
                n,
            ]
    knots = [(0.0, 0.0), *((block[1], block[0]) for block in blocks if 0 < block[1] < 100), (100.0, 1.0)]
    reach = tuple(_interpolate(knots, progress) for progress in range(101))
    misses = sorted(abs(progress + 0.5 - _progress_at(reach, share)) for share, progress in points)
    noise = 1.48 * misses[len(misses) // 2]
    return ProgressCurve("drawn", reach, noise=min(max(noise, _MIN_NOISE_PERCENT), 20.0))


def _interpolate(knots: Sequence[tuple[float, float]], x: float) -> float:
    for (x0, y0), (x1, y1) in itertools.pairwise(knots):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0) if x1 > x0 else y1
    return knots[-1][1]


def _progress_at(time_share: Sequence[float], elapsed_share: float) -> float:
    for progress in range(100):
        if elapsed_share <= time_share[progress + 1]:
            width = time_share[progress + 1] - time_share[progress]
            return progress + ((elapsed_share - time_share[progress]) / width if width > 0 else 0.5)
    return 100.0
