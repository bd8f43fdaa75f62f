"""Commands of the user's own that run when a job or a batch has ended: no shell, no keys, a time limit."""

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
from eternal_tui.jobs.job_json import job_to_json
from eternal_tui.jobs.model import Job

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


class HookResult(msgspec.Struct, frozen=True):
    """How a command ended, in words for the timeline; `ok` where its exit code was 0."""

    ok: bool
    summary: str


def hook_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what a command is given of the environment: locale, session and paths, and no key of any service."""
    return {
        name: value for name, value in environ.items() if name in _ENVIRON_NAMES or name.startswith(_ENVIRON_PREFIXES)
    }


class HookRunner:
    """Runs commands, at most `max_running` at once."""

    def __init__(self, policy: HookPolicy, environ: Mapping[str, str], results_dir: Path) -> None:
        self._policy = policy
        self._environ = hook_environ(environ)
        self._results_dir = results_dir
        self._slots = asyncio.Semaphore(policy.max_running)

    def command(self, event: HookName) -> list[str]:
        """Return the configured command, empty where there is none."""
        return list(getattr(self._policy, event))

    async def run(self, event: str, command: Sequence[str], jobs: Sequence[Job], output: Path | None) -> HookResult:
        """Run a command for these jobs: one, or all of a batch, whose fields are those of its last job."""
        templates = [parse_template(argument, HOOK_FIELDS) for argument in command]
        objects = [job_to_json(job, self._results_dir) for job in jobs]
        path = None if output is None else str(output)
        data: dict[str, Any] = {"event": event, "output": path, **objects[-1]}
        if event == "on_batch":
            data = {"event": event, "batch": jobs[-1].batch, "jobs": objects}
        values = {name: _argument({"output": path, **objects[-1]}.get(name)) for name in HOOK_FIELDS}
        arguments = [part.render(values)[:MAX_ARGUMENT_CHARS] for part in templates]
        async with self._slots:
            result = await self._run(arguments, json.dumps(data).encode() + b"\n")
        _log.log(
            logging.INFO if result.ok else logging.WARNING,
            "hook",
            extra={"hook": event, "job": jobs[-1].id, "result": result.summary},
        )
        return result

    async def _run(self, arguments: list[str], data: bytes) -> HookResult:
        loop = asyncio.get_running_loop()
        began = loop.time()
        # Files, not pipes: a child that the command leaves behind holds up nobody.
        with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as output:
            stdin.write(data)
            stdin.seek(0)
            try:
                process = await asyncio.create_subprocess_exec(
                    *arguments, stdin=stdin, stdout=output, stderr=output, env=self._environ, start_new_session=True
                )
            except (OSError, ValueError) as error:
                return HookResult(ok=False, summary=f"could not start: {getattr(error, 'strerror', None) or error}")
            try:
                async with asyncio.timeout(self._policy.timeout_seconds):
                    await process.wait()
            except TimeoutError:
                return HookResult(ok=False, summary=f"stopped after {self._policy.timeout_seconds:g} s")
            finally:
                if process.returncode is None:
                    await _kill_group(process)
            output.seek(0)
            if text := output.read(MAX_OUTPUT_BYTES):
                printed = sanitize_block(text.decode(errors="replace"), limit=MAX_OUTPUT_BYTES)
                _log.info("hook output", extra={"output": printed})
        summary = f"exit {process.returncode} ({loop.time() - began:.1f} s)"
        return HookResult(ok=process.returncode == 0, summary=summary)


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
    """Return the hook that the job's end calls for; None while something may still happen to it by itself."""
    if not job.is_ended or job.needs_download:
        return None
    return "on_finished" if job.is_delivered else "on_failed"
