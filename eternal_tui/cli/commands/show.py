"""`show`: one job, whole."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from eternal_tui.cli.context import Invocation
from eternal_tui.cli.exit_codes import Exit
from eternal_tui.core.sanitize import Shown, join, lines_of, say, shown, shown_block

if TYPE_CHECKING:
    from eternal_tui.jobs.model import Event, Job

MOST_EVENTS = 200
"""Turns printed of a job: several times what the program writes down."""

EPILOG = """\
examples:
  eternal-tui show 12
  eternal-tui show last --json
  eternal-tui show 7f3c9a                          the beginning of a request id
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `show`."""
    parser.add_argument("id", metavar="ID", help="job number, request id or its beginning, or 'last'")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(invocation: Invocation) -> int:
    """Print the job asked for."""
    from eternal_tui.cli.context import find_job
    from eternal_tui.cli.formatting import job_fields

    with invocation.history() as history:
        job = find_job(history, invocation.arguments.id)
    if invocation.arguments.json:
        invocation.streams.json(job_fields(job, invocation.results))
    else:
        for line in _lines(job, invocation.results):
            invocation.streams.line(line)
    return Exit.DONE


def _lines(job: Job, results: Path) -> list[Shown]:
    from eternal_tui.cli.formatting import file_of, state_word

    request = job.request
    facts = (
        ("job", str(job.id)),
        ("state", state_word(job)),
        ("says", job.word),
        ("progress", f"{job.progress} %"),
        ("error", job.error),
        ("waits for", job.trouble),
        ("charged?", f"{job.verdict}: {job.verdict_reason}" if job.verdict else ""),
        ("file", file_of(job, results) or ""),
        ("request id", job.request_id or ""),
        ("character", f"{job.name} {request.character}".strip()),
        ("type", request.type),
        ("duration", f"{request.duration} s" if request.duration else ""),
        ("sound", "" if request.audio is None else "on" if request.audio else "off"),
        ("quality", request.quality or ""),
        ("cost", "" if job.cost is None else f"about {job.cost:.2f} credits"),
        ("credits left", "" if job.credits_after is None else f"{job.credits_after:.2f}"),
        ("retry of", str(job.retry_of or "")),
        ("retried by", str(job.retried_by or "")),
        ("tags", " ".join(job.tags)),
        ("note", job.note),
    )
    lines = [_labelled(label, shown(text)) for label, text in facts if text]
    prompt = lines_of(shown_block(request.prompt))
    lines += [_labelled("" if number else "prompt", line) for number, line in enumerate(prompt)]
    if (left_out := len(job.timeline) - MOST_EVENTS) > 0:
        lines.append(say("… {n} before these", n=left_out))
    return lines + [_happened(event) for event in job.timeline[-MOST_EVENTS:]]


def _labelled(label: str, text: Shown) -> Shown:
    return join("", shown(f"{label:<13}"), text)


def _happened(event: Event) -> Shown:
    from eternal_tui.cli.formatting import local_time

    what = say("{at}{what}", at=f"{local_time(event.at):<21}", what=event.what)
    return join(": ", what, shown(event.detail)) if event.detail else what
