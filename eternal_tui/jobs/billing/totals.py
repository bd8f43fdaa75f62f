"""Running totals over all loaded jobs, kept change by change so that no tick has to count a hundred thousand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import msgspec

from eternal_tui.jobs.formatting import state_label
from eternal_tui.jobs.model import POLLED_STATES, Job, JobState, Verdict


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of the header. Money is in the service's credits; days are local days.

    `sending` counts requests that have no answer yet, `waiting` those and files still to be fetched. A job counts on
    the day it was made, like its cost, and as the filters `state:done`, `state:failed` ... find it. `is_complete` is
    whether every job is counted, not only those read so far. Money is that of one account, which `account` names where
    there are several. `spent_today` holds the parts `unexplained_today` (the balance fell by more than the requests
    cost) and `unconfirmed_today`; `is_spent_exact` is whether balances tell all of it.
    """

    queued: int = 0
    is_queue_held: bool = False
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


def cost_of(job: Job) -> float:
    """Return the known or likely cost of the job: 0 where nothing was charged or nothing is known."""
    if job.state in (JobState.REJECTED, JobState.QUEUED) or job.verdict is Verdict.NOT_CHARGED:
        return 0.0
    return job.cost or 0.0


def day_bounds(now: float) -> tuple[float, float]:
    """Return the beginning and the end of the local day, in seconds since the epoch."""
    # By calendar, not by 86,400 seconds, and each midnight with its own offset from UTC, not with that of now: a day
    # in which the clocks change is an hour shorter or longer.
    today = datetime.fromtimestamp(now).astimezone().date()
    begin, end = (datetime(day.year, day.month, day.day).astimezone() for day in (today, today + timedelta(days=1)))
    return begin.timestamp(), end.timestamp()


class RunningTotals:
    """Counts jobs as they come and change. `clock` is the wall clock.

    `list_jobs` lists all jobs for a new day's count.
    """

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
        """Return the counts as they stand now."""
        if not self._day_start <= self._clock() < self._day_end:
            self._recount()
        counts = self._counts
        return Totals(
            queued=counts["queued"],
            sending=counts["sending"],
            running=counts["running"],
            waiting=counts["waiting"],
            unconfirmed=counts["unconfirmed"],
            done_today=counts["done today"],
            failed_today=counts["failed today"],
            rejected_today=counts["rejected today"],
            unsent_today=counts["unsent today"],
        )

    def _recount(self) -> None:
        self._day_start, self._day_end = day_bounds(self._clock())
        self._counts.clear()
        for job in self._list_jobs():
            self._add(job, +1)

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
            self._counts[f"{label} today"] += sign
