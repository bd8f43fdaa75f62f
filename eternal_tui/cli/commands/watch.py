"""`watch` and `fetch`: wait until jobs have ended and their files are saved. Sends nothing that costs."""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import TYPE_CHECKING

from eternal_tui.cli.context import Command, Context, require_key, run_with_services
from eternal_tui.cli.errors import CommandError, ExitCode, UsageError, exit_code_of, worst_exit_code
from eternal_tui.cli.formatting import closing_line, describe_unfinished, print_job, print_job_error
from eternal_tui.cli.output import is_terminal
from eternal_tui.cli.parser import add_option
from eternal_tui.cli.references import add_references, find_jobs, iter_jobs
from eternal_tui.cli.signals import Shutdown, ShutdownRequested
from eternal_tui.cli.waiting import ResultOutput, add_wait_options, describe_end, show_progress, wait_for_jobs
from eternal_tui.core.sanitize import SafeText, format_safe, sanitize
from eternal_tui.jobs.errors import InvalidJobState
from eternal_tui.jobs.formatting import format_utc
from eternal_tui.jobs.model import POLLED_STATES, UNFINISHED_STATES, Job, JobState

if TYPE_CHECKING:
    from eternal_tui.services import Services

WATCH_EPILOG = """\
examples:
  eternal-tui watch                                every unfinished job
  eternal-tui watch 12 13 --json                   one JSON object per event
  eternal-tui watch 3f2a91c0 -o 'out/{n}{ext}'     a batch, with copies of its results
  eternal-tui watch | jq -r 'select(.event == "finished") | .file'
  eternal-tui watch last --timeout 5m && eternal-tui show last

JSON is the default where stdout is not a terminal. Events: state, progress, finished; each object is the whole job.
Lost jobs are polled again and missing files are fetched again if the job is named. ctrl+c stops waiting; the
jobs keep running.
"""

FETCH_EPILOG = """\
examples:
  eternal-tui fetch 12
  eternal-tui fetch 12 -o portrait.jpg
  eternal-tui fetch 'state:expired,broken,missing' --json
  eternal-tui fetch 12 --url https://…             a result URL found elsewhere

A job that has its file is not downloaded again, only copied with -o. Free.
"""


