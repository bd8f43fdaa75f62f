"""`save` and `open`: copies of result files, and the system's viewer."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

from eternal_tui.cli.context import CommandError, Context
from eternal_tui.cli.exit_codes import ExitCode
from eternal_tui.cli.parser import Command
from eternal_tui.cli.references import add_references, find_jobs
from eternal_tui.cli.waiting import add_output_options, parse_output
from eternal_tui.config.credentials import environ_without_keys
from eternal_tui.core.process import open_in_viewer
from eternal_tui.core.sanitize import format_safe
from eternal_tui.jobs.copies import CopyOptions, OutputPath, write_copy
from eternal_tui.jobs.files import result_path
from eternal_tui.jobs.job_json import job_to_json
from eternal_tui.jobs.model import Job

SAVE_EPILOG = """\
examples:
  eternal-tui save 12                              into this folder, named by save_template
  eternal-tui save 12 -o portrait.jpg --embed
  eternal-tui save 'tag:winter state:saved' -o 'winter/{id}-{prompt:40}{ext}' --sidecar json

Nothing is overwritten: a name that is taken gets -2, -3 …
"""

OPEN_EPILOG = """\
examples:
  eternal-tui open last
"""


def _add_save_arguments(parser: argparse.ArgumentParser) -> None:
    add_references(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object per copy")
    add_output_options(parser)


def _save(context: Context) -> int:
    output = parse_output(context, "./" if context.arguments.output is None else context.arguments.output)
    code = ExitCode.SUCCESS
    for job, path in copy_results(context, _find(context), output):
        if path is None:
            code = ExitCode.FAILED
        elif context.arguments.json:
            context.output.print_json(job_to_json(job, context.results_dir) | {"output": str(path)})
        else:
            context.output.print_line(format_safe("{path}", path=path))
    return code


def copy_results(context: Context, jobs: Iterable[Job], output: OutputPath) -> Iterator[tuple[Job, Path | None]]:
    """Copy the jobs' files and yield where each copy is, None after an error, which is printed."""
    given, settings = context.arguments, context.settings
    options = CopyOptions(
        output=output,
        sidecar=given.sidecar or settings.sidecar,
        embed=settings.embed if given.embed is None else given.embed,
    )
    for number, job in enumerate(jobs, 1):
        path = None
        try:
            path = write_copy(job, context.results_dir, options, number=job.batch_index or number)
        except OSError as error:
            context.output.error(format_safe("Job {id} not saved: {why}.", id=job.id, why=error.strerror or error))
        yield job, path


def _find(context: Context) -> list[Job]:
    with context.open_history() as history:
        return find_jobs(history, context.arguments.ids, context.output.stdin)


def _open(context: Context) -> int:
    code = ExitCode.SUCCESS
    for job in _find(context):
        path = result_path(job, context.results_dir)
        if path is None or not path.is_file():
            code = ExitCode.FAILED
            context.output.error(format_safe("Job {id} has no result file.", id=job.id))
            continue
        try:
            open_in_viewer(path, environ_without_keys(context.environ))
        except OSError as error:
            raise CommandError(
                ExitCode.FAILED, format_safe("{why}. The file is {path}.", why=error.strerror, path=path)
            ) from None
    return code


COMMANDS = {
    "save": Command(SAVE_EPILOG, _add_save_arguments, _save),
    "open": Command(OPEN_EPILOG, add_references, _open),
}
