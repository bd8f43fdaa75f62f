"""Submit planned requests one after the other within their limits, report each job, and wait for the results."""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import time
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from itertools import takewhile
from typing import TYPE_CHECKING

import msgspec

from eternal_tui.characters.resolver import ResolvedCharacter, resolve_character
from eternal_tui.cli.context import Context, require_key, run_with_services
from eternal_tui.cli.errors import CommandError, ExitCode, UsageError, exit_code_of, worst_exit_code
from eternal_tui.cli.formatting import closing_line, print_job, print_job_error
from eternal_tui.cli.output import Output
from eternal_tui.cli.parser import add_flag, add_option
from eternal_tui.cli.references import iter_jobs
from eternal_tui.cli.request_input import PlannedRequest
from eternal_tui.cli.signals import SUBMIT_GRACE_SECONDS, Shutdown, ShutdownRequested
from eternal_tui.cli.waiting import (
    ResultOutput,
    add_wait_options,
    describe_end,
    parse_output,
    show_progress,
    wait_for_jobs,
)
from eternal_tui.core.formatting import format_amount, format_cost
from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, sanitize
from eternal_tui.history.errors import HistoryError
from eternal_tui.jobs.batch import TRANSIENT_CAUSES
from eternal_tui.jobs.billing.charges import to_amount
from eternal_tui.jobs.errors import ConfirmationRequired, DailyCapExceeded
from eternal_tui.jobs.formatting import UNSENT_CAUSES, pluralize
from eternal_tui.jobs.model import Job, JobState
from eternal_tui.jobs.submit.submitter import MAX_QUEUED_WAIT_SECONDS

if TYPE_CHECKING:
    from eternal_tui.api.models import GenerateRequest
    from eternal_tui.cli.request_input import PlannedRequest
    from eternal_tui.history.history import History
    from eternal_tui.jobs.engine import JobEngine
    from eternal_tui.jobs.model import Job
    from eternal_tui.services import Services


_UNSENT_CAUSES = TRANSIENT_CAUSES | UNSENT_CAUSES
_NOT_WAITED_FOR = frozenset({JobState.REJECTED, JobState.UNCONFIRMED})
_FATAL_CAUSES = frozenset({"key", "credits", "unreachable", "stopped"})
"""Causes of a rejection that the next request would meet too."""


