"""News while jobs are under way: a moving line on a terminal, and elsewhere a word where nothing moves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from eternal_tui.cli.output import Streams
from eternal_tui.core.sanitize import Shown, say, shown
from eternal_tui.jobs.model import Job

if TYPE_CHECKING:
    from eternal_tui.jobs.engine import JobDesk

BEAT = 0.5
"""Seconds between repaints: a line that moves, and a few bytes a second over SSH."""


STANDING = 4
"""Beats a trouble stands before it is worth a line in a log: a single look that fails is asked again after a second."""

RARELY = 20
"""Beats between two such lines at least, whatever a service says each time."""


class Progress:
    """Keeps the line up to date for the block's duration; `job_ids` may grow meanwhile.

    Where no line can move, whoever waits is told once why, and again where the reason changes.
    """

    def __init__(self, desk: JobDesk, streams: Streams, job_ids: Sequence[int]) -> None:
        self._desk = desk
        self._streams = streams
        self._job_ids = job_ids
        self._task: asyncio.Task[None] | None = None
        self._stood = 0
        self._quiet = RARELY
        self._told = ""

    def __enter__(self) -> Self:
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
            under_way = [job for job in jobs if not job.ended or job.wants_file]
            if not self._streams.shows_progress:
                self._tell_standing(_reason(self._desk, under_way))
            elif under_way:
                self._streams.progress(progress_line(self._desk, under_way, len(jobs)))
            await asyncio.sleep(BEAT)

    def _tell_standing(self, reason: str) -> None:
        self._stood = self._stood + 1 if reason else 0
        self._quiet += 1
        if self._stood >= STANDING and self._quiet >= RARELY and reason != self._told:
            self._told, self._quiet = reason, 0
            self._streams.note(say("Waiting: {reason}", reason=reason))


def _reason(desk: JobDesk, under_way: Sequence[Job]) -> str:
    return desk.pause_reason or next((job.trouble for job in under_way if job.trouble), "") if under_way else ""


def progress_line(desk: JobDesk, under_way: Sequence[Job], total: int) -> Shown:
    """Return how far the jobs under way are, and why they wait if they do."""
    if reason := _reason(desk, under_way):
        return say("{count} under way · {reason}", count=len(under_way), reason=reason)
    if total == 1:
        job = under_way[0]
        left = desk.about_left(job)
        line = say("job {id} · {word} · {progress} %", id=job.id, word=job.word or job.state, progress=job.progress)
        return line if left is None else say("{line} · about {left} s left", line=line, left=f"{left:.0f}")
    mean = sum(job.progress for job in under_way) / len(under_way)
    return shown(f"{len(under_way)} of {total} under way · {mean:.0f} %")
