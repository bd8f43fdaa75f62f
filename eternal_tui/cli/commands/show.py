"""`show`, `save` and `open`: what is known about jobs, copies of their files, and the system's viewer."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eternal_tui.cli.context import Command, Context
from eternal_tui.cli.errors import CommandError, ExitCode
from eternal_tui.cli.parser import add_flag
from eternal_tui.cli.references import add_references, find_jobs, find_named_jobs
from eternal_tui.cli.waiting import add_output_options, copy_options, parse_output
from eternal_tui.config.credentials import environ_without_keys
from eternal_tui.core.formatting import format_amount, format_datetime
from eternal_tui.core.process import open_in_viewer
from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, sanitize, sanitize_block, split_safe_lines
from eternal_tui.jobs.copies import OutputPath, write_copy
from eternal_tui.jobs.files import result_path
from eternal_tui.jobs.formatting import absolute_result_path, cost_label, job_to_json, state_label
from eternal_tui.jobs.model import FileState, Job

if TYPE_CHECKING:
    from eternal_tui.jobs.model import Job, TimelineEvent


MAX_EVENTS = 200
"""Events printed of a job: several times what is recorded."""

SHOW_EPILOG = """\
examples:
  eternal-tui show 12
  eternal-tui show last --json
  eternal-tui show 7f3c9a                          the beginning of a request id
  eternal-tui show 12 --json --raw                 with the API's last response
"""


def _add_show_arguments(parser: argparse.ArgumentParser) -> None:
    add_references(parser)
    add_flag(parser, "--json", "print one JSON object per job")
    add_flag(parser, "--raw", "add the API's last responses as they came, with result URLs")


def _show(context: Context) -> int:
    """Print the jobs; the exit code is 1 where a saved file is no longer on disk."""
    with context.open_history() as history:
        jobs = find_jobs(history, context.arguments.ids, context.output.stdin)
        raw = {job.id: _raw_responses(history.get(job.id) or {}) for job in jobs} if context.arguments.raw else {}
    for number, job in enumerate(jobs):
        if context.arguments.json:
            context.output.print_json(job_to_json(job, context.results_dir) | raw.get(job.id, {}))
            continue
        for line in (*([SafeText("")] if number else ()), *_detail_lines(job, context.results_dir)):
            context.output.print_line(line)
        for name, text in raw.get(job.id, {}).items():
            context.output.print_line(_labelled_line(name.replace("_", " "), sanitize(text or "", limit=10_000)))
    return ExitCode.FAILED if any(job.file_state is FileState.MISSING for job in jobs) else ExitCode.SUCCESS


def _raw_responses(record: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the responses to submit and last poll, cut as they were recorded."""
    return {name: record.get(name) for name in ("submit_answer", "last_answer")}


def _detail_lines(job: Job, results_dir: Path) -> list[SafeText]:
    request = job.request
    facts = (
        ("job", str(job.id)),
        ("state", state_label(job)),
        ("status", job.status_text),
        ("progress", f"{job.progress}%"),
        ("error", job.error),
        ("waiting", job.waiting_reason),
        ("charged?", f"{job.verdict}: {job.verdict_reason}" if job.verdict else job.verdict_reason),
        ("file", absolute_result_path(job, results_dir) or ""),
        ("request id", job.request_id or ""),
        ("character", f"{job.name} {request.character}".strip()),
        ("type", request.type),
        ("duration", f"{request.duration} s" if request.duration else ""),
        ("sound", {None: "", True: "on", False: "off"}[request.audio]),
        ("quality", request.quality or ""),
        ("cost", f"{cost} credits" if (cost := cost_label(job)) else ""),
        ("credits left", "" if job.credits_after is None else format_amount(job.credits_after)),
        ("retry of", str(job.retry_of or "")),
        ("retried by", str(job.retried_by or "")),
        ("tags", " ".join(job.tags)),
        ("note", job.note),
    )
    lines = [_labelled_line(label, sanitize(text)) for label, text in facts if text]
    prompt = split_safe_lines(sanitize_block(request.prompt))
    lines += [_labelled_line("" if number else "prompt", line) for number, line in enumerate(prompt)]
    if (left_out := len(job.timeline) - MAX_EVENTS) > 0:
        lines.append(format_safe("… {n} earlier events", n=left_out))
    return lines + [_event_line(event) for event in job.timeline[-MAX_EVENTS:]]


def _labelled_line(label: str, text: SafeText) -> SafeText:
    return join_safe("", sanitize(f"{label:<13}"), text)


def _event_line(event: TimelineEvent) -> SafeText:
    what = format_safe("{at}{what}", at=f"{format_datetime(event.at):<21}", what=event.summary)
    return join_safe(": ", what, sanitize(event.detail)) if event.detail else what


SAVE_EPILOG = """\
examples:
  eternal-tui save 12                              into this folder, named by save_template
  eternal-tui save 12 -o portrait.jpg --embed
  eternal-tui save 'tag:winter state:saved' -o 'winter/{id}-{prompt:40}{ext}' --sidecar json

Nothing is overwritten: existing names get -2, -3 …
"""

OPEN_EPILOG = """\
examples:
  eternal-tui open last
"""


def _add_save_arguments(parser: argparse.ArgumentParser) -> None:
    add_references(parser)
    add_flag(parser, "--json", "print one JSON object per copy")
    add_output_options(parser)


def _save(context: Context) -> int:
    output = parse_output(context, "./" if context.arguments.output is None else context.arguments.output)
    code = ExitCode.SUCCESS
    for job, path in copy_results(context, find_named_jobs(context), output):
        if path is None:
            code = ExitCode.FAILED
        elif context.arguments.json:
            context.output.print_json(job_to_json(job, context.results_dir) | {"output": str(path)})
        else:
            context.output.print_line(format_safe("{path}", path=path))
    return code


def copy_results(context: Context, jobs: Iterable[Job], output: OutputPath) -> Iterator[tuple[Job, Path | None]]:
    """Copy the jobs' files and yield where each copy is, None after an error, which is printed."""
    options = copy_options(context, output)
    for number, job in enumerate(jobs, 1):
        path = None
        try:
            path = write_copy(job, context.results_dir, options, number=job.batch_index or number)
        except OSError as error:
            context.output.error(format_safe("Job {id} not saved: {why}.", id=job.id, why=error.strerror or error))
        yield job, path


def _open(context: Context) -> int:
    code = ExitCode.SUCCESS
    for job in find_named_jobs(context):
        path = result_path(job, context.results_dir)
        if path is None or not path.is_file():
            code = ExitCode.FAILED
            context.output.error(format_safe("Job {id} has no result file.", id=job.id))
            continue
        try:
            open_in_viewer(path, environ_without_keys(context.environ))
        except OSError as error:
            raise CommandError(ExitCode.FAILED, f"{error.strerror}. The file is {path}.") from None
    return code


COMMANDS = {
    "show": Command(SHOW_EPILOG, _add_show_arguments, _show),
    "save": Command(SAVE_EPILOG, _add_save_arguments, _save),
    "open": Command(OPEN_EPILOG, add_references, _open),
}
