"""`adopt`: requests made elsewhere become jobs of this history, by their request ids. Free."""

from __future__ import annotations

import argparse
import re
import time
from typing import TYPE_CHECKING

from eternal_tui.cli.context import Context, UsageError
from eternal_tui.cli.exit_codes import ExitCode
from eternal_tui.cli.formatting import format_job_line
from eternal_tui.cli.references import STDIN_KEYWORD, iter_jobs, read_references
from eternal_tui.core.sanitize import UntrustedText, format_safe
from eternal_tui.jobs.job_json import job_to_json
from eternal_tui.jobs.model import Job, JobState, from_record, parse_tags, to_record, with_event

if TYPE_CHECKING:
    from eternal_tui.api.models import GenerateRequest

EPILOG = """\
examples:
  eternal-tui adopt 7f3c9a52-6c1e-4d0b-9f64-2f9d7c1b8a11
  eternal-tui adopt --character 6870 --prompt "At sea" --type video REQUEST_ID
  eternal-tui adopt - < ids.txt && eternal-tui watch

Adopted jobs are polled by the app or by `eternal-tui watch`. They cost nothing here: whoever sent them paid.
"""

_REQUEST_ID_PATTERN = r"[A-Za-z0-9._~:-]{1,200}"
UNKNOWN_CHARACTER = "unknown"
UNKNOWN_PROMPT = "(unknown)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `adopt`."""
    parser.add_argument("request_ids", metavar="REQUEST_ID", nargs="+", help="request ids; '-' reads them from stdin")
    parser.add_argument("--character", metavar="ID", default="", help="character ID, if known")
    parser.add_argument("--prompt", metavar="TEXT", default="", help="prompt, if known")
    parser.add_argument("--type", choices=("image", "video"), default="image", help="what it makes (default: image)")
    parser.add_argument("--tag", metavar="WORD", action="append", default=[], help="tag the jobs; repeatable")
    parser.add_argument("--json", action="store_true", help="print one JSON object per job")


def run(context: Context) -> int:
    """Add the jobs and print them; ids that are here already are named and left alone."""
    from eternal_tui.services import service_name

    given = context.arguments
    ids: list[str] = []
    for text in given.request_ids:
        ids += read_references(context.output.stdin) if text == STDIN_KEYWORD else [text.strip()]
    for request_id in ids:
        if re.fullmatch(_REQUEST_ID_PATTERN, request_id) is None:
            raise UsageError(format_safe("“{id}” is not a request id. Nothing adopted.", id=request_id[:80]))
    now = time.time()
    service = "loopback" if context.is_demo else service_name(context.settings.base_url)
    request = _request(context)
    with context.open_history() as history:
        known = {job.request_id: job.id for job in iter_jobs(history) if job.request_id in set(ids)}
        jobs = []
        for request_id in dict.fromkeys(ids):
            if request_id in known:
                context.output.info(
                    format_safe("{request} is job {id} already.", request=request_id, id=known[request_id])
                )
                continue
            job = with_event(
                Job(
                    id=0,
                    request=request,
                    state=JobState.RUNNING,
                    created_at=now,
                    request_id=request_id,
                    service=service,
                    cost=0.0,
                    tags=parse_tags(" ".join(given.tag)),
                ),
                now,
                "adopted",
                UntrustedText(request_id),
            )
            record = to_record(job)
            jobs.append(from_record(history.add(record), record))
    for job in jobs:
        if given.json:
            context.output.print_json(job_to_json(job, context.results_dir))
        else:
            context.output.print_line(format_job_line(job, context.results_dir))
    return ExitCode.SUCCESS


def _request(context: Context) -> GenerateRequest:
    from eternal_tui.api.models import GenerateRequest, validation_errors

    given = context.arguments
    request = GenerateRequest(
        character=given.character or UNKNOWN_CHARACTER, prompt=given.prompt or UNKNOWN_PROMPT, type=given.type
    )
    if errors := validation_errors(request):
        raise UsageError(f"{' '.join(errors.values())} Nothing adopted.")
    return request
