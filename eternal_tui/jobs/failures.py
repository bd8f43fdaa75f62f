"""Which of the jobs that came to nothing are worth running again, all at once."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from eternal_tui.api.models import GenerateRequest
from eternal_tui.jobs.model import Job, JobState

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
