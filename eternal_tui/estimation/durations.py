"""How long jobs take: learned from those that ended, sane from the first one."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean, median

import msgspec

from eternal_tui.estimation.progress import (
    PRIOR_CURVE_WEIGHTS,
    Observation,
    ProgressCurve,
    ProgressLearner,
    curve_library,
)

MAX_DURATIONS_PER_KIND = 64
"""Durations kept for a kind: enough for a steady fit, few enough to follow a service that changes."""

MAX_KINDS = 64
"""Kinds kept at once; the one unused for longest goes first."""

MAX_TYPES = 8
"""Media types whose way of reporting progress is learned; the service has two."""

MIN_LEARNED_SECONDS, MAX_LEARNED_SECONDS = 0.2, 7200.0
"""Seconds; a duration beyond these is clamped, so that one sleeping laptop does not spoil a fit."""

_ASSUMED_RUNNING_SHARE = 0.6
"""A job whose last look before the end is not known is taken to have run this share of its time at least."""

_PRIOR_MEDIAN_SECONDS = {"image": 20.0, "video": 50.0}
"""Seconds; the service speaks of 30–90 s for a clip and has been faster for pictures than it says."""

_DEFAULT_PRIOR_MEDIAN_SECONDS = 30.0
_PRIOR_LOG_STDDEV = 0.7
"""How wrong those medians may be, as the standard deviation of a logarithm."""

_SIBLING_LOG_STDDEV = 0.3
"""How far kinds of one type differ from each other, beyond what their clip length explains."""

_JOB_LOG_STDDEV = 0.4
_JOB_STDDEV_STRENGTH = 4.0
_SHARED_STDDEV_STRENGTH = 8.0


class JobKind(msgspec.Struct, frozen=True):
    """What makes two jobs take about as long: media type, picture quality, clip length in seconds."""

    type: str
    quality: str | None = None
    duration: int | None = None


class DurationModel(msgspec.Struct, frozen=True):
    """A lognormal duration: mean and deviation of ln(seconds), and how many jobs of the kind it rests on.

    `curve_weights` weighs how the service reports progress: never moving, meaning nothing, then each shape of the
    library, then `fitted_curve`, a shape drawn from finished jobs, once there are enough.
    """

    mu: float
    sigma: float
    job_count: int = 0
    curve_weights: tuple[float, ...] = PRIOR_CURVE_WEIGHTS
    fitted_curve: ProgressCurve | None = None

    def weighted_curves(self) -> Iterator[tuple[ProgressCurve, float]]:
        """Yield the shapes worth weighing with their weights."""
        known = curve_library() if self.fitted_curve is None else (*curve_library(), self.fitted_curve)
        return ((shape, weight) for shape, weight in zip(known, self.curve_weights[2:], strict=True) if weight > 0)

    @property
    def median(self) -> float:
        """Return the seconds that half of the jobs take."""
        return math.exp(self.mu)


def prior_log_seconds(kind: JobKind) -> float:
    """Return ln(seconds) to expect of a kind before any job was seen."""
    mu = math.log(_PRIOR_MEDIAN_SECONDS.get(kind.type, _DEFAULT_PRIOR_MEDIAN_SECONDS))
    if kind.quality == "high":
        mu += math.log(1.5)
    if kind.duration is not None:
        mu += 0.5 * math.log(min(max(kind.duration, 1), 60) / 3)
    return mu


class DurationEstimator:
    """Durations of ended jobs by kind; kinds of one type borrow strength from each other."""

    def __init__(self) -> None:
        self._residuals: OrderedDict[JobKind, deque[_LogResidual]] = OrderedDict()
        self._models: dict[JobKind, DurationModel] = {}
        self._learners: dict[str, ProgressLearner] = {}

    def learn(self, kind: JobKind, seconds: float, *, last_running_age: float | None = None) -> None:
        """Take in a job found ended `seconds` after its submit.

        `last_running_age` is the age at which a poll had still seen it running.

        The end lies somewhere between: taking it for the moment it was found would teach the cadence its own
        lateness, which then grows. Where `last_running_age` is not known, a wide guess stands in. What is not a
        positive number is ignored.
        """
        if not (math.isfinite(seconds) and seconds > 0):
            return
        latest = min(max(seconds, MIN_LEARNED_SECONDS), MAX_LEARNED_SECONDS)
        earliest = (
            _ASSUMED_RUNNING_SHARE * latest
            if last_running_age is None or math.isnan(last_running_age)
            else min(last_running_age, 0.999 * latest)
        )
        usual = prior_log_seconds(kind)
        model = self.model(kind)
        between = (math.log(earliest) - usual if earliest > 0 else -math.inf, math.log(latest) - usual)
        self._residuals.setdefault(kind, deque(maxlen=MAX_DURATIONS_PER_KIND)).append(
            _truncated_normal_moments(model.mu - usual, model.sigma, *between)
        )
        self._residuals.move_to_end(kind)
        if len(self._residuals) > MAX_KINDS:
            self._residuals.popitem(last=False)
        self._models.clear()

    def learn_job(self, kind: JobKind, observations: Sequence[Observation], seconds: float) -> None:
        """Take in a job found ended `seconds` after its submit, with all looks at it: its duration and its shape."""
        since = max((sighting.age for sighting in observations if 0 <= sighting.age < seconds), default=0.0)
        self.learn(kind, seconds, last_running_age=since)
        self.learn_curve(kind, observations, seconds)

    def learn_curve(self, kind: JobKind, observations: Sequence[Observation], seconds: float) -> None:
        """Take in what was seen of a finished job before it was found ended, `seconds` after its submit."""
        if kind.type not in self._learners and len(self._learners) >= MAX_TYPES:
            return
        self._learners.setdefault(kind.type, ProgressLearner()).learn(observations, seconds)
        self._models.clear()

    def model(self, kind: JobKind) -> DurationModel:
        """Return what is known about a kind; cheap, as it is worked out once after each `learn`."""
        known = self._models.get(kind)
        if known is None:
            known = self._fit_model(kind)
            if len(self._models) >= 2 * MAX_KINDS:
                self._models.clear()
            self._models[kind] = known
        return known

    def _fit_model(self, kind: JobKind) -> DurationModel:
        habit = self._learners.get(kind.type) or next(iter(self._learners.values()), None)
        own = _summarize_residuals(self._residuals.get(kind, ()))
        others = [
            _summarize_residuals(seen)
            for other, seen in self._residuals.items()
            if other.type == kind.type and other != kind
        ]
        freedom = sum(max(summary.count - 1, 0) for summary in (own, *others))
        squares = sum(summary.squares for summary in (own, *others))
        shared = (_JOB_STDDEV_STRENGTH * _JOB_LOG_STDDEV**2 + squares) / (_JOB_STDDEV_STRENGTH + freedom)
        precisions = [1 / (_SIBLING_LOG_STDDEV**2 + shared / summary.count) for summary in others]
        total = sum(precisions) + _PRIOR_LOG_STDDEV**-2
        family_mean = sum(p * summary.mean for p, summary in zip(precisions, others, strict=True)) / total
        own_variance = (_SHARED_STDDEV_STRENGTH * shared + own.squares) / (
            _SHARED_STDDEV_STRENGTH + max(own.count - 1, 0)
        )
        from_family = 1 / (_SIBLING_LOG_STDDEV**2 + 1 / total)
        from_own = own.count / own_variance
        mean = (from_family * family_mean + from_own * own.mean) / (from_family + from_own)
        return DurationModel(
            mu=prior_log_seconds(kind) + mean,
            sigma=math.sqrt(own_variance + 1 / (from_family + from_own)),
            job_count=own.count,
            curve_weights=habit.weights() if habit else PRIOR_CURVE_WEIGHTS,
            fitted_curve=habit.fitted_curve if habit else None,
        )


class _ResidualSummary(msgspec.Struct, frozen=True):
    count: int
    mean: float
    squares: float


_LogResidual = tuple[float, float]
"""Mean and variance of what one job's ln(seconds) was beyond the expected."""


