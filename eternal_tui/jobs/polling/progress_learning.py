"""Which shape a service's progress follows: learned from the sightings of jobs that ended."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Sequence
from statistics import fmean

from eternal_tui.jobs.polling.progress_models import (
    FIRST_GUESS,
    ODD,
    Shape,
    Sighting,
    fit,
    library,
    meaningless,
    reading,
    telling,
    window,
)

_POINTS = 240
"""Pairs of time and progress from which a shape is drawn: some eighty jobs."""

_LONGEST = 1e6
"""Seconds; a job found ended later teaches no shape."""

_ENOUGH = 24
_DRAW_EVERY = 4
_FADE = 0.97
"""What is left of the evidence of one job when the next has ended: a service may change its ways."""

_CERTAIN = 12.0
"""The most, in logarithms, that one shape may lead another by: a change is noticed within a few jobs."""

_TOO_RARE = 0.002

_DOUBT = 0.05
"""The least weight of the second likeliest shape that leaves open which it is."""

_TRY_EVERY = 4
"""Of the jobs ended while it is open, one in so many is followed by trust in the second."""

_DRAWN_GUESS = 0.1
_FINEST = 1.0
"""Per cent; readings are whole per cents, so that no drawn shape is finer than this."""


class Habit:
    """How one type of job reports progress: the evidence for each shape, and a shape drawn from what was seen."""

    def __init__(self) -> None:
        self._evidence = [0.0] * (len(FIRST_GUESS) + 1)
        self._points: deque[tuple[float, int]] = deque(maxlen=_POINTS)
        self._jobs = 0
        self.drawn: Shape | None = None

    def learn(self, sightings: Sequence[Sighting], seconds: float) -> None:
        """Take in a job found ended `seconds` after its submit, with what was seen of it before."""
        usable = telling([sighting for sighting in sightings if sighting.at < seconds], seconds)
        if not usable or seconds > _LONGEST:
            return
        told = [(sighting.at, known) for sighting in usable if (known := reading(sighting)) is not None]
        silence = ODD ** (len(usable) - len(told))
        readings = [reading(sighting) for sighting in usable]
        chances = [meaningless(readings, (1.0, 0.0)), meaningless(readings, (0.0, 1.0))]
        chances += [silence * likelihood(shape, told, usable[-1].at, seconds) for shape in library()]
        chances.append(silence * likelihood(self.drawn, told, usable[-1].at, seconds) if self.drawn else fmean(chances))
        self._evidence = [
            _FADE * old + math.log(max(chance, 1e-12)) for old, chance in zip(self._evidence, chances, strict=True)
        ]
        lead = max(self._evidence) - _CERTAIN
        self._evidence = [max(evidence, lead) - lead for evidence in self._evidence]
        end = (usable[-1].at + seconds) / 2
        self._points.extend((at / end, progress) for at, progress in told)
        self._jobs += 1
        if self._jobs % _DRAW_EVERY == 0 and len(self._points) >= _ENOUGH:
            self.drawn = draw(self._points)

    def weights(self) -> tuple[float, ...]:
        """Return the weight of each shape: never moves, means nothing, the library, and the drawn one if any."""
        guesses = [*FIRST_GUESS, _DRAWN_GUESS] if self.drawn else list(FIRST_GUESS)
        most = max(self._evidence)
        raw = [guess * math.exp(evidence - most) for guess, evidence in zip(guesses, self._evidence, strict=False)]
        if self._jobs % _TRY_EVERY == _TRY_EVERY - 1:
            raw = tried(raw)
        total = sum(raw)
        return (
            max(raw[0] / total, 0.004),
            max(raw[1] / total, 0.004),
            *(share if (share := weight / total) > _TOO_RARE else 0.0 for weight in raw[2:]),
        )


def tried(weights: Sequence[float]) -> list[float]:
    """Return the weights with the likeliest two of the shapes exchanged while it is open which it is.

    Else a habit may confirm itself: whoever looks where either shape has the job ended never learns which it was.
    """
    swapped = list(weights)
    second, first = sorted(range(2, len(weights)), key=weights.__getitem__)[-2:]
    if weights[second] > _DOUBT * sum(weights):
        swapped[first], swapped[second] = weights[second], weights[first]
    return swapped


def likelihood(shape: Shape, told: Sequence[tuple[float, int]], least: float, most: float) -> float:
    """Return how well a shape explains the readings of a job that ended between these two ages."""
    if not told:
        return 1.0
    if not shape.noise:
        after, before, odd = window(shape, told, least, most)
        return ODD**odd * max((before - after) / (most - least), 0.02)
    found = fit(shape, told)
    chances = (
        math.exp(-(((1 / (least + (most - least) * part)) - found.speed) ** 2) / (2 * found.deviation**2))
        for part in (0.1, 0.3, 0.5, 0.7, 0.9)
    )
    return found.likelihood * fmean(chances)


def draw(points: Sequence[tuple[float, int]]) -> Shape:
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
    reach = tuple(_interpolated(knots, progress) for progress in range(101))
    misses = sorted(abs(progress + 0.5 - _progress_at(reach, share)) for share, progress in points)
    noise = 1.48 * misses[len(misses) // 2]
    return Shape("drawn", reach, noise=min(max(noise, _FINEST), 20.0))


def _interpolated(knots: Sequence[tuple[float, float]], x: float) -> float:
    for (x0, y0), (x1, y1) in itertools.pairwise(knots):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0) if x1 > x0 else y1
    return knots[-1][1]


def _progress_at(reach: Sequence[float], share: float) -> float:
    for progress in range(100):
        if share <= reach[progress + 1]:
            width = reach[progress + 1] - reach[progress]
            return progress + ((share - reach[progress]) / width if width > 0 else 0.5)
    return 100.0
