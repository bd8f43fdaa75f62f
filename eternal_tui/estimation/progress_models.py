"""How reported progress may relate to time: a small library of shapes, and what a job's sightings say about each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

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
