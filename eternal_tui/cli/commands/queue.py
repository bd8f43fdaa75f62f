"""`queue`: list, hold, release, reorder and cancel requests that are not sent yet."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

from eternal_tui.cli.context import CommandError, Context, UsageError, close_services
from eternal_tui.cli.cost_limits import UNATTENDED_MAX_REQUESTS
from eternal_tui.cli.exit_codes import ExitCode, exit_code_of, worst_exit_code
from eternal_tui.cli.formatting import format_job_line, job_error_message
from eternal_tui.cli.output import is_terminal
from eternal_tui.cli.references import find_jobs, iter_jobs
from eternal_tui.cli.signals import Shutdown, run_with_shutdown
from eternal_tui.cli.waiting import parse_timeout
from eternal_tui.core.formatting import format_cost
from eternal_tui.core.sanitize import SafeText, format_safe, sanitize
from eternal_tui.jobs.formatting import pluralize, state_label
from eternal_tui.jobs.model import Job, JobState

if TYPE_CHECKING:
    from eternal_tui.jobs.engine import JobEngine
    from eternal_tui.services import Services

EPILOG = """\
examples:
  eternal-tui queue                         what is queued, in order of sending
  eternal-tui queue hold                    send nothing more, in the app either
  eternal-tui queue run                     send what is queued (asks first in a terminal)
  eternal-tui queue run --until-empty --yes from cron: also what other processes queued
  eternal-tui queue move 12 first
  eternal-tui queue clear 12 13             cancel these; without JOB, all

After a restart nothing queued is sent until `queue run`, or the app's release.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `queue`."""
    parser.add_argument(
        "action", nargs="?", choices=("status", "hold", "run", "move", "clear"), default="status", help="what to do"
    )
    parser.add_argument("ids", metavar="JOB", nargs="*", help="jobs to cancel; for move: a job and first, last or N")
    parser.add_argument("--until-empty", action="store_true", help="run: wait until the whole queue is empty")
    parser.add_argument("--yes", action="store_true", help="run: do not ask")
    parser.add_argument(
        "--timeout", metavar="TIME", type=parse_timeout, help="run: stop waiting after TIME (90, 5m, 1h); exit code 6"
    )
    parser.add_argument("--json", action="store_true", help="status: print one JSON object")


async def _queue(context: Context, shutdown: Shutdown) -> int:
    action = context.arguments.action
    if context.arguments.ids and action not in ("move", "clear"):
        raise UsageError(f"`queue {action}` takes no JOB.")
    services = context.open_services()
    try:
        context.output.print_notices(services.jobs.notices)
        queued = await asyncio.to_thread(_queued_ids, services)
        if action == "run":
            await services.jobs.start(only_job_ids=())
        await services.jobs.sync.load(queued)
        actions = {"status": _status, "hold": _hold, "move": _move, "clear": _clear}
        if action == "run":
            return await shutdown.run(_QueueRun(context, services.jobs).run())
        return await actions[action](context, services)
    except OSError as error:
        raise CommandError(ExitCode.FAILED, f"The queue could not be changed: {error.strerror}.") from None
    finally:
        await close_services(services, context.output)


def _queued_ids(services: Services) -> list[int]:
    return [job.id for job in iter_jobs(services.history) if job.state is JobState.QUEUED]


def describe_queue(engine: JobEngine) -> SafeText:
    """Return how many requests are queued, what they cost, and what holds them."""
    summary = engine.queue.summary()
    if not summary.count:
        return sanitize("The queue is empty." if not summary.is_held else "The queue is empty and held.")
    cost = f", {format_cost(summary.cost)}"
    held = ""
    if summary.is_held:
        held = f"; held{': ' + summary.reason if summary.reason else ''}"
    elif summary.unowned:
        held = f"; {summary.unowned} held until `eternal-tui queue run`"
    return format_safe("{count} queued{cost}{held}", count=summary.count, cost=cost, held=held)


async def _status(context: Context, services: Services) -> int:
    queue = services.jobs.queue
    summary = queue.summary()
    if context.arguments.json:
        context.output.print_json(
            {
                "queued": summary.count,
                "held": summary.is_held,
                "reason": summary.reason or None,
                "unowned": summary.unowned,
                "cost": summary.cost,
                "jobs": [job.id for job in queue.entries()],
            }
        )
        return ExitCode.SUCCESS
    for job in queue.entries():
        _print_job(context, services.jobs, job)
    context.output.info(describe_queue(services.jobs))
    return ExitCode.SUCCESS


