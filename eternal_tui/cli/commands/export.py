"""`export`: the whole history as one file, for other programs or to look at."""

from __future__ import annotations

import argparse
import csv
import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from eternal_tui.cli.context import Invocation, Refused
from eternal_tui.cli.exit_codes import Exit
from eternal_tui.cli.galleries import GALLERIES, MEGABYTES, Written
from eternal_tui.cli.output import printing
from eternal_tui.core.files import create
from eternal_tui.core.sanitize import say, shown_block

if TYPE_CHECKING:
    from eternal_tui.jobs.model import Job

EPILOG = """\
examples:
  eternal-tui export history.json
  eternal-tui export --format csv - | head
  eternal-tui export --format csv jobs.csv
  eternal-tui export gallery.html
  eternal-tui export --format sheet contact-sheet.png

html is one page with every picture and clip inside it, which needs no network; sheet is a picture of the newest.
Nothing is overwritten; the file can be read by you alone. Links to results are left out: they are as good as a key.
"""

_FORMULA = re.compile(r"(\A\s*|;\s*)([=+\-@\uff1d\uff0b\uff0d\uff20])")
"""What a spreadsheet may take for the beginning of a formula: also behind space, which some leave out, in the wide
form, which some take for the narrow one, and behind the sign that ends a cell where the comma stands in numbers."""

Writer = Callable[["Iterator[Job]", Path, TextIO], int]
"""Writes jobs, given the results folder, to an open file, and returns how many there were."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `export`."""
    names = sorted([*FORMATS, *GALLERIES])
    parser.add_argument("--format", choices=names, help="default: by the name's end, else json")
    parser.add_argument(
        "--megabytes",
        type=_megabytes,
        default=MEGABYTES,
        metavar="N",
        help=f"most megabytes of files in an html page (default {MEGABYTES:g})",
    )
    parser.add_argument("path", metavar="PATH", help="the file to make; '-' is standard output")


def run(invocation: Invocation) -> int:
    """Write the history and say how much of it there was."""
    from eternal_tui.cli.records import jobs_of

    path = invocation.arguments.path
    name = invocation.arguments.format or _format_of(path)
    gallery = GALLERIES.get(name)
    with invocation.history() as history, _opened(path, invocation.streams.stdout) as file:
        if gallery is not None:
            written = gallery(jobs_of(history), invocation.results, file, invocation.arguments.megabytes)
        else:
            written = Written(FORMATS[name](jobs_of(history), invocation.results, file))
        file.flush()
    if path != "-":
        from eternal_tui.jobs.formatting import counted

        what = counted(written.count, "job" if gallery is None else "result")
        invocation.streams.line(say("{what} written to {path}.", what=what, path=path))
    if written.note is not None:
        invocation.streams.note(written.note)
    return Exit.DONE


def _megabytes(text: str) -> float:
    value = float(text)
    if not 0 < value <= 100_000:
        raise argparse.ArgumentTypeError("give a number of megabytes above 0")
    return value


def _format_of(path: str) -> str:
    suffix = Path(path).suffix.lower().removeprefix(".")
    if suffix == "png":
        return "sheet"
    return suffix if suffix in FORMATS or suffix in GALLERIES else "json"


@contextmanager
def _opened(path: str, stdout: TextIO) -> Iterator[TextIO]:
    if path == "-":
        with printing():
            yield stdout
        return
    try:
        handle = create(Path(path))
    except FileExistsError:
        raise Refused(Exit.USAGE, f"{path} exists already and is not overwritten. Name another file.") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise Refused(Exit.USAGE, f"{path} cannot be made: {why}.") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            yield file
    except BaseException as error:
        # A half file under a whole name would be taken for the history.
        Path(path).unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        raise Refused(
            Exit.USAGE, f"{path} cannot be written: {error.strerror}. What there was of it is gone."
        ) from None


def write_json(jobs: Iterator[Job], results: Path, file: TextIO) -> int:
    """Write one JSON array, an object a line."""
    from eternal_tui.cli.formatting import job_fields
    from eternal_tui.cli.output import json_text

    count = 0
    for count, job in enumerate(jobs, 1):
        file.write(("[\n" if count == 1 else ",\n") + json_text(job_fields(job, results)))
    file.write("\n]\n" if count else "[]\n")
    return count


def write_csv(jobs: Iterator[Job], results: Path, file: TextIO) -> int:
    """Write a table with a head line."""
    from eternal_tui.cli.formatting import job_fields

    count = 0
    buffer = io.StringIO()
    table = csv.writer(buffer, lineterminator="\n")
    for count, job in enumerate(jobs, 1):
        fields = job_fields(job, results)
        if count == 1:
            table.writerow(fields)
        table.writerow(_cell(value) for value in fields.values())
        file.write(buffer.getvalue())
        buffer.seek(0)
        buffer.truncate()
    return count


def _cell(value: object) -> object:
    if isinstance(value, bool):
        # As in JSON: Python's own words for it are nobody else's.
        return "true" if value else "false"
    if not isinstance(value, str):
        return value
    # Spreadsheets run what begins like this as a formula, whoever wrote it.
    return _FORMULA.sub(r"\1'\2", shown_block(value))


FORMATS: dict[str, Writer] = {"json": write_json, "csv": write_csv}
"""Every format by its name, which is also the end of its file names."""
