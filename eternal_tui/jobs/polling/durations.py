"""How long jobs take: learned from those that ended, sane from the first one."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean, median

import msgspec

from eternal_tui.jobs.polling.progress_learning import Habit
from eternal_tui.jobs.polling.progress_models import FIRST_GUESS, Shape, Sighting, library

REMEMBERED = 64
"""Durations kept for a kind: enough for a steady fit, few enough to follow a service that changes."""

KINDS = 64
"""Kinds kept at once; the one unused for longest goes first."""

TYPES = 8
"""Media types whose way of reporting progress is learned; the service has two."""

SHORTEST, LONGEST = 0.2, 7200.0
"""Seconds; a duration beyond these is clamped, so that one sleeping laptop does not spoil a fit."""

_UNKNOWN_SINCE = 0.6
"""A job whose last look before the end is not known is taken to have run this share of its time at least."""

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
        self._seen: OrderedDict[Kind, deque[_Learned]] = OrderedDict()
        self._models: dict[Kind, DurationModel] = {}
        self._habits: dict[str, Habit] = {}

    def learn(self, kind: Kind, seconds: float, *, since: float | None = None) -> None:
        """Take in a job found ended `seconds` after its submit, which a look at `since` had still seen running.

        The end lies somewhere between: taking it for the moment it was found would teach the cadence its own
        lateness, which then grows. Where `since` is not known, a wide guess stands in. What is not a positive number
        is ignored.
        """
        if not (math.isfinite(seconds) and seconds > 0):
            return
        latest = min(max(seconds, SHORTEST), LONGEST)
        earliest = _UNKNOWN_SINCE * latest if since is None or since != since else min(since, 0.999 * latest)  # noqa: PLR0124
        usual = expected(kind)
        model = self.model(kind)
        between = (math.log(earliest) - usual if earliest > 0 else -math.inf, math.log(latest) - usual)
        self._seen.setdefault(kind, deque(maxlen=REMEMBERED)).append(_within(model.mu - usual, model.sigma, *between))
        self._seen.move_to_end(kind)
        if len(self._seen) > KINDS:
            self._seen.popitem(last=False)
        self._models.clear()

    def learn_job(self, kind: Kind, sightings: Sequence[Sighting], seconds: float) -> None:
        """Take in a job found ended `seconds` after its submit, with all looks at it: its duration and its shape."""
        since = max((sighting.at for sighting in sightings if 0 <= sighting.at < seconds), default=0.0)
        self.learn(kind, seconds, since=since)
        self.learn_shape(kind, sightings, seconds)

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


_Learned = tuple[float, float]
"""Mean and variance of what one job's ln(seconds) was beyond the expected."""


def _within(mean: float, spread: float, least: float, most: float) -> _Learned:
    """Return mean and variance of a normal variable known to lie between two bounds, the lower one maybe -inf."""
    low, high = (least - mean) / spread, (most - mean) / spread
    mass = 0.5 * (math.erfc(low / math.sqrt(2)) - math.erfc(high / math.sqrt(2)))
    if mass < 1e-6:
        near = most if high < 0 else least
        width = min(most - least, spread)
        return (near - width / 2 if high < 0 else near + width / 2), width * width / 12
    density_low, density_high = (math.exp(-z * z / 2) / math.sqrt(2 * math.pi) for z in (low, high))
    shift = (density_low - density_high) / mass
    weighed_low = 0.0 if low == -math.inf else low * density_low
    shrink = 1 + (weighed_low - high * density_high) / mass - shift * shift
    return mean + spread * shift, spread * spread * min(max(shrink, 0.0), 1.0)


def _summary(learned: Iterable[_Learned]) -> _Summary:
    """Return count, mean and sum of squares, outliers drawn in so that one odd job cannot move a fit far."""
    jobs = list(learned)
    if not jobs:
        return _Summary(0, 0.0, 0.0)
    values = [mean for mean, _ in jobs]
    centre = median(values)
    reach = 3 * max(1.48 * median(abs(value - centre) for value in values), 0.15)
    drawn_in = [min(max(value, centre - reach), centre + reach) for value in values]
    mean = fmean(drawn_in)
    squares = sum((value - mean) ** 2 for value in drawn_in) + sum(variance for _, variance in jobs)
    return _Summary(len(values), mean, squares)
