"""`generate`: send requests, once each, and end when their ids are on disk or, if asked, their results."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from eternal_tui.cli.casting import resolve_character
from eternal_tui.cli.commands.watch import wait_for_jobs
from eternal_tui.cli.context import CommandError, Context, close_services
from eternal_tui.cli.exit_codes import ExitCode, exit_code_of, worst_exit_code
from eternal_tui.cli.formatting import describe_unfinished, format_job_line, job_error_message, job_to_json
from eternal_tui.cli.output import is_terminal
from eternal_tui.cli.progress import ProgressLine
from eternal_tui.cli.signals import SUBMIT_GRACE_SECONDS, Shutdown, ShutdownRequested
from eternal_tui.core.sanitize import format_safe, sanitize
from eternal_tui.history.errors import HistoryError
from eternal_tui.jobs.batch import new_batch_id
from eternal_tui.jobs.errors import ConfirmationRequired, DailyCapExceeded, NoApiKey
from eternal_tui.jobs.formatting import pluralize
from eternal_tui.jobs.model import Job, JobState

if TYPE_CHECKING:
    from eternal_tui.api.models import GenerateRequest
    from eternal_tui.services import Services


MAX_STDIN_PROMPTS = 1_000
MAX_PROMPT_CHARS = 100_000
"""Characters of a prompt, given or read: far more than any prompt, far less than a file given by mistake."""


def read_prompts(option: str | None, stdin: TextIO) -> list[str]:
    """Return the prompts; raise CommandError where there is none."""
    if option is not None and option != "-":
        if len(option) > MAX_PROMPT_CHARS:
            raise CommandError(
                ExitCode.USAGE, f"The prompt is longer than {MAX_PROMPT_CHARS} characters. Nothing was sent."
            )
        return [option]
    if option is None and is_terminal(stdin):
        raise CommandError(
            ExitCode.USAGE, "Write a prompt: --prompt TEXT, or prompts on stdin, one a line. Nothing was sent."
        )
    return _read_stdin_prompts(stdin)


def _read_stdin_prompts(stdin: TextIO) -> list[str]:
    prompts = []
    try:
        while line := stdin.readline(MAX_PROMPT_CHARS + 1):
            if len(line) > MAX_PROMPT_CHARS:
                raise CommandError(
                    ExitCode.USAGE, f"A line of stdin is longer than {MAX_PROMPT_CHARS} characters. Nothing was sent."
                )
            if line.strip():
                prompts.append(line.rstrip("\r\n"))
            if len(prompts) > MAX_STDIN_PROMPTS:
                raise CommandError(
                    ExitCode.USAGE, f"Stdin holds more than {MAX_STDIN_PROMPTS} prompts. Nothing was sent."
                )
    except UnicodeDecodeError:
        raise CommandError(ExitCode.USAGE, "Standard input is not valid text. Nothing was sent.") from None
    except (OSError, ValueError):
        raise CommandError(ExitCode.USAGE, "Standard input cannot be read. Nothing was sent.") from None
    if not prompts:
        raise CommandError(ExitCode.USAGE, "Standard input holds no prompt. Give --prompt TEXT. Nothing was sent.")
    return prompts


_FATAL_CAUSES = frozenset({"key", "credits", "unreachable", "stopped"})
"""Causes of a rejection that the next request would meet too."""


async def submit_all(context: Context, requests: Sequence[GenerateRequest], shutdown: Shutdown) -> int:
    """Send the requests and return the exit code."""
    workbench = context.open_services()
    try:
        return await _GenerateRun(context, workbench, shutdown).run(requests)
    finally:
        await close_services(workbench, context.output)


class _GenerateRun:
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
        workbench = self._services
        role = await resolve_character(workbench.characters, requests[0].character, workbench.clock, self._output.info)
        chosen = [msgspec.structs.replace(request, character=role.id) for request in requests]
        try:
            await self._engine.check_submit(chosen, confirmed=self._arguments.yes)
        except ConfirmationRequired as refusal:
            raise CommandError(ExitCode.USAGE, f"{refusal} Add --yes to send it.") from None
        return chosen, role.name

    async def _submit_requests(self, requests: Sequence[GenerateRequest], character_name: str) -> None:
        batch = new_batch_id(len(requests))
        unsubscribe = self._engine.subscribe(self._collect_own_jobs)
        try:
            for number, request in enumerate(requests, 1):
                if self._shutdown.is_requested:
                    raise ShutdownRequested(self._shutdown.signal_number)
                try:
                    # Confirmed together before; the cap is looked at again for each.
                    submitting = self._engine.submit(
                        request, character_name=character_name, confirmed=True, batch=batch
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
            job = self._engine.get(job_id)
            if job is not None and self._engine.owns(job):
                self._job_ids.append(job_id)

    def _own_jobs(self) -> list[Job]:
        return [job for job in map(self._engine.get, self._job_ids) if job is not None]

    def _exit_code(self, job: Job) -> ExitCode:
        return exit_code_of(job) if self._engine.is_durable(job.id) else ExitCode.UNCONFIRMED

    def _report_submitted(self, job: Job) -> None:
        if not self._engine.is_durable(job.id):
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


EPILOG = """\
examples:
  eternal-tui generate --character 6870 --prompt "In a rain coat"
  eternal-tui generate --character 6870 --prompt "She waves" --type video --duration 3 --no-audio --wait --json
  eternal-tui generate --character Astrid --prompt - --quality high < prompts.txt

