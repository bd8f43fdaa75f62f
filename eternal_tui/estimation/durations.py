"""Durations of jobs by kind, learned from finished jobs, with priors for the first ones."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from statistics import fmean, median

import msgspec

from eternal_tui.estimation.progress import PRIOR_CURVE_WEIGHTS, Observation, ProgressLearner

MAX_DURATIONS_PER_KIND = 64
"""Durations per kind: enough for a stable fit, few enough to follow a changing service."""

MIN_LEARNED_SECONDS, MAX_LEARNED_SECONDS = 0.2, 7200.0
"""Seconds; durations are clamped to these bounds: one suspended laptop must not spoil a fit."""

_ASSUMED_RUNNING_SHARE = 0.6
"""Where the last poll before the end is unknown, the job is assumed to have run at least this share of its time."""

_PRIOR_MEDIAN_SECONDS = {"image": 20.0, "video": 50.0}
"""Seconds; the service documents 30–90 s for a video and was faster for images."""

_DEFAULT_PRIOR_MEDIAN_SECONDS = 30.0
_PRIOR_LOG_STDDEV = 0.7
"""Standard deviation of the logarithm of those medians."""

_SIBLING_LOG_STDDEV = 0.3
"""Standard deviation of ln(seconds) between kinds of one type, beyond the effect of the video length."""

_JOB_LOG_STDDEV = 0.4
_JOB_STDDEV_STRENGTH = 4.0
_SHARED_STDDEV_STRENGTH = 8.0


class JobKind(msgspec.Struct, frozen=True):
    """Jobs of similar duration: media type, image quality, video length in seconds."""

    type: str
    quality: str | None = None
    duration: int | None = None


class DurationModel(msgspec.Struct, frozen=True):
    """A lognormal duration: mean and standard deviation of ln(seconds), and the number of jobs it is fitted to.

    `curve_weights` are the probabilities of the ways to report progress: never moving, uninformative, then each curve
    of the library.
    """

    mu: float
    sigma: float
    job_count: int = 0
    curve_weights: tuple[float, ...] = PRIOR_CURVE_WEIGHTS

    @property
    def median(self) -> float:
        """The median duration in seconds."""
        return math.exp(self.mu)


def prior_log_seconds(kind: JobKind) -> float:
    """Return the prior mean of ln(seconds) of a kind."""
    mu = math.log(_PRIOR_MEDIAN_SECONDS.get(kind.type, _DEFAULT_PRIOR_MEDIAN_SECONDS))
    if kind.quality == "high":
        mu += math.log(1.5)
    if kind.duration is not None:
        mu += 0.5 * math.log(min(max(kind.duration, 1), 60) / 3)
    return mu


class DurationEstimator:
    """Durations of finished jobs by kind; kinds of one type share information (hierarchical model)."""

    def __init__(self) -> None:
        self._residuals: dict[JobKind, deque[_LogResidual]] = {}
        self._models: dict[JobKind, DurationModel] = {}
        self._learners: dict[str, ProgressLearner] = {}

    def learn(self, kind: JobKind, seconds: float, *, last_running_age: float | None = None) -> None:
        """Add a job found ended `seconds` after its submit; anything but a positive number is ignored.

        `last_running_age` is the age at the last poll that found it running. The end lies between the two: taking the
        later one would feed the lateness of polls back into their interval. None stands for an assumed share.
        """
        if not (math.isfinite(seconds) and seconds > 0):
            return
        latest = min(max(seconds, MIN_LEARNED_SECONDS), MAX_LEARNED_SECONDS)
        earliest = (
            _ASSUMED_RUNNING_SHARE * latest if last_running_age is None else min(last_running_age, 0.999 * latest)
        )
        prior = prior_log_seconds(kind)
        model = self.model(kind)
        between = (math.log(earliest) - prior if earliest > 0 else -math.inf, math.log(latest) - prior)
        self._residuals.setdefault(kind, deque(maxlen=MAX_DURATIONS_PER_KIND)).append(
            _truncated_normal_moments(model.mu - prior, model.sigma, *between)
        )
        self._models.clear()

    def learn_job(self, kind: JobKind, observations: Sequence[Observation], seconds: float) -> None:
        """Add a job found ended `seconds` after its submit, with all observations of it."""
        since = max((each.age for each in observations if 0 <= each.age < seconds), default=0.0)
        self.learn(kind, seconds, last_running_age=since)
        self._learners.setdefault(kind.type, ProgressLearner()).learn(observations, seconds)
        self._models.clear()

    def model(self, kind: JobKind) -> DurationModel:
        """Return the model of a kind, cached until the next `learn`."""
        if kind not in self._models:
            self._models[kind] = self._fit_model(kind)
        return self._models[kind]

    def _fit_model(self, kind: JobKind) -> DurationModel:
        learner = self._learners.get(kind.type) or next(iter(self._learners.values()), None)
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
            curve_weights=learner.weights() if learner else PRIOR_CURVE_WEIGHTS,
        )


class _ResidualSummary(msgspec.Struct, frozen=True):
    count: int
    mean: float
    squares: float


_LogResidual = tuple[float, float]
"""Mean and variance of one job's ln(seconds) minus its prior mean."""


def _truncated_normal_moments(mean: float, stddev: float, lower_bound: float, upper_bound: float) -> _LogResidual:
    """Return mean and variance of a normal variable truncated to two bounds; the lower one may be -inf."""
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
    """Return count, mean and sum of squares, outliers clamped to limit their influence."""
    jobs = list(residuals)
    if not jobs:
        return _ResidualSummary(0, 0.0, 0.0)
    values = [mean for mean, _ in jobs]
    centre = median(values)
    limit = 3 * max(1.48 * median(abs(value - centre) for value in values), 0.15)
    clamped = [min(max(value, centre - limit), centre + limit) for value in values]
    mean = fmean(clamped)
    squares = sum((value - mean) ** 2 for value in clamped) + sum(variance for _, variance in jobs)
    return _ResidualSummary(len(values), mean, squares)
