"""The moving line of a terminal: how many jobs are under way, and how far they are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from eternal_tui.cli.streams import Streams
from eternal_tui.jobs.job import Job
from eternal_tui.untrusted import Shown, say, shown

if TYPE_CHECKING:
    from eternal_tui.jobs.desk import JobDesk

BEAT = 0.5
"""Seconds between repaints: a line that moves, and a few bytes a second over SSH."""


class Progress:
    """Keeps the line up to date for the block's duration; `job_ids` may grow meanwhile."""

    def __init__(self, desk: JobDesk, streams: Streams, job_ids: Sequence[int]) -> None:
        self._desk = desk
        self._streams = streams
        self._job_ids = job_ids
        self._task: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        if self._streams.shows_progress:
            self._task = asyncio.create_task(self._run())
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
        self._streams.end_progress()

    async def _run(self) -> None:
        while True:
            jobs = [job for job in map(self._desk.job, self._job_ids) if job is not None]
            if under_way := [job for job in jobs if not job.ended or job.wants_file]:
                self._streams.progress(progress_line(self._desk, under_way, len(jobs)))
            await asyncio.sleep(BEAT)


def progress_line(desk: JobDesk, under_way: Sequence[Job], total: int) -> Shown:
    """Return how far the jobs under way are, and why they wait if they do."""
    if reason := desk.pause_reason or next((job.trouble for job in under_way if job.trouble), ""):
        return say("{count} under way · {reason}", count=len(under_way), reason=reason)
    if total == 1:
        job = under_way[0]
        left = desk.about_left(job)
        line = say("job {id} · {word} · {progress} %", id=job.id, word=job.word or job.state, progress=job.progress)
        return line if left is None else say("{line} · about {left} s left", line=line, left=f"{left:.0f}")
    mean = sum(job.progress for job in under_way) / len(under_way)
    return shown(f"{len(under_way)} of {total} under way · {mean:.0f} %")
