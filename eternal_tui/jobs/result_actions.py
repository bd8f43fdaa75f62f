"""Actions for ended jobs: copies by `auto_save_to`, and commands of the user's own.

Commands run without a shell and without keys, for a limited time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from eternal_tui.core.formatting import HOOK_FIELDS, parse_template
from eternal_tui.core.sanitize import sanitize_block
from eternal_tui.history.errors import HistoryError
from eternal_tui.jobs.context import JobContext
from eternal_tui.jobs.copies import CopyOptions, write_copy
from eternal_tui.jobs.errors import JobNotFound
from eternal_tui.jobs.formatting import job_to_json
from eternal_tui.jobs.model import Job, from_record, with_event
from eternal_tui.jobs.ports import History

_log = logging.getLogger(__name__)

HookName = Literal["on_finished", "on_failed", "on_batch"]
MAX_OUTPUT_BYTES = 4_000
"""Bytes of a command's output that go to the log."""

MAX_ARGUMENT_CHARS = 20_000
KILL_GRACE_SECONDS = 1.0
_ENVIRON_NAMES = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TERM", "DISPLAY",
     "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "XAUTHORITY", "SSH_AUTH_SOCK", "NO_PROXY", "no_proxy"}
)  # fmt: skip
_ENVIRON_PREFIXES = ("LC_", "XDG_")


class HookPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Checked commands by event, the seconds each may take, and how many may run at once."""

    on_finished: Sequence[str] = ()
    on_failed: Sequence[str] = ()
    on_batch: Sequence[str] = ()
    timeout_seconds: float = 60.0
    max_running: int = 2


class HookRunner:
    """Runs commands, at most `max_running` at once."""

    def __init__(self, policy: HookPolicy, environ: Mapping[str, str], results_dir: Path) -> None:
        self._policy = policy
        # Locale, session and paths, and no key of any service.
        self._environ = {
            name: value
            for name, value in environ.items()
            if name in _ENVIRON_NAMES or name.startswith(_ENVIRON_PREFIXES)
        }
        self._results_dir = results_dir
        self._slots = asyncio.Semaphore(policy.max_running)

    def command(self, event: HookName) -> list[str]:
        """Return the configured command, empty where there is none."""
        return list(getattr(self._policy, event))

    async def run(self, event: str, command: Sequence[str], jobs: Sequence[Job], output: Path | None) -> str:
        """Run a command for these jobs: one, or all of a batch, whose fields are those of its last job.

        Returns how it ended, in words for the timeline.
        """
        templates = [parse_template(argument, HOOK_FIELDS) for argument in command]
        objects = [job_to_json(job, self._results_dir) for job in jobs]
        path = None if output is None else str(output)
        data: dict[str, Any] = {"event": event, "output": path, **objects[-1]}
        if event == "on_batch":
            data = {"event": event, "batch": jobs[-1].batch, "jobs": objects}
        values = {name: _argument({"output": path, **objects[-1]}.get(name)) for name in HOOK_FIELDS}
        arguments = [part.render(values)[:MAX_ARGUMENT_CHARS] for part in templates]
        async with self._slots:
            ok, summary = await self._run(arguments, json.dumps(data).encode() + b"\n")
        level = logging.INFO if ok else logging.WARNING
        _log.log(level, "hook", extra={"hook": event, "job": jobs[-1].id, "result": summary})
        return summary

    async def _run(self, arguments: list[str], data: bytes) -> tuple[bool, str]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        # Files, not pipes: a child that outlives the command would keep a pipe open.
        with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as output:
            stdin.write(data)
            stdin.seek(0)
            try:
                process = await asyncio.create_subprocess_exec(
                    *arguments, stdin=stdin, stdout=output, stderr=output, env=self._environ, start_new_session=True
                )
            except (OSError, ValueError) as error:
                return False, f"could not start: {getattr(error, 'strerror', None) or error}"
            try:
                async with asyncio.timeout(self._policy.timeout_seconds):
                    await process.wait()
            except TimeoutError:
                return False, f"stopped after {self._policy.timeout_seconds:g} s"
            finally:
                if process.returncode is None:
                    await _kill_group(process)
            output.seek(0)
            if text := output.read(MAX_OUTPUT_BYTES):
                printed = sanitize_block(text.decode(errors="replace"), limit=MAX_OUTPUT_BYTES)
                _log.info("hook output", extra={"output": printed})
        return process.returncode == 0, f"exit {process.returncode} ({loop.time() - began:.1f} s)"


async def _kill_group(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        async with asyncio.timeout(KILL_GRACE_SECONDS):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _argument(value: object) -> str:
    return "" if value is None else str(value).replace("\0", "\N{REPLACEMENT CHARACTER}")


def hook_name(job: Job) -> HookName | None:
    """Return the hook for the end of the job; None while the job may still change by itself."""
    if not job.is_ended or job.needs_download:
        return None
    return "on_finished" if job.is_delivered else "on_failed"


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

    async def run_hook(self, event: str, command: Sequence[str], jobs: Sequence[Job], output: Path | None) -> None:
        """Run a command for these jobs and record how it ended."""
        summary = await self.hooks.run(event, command, jobs, output)
        await self._add_event(jobs[0].id, f"{event} command", summary)

    async def copy(self, job: Job, options: CopyOptions) -> Path:
        """Copy the job's file and record where to. Raises OSError."""
        number = job.batch_index or 1
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
            await self.run_hook(event, command, [job], path)
        if job.batch and (command := self.hooks.command("on_batch")):
            jobs = await store.call_history(ended_batch, store.history, job.batch)
            if jobs and await self._claim(jobs[0].id, "on_batch"):
                await self.run_hook("on_batch", command, jobs, None)

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
