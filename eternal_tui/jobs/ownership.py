"""Which instance polls and downloads which job: an owner is written into the job, and its process is its pulse."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eternal_tui.history.journal import Change
from eternal_tui.jobs.model import Job
from eternal_tui.jobs.ports import History, InstanceRegistry

ORPHAN_CHECK_SECONDS = 5.0
"""Seconds between looks for jobs whose owner has died: well inside the half minute a take-over may last."""


def claim(history: History, registry: InstanceRegistry, jobs: Sequence[Job]) -> tuple[list[int], list[Change]]:
    """Make this instance the owner of those `jobs` whose owner is gone, in one locked step.

    Returns the ids now owned here, and what other instances wrote meanwhile, for the roster to absorb.
    """
    with history.transaction() as transaction:
        owners = {job.id: job.owner for job in jobs}
        gone: set[int] = set()
        for change in transaction.concurrent_changes:
            if change.op == "delete":
                gone.add(change.id)
            elif change.id in owners and "owner" in change.fields:
                owners[change.id] = change.fields["owner"]
        mine: list[int] = []
        for job_id, owner in owners.items():
            if job_id in gone or (owner not in ("", registry.id) and registry.is_alive(owner)):
                continue
            if owner != registry.id:
                transaction.update(job_id, {"owner": registry.id})
            mine.append(job_id)
        news = list(transaction.concurrent_changes)
    return mine, news


def orphans(jobs: Iterable[Job], registry: InstanceRegistry) -> list[Job]:
    """Return the jobs whose owner no longer runs; each owner is asked after once."""
    alive: dict[str, bool] = {registry.id: True, "": False}
    found = []
    for job in jobs:
        if job.owner not in alive:
            alive[job.owner] = registry.is_alive(job.owner)
        if not alive[job.owner]:
            found.append(job)
    return found
