"""`retry` and `again`: submit the requests of jobs once more, as new jobs."""

from __future__ import annotations

import argparse

from eternal_tui.cli.commands.edit import UNKNOWN_CHARACTER, UNKNOWN_PROMPT
from eternal_tui.cli.context import Context
from eternal_tui.cli.errors import UsageError
from eternal_tui.cli.parser import Command
from eternal_tui.cli.references import add_references, find_jobs
from eternal_tui.cli.request_input import PlannedRequest
from eternal_tui.cli.submission import add_submit_options, run_submission
from eternal_tui.core.sanitize import format_safe
from eternal_tui.jobs.errors import InvalidJobState
from eternal_tui.jobs.formatting import pluralize
from eternal_tui.jobs.model import Job, JobState
from eternal_tui.jobs.submit.submitter import check_retryable

RETRY_EPILOG = """\
examples:
  eternal-tui retry 12
  eternal-tui retry 'state:failed batch:3f2a91c0' --wait
  eternal-tui retry last --yes                     an unconfirmed job: it may be charged twice

The new job is linked to the old one. Each job can be retried once; `again` repeats any request.
"""

AGAIN_EPILOG = """\
examples:
  eternal-tui again 12
  eternal-tui again 'star:yes' --yes --json
"""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_references(parser)
    add_submit_options(parser)


def _retry(context: Context) -> int:
    jobs = _find(context)
    for job in jobs:
        try:
            check_retryable(job)
        except InvalidJobState as error:
            if job.is_delivered or job.retried_by is not None:
                hint = f" `eternal-tui again {job.id}` repeats its request."
            else:
                hint = f" `eternal-tui fetch {job.id}` gets its result."
            raise UsageError(f"{error}{hint}") from None
    unconfirmed = [job for job in jobs if job.state is JobState.UNCONFIRMED]
    if unconfirmed and not context.arguments.yes:
        fact = format_safe(
            "{n} may have been charged already; retrying may charge you twice.",
            n=pluralize(len(unconfirmed), "unconfirmed job"),
        )
        if not context.output.confirm(format_safe("{fact} Retry?", fact=fact)):
            raise UsageError(f"{fact} Add --yes.")
    return run_submission(context, [_planned(job, number, retry=True) for number, job in enumerate(jobs, 1)])


def _again(context: Context) -> int:
    jobs = _find(context)
    return run_submission(context, [_planned(job, number, retry=False) for number, job in enumerate(jobs, 1)])


def _find(context: Context) -> list[Job]:
    with context.open_history() as history:
        jobs = find_jobs(history, context.arguments.ids, context.output.stdin)
    for job in jobs:
        if job.is_creation:
            raise UsageError(f"Job {job.id} created a character. Use `eternal-tui create-character`.")
        if job.request.character == UNKNOWN_CHARACTER or job.request.prompt == UNKNOWN_PROMPT:
            raise UsageError(f"Job {job.id} was adopted without its request.")
    return jobs


def _planned(job: Job, number: int, *, retry: bool) -> PlannedRequest:
    return PlannedRequest(
        request=job.request,
        tags=job.tags,
        note=job.note if retry else "",
        template=job.template,
        name=job.name,
        retry_of=job.id if retry else None,
        batch=job.batch if retry else "",
        index=job.batch_index or number if retry else number,
    )


COMMANDS = {
    "retry": Command(RETRY_EPILOG, _add_arguments, _retry),
    "again": Command(AGAIN_EPILOG, _add_arguments, _again),
}
