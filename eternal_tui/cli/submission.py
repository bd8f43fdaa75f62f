"""Submit requests one after the other, report each job, and optionally wait for the results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from eternal_tui.cli.casting import resolve_character
from eternal_tui.cli.commands.watch import wait_for_jobs
from eternal_tui.cli.context import CommandError, Context, close_services
from eternal_tui.cli.exit_codes import ExitCode, exit_code_of, worst_exit_code
from eternal_tui.cli.formatting import describe_unfinished, format_job_line, job_error_message
from eternal_tui.cli.progress import ProgressLine
from eternal_tui.cli.signals import SUBMIT_GRACE_SECONDS, Shutdown, ShutdownRequested
from eternal_tui.core.sanitize import format_safe, sanitize
from eternal_tui.history.errors import HistoryError
from eternal_tui.jobs.batch import new_batch_id
from eternal_tui.jobs.errors import ConfirmationRequired, DailyCapExceeded, NoApiKey
from eternal_tui.jobs.formatting import pluralize
from eternal_tui.jobs.job_json import job_to_json
from eternal_tui.jobs.model import Job, JobState
from eternal_tui.jobs.submit.submitter import SubmitDetails

if TYPE_CHECKING:
    from eternal_tui.api.models import GenerateRequest
    from eternal_tui.services import Services

_FATAL_CAUSES = frozenset({"key", "credits", "unreachable", "stopped"})
"""Causes of a rejection that the next request would meet too."""


async def submit_all(context: Context, requests: Sequence[GenerateRequest], shutdown: Shutdown) -> int:
    """Send the requests and return the exit code."""
    services = context.open_services()
    try:
        return await SubmissionRun(context, services, shutdown).run(requests)
    finally:
        await close_services(services, context.output)


class SubmissionRun:
    """One run of `generate`."""

    def __init__(self, context: Context, services: Services, shutdown: Shutdown) -> None:
        self._services = services
        self._engine = services.jobs
        self._output = context.output
        self._arguments = context.arguments
        self._shutdown = shutdown
        self._is_ephemeral = context.is_ephemeral
        self._job_ids: list[int] = []
        self._printed_ids: set[int] = set()
        self._stopped_early = False
        self._is_key_rejected = False

    async def run(self, requests: Sequence[GenerateRequest]) -> int:
        """Submit the requests, print their jobs, and return the exit code."""
        self._output.print_notices(self._engine.notices)
        if self._is_ephemeral:
            self._output.info(sanitize("This is the demo: its files are gone when it ends. --data-dir DIR keeps them."))
        await self._engine.start(only_job_ids=())
        requests, name = await self._shutdown.run(self._prepare(requests))
        with ProgressLine(self._engine, self._output, self._job_ids):
            try:
                await self._submit_requests(requests, name)
                if self._arguments.wait:
                    await self._wait_for_results()
            except ShutdownRequested as stopped:
                return self._report_shutdown(stopped)
        codes = [self._exit_code(job) for job in self._own_jobs()]
        if self._stopped_early:
            codes.append(ExitCode.FAILED)
        if self._is_key_rejected:
            codes.append(ExitCode.KEY_ERROR)
        return worst_exit_code(codes)

    async def _prepare(self, requests: Sequence[GenerateRequest]) -> tuple[list[GenerateRequest], str]:
        if not await self._services.client.has_key():
            problem = self._services.client.key_error
            raise CommandError(ExitCode.KEY_ERROR, f"{problem} Nothing was sent.") if problem else NoApiKey
        services = self._services
        role = await resolve_character(services.characters, requests[0].character, services.clock, self._output.info)
        chosen = [msgspec.structs.replace(request, character=role.id) for request in requests]
        try:
            await self._engine.submitter.check(chosen, confirmed=self._arguments.yes)
        except ConfirmationRequired as refusal:
            raise CommandError(ExitCode.USAGE, f"{refusal} Add --yes to send it.") from None
        return chosen, role.name

    async def _submit_requests(self, requests: Sequence[GenerateRequest], character_name: str) -> None:
        batch = new_batch_id(len(requests))
        unsubscribe = self._engine.store.subscribe(self._collect_own_jobs)
        try:
            for number, request in enumerate(requests, 1):
                if self._shutdown.is_requested:
                    raise ShutdownRequested(self._shutdown.signal_number)
                try:
                    # Confirmed together before; the cap is looked at again for each.
                    submitting = self._engine.submit(
                        request,
                        SubmitDetails(
                            character_name=character_name, batch=batch, batch_index=number if batch else None
                        ),
                        confirmed=True,
                    )
                    job = await self._shutdown.run(submitting, grace_seconds=SUBMIT_GRACE_SECONDS)
                except (DailyCapExceeded, HistoryError) as refusal:
                    if not self._job_ids:
                        raise
                    self._stopped_early = True
                    self._output.error(sanitize(str(refusal)))
                    self._report_unsent(len(requests) - number + 1)
                    return
                self._report_submitted(job)
                if job.state is JobState.UNCONFIRMED or job.cause in _FATAL_CAUSES:
                    self._report_unsent(len(requests) - number)
                    return
        finally:
            unsubscribe()

    def _collect_own_jobs(self, job_ids: frozenset[int]) -> None:
        for job_id in sorted(job_ids - set(self._job_ids)):
            job = self._engine.store.get(job_id)
            if job is not None and self._engine.context.owns(job):
                self._job_ids.append(job_id)

    def _own_jobs(self) -> list[Job]:
        return [job for job in map(self._engine.store.get, self._job_ids) if job is not None]

    def _exit_code(self, job: Job) -> ExitCode:
        return exit_code_of(job) if self._engine.store.is_durable(job.id) else ExitCode.UNCONFIRMED

    def _report_submitted(self, job: Job) -> None:
        if not self._engine.store.is_durable(job.id):
            self._output.error(
                format_safe(
                    "Job {id} was taken by the service, but could not be written down: {trouble} "
                    "Its request id is {request}. Free some space and keep that id.",
                    id=job.id,
                    trouble=job.trouble,
                    request=job.request_id,
                )
            )
        if not self._arguments.json:
            self._output.print_line(format_job_line(job, self._engine.results_dir))
        elif not self._arguments.wait or job.state is not JobState.RUNNING:
            self._print_json(job)
        self._report_error(job)

    def _report_error(self, job: Job) -> None:
        if (sentence := job_error_message(job)) is not None:
            self._output.error(sentence)

    def _report_unsent(self, count: int) -> None:
        if count:
            verb = "was" if count == 1 else "were"
            rest = pluralize(count, "more request")
            self._output.info(
                format_safe("{rest} {verb} not sent; nothing was charged for that.", rest=rest, verb=verb)
            )

    async def _wait_for_results(self) -> None:
        waiting = [job.id for job in self._own_jobs() if job.state is JobState.RUNNING or job.needs_download]
        refusal = await wait_for_jobs(self._engine, waiting, self._shutdown, lambda end: self._report_end(end.result()))
        if refusal:
            self._is_key_rejected = True
            self._print_remaining()
            self._output.error(
                format_safe(
                    "{refusal} {rest} Give another key first.",
                    refusal=refusal,
                    rest=describe_unfinished(self._own_jobs()),
                )
            )

    def _report_end(self, job: Job) -> None:
        if self._arguments.json:
            self._print_json(job)
        else:
            self._output.print_line(format_job_line(job, self._engine.results_dir))
        self._report_error(job)

    def _print_json(self, job: Job) -> None:
        self._printed_ids.add(job.id)
        self._output.print_json(job_to_json(job, self._engine.results_dir))

    def _print_remaining(self) -> None:
        """Print the jobs that this run waits for no longer as they stand: a script wants their ids."""
        for job in self._own_jobs():
            if self._arguments.json and job.id not in self._printed_ids:
                self._print_json(job)

    def _report_shutdown(self, shutdown_request: ShutdownRequested) -> int:
        self._print_remaining()
        jobs = self._own_jobs()
        unclear = [job for job in jobs if job.state is JobState.UNCONFIRMED]
        for job in unclear:
            self._report_error(job)
        if rest := describe_unfinished(jobs):
            self._output.info(format_safe("Stopped here. {rest}", rest=rest))
        elif not unclear:
            self._output.info(sanitize("Stopped. Nothing is under way."))
        return ExitCode.UNCONFIRMED if unclear else shutdown_request.exit_code
