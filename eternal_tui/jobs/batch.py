"""Jobs counted together: those of a batch, failures to run again, and the groups of the whole history."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import msgspec

from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.sanitize import sanitize
from eternal_tui.jobs.billing.statistics import MAX_DAYS, Money, Statistics
from eternal_tui.jobs.model import FileState, Job, JobState


def new_batch_id(request_count: int) -> str:
    """Return a new ID for requests sent together, "" for a single one."""
    return os.urandom(4).hex() if request_count > 1 else ""


class BatchSummary(msgspec.Struct, frozen=True):
    """Counts of a batch's jobs as the filters `state:done`, `state:failed` ... find them, and its progress in percent.

    `rejected` includes those never sent. Of the done ones `fetching` are still to be downloaded, `without_file` are
    those whose file expired, is broken or missing. `cost` is the sum in credits of what is known or estimated, None
    where nothing is.
    """

    job_count: int
    done: int
    failed: int
    rejected: int
    unconfirmed: int
    lost: int
    without_file: int
    in_progress: int
    percent: int
    cost: float | None
    queued: int = 0
    fetching: int = 0


_UNAVAILABLE_FILE_STATES = frozenset({FileState.EXPIRED, FileState.BROKEN, FileState.MISSING})


def summarize(jobs: Iterable[Job]) -> BatchSummary:
    """Summarize the states of these jobs."""
    jobs = list(jobs)
    states = Counter(str(job.state) for job in jobs)
    unended = [job for job in jobs if not job.is_ended or job.needs_download]
    progress = 100 * (len(jobs) - len(unended)) + sum(min(max(job.progress, 0), 99) for job in unended)
    costs = [job.cost for job in jobs if job.cost is not None and job.state is not JobState.REJECTED]
    return BatchSummary(
        job_count=len(jobs),
        done=states["succeeded"],
        **{state: states[state] for state in ("failed", "rejected", "unconfirmed", "lost", "queued")},
        without_file=sum(job.file_state in _UNAVAILABLE_FILE_STATES for job in jobs),
        in_progress=len(unended),
        percent=progress // len(jobs) if jobs else 0,
        cost=sum(costs) if costs else None,
        fetching=sum(job.needs_download for job in jobs),
    )


TRANSIENT_CAUSES = frozenset({"key", "credits", "unreachable", "stopped", "cap"})
"""Causes of a rejection outside the request: the same request may be accepted later."""


class RetryCandidates(msgspec.Struct, frozen=True):
    """Failed and rejected jobs, oldest first: to run again, run again since, rejected for their request."""

    retryable: tuple[Job, ...] = ()
    retried: tuple[Job, ...] = ()
    rejected: tuple[Job, ...] = ()


def find_retryable(listed: Iterable[Job], all_jobs: Iterable[Job]) -> RetryCandidates:
    """Sort the failures among `listed`; `all_jobs` may hold a later run of the same request.

    The jobs of one batch are no runs of each other: three of a kind that failed are three to run again.
    """
    found = [job for job in listed if _has_failed(job)]
    wanted = {job.request for job in found}
    runs: dict[GenerateRequest, list[Job]] = {}
    for job in all_jobs:
        if job.request in wanted:
            runs.setdefault(job.request, []).append(job)
    open_, run_since, refused = [], [], []
    for job in sorted(found, key=lambda one: one.id):
        if job.state is JobState.REJECTED and job.cause not in TRANSIENT_CAUSES:
            refused.append(job)
        elif any(_is_later_run(job, later) for later in runs.get(job.request, ())):
            run_since.append(job)
        else:
            open_.append(job)
    return RetryCandidates(tuple(open_), tuple(run_since), tuple(refused))


def _has_failed(job: Job) -> bool:
    return job.state in (JobState.FAILED, JobState.REJECTED) and not job.is_creation


def _is_later_run(job: Job, later: Job) -> bool:
    ended = job.finished_at if job.finished_at is not None else job.created_at
    return later.id > job.id and later.created_at >= ended and not (job.batch and later.batch == job.batch)


class ActiveBatches:
    """Counts the jobs of each batch that something will still happen to, and knows which are being sent.

    A stalled job, or one that is not polled, does not count: it may run for hours.
    """

    def __init__(self) -> None:
        self._active_jobs: Counter[str] = Counter()
        self._active_sends: Counter[str] = Counter()

    def apply_change(self, old: Job | None, new: Job | None) -> None:
        """Count `new` instead of `old`."""
        for job, sign in ((old, -1), (new, +1)):
            if job is not None and job.batch and _is_active_job(job):
                self._active_jobs[job.batch] += sign
                if not self._active_jobs[job.batch]:
                    del self._active_jobs[job.batch]

    @contextmanager
    def mark_sending(self, batch: str) -> Iterator[None]:
        """Count the batch as going on while its requests are sent: the first may end before the last is known."""
        self._active_sends[batch] += 1
        try:
            yield
        finally:
            self._active_sends[batch] -= 1

    def is_active(self, batch: str) -> bool:
        """Return whether more jobs of this batch will end soon."""
        return bool(batch) and (self._active_jobs[batch] > 0 or self._active_sends[batch] > 0)


def _is_active_job(job: Job) -> bool:
    return job.state is JobState.SUBMITTING or job.needs_download or (job.state is JobState.RUNNING and job.watched)


MAX_GROUPS = 20
"""Groups of one kind: the most important."""

KINDS = ("type", "character", "tag", "account", "day")


class JobGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Some jobs and what they cost. `filter` finds them in the list; it is empty for all.

    Times are seconds from request to result, None where unknown. `success` is the share of those that ended well among
    those that succeeded or failed.
    """

    kind: str
    name: str
    filter: str
    jobs: int = 0
    money: Money
    success: float | None = None
    median: float | None = None
    p90: float | None = None