async def _hold(context: Context, services: Services) -> int:
    services.jobs.queue.hold("by hand")
    context.output.info(describe_queue(services.jobs))
    return ExitCode.SUCCESS


async def _move(context: Context, services: Services) -> int:
    given = context.arguments.ids
    if len(given) != 2 or not (given[1] in ("first", "last") or given[1].isdecimal()):
        raise UsageError("Use: eternal-tui queue move JOB first|last|N.")
    (job,) = find_jobs(services.history, given[:1], context.output.stdin)[:1]
    place = {"first": 0, "last": len(services.jobs.queue.entries())}.get(given[1])
    await services.jobs.queue.move(job.id, max(int(given[1]) - 1, 0) if place is None else place)
    return await _status(context, services)


async def _clear(context: Context, services: Services) -> int:
    queue = services.jobs.queue
    named = find_jobs(services.history, context.arguments.ids, context.output.stdin)
    if sent := [job.id for job in named if job.state is not JobState.QUEUED]:
        raise UsageError(f"Job {sent[0]} is not queued. Nothing was cancelled.")
    wanted = [job.id for job in named] if context.arguments.ids else [job.id for job in queue.entries()]
    cancelled = await queue.cancel(wanted)
    context.output.info(
        format_safe("Cancelled {jobs}. Nothing was charged.", jobs=pluralize(len(cancelled), "request"))
    )
    return ExitCode.SUCCESS if len(cancelled) == len(wanted) else ExitCode.FAILED


def _print_job(context: Context, engine: JobEngine, job: Job) -> None:
    context.output.print_line(format_job_line(job, engine.results_dir), state=state_label(job))


class _QueueRun:
    def __init__(self, context: Context, engine: JobEngine) -> None:
        self._context = context
        self._engine = engine
        self._waits_for_all: bool = context.arguments.until_empty
        self._sent: list[Job] = []

    async def run(self) -> int:
        output, queue = self._context.output, self._engine.queue
        if not queue.entries():
            queue.release()
            output.info(describe_queue(self._engine))
            return ExitCode.SUCCESS
        question = format_safe("Send {queue}?", queue=describe_queue(self._engine))
        if not self._context.arguments.yes:
            if not is_terminal(output.stdin) and len(queue.entries()) > UNATTENDED_MAX_REQUESTS:
                raise UsageError(
                    f"{describe_queue(self._engine)}. Without a terminal at most {UNATTENDED_MAX_REQUESTS} are sent. "
                    "Add --yes. Nothing was sent."
                )
            if is_terminal(output.stdin) and not output.confirm(question):
                raise UsageError("Nothing was sent.")
        changed = asyncio.Event()
        self._engine.events.submitted.connect(self._on_submitted)
        self._engine.store.subscribe(lambda _: changed.set())
        await self._engine.release_queue()
        try:
            async with asyncio.timeout(self._context.arguments.timeout):
                while self._is_waiting():
                    changed.clear()
                    await changed.wait()
        except TimeoutError:
            output.info(format_safe("Timed out. {queue}", queue=describe_queue(self._engine)))
            return ExitCode.TIMEOUT
        code = worst_exit_code(map(exit_code_of, self._sent))
        if queue.state.held:
            output.error(describe_queue(self._engine))
            return worst_exit_code([code, ExitCode.FAILED])
        return code

    def _is_waiting(self) -> bool:
        active = [
            job
            for job in self._engine.store.newest_first()
            if job.state in (JobState.QUEUED, JobState.SUBMITTING)
            and (self._waits_for_all or self._engine.context.owns(job))
        ]
        sending = any(job.state is JobState.SUBMITTING for job in active)
        return sending or (bool(active) and not self._engine.queue.state.held)

    def _on_submitted(self, job: Job) -> None:
        self._sent.append(job)
        _print_job(self._context, self._engine, job)
        if (sentence := job_error_message(job)) is not None:
            self._context.output.error(sentence)


def run(context: Context) -> int:
    """Do what was asked and return the exit code."""
    return run_with_shutdown(lambda shutdown: _queue(context, shutdown), own_process=context.arguments.own_process)
