"""`queue`: list, hold, release, reorder and cancel requests that are not sent yet."""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import TYPE_CHECKING

from eternal_tui.cli.context import Command, Context, run_with_services
from eternal_tui.cli.errors import CommandError, ExitCode, UsageError, exit_code_of, worst_exit_code
from eternal_tui.cli.formatting import format_job_line, print_job_error
from eternal_tui.cli.parser import add_flag, add_option
from eternal_tui.cli.references import find_jobs
from eternal_tui.cli.signals import Shutdown
from eternal_tui.cli.submission import UNATTENDED_MAX_REQUESTS, may_send
from eternal_tui.cli.waiting import parse_timeout
from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, sanitize
from eternal_tui.jobs.formatting import pluralize, state_label
from eternal_tui.jobs.model import Job, JobState
from eternal_tui.jobs.polling.scheduler import sleep_until_set
from eternal_tui.jobs.submit.queue import RECHECK_SECONDS
from eternal_tui.jobs.submit.submitter import MAX_QUEUED_WAIT_SECONDS

if TYPE_CHECKING:
    from eternal_tui.jobs.engine import JobEngine
    from eternal_tui.jobs.submit.queue import QueueSummary
    from eternal_tui.services import Services

EPILOG = """\
examples:
  eternal-tui queue                         what is queued, in order of sending
  eternal-tui queue hold                    send nothing more, in the app either
  eternal-tui queue run                     send what is queued
  eternal-tui queue run --until-empty --yes for cron: wait until nothing is queued
  eternal-tui queue move 12 13 first
  eternal-tui queue clear 12 13             cancel these; without JOB, all

After a restart nothing queued is sent until `queue run`, or H in the app. `run` asks in a terminal; without one it
sends at most 10 requests, and none above confirm_above, unless --yes is given. No credits or a refused key hold the
queue again (exit codes 1 and 3); after five minutes of 429 or outage it ends with 6.
"""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action", nargs="?", choices=("status", "hold", "run", "move", "clear"), default="status", help="what to do"
    )
    parser.add_argument("ids", metavar="JOB", nargs="*", help="jobs to cancel; for move: jobs, then first, last or N")
    add_flag(parser, "--until-empty", "run: wait until the whole queue is empty")
    add_flag(parser, "--yes", "run: do not ask")
    add_option(parser, "--timeout TIME", "run: stop waiting after TIME (90, 5m, 1h); exit code 6", type=parse_timeout)
    add_flag(parser, "--json", "status: print one JSON object")


async def _queue(context: Context, services: Services, shutdown: Shutdown) -> int:
    engine, action = services.jobs, context.arguments.action
    try:
        if action == "run":
            await engine.start(only_job_ids=())
        else:
            engine.sync.load_newest()
            await engine.billing.load()
            await engine.sync.learn_durations()
        await engine.sync.load_unfinished()
        match action:
            case "run":
                return await shutdown.run(_QueueRun(context, engine).run())
            case "move":
                await _move(context, services)
            case "clear":
                return await _clear(context, services)
            case "hold":
                engine.queue.hold("by hand")
                context.output.info(_describe_queue(engine))
                return ExitCode.SUCCESS
    except OSError as error:
        raise CommandError(ExitCode.FAILED, f"The queue could not be changed: {error.strerror}.") from None
    _print_status(context, engine)
    return ExitCode.SUCCESS


def _describe_queue(engine: JobEngine) -> SafeText:
    """Return how many requests are queued, what they cost, when they are done, and what holds them."""
    summary = engine.queue.summary()
    if not summary.count:
        return sanitize("The queue is empty and held." if summary.is_held else "The queue is empty.")
    reason = "until `eternal-tui queue run`" if summary.held and not summary.is_held else summary.reason
    return join_safe(" · ", *summary.parts, *([sanitize(reason)] if reason else []))


def _print_status(context: Context, engine: JobEngine) -> None:
    queue, summary = engine.queue, engine.queue.summary()
    if context.arguments.json:
        context.output.print_json(
            {
                "queued": summary.count,
                "held": summary.is_held or summary.held > 0,
                "reason": summary.reason or None,
                "unowned": len(queue.unowned()),
                "cost": summary.cost if summary.count else 0.0,
                "seconds": round(summary.seconds, 1),
                "pause_seconds": round(summary.pause_seconds, 1),
                "jobs": [job.id for job in queue.entries()],
            }
        )
        return
    for job in queue.entries():
        _print_job(context, engine, job)
    context.output.info(_describe_queue(engine))