Without --wait it ends once each request id is on disk; `eternal-tui watch` follows the jobs later.
A request is sent once. If its answer is lost, the job is unconfirmed (exit code 5) and never sent again by itself.
"""

MAX_COUNT = 100
"""Jobs of one prompt: beyond this a slip of the finger is likelier than a wish."""

MAX_JOBS_PER_RUN = 1_000
"""Jobs of one run, for the same reason."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `generate`."""
    parser.add_argument("--character", metavar="ID", default="", help="character ID, or a name from the public list")
    parser.add_argument("--prompt", metavar="TEXT", help="what is to change; '-' reads prompts from stdin, one a line")
    parser.add_argument("--type", metavar="image|video", default="image", help="what to make (default: image)")
    parser.add_argument("--duration", metavar="N", type=_parse_number, help="seconds of a video, 1 to 5")
    parser.add_argument(
        "--audio", action=argparse.BooleanOptionalAction, default=None, help="a video with or without sound"
    )
    parser.add_argument("--quality", metavar="low|high", help="of an image; high costs twice as much")
    parser.add_argument(
        "--count", metavar="N", type=_parse_number, default=1, help="send each prompt N times (default: 1)"
    )
    parser.add_argument("--wait", action="store_true", help="wait until every result is saved")
    parser.add_argument("--json", action="store_true", help="print one JSON object a job")
    parser.add_argument("--yes", action="store_true", help="send also what costs more than confirm_above")


def _parse_number(text: str) -> int | str:
    # Whether it is one is for the rules of a request to say, which have the better sentence.
    return int(text) if text.isascii() and text.removeprefix("-").isdigit() and len(text) < 10 else text


def run(context: Context) -> int:
    """Check everything, then send; nothing was sent where it ends in 2."""
    from eternal_tui.cli.signals import run_with_shutdown

    requests = _build_requests(context)
    return run_with_shutdown(
        lambda stopping: submit_all(context, requests, stopping), own_process=context.arguments.own_process
    )


def _build_requests(context: Context) -> list[GenerateRequest]:
    from eternal_tui.api.models import GenerateRequest, validation_errors

    given = context.arguments
    if type(given.count) is not int or not 1 <= given.count <= MAX_COUNT:
        raise CommandError(ExitCode.USAGE, f"--count is a whole number from 1 to {MAX_COUNT}. Nothing was sent.")
    fields: dict[str, Any] = {
        "type": given.type,
        "duration": given.duration,
        "audio": given.audio,
        "quality": given.quality,
    }
    # Everything but prompt and character first, so that a wrong option does not read the whole of stdin.
    _raise_if_invalid(validation_errors(GenerateRequest(character="1", prompt="a", **fields)))
    if not given.character.strip():
        _raise_if_invalid(validation_errors(GenerateRequest(character="", prompt="a", **fields)))
    requests = []
    for prompt in read_prompts(given.prompt, context.output.stdin):
        request = GenerateRequest(character=given.character.strip(), prompt=prompt, **fields)
        found = validation_errors(request)
        # A name is no ID yet; only what can be neither is refused here.
        if "character" in found and not _is_invalid_character(request.character):
            del found["character"]
        _raise_if_invalid(found)
        requests += [request] * given.count
    if len(requests) > MAX_JOBS_PER_RUN:
        raise CommandError(
            ExitCode.USAGE,
            f"These are {len(requests)} jobs; one run sends {MAX_JOBS_PER_RUN} at most. Nothing was sent.",
        )
    return requests


def _is_invalid_character(character: str) -> bool:
    """Tell whether the text can be neither an ID nor a name: an address, a path or an encoded image."""
    return "/" in character or len(character) > 100 or character.lower().startswith(("http:", "https:", "data:"))


def _raise_if_invalid(errors: dict[str, str]) -> None:
    if errors:
        raise CommandError(ExitCode.USAGE, sanitize(f"{' '.join(errors.values())} Nothing was sent."))
