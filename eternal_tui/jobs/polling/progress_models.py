"""How reported progress may relate to time: a small library of shapes, and what a job's sightings say about each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import msgspec

ODD = 5e-4
"""The chance of one certain reading that does not fit the shape: one reading in twenty, any of a hundred values."""

LATEST = 8
"""Sightings that are weighed; older ones say little beside them."""


_FIRST = 0.05
"""Seconds; the answer to the submit says nothing about speed."""


class Sighting(msgspec.Struct, frozen=True):
    """What one look found: seconds since submit, and the service's whole per cent, if it said any."""

    at: float
    progress: int | None = None


class Shape:
    """One way to report progress.

    `reach[p]` is the share of its whole time a job has run when its progress reaches `p` per cent, 0 to 100; `step`
    the granularity in per cent; `noise` the deviation of a reading in per cent, 0 where readings are exact.
    `middle[p]` and `blur[p]` are, of a noisy shape, the share of time that a reading stands for and its deviation;
    `sharpness[p]` is what such a reading weighs, one through the square of its deviation.
    """

    __slots__ = ("blur", "middle", "name", "noise", "reach", "sharpness", "step")

    def __init__(self, name: str, reach: tuple[float, ...], *, step: int = 1, noise: float = 0.0) -> None:
        self.name, self.step, self.noise = name, step, noise
        self.reach = reach = (0.0, *reach[1:100], 1.0)
        self.middle = tuple((here + there) / 2 for here, there in pairwise(reach))
        self.blur = tuple(_blur(reach, progress, noise) for progress in range(100)) if noise else ()
        self.sharpness = tuple(blur**-2 for blur in self.blur)


def _blur(reach: tuple[float, ...], progress: int, noise: float) -> float:
    around = max(round(noise), 2)
    first, last = max(progress - around, 0), min(progress + around, 100)
    return max(noise * (reach[last] - reach[first]) / (last - first), 1e-4)


def _reach(power: float, *, late: bool) -> tuple[float, ...]:
    shares = [percent / 100 for percent in range(101)]
    if late:
        return tuple(share ** (1 / power) for share in shares)
    return tuple(1 - (1 - share) ** (1 / power) for share in shares)


LINEAR = tuple(percent / 100 for percent in range(101))
_SMOOTH = tuple(0.5 - math.sin(math.asin(1 - percent / 50) / 3) for percent in range(101))

_SHORT = tuple(min(percent / 98, 1.0) for percent in range(101))
"""Progress that ends at 98 while the job is not done."""

_APPROACH = tuple(-math.log(1 - percent / 100 * (1 - math.exp(-3))) / 3 for percent in range(101))
"""Progress that nears its end ever more slowly, as made-up progress often does."""

_CURVES = (
    ("linear", LINEAR, 0.40),
    ("smooth", _SMOOTH, 0.10),
    ("ease out 1.5", _reach(1.5, late=False), 0.04),
    ("ease out 2", _reach(2, late=False), 0.08),
    ("ease out 3", _reach(3, late=False), 0.05),
    ("approach", _APPROACH, 0.05),
    ("ease in 1.5", _reach(1.5, late=True), 0.03),
    ("ease in 2", _reach(2, late=True), 0.05),
)

_GUESSES = (
    *((0.6 * share, name, curve, 1, 0.0) for name, curve, share in _CURVES),
    *((0.15 * share, name, curve, 1, 1.2) for name, curve, share in _CURVES),
    *((0.25 * share, name, curve, 1, 4.0) for name, curve, share in _CURVES),
    (0.08, "linear to 98", _SHORT, 1, 0.0),
    *((0.03, f"steps of {step}", LINEAR, step, 0.0) for step in (5, 10, 20, 25)),
)

FIRST_GUESS = (0.12, 0.03, *(guess[0] for guess in _GUESSES))
"""Weights before any job was seen: never moves, means nothing, then each shape of the library."""


@cache
def library() -> tuple[Shape, ...]:
    """Return the shapes that tell something; beside them stand progress that never moves or means nothing."""
    return tuple(Shape(name, curve, step=step, noise=noise) for _, name, curve, step, noise in _GUESSES)


def reading(sighting: Sighting) -> int | None:
    """Return the progress as a per cent that a shape can explain, or None where there is none."""
    progress = sighting.progress
    return None if progress is None else min(max(progress, 0), 99)


def telling(sightings: Sequence[Sighting], until: float) -> list[Sighting]:
    """Return the latest sightings before an age that add something: of a run of equal ones the first and the last."""
    kept: list[Sighting] = []
    for sighting in sightings:
        if not _FIRST <= sighting.at <= until:
            continue
        if len(kept) > 1 and kept[-1].progress == sighting.progress == kept[-2].progress:
            kept[-1] = sighting
        else:
            kept.append(sighting)
    return kept[-LATEST:]


def meaningless(readings: Sequence[int | None], weights: Sequence[float]) -> float:
    """Return how likely the readings are where they say nothing about the end: never moving, or any at all."""
    moves = sum(reading != before for before, reading in pairwise(readings))
    first = bool(readings) and readings[0] not in {None, 0}
    return weights[0] * ODD ** (moves + first) + weights[1] * (1 / 100) ** (moves + 1)


def window(shape: Shape, readings: Sequence[tuple[float, int]], least: float, most: float) -> tuple[float, float, int]:
    """Return between which seconds an exactly reported job ends, and how many readings do not fit.

    `readings` are times and per cents, oldest first; a later one is believed over an earlier one.
    """
    odd = 0
    for at, progress in reversed(readings):
        if progress % shape.step:
            odd += 1
            continue
        until = progress + shape.step
        later = at / shape.reach[until] if until < 100 else at
        sooner = at / shape.reach[progress] if shape.reach[progress] > 0 else math.inf
        narrower, wider = max(least, later), min(most, sooner)
        if narrower < wider:
            least, most = narrower, wider
        else:
            odd += 1
    return least, most, odd


class Fit(msgspec.Struct, frozen=True):
    """A noisy shape fitted to readings: the speed in shares a second, its deviation, the readings' likelihood."""

    speed: float
    deviation: float
    likelihood: float


def fit(shape: Shape, readings: Sequence[tuple[float, int]]) -> Fit:
    """Return the speed at which a noisily reported job runs, by weighted least squares; readings are not empty."""
    squares = products = shares = 0.0
    for at, progress in readings:
        precision, share = shape.sharpness[progress], shape.middle[progress]
        told = precision * at
        squares += told * at
        products += told * share
        shares += precision * share * share
    miss = max(shares - products * products / squares, 0.0)
    density = (shape.noise * math.sqrt(2 * math.pi)) ** -len(readings)
    return Fit(products / squares, squares**-0.5, math.exp(-miss / 2) * density)
