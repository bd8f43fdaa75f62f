"""Running totals of the day, and statistics of a history by day, type, account, character and tag."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import msgspec

from eternal_tui.api.models import RequestType
from eternal_tui.core.sanitize import sanitize
from eternal_tui.jobs.billing.charges import Charge
from eternal_tui.jobs.billing.ledger import Ledger, add_unbilled_jobs
from eternal_tui.jobs.formatting import state_label
from eternal_tui.jobs.model import POLLED_STATES, Job, JobState


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """The totals of the header. Amounts are credits; days are local.

    `sending` counts requests without a response, `waiting` those and files still to download. A job counts on the day
    of its creation, with its cost, and as the filters `state:done`, `state:failed` ... find it. `is_complete` is
    False until every job is read. Amounts are those of one account; `account` names it where there are several.
    `spent_today` includes `unexplained_today` (the balance fell by more than the requests cost) and
    `unconfirmed_today`; with `is_spent_exact` balances prove all of it.
    """

    queued: int = 0
    sending: int = 0
    running: int = 0
    waiting: int = 0
    unconfirmed: int = 0
    done_today: int = 0
    failed_today: int = 0
    rejected_today: int = 0
    unsent_today: int = 0
    credits: float | None = None
    spent_today: float = 0.0
    spent_total: float = 0.0
    unexplained_today: float = 0.0
    unconfirmed_today: float = 0.0
    is_spent_exact: bool = True
    account: str = ""
    is_complete: bool = True


def _local_date(at: float) -> date:
    return datetime.fromtimestamp(at).astimezone().date()


def day_bounds(now: float) -> tuple[float, float]:
    """Return start and end of the local day in seconds since the epoch."""
    # By calendar, each midnight with its own UTC offset: a day with a clock change has 23 or 25 hours.
    today = _local_date(now)
    begin, end = (datetime(day.year, day.month, day.day).astimezone() for day in (today, today + timedelta(days=1)))
    return begin.timestamp(), end.timestamp()


class RunningTotals:
    """Counts jobs change by change. `clock` is the wall clock; `list_jobs` is called when a new day begins."""

    def __init__(self, clock: Callable[[], float], list_jobs: Callable[[], Iterable[Job]]) -> None:
        self._clock = clock
        self._list_jobs = list_jobs
        self._day_start, self._day_end = day_bounds(clock())
        self._counts: Counter[str] = Counter()

    def apply_change(self, old: Job | None, new: Job | None) -> None:
        """Count `new` instead of `old`."""
        if old is not None:
            self._add(old, -1)
        if new is not None:
            self._add(new, +1)

    def totals(self) -> Totals:
        """Return the current counts."""
        if not self._day_start <= self._clock() < self._day_end:
            self._day_start, self._day_end = day_bounds(self._clock())
            self._counts.clear()
            for job in self._list_jobs():
                self._add(job, +1)
        counts: dict[str, Any] = {name: self._counts[name] for name in Totals.__struct_fields__ if name in self._counts}
        return Totals(**counts)

    def _add(self, job: Job, sign: int) -> None:
        if job.state in POLLED_STATES:
            self._counts["running"] += sign
        elif job.state is JobState.QUEUED:
            self._counts["queued"] += sign
        elif job.state is JobState.SUBMITTING:
            self._counts["sending"] += sign
            self._counts["waiting"] += sign
        elif job.needs_download:
            self._counts["waiting"] += sign
        elif job.state is JobState.UNCONFIRMED and not job.dismissed:
            self._counts["unconfirmed"] += sign
        if self._day_start <= job.created_at < self._day_end:
            label = "done" if job.state is JobState.SUCCEEDED else state_label(job)
            self._counts[f"{label}_today"] += sign


MAX_DAYS = 30
"""Days in the daily statistics: the width of the bar chart in a wide terminal."""


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of some requests, in credits.

    `spent` includes `unexplained` (the balance fell by more than the requests cost) and `unconfirmed`; with `is_exact`
    balances prove all of it.
    """

    spent: float = 0.0
    unexplained: float = 0.0
    unconfirmed: float = 0.0
    is_exact: bool = True


class DayStats(Money, frozen=True, kw_only=True):
    """One local day. Jobs count on the day of their creation; `unsent` ones never reached the API."""

    date: str
    sent: int = 0
    succeeded: int = 0
    failed: int = 0
    rejected: int = 0
    unsent: int = 0


class GroupStats(Money, frozen=True, kw_only=True):
    """The paid requests of one account, character or tag; `name` is empty for those without."""

    name: str
    requests: int = 0


class TypeStats(Money, frozen=True, kw_only=True):
    """All jobs of one type. `success` is the share of succeeded among ended ones, None where none has ended.

    `median`, `slowest_tenth` (p90) and `durations` (newest last, at most MAX_DAYS) are seconds from request to result;
    None and empty where unknown.
    """

    type: RequestType
    jobs: int = 0
    succeeded: int = 0
    failed: int = 0
    rejected: int = 0
    success: float | None = None
    median: float | None = None
    slowest_tenth: float | None = None
    durations: tuple[float, ...] = ()


