"""Waiting for a job's end, as a script does."""

from __future__ import annotations

import asyncio

from eternal_tui.jobs.downloads import Downloads
from eternal_tui.jobs.model import Job
from eternal_tui.jobs.polling.monitor import Watcher
from eternal_tui.jobs.store import Roster


async def settled(job_id: int, roster: Roster, watcher: Watcher, downloads: Downloads) -> Job:
    """Wait until nothing more will soon happen to the job by itself, file included, and return it."""
    done = asyncio.Event()
    watcher.awaited(job_id)

    def over() -> bool:
        job = roster.get(job_id)
        if job is None:
            return True
        return (job.ended and not job.wants_file) or (job.wants_file and downloads.gave_up(job_id))

    def look(ids: frozenset[int]) -> None:
        if job_id in ids and over():
            done.set()

    unsubscribe = roster.subscribe(look)
    try:
        if not over():
            await done.wait()
    finally:
        unsubscribe()
        watcher.not_awaited(job_id)
    return roster[job_id]
