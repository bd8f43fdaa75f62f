"""Waiting for jobs: options, deadline, the progress line, and what is done with each result."""

from __future__ import annotations

import argparse
import asyncio
import re
import shlex
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

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
from eternal_tui.jobs.model import Job
from eternal_tui.jobs.result_actions import hook_name

if TYPE_CHECKING:
    from eternal_tui.jobs.copies import OutputPath
    from eternal_tui.jobs.engine import JobEngine
    from eternal_tui.services import Services
if TYPE_CHECKING:
    from eternal_tui.jobs.engine import JobEngine


_UNIT_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
MAX_TIMEOUT_SECONDS = 30 * 86_400

EndCallback = Callable[["asyncio.Future[Job]"], Awaitable[None]]


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


class ResultOutput:
    """Copies results and runs `--on-finished`, for a command that waits for jobs.

    With `--output` the copy is made here, whichever process saved the file; else `auto_save_to` has made it.
    """

    def __init__(self, context: Context) -> None:
        given, settings = context.arguments, context.settings
        self._context = context
        self._output = None if given.output is None else parse_output(context, given.output)
        self._sidecar = given.sidecar or settings.sidecar
        self._embed = settings.embed if given.embed is None else given.embed
        self._command: list[str] = []
        if (text := getattr(given, "on_finished", None)) is not None:
            try:
                self._command = shlex.split(text)
                check_hook_command(self._command)
            except ValueError as error:
                raise UsageError(f"--on-finished {text}: {error}") from None
        self.failed = False

    def attach(self, services: Services) -> None:
        """Leave copies to this command where it names a path."""
        if self._output is not None:
            services.result_actions.copies = None

    async def handle(
        self, services: Services, job: Job, *, number: int = 1, output: OutputPath | None = None
    ) -> str | None:
        """Act on a job that ended, and return the path of its copy, None where it has none."""
        actions = services.result_actions
        path = await actions.wait(job.id)
        output = output or self._output
        if output is not None and job.is_delivered and not job.is_creation:
            options = CopyOptions(output=output, sidecar=self._sidecar, embed=self._embed)
            try:
                path = await actions.copy(job, options, number=number)
            except OSError as error:
                self.failed = True
                self._context.output.error(
                    format_safe("Job {id} not copied: {why}. The file is in {folder}.",
                                id=job.id, why=error.strerror or error, folder=services.results_dir)
                )  # fmt: skip
        if self._command and hook_name(job) == "on_finished":
            await actions.run_hook("--on-finished", self._command, job, path)
        return None if path is None else str(path)


async def wait_for_jobs(
    engine: JobEngine,
    job_ids: Sequence[int],
    shutdown: Shutdown,
    on_end: EndCallback,
    *,
    timeout_seconds: float | None = None,
) -> str:
    """Hand each job to `on_end` as it ends, and return an empty string; or why the key was rejected, with jobs left.

    Raises ShutdownRequested, or TimeoutError after `timeout_seconds`.
    """
    rejected = asyncio.Event()

    def on_change(_ids: frozenset[int]) -> None:
        if engine.monitor.is_key_rejected:
            rejected.set()

    unsubscribe = engine.store.subscribe(on_change)
    tasks = [asyncio.ensure_future(engine.wait_until_done(job_id)) for job_id in job_ids]
    pending = set(tasks)
    rejection = asyncio.ensure_future(rejected.wait())
    try:
        async with asyncio.timeout(timeout_seconds):
            on_change(frozenset())
            while pending:
                waiting = asyncio.wait({*pending, rejection}, return_when=asyncio.FIRST_COMPLETED)
                done, _ = await shutdown.run(waiting)
                for end in [task for task in tasks if task in pending & done]:
                    await on_end(end)
                pending -= done
                if pending and rejection in done:
                    return _key_rejection_reason(engine, job_ids)
            return ""
    finally:
        unsubscribe()
        for task in (*pending, rejection):
            task.cancel()
        await asyncio.gather(*pending, rejection, return_exceptions=True)


def _key_rejection_reason(engine: JobEngine, job_ids: Sequence[int]) -> str:
    jobs = (job for job in map(engine.store.get, job_ids) if job is not None)
    return next((job.waiting_reason for job in jobs if job.waiting_reason), "API key rejected.")


def describe_end(jobs: Sequence[Job]) -> str:
    """Return one line on several jobs: how many ended how or still run, each counted once, and what they cost."""
    summary = summarize(jobs)
    parts = []
    for count, word in (
        (summary.done - summary.fetching - summary.without_file, "done"), (summary.without_file, "without file"),
        (summary.failed, "failed"), (summary.rejected, "rejected"), (summary.unconfirmed, "unconfirmed"),
        (summary.lost, "lost"), (summary.queued, "queued"), (summary.fetching, "downloading"),
        (summary.in_progress - summary.queued - summary.fetching, "running"),
    ):  # fmt: skip
        if count:
            parts.append(f"{count} {word}")
    cost = "" if summary.cost is None else f" · {format_cost(summary.cost)}"
    batches = {job.batch for job in jobs}
    batch = f" · batch {batches.pop()}" if len(batches) == 1 and jobs[0].batch else ""
    return f"{len(jobs)} jobs: {', '.join(parts)}{cost}{batch}"


REFRESH_SECONDS = 0.5
"""Seconds between repaints: a line that moves, and a few bytes a second over SSH."""


MIN_REASON_REFRESHES = 4
"""Refreshes before a reason for waiting is printed: a single failed poll is repeated after a second."""

MIN_REFRESHES_BETWEEN_REASONS = 20
"""Refreshes between two such lines at least."""


class ProgressLine:
    """Refreshes the line for the duration of the block; `job_ids` may grow meanwhile.

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