class Statistics(Money, frozen=True, kw_only=True):
    """Statistics of a history; `days` are consecutive, oldest first."""

    jobs: int
    days: tuple[DayStats, ...]
    kinds: tuple[TypeStats, ...]
    accounts: tuple[GroupStats, ...] = ()
    characters: tuple[GroupStats, ...] = ()
    tags: tuple[GroupStats, ...] = ()


REQUEST_TYPES: tuple[RequestType, ...] = ("image", "video", "character")


def compute_statistics(
    jobs: Iterable[Job], now: float, ledger: Ledger, *, days: int = MAX_DAYS, account: str = ""
) -> Statistics:
    """Count jobs and add up charges; of jobs that the ledger does not know their own costs count.

    `now`, in seconds since the epoch, is on the last day. `account` selects the accounts whose name begins with it.
    """
    every = sorted(jobs, key=lambda job: job.created_at)
    add_unbilled_jobs(ledger, every)
    charges = list(ledger.charges_of())
    if account:
        every = [job for job in every if job.account.startswith(account)]
        charges = [charge for charge in charges if charge.account.startswith(account)]
    money = partial(_sum_charges, ledger)
    kinds = tuple(
        _type_stats(
            name, [job for job in every if job.request.type == name], money([c for c in charges if c.key[0] == name])
        )
        for name in REQUEST_TYPES
    )
    return Statistics(
        jobs=len(every),
        days=_daily_stats(every, charges, money, now, days),
        kinds=tuple(kind for kind in kinds if kind.jobs or kind.spent),
        accounts=_group_stats(charges, money, lambda charge: [f"{charge.service} {charge.account}".strip()]),
        characters=_group_stats([c for c in charges if c.job], money, lambda charge: [charge.character]),
        tags=_group_stats([c for c in charges if c.job], money, _tags_of({job.id: job.tags for job in every})),
        **money(charges),
    )


def _sum_charges(ledger: Ledger, charges: Iterable[Charge]) -> dict[str, Any]:
    spending = ledger.spending(charges)
    return {
        "spent": round(float(spending.spent), 6),
        "unexplained": round(float(spending.unexplained), 6),
        "unconfirmed": round(float(spending.unconfirmed), 6),
        "is_exact": spending.is_exact,
    }


def _tags_of(tags_by_job: dict[int, tuple[str, ...]]) -> Callable[[Charge], Sequence[str]]:
    return lambda charge: tags_by_job.get(charge.job) or ("",)


def _group_stats(
    charges: Sequence[Charge],
    money: Callable[[Iterable[Charge]], dict[str, Any]],
    names_of: Callable[[Charge], Sequence[str]],
) -> tuple[GroupStats, ...]:
    """Add up the charges by name, the most expensive first."""
    groups: dict[str, list[Charge]] = defaultdict(list)
    for charge in charges:
        for name in names_of(charge):
            groups[name].append(charge)
    found = [
        GroupStats(name=name, requests=sum(c.job != 0 and not c.is_free for c in each), **money(each))
        for name, each in groups.items()
    ]
    return tuple(sorted(found, key=lambda group: (-group.spent, sanitize(group.name))))


def _daily_stats(
    jobs: Sequence[Job],
    charges: Sequence[Charge],
    money: Callable[[Iterable[Charge]], dict[str, Any]],
    now: float,
    day_count: int,
) -> tuple[DayStats, ...]:
    dates = [_local_date(now) - timedelta(number) for number in reversed(range(day_count))]
    days = {each: (list[Job](), list[Charge]()) for each in dates}
    oldest, newest = now - (day_count + 1) * 86_400.0, now + 2 * 86_400.0
    for job in jobs:
        if oldest < job.created_at < newest and (day := days.get(_local_date(job.created_at))):
            day[0].append(job)
    for charge in charges:
        if oldest < charge.sent_at < newest and (day := days.get(_local_date(charge.sent_at))):
            day[1].append(charge)
    return tuple(_day_stats(day, those, money(costs)) for day, (those, costs) in days.items())


def _day_stats(day: date, jobs: Sequence[Job], money: dict[str, Any]) -> DayStats:
    states = Counter(map(state_label, jobs))
    return DayStats(
        date=day.isoformat(),
        **money,
        sent=sum(job.state is not JobState.REJECTED for job in jobs),
        succeeded=sum(job.state is JobState.SUCCEEDED for job in jobs),
        failed=states["failed"],
        rejected=states["rejected"],
        unsent=states["unsent"],
    )


def _type_stats(request_type: RequestType, jobs: Sequence[Job], money: dict[str, Any]) -> TypeStats:
    succeeded = [job for job in jobs if job.state is JobState.SUCCEEDED]
    failed = sum(job.state is JobState.FAILED for job in jobs)
    took = [job.run_seconds for job in succeeded if job.run_seconds is not None]
    ended = len(succeeded) + failed
    return TypeStats(
        type=request_type,
        jobs=len(jobs),
        succeeded=len(succeeded),
        failed=failed,
        rejected=sum(job.state is JobState.REJECTED for job in jobs),
        **money,
        success=len(succeeded) / ended if ended else None,
        median=_percentile(took, 0.5),
        slowest_tenth=_percentile(took, 0.9),
        durations=tuple(round(seconds, 3) for seconds in took[-MAX_DAYS:]),
    )


def _percentile(seconds: Sequence[float], share: float) -> float | None:
    """Return the percentile for a share from 0 to 1, None without durations."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)
