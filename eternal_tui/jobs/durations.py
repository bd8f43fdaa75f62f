"""How long jobs take: learned from those that ended, sane from the first one."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Iterable
from statistics import fmean, median

import msgspec

REMEMBERED = 64
"""Durations kept for a kind: enough for a steady fit, few enough to follow a service that changes."""

KINDS = 64
"""Kinds kept at once; the one unused for longest goes first."""

SHORTEST, LONGEST = 0.2, 7200.0
"""Seconds; a duration beyond these is clamped, so that one sleeping laptop does not spoil a fit."""

_PRIOR_MEDIAN = {"image": 20.0, "video": 50.0}
"""Seconds; the service speaks of 30–90 s for a clip and has been faster for pictures than it says."""

_OTHER_MEDIAN = 30.0
_PRIOR_SPREAD = 0.7
"""How wrong those medians may be, as the standard deviation of a logarithm."""

_SIBLING_SPREAD = 0.3
"""How far kinds of one type differ from each other, beyond what their clip length explains."""

_JOB_SPREAD = 0.4
_JOB_SPREAD_STRENGTH = 4.0
_SHARED_SPREAD_STRENGTH = 8.0


class Kind(msgspec.Struct, frozen=True):
    """What makes two jobs take about as long: media type, picture quality, clip length in seconds."""

    type: str
    quality: str | None = None
    duration: int | None = None


class DurationModel(msgspec.Struct, frozen=True):
    """A lognormal duration: mean and deviation of ln(seconds), and how many jobs of the kind it rests on."""

    mu: float
    sigma: float
    n: int = 0

    @property
    def median(self) -> float:
        """Return the seconds that half of the jobs take."""
        return math.exp(self.mu)


def expected(kind: Kind) -> float:
    """Return ln(seconds) to expect of a kind before any job was seen."""
    mu = math.log(_PRIOR_MEDIAN.get(kind.type, _OTHER_MEDIAN))
    if kind.quality == "high":
        mu += math.log(1.5)
    if kind.duration is not None:
        mu += 0.5 * math.log(min(max(kind.duration, 1), 60) / 3)
    return mu


class Durations:
    """Durations of ended jobs by kind; kinds of one type borrow strength from each other."""

    def __init__(self) -> None:
        self._seen: OrderedDict[Kind, deque[float]] = OrderedDict()
        self._models: dict[Kind, DurationModel] = {}

    def learn(self, kind: Kind, seconds: float) -> None:
        """Take in one finished job; what is not a positive number is ignored.

        `seconds` run from submit to the end; where that lies between two looks, give their middle.
        """
        if not (math.isfinite(seconds) and seconds > 0):
            return
        residual = math.log(min(max(seconds, SHORTEST), LONGEST)) - expected(kind)
        self._seen.setdefault(kind, deque(maxlen=REMEMBERED)).append(residual)
        self._seen.move_to_end(kind)
        if len(self._seen) > KINDS:
            self._seen.popitem(last=False)
        self._models.clear()

    def model(self, kind: Kind) -> DurationModel:
        """Return what is known about a kind; cheap, as it is worked out once after each `learn`."""
        known = self._models.get(kind)
        if known is None:
            known = self._fit(kind)
            if len(self._models) >= 2 * KINDS:
                self._models.clear()
            self._models[kind] = known
        return known

    def _fit(self, kind: Kind) -> DurationModel:
        own = _summary(self._seen.get(kind, ()))
        family = [_summary(seen) for other, seen in self._seen.items() if other.type == kind.type]
        freedom = sum(summary.n - 1 for summary in family)
        shared = (_JOB_SPREAD_STRENGTH * _JOB_SPREAD**2 + sum(summary.squares for summary in family)) / (
            _JOB_SPREAD_STRENGTH + freedom
        )
        others = [summary for summary in family if summary is not own]
        precisions = [1 / (_SIBLING_SPREAD**2 + shared / summary.n) for summary in others]
        total = sum(precisions) + _PRIOR_SPREAD**-2
        family_mean = sum(p * summary.mean for p, summary in zip(precisions, others, strict=True)) / total
        own_variance = (_SHARED_SPREAD_STRENGTH * shared + own.squares) / (
            _SHARED_SPREAD_STRENGTH + max(own.n - 1, 0)
        )
        from_family = 1 / (_SIBLING_SPREAD**2 + 1 / total)
        from_own = own.n / own_variance
        mean = (from_family * family_mean + from_own * own.mean) / (from_family + from_own)
        return DurationModel(
            mu=expected(kind) + mean,
            sigma=math.sqrt(own_variance + 1 / (from_family + from_own)),
            n=own.n,
        )


class _Summary(msgspec.Struct, frozen=True):
    n: int
    mean: float
    squares: float


def _summary(residuals: Iterable[float]) -> _Summary:
    """Return count, mean and sum of squares, outliers drawn in so that one odd job cannot move a fit far."""
    values = list(residuals)
    if not values:
        return _Summary(0, 0.0, 0.0)
    centre = median(values)
    reach = 3 * max(1.48 * median(abs(value - centre) for value in values), 0.15)
    drawn_in = [min(max(value, centre - reach), centre + reach) for value in values]
    mean = fmean(drawn_in)
    return _Summary(len(values), mean, sum((value - mean) ** 2 for value in drawn_in))
