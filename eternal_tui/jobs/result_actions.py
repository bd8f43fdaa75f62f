"""Actions for ended jobs: copies by `auto_save_to`, and configured commands."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec

from eternal_tui.history.errors import HistoryError
from eternal_tui.jobs.context import JobContext
from eternal_tui.jobs.copies import CopyOptions, write_copy
from eternal_tui.jobs.errors import JobNotFound
from eternal_tui.jobs.hooks import HookName, HookRunner, hook_name
from eternal_tui.jobs.model import Job, from_record, with_event
from eternal_tui.jobs.ports import History

_log = logging.getLogger(__name__)


class ResultActions:
    """Acts on every job that this instance settles. Each command runs once for a job, and once for a batch."""

    def __init__(
        self, context: JobContext, hooks: HookRunner, results_dir: Path, copies: CopyOptions | None = None
    ) -> None:
        self.copies = copies
        self.hooks = hooks
        self.results_dir = results_dir
        self._context = context
        self._tasks: dict[int, asyncio.Task[Path | None]] = {}
        self._saved: dict[int, Path] = {}
        context.events.settled.connect(self._on_settled)

    async def wait(self, job_id: int) -> Path | None:
        """Wait until the actions for a job are done; return the path of its copy, where one was written."""
        if task := self._tasks.get(job_id):
            await asyncio.wait((task,))
        return self._saved.get(job_id)

    async def wait_all(self, timeout_seconds: float | None = None) -> None:
        """Wait for all actions under way."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks.values()), timeout=timeout_seconds)

    async def close(self, grace_seconds: float) -> None:
        """Wait for `grace_seconds`, then stop the commands that still run."""
        await self.wait_all(grace_seconds)
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def run_hook(self, event: str, command: Sequence[str], job: Job, output: Path | None) -> None:
        """Run a command for a job and record how it ended."""
        result = await self.hooks.run(event, command, [job], output)
        await self._add_event(job.id, f"{event} command", result.summary)

    async def copy(self, job: Job, options: CopyOptions, *, number: int | None = None) -> Path:
        """Copy the job's file and record where to. Raises OSError."""
        number = number or job.batch_index or 1
        path = await asyncio.to_thread(write_copy, job, self.results_dir, options, number=number)
        await self._add_event(job.id, "copied", str(path))
        return path

    def _on_settled(self, job: Job) -> None:
        event = hook_name(job)
        if event is None or job.id in self._tasks:
            return
        on_batch = bool(job.batch and self.hooks.command("on_batch"))
        if (self.copies is not None and job.is_delivered) or self.hooks.command(event) or on_batch:
            task = asyncio.create_task(self._act(job, event), name=f"actions-{job.id}")
            self._tasks[job.id] = task
            task.add_done_callback(lambda _: self._tasks.pop(job.id, None))

    async def _act(self, job: Job, event: HookName) -> Path | None:
        path = None
        if self.copies is not None and job.is_delivered and not job.is_creation:
            try:
                path = self._saved[job.id] = await self.copy(job, self.copies)
            except OSError as error:
                await self._add_event(job.id, "copy failed", error.strerror or str(error))
        try:
            await self._run_hooks(job, event, path)
        except HistoryError as error:
            _log.warning("hooks not run", extra={"job": job.id, "reason": str(error)})
        return path

    async def _run_hooks(self, job: Job, event: HookName, path: Path | None) -> None:
        store = self._context.store
        if (command := self.hooks.command(event)) and await self._claim(job.id, event):
            await self.run_hook(event, command, job, path)
        if job.batch and (command := self.hooks.command("on_batch")):
            jobs = await store.call_history(ended_batch, store.history, job.batch)
            if jobs and await self._claim(jobs[0].id, "on_batch"):
                result = await self.hooks.run("on_batch", command, jobs, None)
                await self._add_event(jobs[0].id, "on_batch command", result.summary)

    async def _claim(self, job_id: int, event: HookName) -> bool:
        store = self._context.store
        return await store.call_history(claim, store.history, job_id, event)

    async def _add_event(self, job_id: int, summary: str, detail: str) -> None:
        now = self._context.ports.clock.time()
        try:
            await self._context.store.change(job_id, lambda job: with_event(job, now, summary, detail))
        except (HistoryError, JobNotFound):
            # The job was deleted, or is unknown here.
            return


def claim(history: History, job_id: int, event: HookName) -> bool:
    """Note on disk that the command of an event runs now; False where this or another process did so before."""
    # The changes of others are left to the sync, which also knows what to do after a compaction.
    with history.transaction(keep_concurrent=True) as transaction:
        record = transaction.get(job_id)
        if record is None or event in record.get("hooks", ()):
            return False
        transaction.update(job_id, {"hooks": [*record.get("hooks", ()), event]})
    return True


def ended_batch(history: History, batch: str) -> list[Job]:
    """Return all jobs of a batch, oldest first; none where one of them has not ended."""
    records = [found for page in history.iter_pages() for found in page if found[1].get("batch") == batch]
    try:
        jobs = [from_record(job_id, record) for job_id, record in reversed(records)]
    except msgspec.ValidationError:
        return []
    return jobs if all(hook_name(job) is not None for job in jobs) else []