async def _move(context: Context, services: Services) -> None:
    *references, to = context.arguments.ids or [""]
    if not references or not (to in ("first", "last") or to.isdecimal()):
        raise UsageError("Use: eternal-tui queue move JOB... first|last|N.")
    jobs = find_jobs(services.history, references, context.output.stdin)
    queue = services.jobs.queue
    place = {"first": 0, "last": len(queue)}.get(to)
    await queue.move([job.id for job in jobs], max(int(to) - 1, 0) if place is None else place)


async def _clear(context: Context, services: Services) -> int:
    queue = services.jobs.queue
    named = find_jobs(services.history, context.arguments.ids, context.output.stdin)
    if sent := [job.id for job in named if job.state is not JobState.QUEUED]:
        raise UsageError(f"Job {sent[0]} is not queued. Nothing was cancelled.")
    wanted = [job.id for job in (named if context.arguments.ids else queue.entries())]
    cancelled = await queue.cancel(wanted)
    count = pluralize(len(cancelled), "request")
    context.output.info(format_safe("Cancelled {jobs}. Nothing was charged.", jobs=count))
    return ExitCode.SUCCESS if len(cancelled) == len(wanted) else ExitCode.FAILED


def _print_job(context: Context, engine: JobEngine, job: Job) -> None:
    context.output.print_line(format_job_line(job, engine.results_dir), state=state_label(job))


class _QueueRun:
    def __init__(self, context: Context, engine: JobEngine) -> None:
        self._context = context
        self._engine = engine
        self._sent: list[Job] = []
        self._sent_at = time.monotonic()

    async def run(self) -> int:
        output, queue = self._context.output, self._engine.queue
        self._confirm(queue.summary())
        changed = asyncio.Event()
        self._engine.events.submitted.connect(self._on_submitted)
        self._engine.store.subscribe(lambda _: changed.set())
        await self._engine.release_queue()
        if not len(queue):
            output.info(_describe_queue(self._engine))
        try:
            async with asyncio.timeout(self._context.arguments.timeout):
                while self._is_waiting():
                    changed.clear()
                    await sleep_until_set(self._engine.context.ports.clock, RECHECK_SECONDS, changed)
        except TimeoutError:
            output.info(format_safe("Timed out. {queue}", queue=_describe_queue(self._engine)))
            return ExitCode.TIMEOUT
        codes = [exit_code_of(job) for job in self._sent]
        if queue.state.held:
            output.print_notices(self._engine.notices)
            output.info(join_safe(" · ", *queue.summary().parts))
            refused = any(job.cause == "key" for job in queue.entries())
            codes.append(ExitCode.KEY_ERROR if refused else ExitCode.FAILED)
        elif self._has_given_up():
            output.error(_describe_queue(self._engine))
            codes.append(ExitCode.TIMEOUT)
        return worst_exit_code(codes)

    def _confirm(self, summary: QueueSummary) -> None:
        """Ask, or without a terminal allow what `generate` would send without `--yes`; raises CommandError."""
        limit = self._engine.policy.confirm_above
        if self._context.arguments.yes or not summary.held:
            return
        queue = _describe_queue(self._engine)
        is_dear = limit is not None and (summary.cost is None or summary.cost > limit)
        question = format_safe("Send {queue}?", queue=queue)
        if not may_send(self._context.output, question, count=summary.held, is_dear=is_dear):
            most = f"Without a terminal at most {UNATTENDED_MAX_REQUESTS}."
            why = "This is above confirm_above." if is_dear else most
            raise UsageError(f"{queue}. {why} Nothing was sent. Add --yes to send it.")

    def _is_waiting(self) -> bool:
        owns_all, owns = self._context.arguments.until_empty, self._engine.context.owns
        states = {job.state for job in self._engine.sync.unfinished() if owns_all or owns(job)}
        can_send = not self._engine.queue.state.held and not self._has_given_up()
        return JobState.SUBMITTING in states or (JobState.QUEUED in states and can_send)

    def _has_given_up(self) -> bool:
        waited = time.monotonic() - self._sent_at
        return self._engine.queue.pause_seconds > 0 and waited > MAX_QUEUED_WAIT_SECONDS

    def _on_submitted(self, job: Job) -> None:
        if job.state is not JobState.QUEUED:
            self._sent.append(job)
            self._sent_at = time.monotonic()
            _print_job(self._context, self._engine, job)
            print_job_error(self._context, job)
        elif not self._engine.queue.state.held:
            self._context.output.info(format_safe("Job {id} is queued again: {why}", id=job.id, why=job.waiting_reason))


def _run(context: Context) -> int:
    action = context.arguments.action
    if context.arguments.ids and action not in ("move", "clear"):
        raise UsageError(f"`queue {action}` takes no JOB.")
    return run_with_services(context, lambda services, shutdown: _queue(context, services, shutdown))


COMMANDS = {"queue": Command(EPILOG, _add_arguments, _run)}
