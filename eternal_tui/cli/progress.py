"""Progress of unfinished jobs: a line that is redrawn on a terminal; elsewhere only why everything waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from eternal_tui.cli.output import Output
from eternal_tui.core.formatting import format_remaining
from eternal_tui.core.sanitize import SafeText, format_safe, sanitize
from eternal_tui.jobs.model import Job

if TYPE_CHECKING:
    from eternal_tui.jobs.engine import JobEngine

REFRESH_SECONDS = 0.5
"""Seconds between repaints: a line that moves, and a few bytes a second over SSH."""


MIN_REASON_REFRESHES = 4
"""Beats a trouble stands before it is worth a line in a log: a single look that fails is asked again after a second."""

MIN_REFRESHES_BETWEEN_REASONS = 20
"""Beats between two such lines at least, whatever a service says each time."""


class ProgressLine:
    """Keeps the line up to date for the block's duration; `job_ids` may grow meanwhile.

    Off a terminal only the reason for waiting is printed, once and again when it changes.
    """

    def __init__(self, engine: JobEngine, output: Output, job_ids: Sequence[int]) -> None:
        self._engine = engine
        self._output = output
        self._job_ids = job_ids
        self._task: asyncio.Task[None] | None = None
        self._refreshes_with_reason = 0
        self._refreshes_since_reason = MIN_REFRESHES_BETWEEN_REASONS
        self._last_reason = ""

    def __enter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
        self._output.clear_progress()

    async def _run(self) -> None:
        while True:
            jobs = [job for job in map(self._engine.store.get, self._job_ids) if job is not None]
            under_way = [job for job in jobs if not job.is_ended or job.needs_download]
            if not self._output.can_show_progress:
                self._print_reason(_waiting_reason(self._engine, under_way))
            elif under_way:
                self._output.show_progress(format_progress(self._engine, under_way, len(jobs)))
            await asyncio.sleep(REFRESH_SECONDS)

    def _print_reason(self, reason: str) -> None:
        self._refreshes_with_reason = self._refreshes_with_reason + 1 if reason else 0
        self._refreshes_since_reason += 1
        if (
            self._refreshes_with_reason >= MIN_REASON_REFRESHES
            and self._refreshes_since_reason >= MIN_REFRESHES_BETWEEN_REASONS
            and reason != self._last_reason
        ):
            self._last_reason, self._refreshes_since_reason = reason, 0
            self._output.info(format_safe("Waiting: {reason}", reason=reason))


def _waiting_reason(engine: JobEngine, unfinished: Sequence[Job]) -> str:
    return (
        engine.monitor.pause_reason or next((job.waiting_reason for job in unfinished if job.waiting_reason), "")
        if unfinished
        else ""
    )


def format_progress(engine: JobEngine, unfinished: Sequence[Job], total: int) -> SafeText:
    """Return how far the jobs under way are, and why they wait if they do."""
    if reason := _waiting_reason(engine, unfinished):
        return format_safe("{count} running · {reason}", count=len(unfinished), reason=reason)
    if total == 1:
        job = unfinished[0]
        left = engine.monitor.estimate_remaining(job)
        line = format_safe(
            "job {id} · {word} · {progress}%", id=job.id, word=job.status_text or job.state, progress=job.progress
        )
        return line if left is None else format_safe("{line} · {left} left", line=line, left=format_remaining(left))
    mean = sum(job.progress for job in unfinished) / len(unfinished)
    return sanitize(f"{len(unfinished)} of {total} running · {mean:.0f}%")
