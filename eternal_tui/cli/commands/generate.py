"""`generate`, `create-character`, `retry` and `again`: the commands that submit."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from eternal_tui.cli.context import Command, Context, require_key, run_with_services
from eternal_tui.cli.errors import CommandError, UsageError, exit_code_of
from eternal_tui.cli.formatting import format_job_line, print_job_error
from eternal_tui.cli.parser import add_flag, add_option
from eternal_tui.cli.references import UNKNOWN_CHARACTER, UNKNOWN_PROMPT, add_references, find_named_jobs
from eternal_tui.cli.request_input import PlannedRequest, parse_number, plan_requests, read_prompts
from eternal_tui.cli.signals import SUBMIT_GRACE_SECONDS
from eternal_tui.cli.submission import add_submit_options, run_submission
from eternal_tui.cli.waiting import parse_output
from eternal_tui.core.sanitize import SafeText, format_safe
from eternal_tui.jobs.errors import InvalidJobState
from eternal_tui.jobs.formatting import job_to_json, pluralize
from eternal_tui.jobs.model import Job, JobState
from eternal_tui.jobs.submit.submitter import check_retryable

if TYPE_CHECKING:
    from eternal_tui.cli.signals import Shutdown
    from eternal_tui.services import Services


GENERATE_EPILOG = """\
examples:
  eternal-tui generate --character 6870 --prompt "In a raincoat"
  eternal-tui generate --character 6870 --prompt "She waves" --type video --duration 3 --no-audio --wait --json
  eternal-tui generate --character 6870 --prompt "In a {red|blue} coat" --wait -o 'coats/{n}-{prompt:40}{ext}'
  eternal-tui generate --character Astrid --prompt - --quality high < prompts.txt
  eternal-tui generate --input batch.csv --tag winter --wait --timeout 30m
  eternal-tui generate --input batch.jsonl --resume

input: JSON lines, or CSV with a header: character, prompt, type, duration, audio, quality, count, tags, note, output.
Options give what a line leaves out. The whole input is checked before anything is sent. Repeated --character and
--prompt multiply; {a|b} in a prompt makes one request for each, {{ is a brace.

Without --wait it ends once each request id is on disk; `eternal-tui watch` follows the jobs later. A request whose
response is lost is unconfirmed (exit code 5) and is not retried automatically. --resume sends what was not sent.
"""


def _add_generate_arguments(parser: argparse.ArgumentParser) -> None:
    add_option(parser, "--character ID", "character ID or name; repeatable", action="append")
    add_option(parser, "--prompt TEXT", "prompt text; '-' reads one prompt per line from stdin", action="append")
    add_option(parser, "--input FILE", "read requests from JSON lines or CSV; '-' is stdin")
    add_option(parser, "--type image|video", "what to make (default: image)", default="image")
    add_option(parser, "--duration N", "seconds of a video, 1 to 5", type=parse_number)
    parser.add_argument(
        "--audio", action=argparse.BooleanOptionalAction, default=None, help="video with or without sound"
    )
    add_option(parser, "--quality low|high", "image quality (high costs twice as much)")
    add_option(parser, "--count N", "send each prompt N times (default: 1)", type=parse_number, default=1)
    add_option(parser, "--tag WORD", "tag the jobs; repeatable", action="append", default=[])
    add_option(parser, "--note TEXT", "note for the jobs")
    add_flag(parser, "--resume", "send only what the last run of the same input did not send")
    add_submit_options(parser)


def _generate(context: Context) -> int:
    """Check everything, then submit; nothing was sent where it ends in 2."""
    planned = plan_requests(context)
    for text in dict.fromkeys(one.output for one in planned if one.output):
        try:
            parse_output(context, text)
        except CommandError as error:
            source = next(one.source for one in planned if one.output == text)
            raise UsageError(f"{source}: {error}") from None
    return run_submission(context, planned)


CREATE_EPILOG = """\
examples:
  eternal-tui create-character "A lighthouse keeper with a red scarf"
  eternal-tui create-character - --yes --json < prompt.txt

The API does not document what it costs. The new character's ID is the `character` of the job.
"""

_QUESTION = SafeText("Creating a character costs an undocumented number of credits.")


def _add_create_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", metavar="PROMPT", nargs="?", help="appearance, personality and story; '-' is stdin")
    add_option(parser, "--prompt TEXT", "the prompt, as an option")
    add_flag(parser, "--yes", "create it without asking")
    add_flag(parser, "--json", "print one JSON object")


def _create_character(context: Context) -> int:
    """Ask, submit once and print the job."""
    given = context.arguments
    if given.text is not None and given.prompt is not None:
        raise UsageError("PROMPT and --prompt exclude each other.")
    prompt = "\n".join(read_prompts(given.text if given.prompt is None else given.prompt, context.output.stdin))
    if not prompt.strip():
        raise UsageError("Prompt is required.")
    context.require_consent(_QUESTION, "Create it?")

    async def create(services: Services, shutdown: Shutdown) -> int:
        await services.jobs.start(only_job_ids=())
        await require_key(services)
        creation = services.jobs.create_character(prompt, confirmed=True)
        job = await shutdown.run(creation, grace_seconds=SUBMIT_GRACE_SECONDS)
        if context.arguments.json:
            context.output.print_json(job_to_json(job, services.results_dir))
        else:
            context.output.print_line(format_job_line(job, services.results_dir, job.request.character or None))
        print_job_error(context, job)
        return exit_code_of(job)

    return run_with_services(context, create)


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


def _add_retry_arguments(parser: argparse.ArgumentParser) -> None:
    add_references(parser)
    add_submit_options(parser)


def _retry(context: Context) -> int:
    jobs = _find(context)
    for job in jobs:
        try:
            check_retryable(job)
        except InvalidJobState as error:
            again = f"`eternal-tui again {job.id}` repeats its request."
            fetch = f"`eternal-tui fetch {job.id}` gets its result."
            has_ended = job.is_delivered or job.retried_by is not None
            raise UsageError(f"{error} {again if has_ended else fetch}") from None
    if unconfirmed := sum(job.state is JobState.UNCONFIRMED for job in jobs):
        count = pluralize(unconfirmed, "unconfirmed job")
        fact = format_safe("{n} may have been charged already; retrying may charge you twice.", n=count)
        context.require_consent(fact, "Retry?")
    return run_submission(context, [_planned(job, number, retry=True) for number, job in enumerate(jobs, 1)])


def _again(context: Context) -> int:
    jobs = _find(context)
    return run_submission(context, [_planned(job, number, retry=False) for number, job in enumerate(jobs, 1)])


def _find(context: Context) -> list[Job]:
    jobs = find_named_jobs(context)
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
        character_name=job.name,
        retry_of=job.id if retry else None,
        batch=job.batch if retry else "",
        batch_index=job.batch_index or number if retry else number,
    )


COMMANDS = {
    "generate": Command(GENERATE_EPILOG, _add_generate_arguments, _generate),
    "create-character": Command(CREATE_EPILOG, _add_create_arguments, _create_character),
    "retry": Command(RETRY_EPILOG, _add_retry_arguments, _retry),
    "again": Command(AGAIN_EPILOG, _add_retry_arguments, _again),
}
