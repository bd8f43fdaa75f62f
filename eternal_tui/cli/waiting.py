"""Waiting for jobs: options, deadline, the progress line, and what is done with each result."""

from __future__ import annotations

import argparse
import asyncio
import re
import shlex
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from eternal_tui.cli.context import Context
from eternal_tui.cli.errors import UsageError
from eternal_tui.cli.output import Output
from eternal_tui.cli.parser import add_option
from eternal_tui.cli.signals import Shutdown
from eternal_tui.config.validation import check_hook_command
from eternal_tui.core.formatting import format_cost, format_remaining
from eternal_tui.core.sanitize import SafeText, format_safe, sanitize
from eternal_tui.jobs.batch import summarize
from eternal_tui.jobs.copies import CopyOptions, parse_output_path
from eternal_tui.jobs.errors import JobNotFound
from eternal_tui.jobs.model import Job
from eternal_tui.jobs.result_actions import hook_name

if TYPE_CHECKING:
    from eternal_tui.jobs.copies import OutputPath
    from eternal_tui.jobs.engine import JobEngine
    from eternal_tui.services import Services

_UNIT_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
MAX_TIMEOUT_SECONDS = 30 * 86_400


def parse_timeout(text: str) -> float:
    """Return seconds from text such as 90, 90s, 5m or 1.5h."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?)([smhd]?)", text.strip())
    seconds = float(found[1]) * _UNIT_SECONDS[found[2]] if found else -1.0
    if not 0 < seconds <= MAX_TIMEOUT_SECONDS:
        raise argparse.ArgumentTypeError(f"{text} is not a time such as 90, 90s, 5m or 1h, up to 30d")
    return seconds


def add_wait_options(parser: argparse.ArgumentParser) -> None:
    """Add `--timeout` and the options for copies of results."""
    text = "stop waiting after TIME (90, 5m, 1h); exit code 6; jobs keep running"
    add_option(parser, "--timeout TIME", text, type=parse_timeout)
    add_output_options(parser)
    add_option(parser, "--on-finished COMMAND", "run COMMAND for each result, with {file}, {id}, {output} … replaced")


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for copies of results."""
    fields = "{id} {character} {name} {prompt:40} {date} {n} {ext}"
    add_option(parser, "-o, --output PATH", f"copy results to a file, a folder or a template: {fields}")
    add_copy_options(parser)


def add_copy_options(parser: argparse.ArgumentParser) -> None:
    """Add `--sidecar` and `--embed`."""
    parser.add_argument("--sidecar", choices=("json", "xmp"), help="write the request to a file next to each copy")
    parser.add_argument(
        "--embed", action=argparse.BooleanOptionalAction, default=None,
        help="write the request into each copy (JPEG, PNG, WebP, MP4, MOV)",
    )  # fmt: skip


def parse_output(context: Context, text: str, *, option: str = "--output ") -> OutputPath:
    """Return the checked output path; CommandError, which begins with `option`, where it cannot be used."""
    try:
        base = Path("/") if text.startswith(("/", "~")) else Path.cwd()
        return parse_output_path(text, context.settings.save_template, base=base)
    except FileNotFoundError:
        raise UsageError("The current folder no longer exists. Name an absolute path.") from None
    except ValueError as error:
        raise UsageError(f"{option}{text}: {error}") from None


def copy_options(context: Context, output: OutputPath) -> CopyOptions:
    """Return how results are copied: as `--sidecar` and `--embed` say, else as the settings do."""
    given, settings = context.arguments, context.settings
    embed = settings.embed if given.embed is None else given.embed
    return CopyOptions(output=output, sidecar=given.sidecar or settings.sidecar, embed=embed)


class ResultOutput:
    """Copies results and runs `--on-finished`, for a command that waits for jobs.

    With `--output` the copy is made here, whichever process saved the file; else `auto_save_to` has made it.
    """

    def __init__(self, context: Context) -> None:
        given = context.arguments
        self._context = context
        self._output = None if given.output is None else parse_output(context, given.output)
        self._command: list[str] = []
        if given.on_finished is not None:
            try:
                self._command = shlex.split(given.on_finished)
                check_hook_command(self._command)
            except ValueError as error:
                raise UsageError(f"--on-finished {given.on_finished}: {error}") from None
        self.failed = False

    def attach(self, services: Services) -> None:
        """Leave copies to this command where it names a path."""
        if self._output is not None:
            services.result_actions.copies = None

    async def handle(self, services: Services, job: Job, output: OutputPath | None = None) -> str | None:
        """Act on a job that ended, and return the path of its copy, None where it has none."""
        actions = services.result_actions
        path = await actions.wait(job.id)
        output = output or self._output
        if output is not None and job.is_delivered and not job.is_creation:
            try:
                path = await actions.copy(job, copy_options(self._context, output))
            except OSError as error:
                self.failed = True
                self._context.output.error(
                    format_safe("Job {id} not copied: {why}. The file is in {folder}.",
                                id=job.id, why=error.strerror or error, folder=services.results_dir)
                )  # fmt: skip
        if self._command and hook_name(job) == "on_finished":
            await actions.run_hook("--on-finished", self._command, [job], path)
        return None if path is None else str(path)


