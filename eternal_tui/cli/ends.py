"""Waiting until jobs have ended, or until nobody but a person can go on: the service refuses the key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from eternal_tui.cli.signals import Stopping
from eternal_tui.jobs.model import Job

if TYPE_CHECKING:
    from eternal_tui.jobs.engine import JobDesk

Tell = Callable[["asyncio.Future[Job]"], None]


async def until_ended(desk: JobDesk, ids: Sequence[int], stopping: Stopping, tell: Tell) -> str:
    """Hand each job to `tell` as it ends, and return an empty string; or why the key was refused, with jobs left.

    Raises Stopped.
    """
    refused = asyncio.Event()

    def hear(_ids: frozenset[int]) -> None:
        if desk.key_refused:
            refused.set()

    unsubscribe = desk.subscribe(hear)
    pending = {asyncio.ensure_future(desk.settled(job_id)) for job_id in ids}
    refusal = asyncio.ensure_future(refused.wait())
    try:
        hear(frozenset())
        while pending:
            waiting = asyncio.wait({*pending, refusal}, return_when=asyncio.FIRST_COMPLETED)
            done, _ = await stopping.unless_stopped(waiting)
            for end in pending & done:
                tell(end)
            pending -= done
            if pending and refusal in done:
                return _why(desk, ids)
        return ""
    finally:
        unsubscribe()
        for task in (*pending, refusal):
            task.cancel()
        await asyncio.gather(*pending, refusal, return_exceptions=True)


def _why(desk: JobDesk, ids: Sequence[int]) -> str:
    jobs = (job for job in map(desk.job, ids) if job is not None)
    return next((job.trouble for job in jobs if job.trouble), "The key was refused.")
