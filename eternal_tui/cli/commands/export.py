"""`export`: the history, or the jobs named, as one file or as copies of their results in a folder."""

from __future__ import annotations

import argparse
import csv
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from eternal_tui.cli.commands.show import copy_results
from eternal_tui.cli.context import Command, Context, new_file
from eternal_tui.cli.errors import ExitCode, UsageError
from eternal_tui.cli.formatting import format_value
from eternal_tui.cli.output import dump_json, translate_write_errors
from eternal_tui.cli.parser import add_option
from eternal_tui.cli.references import add_references, find_jobs, iter_jobs
from eternal_tui.cli.waiting import add_copy_options, parse_output
from eternal_tui.core.formatting import format_bytes, format_datetime
from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, sanitize, sanitize_block
from eternal_tui.jobs.files import result_path
from eternal_tui.jobs.formatting import character_label, cost_label, file_label, job_to_json, pluralize, request_label

if TYPE_CHECKING:
    from eternal_tui.jobs.model import Job
    from eternal_tui.media.galleries import GalleryItem


EPILOG = """\
examples:
  eternal-tui export history.json
  eternal-tui export --format csv - | head
  eternal-tui export --format csv jobs.csv
  eternal-tui export gallery.html
  eternal-tui export --format sheet contact-sheet.png 'star:yes'
  eternal-tui export --format folder best 'star:yes'

Without JOB it is the whole history. folder copies each result, named by save_template; PATH may be a template.
html is one page with every image and video inside it; sheet is an image of the newest results.
Nothing is overwritten: in a folder, existing names get -2, -3 … A file is readable only by you.
Result URLs are omitted (they grant access).
"""

DEFAULT_MAX_MEGABYTES = 200.0
"""Default total of files in one page: what browsers open without trouble."""

_FORMULA_PATTERN = re.compile(r"(\A\s*|;\s*)([=+\-@\uff1d\uff0b\uff0d\uff20])")
"""Beginnings that a spreadsheet may read as a formula: also after spaces, in full-width form, and after the semicolon
that separates cells where the comma is the decimal sign."""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    names = sorted([*WRITERS, FOLDER_FORMAT])
    parser.add_argument("--format", choices=names, help="file format (default: by the suffix, else json)")
    add_option(
        parser,
        "--megabytes N",
        f"max total MB embedded in the HTML page (default {DEFAULT_MAX_MEGABYTES:g})",
        type=_parse_megabytes,
        default=DEFAULT_MAX_MEGABYTES,
    )
    add_copy_options(parser)
    parser.add_argument("path", metavar="PATH", help="output file, or folder; '-' is stdout")
    add_references(parser, nargs="*", extra="; default all")


def _run(context: Context) -> int:
    path = context.arguments.path
    if not path.strip():
        raise UsageError("PATH is empty. Name a file, a folder, or - for stdout.")
    name = context.arguments.format or _format_for_path(path)
    if name == FOLDER_FORMAT:
        return _export_folder(context)
    write, noun = WRITERS[name]
    with _open_jobs(context) as jobs, _open_output(path, context.output.stdout) as file:
        count, note = write(jobs, context, file)
        file.flush()
    if path != "-":
        context.output.print_line(format_safe("{what} written to {path}.", what=pluralize(count, noun), path=path))
    if note:
        context.output.info(sanitize(note))
    return ExitCode.SUCCESS


def _format_for_path(path: str) -> str:
    suffix = Path(path).suffix.lower().removeprefix(".")
    return "sheet" if suffix == "png" else suffix if suffix in WRITERS else "json"


@contextmanager
def _open_output(path: str, stdout: TextIO) -> Iterator[TextIO]:
    if path == "-":
        with translate_write_errors():
            yield stdout
        return
    with new_file(Path(path)) as file:
        yield file


@contextmanager
def _open_jobs(context: Context) -> Iterator[Iterator[Job]]:
    """Yield the jobs named, each once, or all where none is named."""
    ids = context.arguments.ids
    with context.open_history() as history:
        yield iter(find_jobs(history, ids, context.output.stdin)) if ids else iter_jobs(history)


def _export_folder(context: Context) -> int:
    """Copy results; without named jobs those that have none are passed over, a named one without is an error."""
    text, results_dir = context.arguments.path, context.results_dir
    output = parse_output(context, text if text == "-" else f"{text}/", option="")
    with _open_jobs(context) as jobs:
        found = [job for job in jobs if context.arguments.ids or result_path(job, results_dir) is not None]
    paths = [path for _, path in copy_results(context, found, output)]
    what = pluralize(sum(path is not None for path in paths), "result")
    context.output.print_line(format_safe("{what} copied to {path}.", what=what, path=text))
    return ExitCode.FAILED if None in paths else ExitCode.SUCCESS