REFRESH_SECONDS = 0.5
"""Seconds between repaints: a line that moves, and a few bytes a second over SSH."""


async def wait_for_jobs(
    services: Services,
    job_ids: Sequence[int],
    shutdown: Shutdown,
    on_end: Callable[[Job], Awaitable[None]],
    on_deleted: Callable[[SafeText], None],
    *,
    timeout_seconds: float | None = None,
) -> str:
    """Call `on_end` with each job that ends. Return "", or why the key was rejected while jobs were left.

    Raises ShutdownRequested, or TimeoutError after `timeout_seconds`.
    """
    engine = services.jobs
    pending = [asyncio.ensure_future(engine.wait_until_done(job_id)) for job_id in job_ids]
    try:
        async with asyncio.timeout(timeout_seconds):
            while pending:
                waiting = asyncio.wait(pending, timeout=REFRESH_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                done, _ = await shutdown.run(waiting)
                for end in [task for task in pending if task in done]:
                    pending.remove(end)
                    if isinstance(gone := end.exception(), JobNotFound):
                        on_deleted(sanitize(f"{gone} It was deleted meanwhile."))
                    else:
                        await on_end(end.result())
                if pending and engine.monitor.is_key_rejected:
                    jobs = (job for job in map(engine.store.get, job_ids) if job is not None)
                    return next((job.waiting_reason for job in jobs if job.waiting_reason), "API key rejected.")
            return ""
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)


def describe_end(jobs: Sequence[Job]) -> str:
    """Return one line on several jobs: how many ended how or still run, each counted once, and what they cost."""
    summary = summarize(jobs)
    counts = {
        "done": summary.done - summary.fetching - summary.without_file, "without file": summary.without_file,
        "failed": summary.failed, "rejected": summary.rejected, "unconfirmed": summary.unconfirmed,
        "lost": summary.lost, "queued": summary.queued, "downloading": summary.fetching,
        "running": summary.in_progress - summary.queued - summary.fetching,
    }  # fmt: skip
    parts = [f"{count} {word}" for word, count in counts.items() if count]
    cost = "" if summary.cost is None else f" · {format_cost(summary.cost)}"
    batches = {job.batch for job in jobs}
    batch = f" · batch {batches.pop()}" if len(batches) == 1 and jobs[0].batch else ""
    return f"{len(jobs)} jobs: {', '.join(parts)}{cost}{batch}"


MIN_REASON_REFRESHES = 4
"""Refreshes before a reason for waiting is printed: a single failed poll is repeated after a second."""

MIN_REFRESHES_BETWEEN_REASONS = 20
"""Refreshes between two such lines at least."""


@contextmanager
def show_progress(engine: JobEngine, output: Output, list_jobs: Callable[[], Sequence[Job]]) -> Iterator[None]:
    """Refresh the progress line for the duration of the block.

    Off a terminal only the reason for waiting is printed, once and again when it changes.
    """
    task = asyncio.create_task(_refresh_progress(engine, output, list_jobs))
    try:
        yield
    finally:
        task.cancel()
        output.clear_progress()


async def _refresh_progress(engine: JobEngine, output: Output, list_jobs: Callable[[], Sequence[Job]]) -> None:
    printed, with_reason, since_printed = "", 0, MIN_REFRESHES_BETWEEN_REASONS
    while True:
        jobs = list_jobs()
        under_way = [job for job in jobs if not job.is_ended or job.needs_download]
        reason = ""
        if under_way:
            waiting = (job.waiting_reason for job in under_way if job.waiting_reason)
            reason = engine.monitor.pause_reason or next(waiting, "")
        if output.can_show_progress:
            if under_way:
                output.show_progress(_format_progress(engine, under_way, len(jobs), reason))
        else:
            with_reason = with_reason + 1 if reason else 0
            since_printed += 1
            is_due = with_reason >= MIN_REASON_REFRESHES and since_printed >= MIN_REFRESHES_BETWEEN_REASONS
            if is_due and reason != printed:
                printed, since_printed = reason, 0
                output.info(format_safe("Waiting: {reason}", reason=reason))
        await asyncio.sleep(REFRESH_SECONDS)


def _format_progress(engine: JobEngine, unfinished: Sequence[Job], total: int, reason: str) -> SafeText:
    """Return how far the jobs under way are, and why they wait if they do."""
    if reason:
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
