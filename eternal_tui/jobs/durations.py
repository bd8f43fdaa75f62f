"""How long jobs take: learned from those that ended, sane from the first one."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean, median

import msgspec

from eternal_tui.jobs.habits import Habit
from eternal_tui.jobs.shapes import FIRST_GUESS, Shape, Sighting, library

REMEMBERED = 64
"""Durations kept for a kind: enough for a steady fit, few enough to follow a service that changes."""

KINDS = 64
"""Kinds kept at once; the one unused for longest goes first."""

TYPES = 8
"""Media types whose way of reporting progress is learned; the service has two."""

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
    """A lognormal duration: mean and deviation of ln(seconds), and how many jobs of the kind it rests on.

    `shapes` weighs how the service reports progress: never moving, meaning nothing, then each shape of the library,
    then `drawn`, a shape drawn from finished jobs, once there are enough.
    """

    mu: float
    sigma: float
    n: int = 0
    shapes: tuple[float, ...] = FIRST_GUESS
    drawn: Shape | None = None

    def ways(self) -> Iterator[tuple[Shape, float]]:
        """Yield the shapes worth weighing with their weights."""
        known = library() if self.drawn is None else (*library(), self.drawn)
        return ((shape, weight) for shape, weight in zip(known, self.shapes[2:], strict=True) if weight > 0)

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
        self._habits: dict[str, Habit] = {}

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

    def learn_shape(self, kind: Kind, sightings: Sequence[Sighting], seconds: float) -> None:
        """Take in what was seen of a finished job before it was found ended, `seconds` after its submit."""
        if kind.type not in self._habits and len(self._habits) >= TYPES:
            return
        self._habits.setdefault(kind.type, Habit()).learn(sightings, seconds)
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
        habit = self._habits.get(kind.type) or next(iter(self._habits.values()), None)
        own = _summary(self._seen.get(kind, ()))
        others = [_summary(seen) for other, seen in self._seen.items() if other.type == kind.type and other != kind]
        freedom = sum(max(summary.n - 1, 0) for summary in (own, *others))
        squares = sum(summary.squares for summary in (own, *others))
        shared = (_JOB_SPREAD_STRENGTH * _JOB_SPREAD**2 + squares) / (_JOB_SPREAD_STRENGTH + freedom)
        precisions = [1 / (_SIBLING_SPREAD**2 + shared / summary.n) for summary in others]
        total = sum(precisions) + _PRIOR_SPREAD**-2
        family_mean = sum(p * summary.mean for p, summary in zip(precisions, others, strict=True)) / total
        own_variance = (_SHARED_SPREAD_STRENGTH * shared + own.squares) / (_SHARED_SPREAD_STRENGTH + max(own.n - 1, 0))
        from_family = 1 / (_SIBLING_SPREAD**2 + 1 / total)
        from_own = own.n / own_variance
        mean = (from_family * family_mean + from_own * own.mean) / (from_family + from_own)
        return DurationModel(
            mu=expected(kind) + mean,
            sigma=math.sqrt(own_variance + 1 / (from_family + from_own)),
            n=own.n,
            shapes=habit.weights() if habit else FIRST_GUESS,
            drawn=habit.drawn if habit else None,
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