def _truncated_normal_moments(mean: float, stddev: float, lower_bound: float, upper_bound: float) -> _LogResidual:
    """Return mean and variance of a normal variable known to lie between two bounds, the lower one maybe -inf."""
    low, high = (lower_bound - mean) / stddev, (upper_bound - mean) / stddev
    mass = 0.5 * (math.erfc(low / math.sqrt(2)) - math.erfc(high / math.sqrt(2)))
    if mass < 1e-6:
        near = upper_bound if high < 0 else lower_bound
        width = min(upper_bound - lower_bound, stddev)
        return (near - width / 2 if high < 0 else near + width / 2), width * width / 12
    density_low, density_high = (math.exp(-z * z / 2) / math.sqrt(2 * math.pi) for z in (low, high))
    shift = (density_low - density_high) / mass
    weighed_low = 0.0 if low == -math.inf else low * density_low
    shrink = 1 + (weighed_low - high * density_high) / mass - shift * shift
    return mean + stddev * shift, stddev * stddev * min(max(shrink, 0.0), 1.0)


def _summarize_residuals(residuals: Iterable[_LogResidual]) -> _ResidualSummary:
    """Return count, mean and sum of squares, outliers drawn in so that one odd job cannot move a fit far."""
    jobs = list(residuals)
    if not jobs:
        return _ResidualSummary(0, 0.0, 0.0)
    values = [mean for mean, _ in jobs]
    centre = median(values)
    reach = 3 * max(1.48 * median(abs(value - centre) for value in values), 0.15)
    drawn_in = [min(max(value, centre - reach), centre + reach) for value in values]
    mean = fmean(drawn_in)
    squares = sum((value - mean) ** 2 for value in drawn_in) + sum(variance for _, variance in jobs)
    return _ResidualSummary(len(values), mean, squares)
