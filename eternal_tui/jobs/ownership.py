"""Which instance polls and downloads which job: an owner is written into the job, and its process is its pulse."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eternal_tui.jobs.model import Job
from eternal_tui.jobs.ports import History, InstanceRegistry

ORPHAN_CHECK_SECONDS = 5.0
"""Seconds between looks for jobs whose owner has died: well inside the half minute a take-over may last."""


def claim(history: History, registry: InstanceRegistry, jobs: Sequence[Job]) -> list[int]:
    """Make this instance the owner of those `jobs` whose owner is gone, in one locked step; return their ids.

    What other instances wrote meanwhile is left to the next `read_changes`.
    """
    mine: list[int] = []
    with history.transaction(keep_concurrent=True) as transaction:
        for job in jobs:
            record = transaction.get(job.id)
            owner = "" if record is None else record.get("owner", "")
            if record is None or (owner not in ("", registry.id) and registry.is_alive(owner)):
                continue
            if owner != registry.id:
                transaction.update(job.id, {"owner": registry.id})
            mine.append(job.id)
    return mine


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
