"""`create-character`: make a new character from a prompt. Experimental; always asks."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from eternal_tui.cli.context import CommandError, Context, UsageError, close_services
from eternal_tui.cli.exit_codes import ExitCode, exit_code_of
from eternal_tui.cli.formatting import format_job_line, job_error_message
from eternal_tui.cli.request_input import read_prompts
from eternal_tui.cli.signals import SUBMIT_GRACE_SECONDS, run_with_shutdown
from eternal_tui.core.sanitize import SafeText, join_safe
from eternal_tui.jobs.errors import NoApiKey
from eternal_tui.jobs.job_json import job_to_json

if TYPE_CHECKING:
    from eternal_tui.cli.signals import Shutdown

EPILOG = """\
examples:
  eternal-tui create-character "A lighthouse keeper with a red scarf"
  eternal-tui create-character - --yes --json < prompt.txt

It costs credits, how many is not documented. The new character's ID is the `character` of the job.
"""

_QUESTION = SafeText("Creating a character costs an undocumented number of credits.")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `create-character`."""
    parser.add_argument(
        "text", metavar="PROMPT", nargs="?", help="appearance, character and story; '-' reads it from stdin"
    )
    parser.add_argument("--prompt", metavar="TEXT", help="the same as an option")
    parser.add_argument("--yes", action="store_true", help="create it without asking")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(context: Context) -> int:
    """Ask, submit once and print the job."""
    given = context.arguments
    if given.text is not None and given.prompt is not None:
        raise UsageError("PROMPT and --prompt exclude each other. Nothing was sent.")
    prompt = "\n".join(read_prompts(given.text if given.prompt is None else given.prompt, context.output.stdin))
    if not prompt.strip():
        raise UsageError("Prompt is required. Nothing was sent.")
    if not context.arguments.yes and not context.output.confirm(join_safe(" ", _QUESTION, SafeText("Create it?"))):
        raise UsageError(f"{_QUESTION} Add --yes. Nothing was sent.")

    async def create(shutdown: Shutdown) -> int:
        services = context.open_services()
        engine = services.jobs
        try:
            await engine.start(only_job_ids=())
            if not await services.client.has_key():
                problem = services.client.key_error
                raise CommandError(ExitCode.KEY_ERROR, f"{problem} Nothing was sent.") if problem else NoApiKey
            creation = engine.create_character(prompt, confirmed=True)
            job = await shutdown.run(creation, grace_seconds=SUBMIT_GRACE_SECONDS)
        finally:
            await close_services(services, context.output)
        if context.arguments.json:
            context.output.print_json(job_to_json(job, services.results_dir))
        else:
            context.output.print_line(format_job_line(job, services.results_dir, job.request.character or None))
        if (sentence := job_error_message(job)) is not None:
            context.output.error(sentence)
        return exit_code_of(job)

    return run_with_shutdown(create, own_process=context.arguments.own_process)
