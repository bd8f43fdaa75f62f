"""What the history says in figures: spending and ends day by day, durations and success by type."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from eternal_tui.api.models import RequestType
from eternal_tui.jobs.billing.totals import cost_of, day_bounds
from eternal_tui.jobs.model import Job, JobState

MAX_DAYS = 30
"""Days that are counted one by one: about what a wide terminal shows as one line of bars."""


class DayStats(msgspec.Struct, frozen=True, kw_only=True):
    """One local day. `spent` is about what its requests cost, in credits; jobs count on the day they were sent."""

    date: str
    spent: float = 0.0
    sent: int = 0
    succeeded: int = 0
    failed: int = 0


class TypeStats(msgspec.Struct, frozen=True, kw_only=True):
    """All jobs of one type. `success` is the share of those that ended well or failed, None where none has ended.

    `median`, `slowest_tenth` (the time nine of ten were done in) and `durations` (newest last, at most DAYS of them)
    are seconds from request to result; None and empty where nothing is known.
    """

    type: RequestType
    jobs: int = 0
    succeeded: int = 0
    failed: int = 0
    rejected: int = 0
    spent: float = 0.0
    success: float | None = None
    median: float | None = None
    slowest_tenth: float | None = None
    durations: tuple[float, ...] = ()


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a history; `days` are the last ones, oldest first, those without a job included."""

    jobs: int
    spent: float
    days: tuple[DayStats, ...]
    kinds: tuple[TypeStats, ...]


def compute_statistics(jobs: Iterable[Job], now: float, *, days: int = MAX_DAYS) -> Statistics:
    """Count jobs; `now` is in seconds since the epoch and says which day is the last."""
    every = sorted(jobs, key=lambda job: job.created_at)
    kinds = tuple(_type_stats(name, [job for job in every if job.request.type == name]) for name in REQUEST_TYPES)
    return Statistics(
        jobs=len(every),
        spent=round(sum(cost_of(job) for job in every), 4),
        days=_daily_stats(every, now, days),
        kinds=tuple(kind for kind in kinds if kind.jobs),
    )


REQUEST_TYPES: tuple[RequestType, ...] = ("image", "video", "character")


def _daily_stats(jobs: Sequence[Job], now: float, day_count: int) -> tuple[DayStats, ...]:
    begins = _day_starts(now, day_count)
    end = day_bounds(now)[1]
    gathered: list[list[Job]] = [[] for _ in begins]
    for job in jobs:
        if begins[0] <= job.created_at < end:
            gathered[bisect_right(begins, job.created_at) - 1].append(job)
    return tuple(_day_stats(begin, those) for begin, those in zip(begins, gathered, strict=True))


def _day_starts(now: float, day_count: int) -> list[float]:
    """Return when each of the last local days began, oldest first."""
    today = datetime.fromtimestamp(now).astimezone().date()
    # By calendar, not by 86,400 seconds: clocks change.
    dates = [today - timedelta(days=back) for back in range(day_count - 1, -1, -1)]
    return [datetime(date.year, date.month, date.day).astimezone().timestamp() for date in dates]


def _day_stats(day_start: float, jobs: Sequence[Job]) -> DayStats:
    return DayStats(
        date=datetime.fromtimestamp(day_start).astimezone().date().isoformat(),
        spent=round(sum(cost_of(job) for job in jobs), 4),
        sent=sum(job.state is not JobState.REJECTED for job in jobs),
        succeeded=sum(job.state is JobState.SUCCEEDED for job in jobs),
        failed=sum(job.state is JobState.FAILED for job in jobs),
    )


def _type_stats(request_type: RequestType, jobs: Sequence[Job]) -> TypeStats:
    succeeded = [job for job in jobs if job.state is JobState.SUCCEEDED]
    failed = sum(job.state is JobState.FAILED for job in jobs)
    took = [
        job.finished_at - job.submitted_at
        for job in succeeded
        # A clock set back makes nonsense of a duration.
        if job.finished_at is not None and job.submitted_at is not None and job.finished_at >= job.submitted_at
    ]
    ended = len(succeeded) + failed
    return TypeStats(
        type=request_type,
        jobs=len(jobs),
        succeeded=len(succeeded),
        failed=failed,
        rejected=sum(job.state is JobState.REJECTED for job in jobs),
        spent=round(sum(cost_of(job) for job in jobs), 4),
        success=len(succeeded) / ended if ended else None,
        median=_percentile(took, 0.5),
        slowest_tenth=_percentile(took, 0.9),
        durations=tuple(round(seconds, 3) for seconds in took[-MAX_DAYS:]),
    )


def _percentile(seconds: Sequence[float], share: float) -> float | None:
    """Return the time in which that share of the jobs was done, None where there are none."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)
