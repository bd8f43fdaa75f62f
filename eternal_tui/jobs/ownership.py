"""Which instance polls and downloads which job: an owner is written into the job, and its process is its pulse."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eternal_tui.history.journal import Change
from eternal_tui.jobs.model import Job
from eternal_tui.jobs.ports import History, Presence

CHECK_EVERY = 5.0
"""Seconds between looks for jobs whose owner has died: well inside the half minute a take-over may last."""


def claim(history: History, presence: Presence, jobs: Sequence[Job]) -> tuple[list[int], list[Change]]:
    """Make this instance the owner of those `jobs` whose owner is gone, in one locked step.

    Returns the ids now owned here, and what other instances wrote meanwhile, for the roster to absorb.
    """
    with history.transaction() as transaction:
        owners = {job.id: job.owner for job in jobs}
        gone: set[int] = set()
        for change in transaction.news:
            if change.op == "delete":
                gone.add(change.id)
            elif change.id in owners and "owner" in change.fields:
                owners[change.id] = change.fields["owner"]
        mine: list[int] = []
        for job_id, owner in owners.items():
            if job_id in gone or (owner not in ("", presence.id) and presence.alive(owner)):
                continue
            if owner != presence.id:
                transaction.update(job_id, {"owner": presence.id})
            mine.append(job_id)
        news = list(transaction.news)
    return mine, news


def orphans(jobs: Iterable[Job], presence: Presence) -> list[Job]:
    """Return the jobs whose owner no longer runs; each owner is asked after once."""
    alive: dict[str, bool] = {presence.id: True, "": False}
    found = []
    for job in jobs:
        if job.owner not in alive:
            alive[job.owner] = presence.alive(job.owner)
        if not alive[job.owner]:
            found.append(job)
    return found