class _WatchRun:
    def __init__(self, context: Context, services: Services, shutdown: Shutdown, result_output: ResultOutput) -> None:
        self._context = context
        self._services = services
        self._engine = services.jobs
        self._output = context.output
        self._arguments = context.arguments
        self._shutdown = shutdown
        self._result_output = result_output
        self._printed: dict[int, Job | None] = {}

    async def run(self) -> int:
        ids = await asyncio.to_thread(self._select_job_ids)
        if not ids:
            return ExitCode.SUCCESS
        await self._engine.start(only_job_ids=ids)
        if (url := getattr(self._arguments, "url", None)) is not None:
            if len(ids) != 1:
                raise UsageError(f"--url needs exactly one job, not {len(ids)}.")
            await self._shutdown.run(self._engine.download_from(ids[0], url))
        await self._shutdown.run(self._resume_polling(ids))

        def list_jobs() -> list[Job]:
            return [job for job in map(self._engine.store.get, ids) if job is not None]

        unsubscribe = self._engine.store.subscribe(self._on_change)
        codes: list[ExitCode] = []
        try:
            with show_progress(self._engine, self._output, list_jobs):
                self._printed = dict.fromkeys(ids)
                self._on_change(frozenset(ids))
                rejection = await wait_for_jobs(
                    self._services, ids, self._shutdown, self._on_end, self._output.info,
                    timeout_seconds=self._arguments.timeout,
                )  # fmt: skip
            if rejection:
                raise CommandError(ExitCode.KEY_ERROR, closing_line(rejection, list_jobs()))
        except TimeoutError:
            codes.append(ExitCode.TIMEOUT)
            self._output.info(closing_line("Timed out.", list_jobs()))
        except ShutdownRequested:
            self._output.info(closing_line("Stopped.", list_jobs()))
            raise
        finally:
            unsubscribe()
        jobs = list_jobs()
        if len(jobs) > 1:
            self._output.info(sanitize(describe_end(jobs)))
        if self._result_output.failed:
            codes.append(ExitCode.FAILED)
        return worst_exit_code([*map(exit_code_of, jobs), *codes])

    def _select_job_ids(self) -> list[int]:
        """Return the ids of the jobs to watch, and print why others are left out."""
        history, references = self._services.history, self._arguments.ids
        if references:
            jobs = find_jobs(history, references, self._output.stdin)
        else:
            unfinished = UNFINISHED_STATES
            jobs = [
                job for job in iter_jobs(history) if (job.state in unfinished and job.watched) or job.needs_download
            ]
        here: list[int] = []
        queued = [job for job in jobs if job.state is JobState.QUEUED]
        has_others = False
        for job in jobs:
            if job.service not in ("", self._services.service_name) and (not job.is_ended or job.needs_download):
                has_others = True
                self._output.info(format_safe("Job {id} belongs to {host}; skipped.", id=job.id, host=job.service))
            elif job.state is not JobState.QUEUED:
                here.append(job.id)
        if has_others and references and not here:
            raise UsageError("None of these jobs belongs to this service; --base-url names another.")
        if queued or not here:
            self._output.info(describe_unfinished(queued) or SafeText("No unfinished jobs."))
        return here

    async def _resume_polling(self, job_ids: list[int]) -> None:
        store = self._engine.store
        if any(store[job_id].state in POLLED_STATES for job_id in job_ids):
            await require_key(self._services)
        for job_id in job_ids if self._arguments.ids else ():
            job = store[job_id]
            try:
                if job.state is JobState.LOST or (job.state in POLLED_STATES and not job.watched):
                    await self._engine.watch_now(job_id)
                elif job.state is JobState.SUCCEEDED and not job.is_delivered and not job.needs_download:
                    await self._engine.retry_download(job_id)
            except InvalidJobState:
                continue  # another instance is at it; its changes arrive here

    def _on_change(self, job_ids: frozenset[int]) -> None:
        for job_id in self._printed:
            if job_id not in job_ids or (job := self._engine.store.get(job_id)) is None:
                continue
            old, self._printed[job_id] = self._printed[job_id], job
            if old is None or (old.state, old.file_state) != (job.state, job.file_state):
                # The end is printed once its actions are done.
                if not job.is_ended or job.needs_download:
                    self._print_job("state", job)
            elif self._arguments.json and (old.progress, old.status_text) != (job.progress, job.status_text):
                self._print_job("progress", job)

    def _print_job(self, event: str, job: Job, output: str | None = None) -> None:
        now = format_utc(time.time()) or ""
        print_job(self._context, self._services, job, output, event=event, time=now)

    async def _on_end(self, job: Job) -> None:
        self._printed.pop(job.id, None)
        output = await self._result_output.handle(self._services, job)
        self._print_job("finished" if job.is_ended and not job.needs_download else "state", job, output)
        print_job_error(self._context, job)


def _add_watch_arguments(parser: argparse.ArgumentParser) -> None:
    add_references(parser, nargs="*", extra=" (default: all unfinished)")
    _add_common_arguments(parser)


def _add_fetch_arguments(parser: argparse.ArgumentParser) -> None:
    add_references(parser)
    add_option(parser, "--url URL", "download the result of one job from this URL")
    _add_common_arguments(parser)


def _add_common_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", action=argparse.BooleanOptionalAction, default=None,
        help="print one JSON object per event (default when stdout is not a terminal)",
    )  # fmt: skip
    add_wait_options(parser)


def _run(context: Context) -> int:
    if context.arguments.json is None:
        context.arguments.json = not is_terminal(context.output.stdout)
    result_output = ResultOutput(context)

    async def watch(services: Services, shutdown: Shutdown) -> int:
        result_output.attach(services)
        code = await _WatchRun(context, services, shutdown, result_output).run()
        await shutdown.run(services.result_actions.wait_all())
        return code

    return run_with_services(context, watch)


COMMANDS = {
    "watch": Command(WATCH_EPILOG, _add_watch_arguments, _run),
    "fetch": Command(FETCH_EPILOG, _add_fetch_arguments, _run),
}
