"""`watch`: follow jobs until each has ended and its file is here. Sends nothing that costs."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from eternal_tui.cli.context import CommandError, Context, close_services
from eternal_tui.cli.exit_codes import ExitCode, exit_code_of, worst_exit_code
from eternal_tui.cli.formatting import describe_unfinished, format_job_line, job_error_message
from eternal_tui.cli.output import is_terminal
from eternal_tui.cli.progress import ProgressLine
from eternal_tui.cli.references import add_references, find_jobs, iter_jobs
from eternal_tui.cli.signals import Shutdown, ShutdownRequested
from eternal_tui.core.sanitize import format_safe, join_safe, sanitize
from eternal_tui.jobs.errors import InvalidJobState, JobNotFound, NoApiKey
from eternal_tui.jobs.job_json import job_to_json
from eternal_tui.jobs.model import POLLED_STATES, UNFINISHED_STATES, FileState, Job, JobState

if TYPE_CHECKING:
    from eternal_tui.jobs.engine import JobEngine
    from eternal_tui.services import Services


EndCallback = Callable[["asyncio.Future[Job]"], None]


async def wait_for_jobs(engine: JobEngine, job_ids: Sequence[int], shutdown: Shutdown, on_end: EndCallback) -> str:
    """Hand each job to `on_end` as it ends, and return an empty string; or why the key was refused, with jobs left.

    Raises ShutdownRequested.
    """
    refused = asyncio.Event()

    def hear(_ids: frozenset[int]) -> None:
        if engine.monitor.is_key_rejected:
            refused.set()

    unsubscribe = engine.store.subscribe(hear)
    pending = {asyncio.ensure_future(engine.wait_until_done(job_id)) for job_id in job_ids}
    refusal = asyncio.ensure_future(refused.wait())
    try:
        hear(frozenset())
        while pending:
            waiting = asyncio.wait({*pending, refusal}, return_when=asyncio.FIRST_COMPLETED)
            done, _ = await shutdown.run(waiting)
            for end in pending & done:
                on_end(end)
            pending -= done
            if pending and refusal in done:
                return _key_rejection_reason(engine, job_ids)
        return ""
    finally:
        unsubscribe()
        for task in (*pending, refusal):
            task.cancel()
        await asyncio.gather(*pending, refusal, return_exceptions=True)


def _key_rejection_reason(engine: JobEngine, job_ids: Sequence[int]) -> str:
    jobs = (job for job in map(engine.store.get, job_ids) if job is not None)
    return next((job.trouble for job in jobs if job.trouble), "The key was refused.")


async def watch_jobs(context: Context, shutdown: Shutdown) -> int:
    """Follow what the arguments name and return the exit code."""
    workbench = context.open_services()
    try:
        return await _WatchRun(context, workbench, shutdown).run()
    finally:
        await close_services(workbench, context.output)


class _WatchRun:
    def __init__(self, context: Context, services: Services, shutdown: Shutdown) -> None:
        self._services = services
        self._engine = services.jobs
        self._output = context.output
        self._references: list[str] = context.arguments.ids
        wanted: bool | None = context.arguments.json
        self._prints_json = not is_terminal(context.output.stdout) if wanted is None else wanted
        self._shutdown = shutdown
        self._printed_states: dict[int, tuple[JobState, FileState | None] | None] = {}

    async def run(self) -> int:
        self._output.print_notices(self._engine.notices)
        ids = await asyncio.to_thread(self._select_job_ids)
        if not ids:
            self._output.info(sanitize("Nothing is unfinished."))
            return ExitCode.SUCCESS
        await self._engine.start(only_job_ids=ids)
        await self._shutdown.run(self._resume_polling(ids))
        unsubscribe = self._engine.store.subscribe(self._on_change)
        try:
            with ProgressLine(self._engine, self._output, ids):
                self._printed_states = dict.fromkeys(ids)
                self._on_change(frozenset(ids))
                await self._wait_until_done(ids)
        except ShutdownRequested:
            jobs = [job for job in map(self._engine.store.get, ids) if job is not None]
            rest = describe_unfinished(jobs)
            self._output.info(join_safe(" ", sanitize("Stopped following."), *([rest] if rest else ())))
            raise
        finally:
            unsubscribe()
        jobs = [job for job in map(self._engine.store.get, ids) if job is not None]
        return worst_exit_code(map(exit_code_of, jobs))

    def _select_job_ids(self) -> list[int]:
        history = self._services.history
        if self._references:
            jobs = find_jobs(history, self._references, self._output.stdin)
        else:
            jobs = [
                job
                for job in iter_jobs(history)
                if (job.state in UNFINISHED_STATES and job.watched) or job.needs_download
            ]
        elsewhere = [
            job for job in jobs if not self._is_on_this_service(job) and (not job.is_ended or job.needs_download)
        ]
        for job in elsewhere:
            self._output.info(
                format_safe(
                    "Job {id} belongs to the service at {host}, not followed here.", id=job.id, host=job.service
                )
            )
        ids = list(dict.fromkeys(job.id for job in jobs if job not in elsewhere))
        if elsewhere and self._references and not ids:
            raise CommandError(ExitCode.USAGE, "None of these jobs belongs to this service; --base-url names another.")
        return ids

    def _is_on_this_service(self, job: Job) -> bool:
        return job.service in ("", self._services.service_name)

    async def _resume_polling(self, job_ids: list[int]) -> None:
        if (
            any(self._get_job(job_id).state in POLLED_STATES for job_id in job_ids)
            and not await self._services.client.has_key()
        ):
            problem = self._services.client.key_error
            raise CommandError(ExitCode.KEY_ERROR, problem) if problem else NoApiKey
        for job_id in job_ids if self._references else ():
            job = self._get_job(job_id)
            try:
                if job.state is JobState.LOST or (job.state in POLLED_STATES and not job.watched):
                    await self._engine.watch_now(job_id)
                elif job.file_state in (FileState.EXPIRED, FileState.BROKEN):
                    await self._engine.retry_download(job_id)
            except InvalidJobState:
                continue  # another instance is at it, and its news arrive here

    def _get_job(self, job_id: int) -> Job:
        job = self._engine.store.get(job_id)
        if job is None:
            raise JobNotFound(job_id)
        return job

    def _on_change(self, job_ids: frozenset[int]) -> None:
        for job_id in self._printed_states:
            if job_id not in job_ids or (job := self._engine.store.get(job_id)) is None:
                continue
            stands = (job.state, job.file_state)
            if self._printed_states[job_id] != stands:
                self._printed_states[job_id] = stands
                self._print_job(job)

    def _print_job(self, job: Job) -> None:
        if self._prints_json:
            self._output.print_json(job_to_json(job, self._engine.results_dir))
        else:
            self._output.print_line(format_job_line(job, self._engine.results_dir))

    async def _wait_until_done(self, job_ids: list[int]) -> None:
        if refusal := await wait_for_jobs(self._engine, job_ids, self._shutdown, self._on_end):
            raise CommandError(
                ExitCode.KEY_ERROR, f"{refusal} The jobs go on at the service; give another key and watch again."
            )

    def _on_end(self, end: asyncio.Future[Job]) -> None:
        try:
            job = end.result()
        except JobNotFound as gone:
            self._output.info(sanitize(f"{gone} It was deleted meanwhile."))
            return
        self._printed_states.pop(job.id, None)
        if job.needs_download:
            self._print_job(job)
        if (sentence := job_error_message(job)) is not None:
            self._output.error(sentence)


EPILOG = """\
examples:
  eternal-tui watch                                every unfinished job
  eternal-tui watch 12 13 --json                   a JSON object at every change of state
  eternal-tui watch | jq -r .file                  the same, as ever where the output is no terminal
  eternal-tui watch last && eternal-tui show last

A lost job is asked about again, and a file that expired or broke is fetched again, if the job is named.
ctrl+c stops following; the service goes on with the jobs.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `watch`."""
    add_references(parser, nargs="*", extra=" (default: all unfinished)")
    parser.add_argument(
        "--json",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="print a JSON object at every change of state, or a line; into a file or a pipe objects are usual",
    )


def run(context: Context) -> int:
    """Follow the jobs and end by the exit codes of what became of them."""
    from eternal_tui.cli.signals import run_with_shutdown

    return run_with_shutdown(lambda stopping: watch_jobs(context, stopping), own_process=context.arguments.own_process)