def _parse_megabytes(text: str) -> float:
    value = float(text) if re.fullmatch(r"\d{1,6}(\.\d{1,6})?", text) else 0
    if not 0 < value <= 100_000:
        raise argparse.ArgumentTypeError(f"{text} is not a number of MB up to 100000")
    return value


def gallery_items(jobs: Iterator[Job], results_dir: Path) -> Iterator[GalleryItem]:
    """Yield the results, in the order of the jobs."""
    from eternal_tui.media.galleries import GalleryItem

    for job in jobs:
        path = result_path(job, results_dir)
        if path is not None:
            title = join_safe(" · ", format_safe("Job {id}", id=job.id), character_label(job), request_label(job))
            prompt = sanitize_block(job.request.prompt, limit=8_000)
            yield GalleryItem(path=path, title=title, prompt=prompt, details=tuple(_item_details(job)))


def _item_details(job: Job) -> Iterator[tuple[SafeText, SafeText]]:
    yield SafeText("Job"), format_safe("{id}", id=job.id)
    yield SafeText("Character"), character_label(job)
    yield SafeText("Request"), request_label(job)
    if job.file_info is not None:
        yield SafeText("File"), file_label(job.file_info)
    yield SafeText("Created"), format_datetime(job.finished_at or job.created_at)
    if cost := cost_label(job):
        yield SafeText("Cost"), format_safe("{cost} credits", cost=cost)
    if job.note:
        yield SafeText("Note"), sanitize(job.note, limit=400)
    if job.tags:
        yield SafeText("Tags"), join_safe(", ", *(sanitize(tag, limit=40) for tag in job.tags))


def _write_html(jobs: Iterator[Job], context: Context, file: TextIO) -> tuple[int, str]:
    from eternal_tui.media.galleries import write_gallery

    about = format_safe("Results of eternal-tui, {day}", day=format_datetime(time.time(), "%Y-%m-%d"))
    limit = int(context.arguments.megabytes * 1_000_000)
    items = gallery_items(jobs, context.results_dir)
    included, omitted = write_gallery(items, file, title=SafeText("Gallery"), subtitle=about, max_bytes=limit)
    results, most = pluralize(omitted, "result"), format_bytes(limit)
    return included, f"{results} listed without the file: over {most}. --megabytes allows more." if omitted else ""


def _write_sheet(jobs: Iterator[Job], context: Context, file: TextIO) -> tuple[int, str]:
    from eternal_tui.media.galleries import MAX_ITEMS, write_contact_sheet

    raw = getattr(file, "buffer", None)
    if raw is None:
        raise UsageError("A contact sheet is an image; name a file.")
    exhibits = list(gallery_items(jobs, context.results_dir))
    included, substituted = write_contact_sheet(exhibits, raw)
    notes = []
    if left := len(exhibits) - included:
        notes.append(f"The sheet has the newest {MAX_ITEMS}; {left} older ones are left out.")
    if substituted:
        notes.append(f"{pluralize(substituted, 'character')} drawn as ?: no font has them.")
    return included, " ".join(notes)


def _write_json(jobs: Iterator[Job], context: Context, file: TextIO) -> tuple[int, str]:
    """Write one JSON array, an object a line."""
    count = 0
    for count, job in enumerate(jobs, 1):
        file.write(("[\n" if count == 1 else ",\n") + dump_json(job_to_json(job, context.results_dir)))
    file.write("\n]\n" if count else "[]\n")
    return count, ""


def _write_csv(jobs: Iterator[Job], context: Context, file: TextIO) -> tuple[int, str]:
    count, table = 0, csv.writer(file, lineterminator="\n")
    for count, job in enumerate(jobs, 1):
        fields = job_to_json(job, context.results_dir)
        if count == 1:
            table.writerow(fields)
        table.writerow(_csv_cell(value) for value in fields.values())
    return count, ""


def _csv_cell(value: object) -> str:
    text = format_value(value)
    # Spreadsheets would run it as a formula.
    return _FORMULA_PATTERN.sub(r"\1'\2", sanitize_block(text)) if isinstance(value, str | list) else text


FOLDER_FORMAT = "folder"
WRITERS: dict[str, tuple[Callable[[Iterator[Job], Context, TextIO], tuple[int, str]], str]] = {
    "json": (_write_json, "job"),
    "csv": (_write_csv, "job"),
    "html": (_write_html, "result"),
    "sheet": (_write_sheet, "result"),
}
"""Writers by format. Each returns the number of items written and a sentence on those left out."""


COMMANDS = {"export": Command(EPILOG, _add_arguments, _run)}