def group_jobs(jobs: Iterable[Job], figures: Statistics) -> list[JobGroup]:
    """Return the groups of a history: types, characters, tags and accounts with the most jobs first, then days.

    What each cost is that of `figures`, which also knows the requests of deleted jobs.
    """
    found: dict[str, dict[tuple[str, str], list[Job]]] = defaultdict(lambda: defaultdict(list))
    for job in jobs:
        for kind, name, text in _keys(job):
            found[kind][name, text].append(job)
    money = _money_by_group(figures)
    groups = []
    for kind in KINDS:
        counted = [
            _count(kind, name, text, those, money.get((kind, name), Money()))
            for (name, text), those in found[kind].items()
        ]
        if kind == "day":
            groups += sorted(counted, key=lambda group: group.name, reverse=True)[:MAX_DAYS]
        elif kind != "account" or len(counted) > 1:
            groups += sorted(counted, key=lambda group: -group.jobs)[:MAX_GROUPS]
    return groups


def _money_by_group(figures: Statistics) -> dict[tuple[str, str], Money]:
    money: dict[tuple[str, str], Money] = {("type", kind.type): kind for kind in figures.kinds}
    money |= {("day", day.date): day for day in figures.days}
    for kind, groups in (("character", figures.characters), ("tag", figures.tags)):
        money |= {(kind, sanitize(group.name, limit=80)): group for group in groups}
    # An account's name is that of its service and its own, as there may be several services.
    money |= {("account", sanitize(group.name.rpartition(" ")[2], limit=80)): group for group in figures.accounts}
    return money


def _keys(job: Job) -> list[tuple[str, str, str]]:
    """Return kind, name and filter of each group the job is in."""
    request = job.request
    keys: list[tuple[str, str, str]] = [("type", request.type, f"type:{request.type}")]
    if request.character:
        # The ID comes first, so that jobs sent before and after a character got its name are one group.
        character = sanitize(request.character, limit=80)
        keys.append(("character", character, f"character:={character}"))
    keys += [("tag", tag, f'tag:"={tag}"') for tag in (sanitize(each, limit=80) for each in job.tags)]
    if job.account:
        keys.append(("account", sanitize(job.account, limit=80), f"account:{job.account}"))
    try:
        day = datetime.fromtimestamp(job.created_at).astimezone().date().isoformat()
    except (ValueError, OverflowError, OSError):
        return keys
    return [*keys, ("day", day, f"since:{day} until:{day}")]


def _count(kind: str, name: str, text: str, jobs: Sequence[Job], money: Money) -> JobGroup:
    if kind == "character":
        name = next((f"{job.name} {name}" for job in jobs if job.name), name)
    succeeded = [job for job in jobs if job.state is JobState.SUCCEEDED]
    ended = len(succeeded) + sum(job.state is JobState.FAILED for job in jobs)
    seconds = sorted(job.run_seconds for job in succeeded if job.run_seconds is not None)
    median, p90 = (seconds[int(share * len(seconds))] if seconds else None for share in (0.5, 0.9))
    return JobGroup(
        kind=kind,
        name=name,
        filter=text,
        jobs=len(jobs),
        money=money,
        success=len(succeeded) / ended if ended else None,
        median=median,
        p90=p90,
    )
