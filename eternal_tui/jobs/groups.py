"""Jobs counted by type, character, tag and day, each group with the filter that lists its jobs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from eternal_tui.core.sanitize import sanitize
from eternal_tui.jobs.billing.statistics import MAX_DAYS, Money, Statistics
from eternal_tui.jobs.model import Job, JobState

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
        # The number comes first, so that jobs sent before and after a character got its name are one group.
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
