"""Jobs counted by type, character, tag and day, each group with the filter that lists its jobs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import msgspec

from eternal_tui.core.sanitize import sanitize
from eternal_tui.jobs.model import Job, JobState

MAX_GROUPS = 20
"""Groups of one kind: the most important."""

MAX_DAYS = 30


class JobGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Some jobs. `filter` finds them in the list; times are seconds from request to result, None where unknown.

    `success` is the share of those that ended well among those that succeeded or failed.
    """

    kind: str
    name: str
    filter: str
    jobs: int
    spent: float
    success: float | None
    median: float | None
    p90: float | None


def group_jobs(jobs: Iterable[Job], cost_of: Callable[[Job], float]) -> list[JobGroup]:
    """Return the groups of a history: types, characters and tags with the most jobs first, then the latest days."""
    found: dict[str, dict[tuple[str, str], list[Job]]] = defaultdict(lambda: defaultdict(list))
    for job in jobs:
        for kind, name, text in _keys(job):
            found[kind][name, text].append(job)
    groups = []
    for kind in ("type", "character", "tag", "day"):
        counted = [_count(kind, name, text, those, cost_of) for (name, text), those in found[kind].items()]
        if kind == "day":
            groups += sorted(counted, key=lambda group: group.name, reverse=True)[:MAX_DAYS]
        else:
            groups += sorted(counted, key=lambda group: -group.jobs)[:MAX_GROUPS]
    return groups


def _keys(job: Job) -> list[tuple[str, str, str]]:
    """Return kind, name and filter of each group the job is in."""
    request = job.request
    keys: list[tuple[str, str, str]] = [("type", request.type, f"type:{request.type}")]
    if request.character:
        # The number comes first, so that jobs sent before and after a character got its name are one group.
        character = sanitize(request.character, limit=80)
        keys.append(("character", character, f"character:={character}"))
    keys += [("tag", tag, f'tag:"={tag}"') for tag in (sanitize(each, limit=80) for each in job.tags)]
    try:
        day = datetime.fromtimestamp(job.created_at).astimezone().date().isoformat()
    except (ValueError, OverflowError, OSError):
        return keys
    return [*keys, ("day", day, f"since:{day} until:{day}")]


def _count(kind: str, name: str, text: str, jobs: Sequence[Job], cost_of: Callable[[Job], float]) -> JobGroup:
    if kind == "character":
        name = next((f"{job.name} {name}" for job in jobs if job.name), name)
    succeeded = [job for job in jobs if job.state is JobState.SUCCEEDED]
    ended = len(succeeded) + sum(job.state is JobState.FAILED for job in jobs)
    seconds = sorted(
        job.finished_at - job.submitted_at
        for job in succeeded
        # A clock set back makes nonsense of a duration.
        if job.finished_at is not None and job.submitted_at is not None and job.finished_at >= job.submitted_at
    )
    median, p90 = (seconds[int(share * len(seconds))] if seconds else None for share in (0.5, 0.9))
    return JobGroup(
        kind=kind,
        name=name,
        filter=text,
        jobs=len(jobs),
        spent=sum(map(cost_of, jobs)),
        success=len(succeeded) / ended if ended else None,
        median=median,
        p90=p90,
    )
