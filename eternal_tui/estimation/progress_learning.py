"""Which shape a service's progress follows: learned from the sightings of jobs that ended."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Sequence
from statistics import fmean

from eternal_tui.estimation.progress_models import (
    OUTLIER_PROBABILITY,
    PRIOR_CURVE_WEIGHTS,
    Observation,
    ProgressCurve,
    curve_library,
    end_bounds,
    fit_speed,
    informative,
    uninformative_likelihood,
    usable_progress,
)

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