def add_submit_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every command that submits."""
    add_flag(parser, "--wait", "wait until every result is saved")
    add_flag(parser, "--queue", "only queue the requests; `queue run` sends them")
    add_flag(parser, "--json", "print one JSON object per job")
    add_flag(parser, "--yes", "do not ask, even above confirm_count and confirm_above")
    add_option(parser, "--max-cost X", "spend at most X credits; the rest is not sent", type=_parse_credits)
    add_flag(parser, "--dry-run", "print what would be sent and its cost; send nothing")
    add_wait_options(parser)


def run_submission(context: Context, planned: Sequence[PlannedRequest]) -> int:
    """Submit the requests and return the exit code; nothing was sent where it is 2."""
    given = context.arguments
    waits_only = {"--timeout": given.timeout, "--output": given.output, "--on-finished": given.on_finished}
    waits_only["output in the input"] = next((one.output for one in planned if one.output), None)
    if not given.wait and (unused := [name for name, value in waits_only.items() if value is not None]):
        raise UsageError(f"{unused[0]} needs --wait.")
    if given.wait and given.queue:
        raise UsageError("--queue sends nothing, so --wait has nothing to wait for.")
    result_output = ResultOutput(context)

    async def submit(services: Services, shutdown: Shutdown) -> int:
        result_output.attach(services)
        return await SubmissionRun(context, services, shutdown, result_output).run(planned)

    return run_with_services(context, submit)


class SubmissionRun:
    """One run of a command that submits."""

    def __init__(self, context: Context, services: Services, shutdown: Shutdown, result_output: ResultOutput) -> None:
        self._context = context
        self._services = services
        self._engine = services.jobs
        self._output = context.output
        self._arguments = context.arguments
        self._shutdown = shutdown
        self._result_output = result_output
        self._started_at = time.monotonic()
        self._batch = ""
        self._last_earlier_id = 0
        self._queued_ids: frozenset[int] = frozenset()
        self._has_said_why = False
        self._outputs: dict[int, str] = {}
        self._printed_ids: set[int] = set()
        self._extra_codes: list[ExitCode] = []

    async def run(self, planned: Sequence[PlannedRequest]) -> int:
        """Submit the requests, print their jobs, and return the exit code."""
        if self._context.is_ephemeral:
            self._output.info(sanitize("Demo mode: files are deleted on exit. Use --data-dir to keep them."))
        await self._engine.start(only_job_ids=())
        await self._engine.sync.load(one.retry_of for one in planned if one.retry_of is not None)
        planned = await self._shutdown.run(self._prepare(planned))
        if self._arguments.dry_run:
            _print_plan(self._context, self._engine, planned)
            return ExitCode.SUCCESS
        self._outputs = {one.batch_index or 1: one.output for one in planned}
        self._last_earlier_id = max((job.id for job in self._engine.store.newest_first()), default=0)
        with show_progress(self._engine, self._output, self._own_jobs):
            try:
                await self._submit(planned)
                if self._arguments.wait:
                    await self._wait_for_results()
            except ShutdownRequested as stopped:
                return self._report_shutdown(stopped, planned)
        jobs = self._own_jobs()
        if len(planned) > 1 and not self._arguments.queue:
            self._output.info(sanitize(describe_end(jobs)))
        failed = [ExitCode.FAILED] if self._result_output.failed else []
        return worst_exit_code([*map(self._exit_code, jobs), *failed, *self._extra_codes])

    async def _prepare(self, planned: Sequence[PlannedRequest]) -> list[PlannedRequest]:
        """Resolve characters, leave out what was sent before, and check the rest together."""
        if not self._arguments.dry_run:
            await require_key(self._services)
        chosen = await self._resolve_characters(planned)
        if getattr(self._arguments, "resume", False):
            chosen = await self._leave_out_sent(chosen)
        elif len(chosen) > 1 or chosen[0].source:
            self._batch = os.urandom(4).hex()
        if not self._arguments.dry_run:
            await _check_limits(self._context, self._engine, chosen)
        batches = [one.batch or self._batch for one in chosen]
        return [
            msgspec.structs.replace(one, batch=batch, batch_index=one.batch_index if batch else None)
            for one, batch in zip(chosen, batches, strict=True)
        ]

    async def _resolve_characters(self, planned: Sequence[PlannedRequest]) -> list[PlannedRequest]:
        resolved: dict[str, ResolvedCharacter] = {}
        problems: list[SafeText] = []
        code = ExitCode.USAGE
        for one in planned:
            wanted = one.request.character
            if wanted not in resolved:
                found = resolved[wanted] = await resolve_character(self._services.characters, wanted, self._output.info)
                if found.problem:
                    where = f"{one.source}: " if one.source else ""
                    problems.append(format_safe("{where}{problem}", where=where, problem=found.problem))
                    code = ExitCode.UNREACHABLE if found.is_unreachable else code
        for problem in problems[:-1]:
            self._output.error(problem)
        if problems:
            raise CommandError(code, problems[-1])
        return [
            msgspec.structs.replace(
                one,
                request=msgspec.structs.replace(one.request, character=resolved[one.request.character].id),
                character_name=resolved[one.request.character].name or one.character_name,
            )
            for one in planned
        ]

    async def _leave_out_sent(self, planned: list[PlannedRequest]) -> list[PlannedRequest]:
        self._batch, sent, unclear = await asyncio.to_thread(find_sent, self._services.history, planned)
        if not self._batch:
            self._batch = os.urandom(4).hex()
            self._output.info(sanitize("Nothing of this was sent before; submitting all of it."))
            return planned
        rest = []
        for one in planned:
            if sent[one.request] > 0:
                sent[one.request] -= 1
            else:
                rest.append(one)
        doubt = f", {unclear} of them unconfirmed and not sent again" if unclear else ""
        done = len(planned) - len(rest)
        self._output.info(sanitize(f"Batch {self._batch}: {done} of {len(planned)} requests were sent before{doubt}."))
        return rest

    async def _submit(self, planned: Sequence[PlannedRequest]) -> None:
        if self._arguments.queue:
            await self._enqueue(planned)
            return
        max_cost: Decimal | None = self._arguments.max_cost
        if len(planned) > 1 and max_cost is None and self._engine.queue.is_blocked():
            await self._submit_queued(planned)
            return
        for number, one in enumerate(planned):
            if self._shutdown.signal_number:
                raise ShutdownRequested(self._shutdown.signal_number)
            if max_cost is not None and (refusal := _over_limit(self._engine, one, self._own_jobs(), max_cost)):
                self._stop(refusal, len(planned) - number)
                return
            try:
                # Confirmed together before; the cap is checked again for each.
                wait_seconds = min(MAX_QUEUED_WAIT_SECONDS, self._seconds_left())
                submitting = self._engine.submitter.submit(
                    [one.request], [one], confirmed=True, wait_seconds=wait_seconds
                )
                (job,) = await self._shutdown.run(submitting, grace_seconds=SUBMIT_GRACE_SECONDS)
            except (DailyCapExceeded, HistoryError) as error:
                if not self._own_jobs():
                    raise
                self._stop(sanitize(str(error)), len(planned) - number)
                return
            self._report_submitted(job)
            if job.state is JobState.UNCONFIRMED or job.cause in _FATAL_CAUSES:
                self._report_unsent(len(planned) - number - 1)
                return

    def _stop(self, reason: SafeText, unsent_count: int) -> None:
        self._extra_codes.append(ExitCode.FAILED if self._own_jobs() else ExitCode.USAGE)
        self._output.error(reason)
        self._report_unsent(unsent_count)

    async def _submit_queued(self, planned: Sequence[PlannedRequest]) -> None:
        """Queue all requests before the first can be sent, so that none is lost, and report each as it is sent."""
        submitter = self._engine.submitter
        requests = [one.request for one in planned]
        submitting = submitter.submit(requests, planned, confirmed=True, wait_seconds=None)
        seconds = MAX_QUEUED_WAIT_SECONDS
        for job in await self._shutdown.run(submitting, grace_seconds=SUBMIT_GRACE_SECONDS):
            waiting = submitter.wait_until_sent(job, min(seconds, self._seconds_left()))
            sent = await self._shutdown.run(waiting, grace_seconds=SUBMIT_GRACE_SECONDS)
            if sent.state is JobState.QUEUED:
                seconds = 0.0
            self._report_submitted(sent)

    async def _enqueue(self, planned: Sequence[PlannedRequest]) -> None:
        requests = [one.request for one in planned]
        jobs = await self._engine.submitter.submit(requests, planned, confirmed=True, only_queue=True)
        self._queued_ids = frozenset(job.id for job in jobs)
        for job in jobs:
            self._report_submitted(job)
        summary = self._engine.queue.summary()
        self._output.info(join_safe(" · ", *summary.parts, SafeText("`eternal-tui queue run` sends")))

    def _own_jobs(self) -> list[Job]:
        """Return the jobs of this run, oldest first, also those whose submit was interrupted."""
        newer = list(takewhile(lambda job: job.id > self._last_earlier_id, self._engine.store.newest_first()))
        return [job for job in reversed(newer) if self._engine.context.owns(job) or job.id in self._queued_ids]

    def _exit_code(self, job: Job) -> ExitCode:
        if not self._engine.store.is_durable(job.id):
            return ExitCode.UNCONFIRMED
        # Without --wait a job is done when its id is on disk.
        if job.state is JobState.QUEUED and not self._arguments.queue:
            return ExitCode.TIMEOUT
        is_sent = job.state is JobState.SUCCEEDED and not self._arguments.wait
        return ExitCode.SUCCESS if is_sent else exit_code_of(job)

    def _report_submitted(self, job: Job) -> None:
        if not self._engine.store.is_durable(job.id):
            trouble, request = sanitize(job.waiting_reason), sanitize(job.request_id or "")
            self._output.error(
                sanitize(
                    f"Job {job.id} was accepted, but could not be written to disk: {trouble} "
                    f"Its request id is {request}. Free some space and keep that id."
                )
            )
        if not self._arguments.json or not self._arguments.wait or job.state in _NOT_WAITED_FOR:
            self._print_job(job)
        print_job_error(self._context, job)
        if job.state is JobState.QUEUED and not self._arguments.queue and not self._has_said_why:
            self._has_said_why = True
            hold = self._engine.queue.state
            reason = "the queue is held." if hold.reason in ("", "by hand") else hold.reason
            if not hold.held:
                reason = job.waiting_reason or "others are sent first."
            self._output.info(
                format_safe("Job {id} is queued: {reason} `eternal-tui queue run` sends it.", id=job.id, reason=reason)
            )

    def _report_unsent(self, count: int) -> None:
        if count:
            again = " Run the same command with --resume to send the rest." if self._batch else ""
            rest, was = pluralize(count, "more request"), "was" if count == 1 else "were"
            self._output.info(sanitize(f"{rest} {was} not sent and not charged.{again}"))

    def _seconds_left(self) -> float:
        timeout = self._arguments.timeout
        return math.inf if timeout is None else max(0.0, timeout - (time.monotonic() - self._started_at))

    async def _wait_for_results(self) -> None:
        # Also those that ended while others were sent: their results are reported like any other.
        waiting = [job.id for job in self._own_jobs() if job.state not in _NOT_WAITED_FOR]
        try:
            rejection = await wait_for_jobs(
                self._services, waiting, self._shutdown, self._report_end, self._output.info,
                timeout_seconds=self._seconds_left(),
            )  # fmt: skip
            await self._shutdown.run(self._services.result_actions.wait_all())
        except TimeoutError:
            self._extra_codes.append(ExitCode.TIMEOUT)
            self._print_remaining()
            self._output.info(closing_line("Timed out.", self._own_jobs()))
            return
        if rejection:
            self._extra_codes.append(ExitCode.KEY_ERROR)
            self._print_remaining()
            self._output.error(closing_line(rejection, self._own_jobs()))

    async def _report_end(self, job: Job) -> None:
        text = self._outputs.get(job.batch_index or 1)
        path = parse_output(self._context, text) if text else None
        self._print_job(job, await self._result_output.handle(self._services, job, path))
        print_job_error(self._context, job)

    def _print_job(self, job: Job, output: str | None = None) -> None:
        self._printed_ids.add(job.id)
        print_job(self._context, self._services, job, output)

    def _print_remaining(self) -> None:
        """Print the jobs that are not waited for any longer: a script needs their ids."""
        for job in self._own_jobs():
            if self._arguments.json and job.id not in self._printed_ids:
                self._print_job(job)

    def _report_shutdown(self, shutdown: ShutdownRequested, planned: Sequence[PlannedRequest]) -> int:
        self._print_remaining()
        jobs = self._own_jobs()
        unclear = [job for job in jobs if job.state is JobState.UNCONFIRMED]
        for job in unclear:
            print_job_error(self._context, job)
        self._output.info(closing_line("Stopped.", jobs))
        self._report_unsent(len(planned) - len(jobs))
        return ExitCode.UNCONFIRMED if unclear else shutdown.exit_code


def find_sent(history: History, planned: Sequence[PlannedRequest]) -> tuple[str, Counter[GenerateRequest], int]:
    """Return the batch an earlier run of this input sent, how often it sent each request, and how many are unclear.

    The batch with no other requests and the most of these wins, the newest of several. An interrupted or
    unconfirmed request counts as sent: it may have been charged. One that certainly never reached the API, or was
    rejected for the key or for credits, does not.
    """
    wanted = Counter(one.request for one in planned)
    jobs_by_batch: dict[str, list[Job]] = {}
    for job in iter_jobs(history):
        if job.batch and job.batch_index is not None and job.retry_of is None:
            jobs_by_batch.setdefault(job.batch, []).append(job)
    best = max(
        jobs_by_batch.values(),
        key=lambda jobs: (
            all(job.request in wanted for job in jobs),
            (Counter(job.request for job in jobs) & wanted).total(),
            jobs[0].id,
        ),
        default=[],
    )
    sent = Counter(job.request for job in best if not (job.state is JobState.REJECTED and job.cause in _UNSENT_CAUSES))
    if not Counter(job.request for job in best) & wanted:
        return "", Counter(), 0
    unclear = sum(job.state in (JobState.UNCONFIRMED, JobState.SUBMITTING) for job in best)
    return best[0].batch, sent, unclear


UNATTENDED_MAX_REQUESTS = 10
"""Requests sent without --yes where there is no terminal to ask on: small scripts need no option."""

MAX_UNKNOWN_REQUESTS = 2
"""Requests of unknown price sent under --max-cost: the second reveals what both cost."""


def _parse_credits(text: str) -> Decimal:
    amount = to_amount(text.strip())
    if amount is None:
        raise argparse.ArgumentTypeError(f"{text} is not an amount of credits, such as 1.5")
    return amount


async def _check_limits(context: Context, engine: JobEngine, planned: Sequence[PlannedRequest]) -> None:
    """Raise UsageError or SubmitRejected where these may not be sent together; ask on a terminal."""
    given, requests, total = context.arguments, [one.request for one in planned], _total_cost(engine, planned)
    if given.max_cost is not None and total is not None and total > given.max_cost:
        raise UsageError(
            f"{pluralize(len(planned), 'request')} would cost {format_cost(total)}, more than --max-cost "
            f"{format_amount(given.max_cost)}."
        )
    try:
        await engine.submitter.check(requests, confirmed=given.yes)
    except ConfirmationRequired as problem:
        is_dear = problem.limit is not None
        count, price = pluralize(problem.count, "request"), format_cost(problem.estimate)
        question = format_safe("Send {count} ({price})?", count=count, price=price)
        if not may_send(context.output, question, count=len(planned), is_dear=is_dear):
            most = "" if is_dear else f" Without a terminal at most {UNATTENDED_MAX_REQUESTS}."
            raise UsageError(f"{problem}{most} Add --yes to send it.") from None
        await engine.submitter.check(requests, confirmed=True)


def _over_limit(engine: JobEngine, one: PlannedRequest, jobs: Sequence[Job], max_cost: Decimal) -> SafeText | None:
    """Return why --max-cost forbids the next request after these jobs."""
    spent = sum((to_amount(job.cost) or Decimal(0) for job in jobs), Decimal(0))
    price = to_amount(engine.billing.estimate(one.request))
    unknown = sum(job.cost is None for job in jobs)
    if spent + (price or Decimal(0)) <= max_cost and (price is not None or unknown < MAX_UNKNOWN_REQUESTS):
        return None
    cost = "an unknown amount" if price is None else format_amount(price, is_exact=False)
    return sanitize(
        f"--max-cost {format_amount(max_cost)} is reached: {format_cost(spent)} are spent and the next "
        f"request costs {cost}."
    )


def _print_plan(context: Context, engine: JobEngine, planned: Sequence[PlannedRequest]) -> None:
    """Print what would be sent, with the estimated cost."""
    output = context.output
    for one in planned:
        request, estimate = one.request, engine.billing.estimate(one.request)
        if context.arguments.json:
            output.print_json(
                {**msgspec.structs.asdict(request), "character_name": one.character_name, "estimate": estimate}
            )
            continue
        kind = [request.type, request.quality, f"{request.duration} s" if request.duration else None]
        cells = (
            " ".join(filter(None, kind)),
            one.character_name or request.character,
            format_cost(estimate),
            request.prompt,
        )
        output.print_line(join_safe("  ", *map(sanitize, cells)))
    count = pluralize(len(planned), "request")
    output.info(sanitize(f"{count}, {format_cost(_total_cost(engine, planned))}. Nothing was sent."))


def _total_cost(engine: JobEngine, planned: Sequence[PlannedRequest]) -> Decimal | None:
    prices = [to_amount(engine.billing.estimate(one.request)) for one in planned]
    return None if None in prices else sum(filter(None, prices), Decimal(0))


def may_send(output: Output, question: SafeText, *, count: int, is_dear: bool) -> bool:
    """Ask on a terminal, where "no" raises UsageError; without one return whether this needs no `--yes`.

    `is_dear` means a cost above `confirm_above`, or an unknown one.
    """
    if output.can_ask:
        if not output.confirm(question):
            raise UsageError("Nothing was sent.") from None
        return True
    return not is_dear and count <= UNATTENDED_MAX_REQUESTS
