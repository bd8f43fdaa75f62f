"""Many requests from one form: characters × prompts × settings × times, written out before anything is sent."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import msgspec

from eternal_tui.api.models import GenerateRequest
from eternal_tui.jobs.model import FileState, Job, JobState


def new_batch_id(request_count: int) -> str:
    """Return the name that so many requests sent together carry in the history; a single one needs none."""
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
    """Return how these jobs stand together."""
    states: Counter[JobState] = Counter()
    count = without_file = in_progress = fetching = progress = 0
    costs: list[float] = []
    for job in jobs:
        count += 1
        states[job.state] += 1
        without_file += job.file_state in _UNAVAILABLE_FILE_STATES
        ended = job.is_ended and not job.needs_download
        in_progress += not ended
        fetching += job.needs_download
        progress += 100 if ended else min(max(job.progress, 0), 99)
        if job.cost is not None and job.state is not JobState.REJECTED:
            costs.append(job.cost)
    return BatchSummary(
        count,
        states[JobState.SUCCEEDED],
        states[JobState.FAILED],
        states[JobState.REJECTED],
        states[JobState.UNCONFIRMED],
        states[JobState.LOST],
        without_file,
        in_progress,
        progress // count if count else 0,
        sum(costs) if costs else None,
        states[JobState.QUEUED],
        fetching,
    )


TRANSIENT_CAUSES = frozenset({"key", "credits", "unreachable", "stopped", "cap"})
"""Causes of a rejection that lie outside the request: the same one may be taken later."""


class RetryCandidates(msgspec.Struct, frozen=True):
    """Failed and rejected jobs, oldest first: to run again, run again since, rejected for their request."""

    retryable: tuple[Job, ...] = ()
    retried: tuple[Job, ...] = ()
    rejected: tuple[Job, ...] = ()


def find_retryable(listed: Iterable[Job], all_jobs: Iterable[Job]) -> RetryCandidates:
    """Sort the failures among `listed`.

    `all_jobs` may hold a later run of the same request.

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
