"""Many requests from one form: characters × prompts × settings × times, written out before anything is sent."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import msgspec

from eternal_tui.api.models import GenerateRequest
from eternal_tui.jobs.model import FileState, Job, JobState


def new_batch(requests: int) -> str:
    """Return the name that so many requests sent together carry in the history; a single one needs none."""
    return os.urandom(4).hex() if requests > 1 else ""


class BatchFigures(msgspec.Struct, frozen=True):
    """How a batch stands: its jobs, those with their file, those ended without one, those to decide, in percent.

    `cost` is the sum in credits of what is known or estimated, None where nothing is.
    """

    jobs: int
    done: int
    failed: int
    unclear: int
    percent: int
    cost: float | None

    @property
    def under_way(self) -> int:
        """Jobs that are still going on."""
        return self.jobs - self.done - self.failed - self.unclear


_ENDED_BADLY = frozenset({JobState.FAILED, JobState.REJECTED})
_UNCLEAR = frozenset({JobState.UNCONFIRMED, JobState.LOST})
_NO_FILE = frozenset({FileState.EXPIRED, FileState.BROKEN})


def figures(jobs: Iterable[Job]) -> BatchFigures:
    """Return how these jobs stand together."""
    count = done = failed = unclear = progress = 0
    costs: list[float] = []
    for job in jobs:
        count += 1
        ended = job.ended and not job.wants_file
        progress += 100 if ended else min(max(job.progress, 0), 99)
        failed += job.state in _ENDED_BADLY or job.file_state in _NO_FILE
        unclear += job.state in _UNCLEAR
        done += ended and job.state is JobState.SUCCEEDED and job.file_state not in _NO_FILE
        if job.cost is not None and job.state is not JobState.REJECTED:
            costs.append(job.cost)
    return BatchFigures(count, done, failed, unclear, progress // count if count else 0, sum(costs) if costs else None)


PASSING = frozenset({"key", "credits", "unreachable", "stopped", "cap"})
"""Causes of a rejection that lie outside the request: the same one may be taken later."""


class Failures(msgspec.Struct, frozen=True):
    """Failed and rejected jobs, oldest first: to run again, run again since, refused for what they ask."""

    open: tuple[Job, ...] = ()
    run_since: tuple[Job, ...] = ()
    refused: tuple[Job, ...] = ()


def failures(listed: Iterable[Job], every: Iterable[Job]) -> Failures:
    """Sort the failures among `listed`; `every` are all jobs, in which a later run of the same request is looked for.

    The jobs of one batch are no runs of each other: three of a kind that failed are three to run again.
    """
    found = [job for job in listed if _came_to_nothing(job)]
    wanted = {job.request for job in found}
    runs: dict[GenerateRequest, list[Job]] = {}
    for job in every:
        if job.request in wanted:
            runs.setdefault(job.request, []).append(job)
    open_, run_since, refused = [], [], []
    for job in sorted(found, key=lambda one: one.id):
        if job.state is JobState.REJECTED and job.cause not in PASSING:
            refused.append(job)
        elif any(_is_a_run_of(job, later) for later in runs.get(job.request, ())):
            run_since.append(job)
        else:
            open_.append(job)
    return Failures(tuple(open_), tuple(run_since), tuple(refused))


def _came_to_nothing(job: Job) -> bool:
    return job.state in (JobState.FAILED, JobState.REJECTED) and not job.is_creation


def _is_a_run_of(job: Job, later: Job) -> bool:
    ended = job.finished_at if job.finished_at is not None else job.created_at
    return later.id > job.id and later.created_at >= ended and not (job.batch and later.batch == job.batch)


class LiveBatches:
    """Counts the jobs of each batch that something will still happen to, and knows which are being sent.

    A stalled job, or one that nobody watches, holds back nothing: it may go on for hours.
    """

    def __init__(self) -> None:
        self._live: Counter[str] = Counter()
        self._sending: Counter[str] = Counter()

    def replaced(self, old: Job | None, new: Job | None) -> None:
        """Count `new` instead of `old`."""
        for job, sign in ((old, -1), (new, +1)):
            if job is not None and job.batch and _goes_on(job):
                self._live[job.batch] += sign
                if not self._live[job.batch]:
                    del self._live[job.batch]

    @contextmanager
    def sending(self, batch: str) -> Iterator[None]:
        """Count the batch as going on while its requests are sent: the first may end before the last is known."""
        self._sending[batch] += 1
        try:
            yield
        finally:
            self._sending[batch] -= 1

    def goes_on(self, batch: str) -> bool:
        """Tell whether more jobs of this batch will end soon."""
        return bool(batch) and (self._live[batch] > 0 or self._sending[batch] > 0)


def _goes_on(job: Job) -> bool:
    return job.state is JobState.SUBMITTING or job.wants_file or (job.state is JobState.RUNNING and job.watched)
