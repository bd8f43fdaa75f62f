"""`export`: the whole history as one file, for other programs or to look at."""

from __future__ import annotations

import argparse
import csv
import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import msgspec

from eternal_tui.cli.context import Invocation, Refused
from eternal_tui.cli.exit_codes import Exit
from eternal_tui.cli.formatting import local_time
from eternal_tui.cli.output import printing
from eternal_tui.core.files import create
from eternal_tui.core.sanitize import Shown, join, say, shown, shown_block
from eternal_tui.jobs.files import result_path
from eternal_tui.jobs.formatting import counted, file_words, kind, who

if TYPE_CHECKING:
    from eternal_tui.jobs.model import Job
    from eternal_tui.media.export.html_gallery import Exhibit


MEGABYTES = 200.0
"""Files in one page unless told otherwise: what browsers open without complaint."""


class Written(msgspec.Struct, frozen=True):
    """How many results were written, and a sentence on those that were not, where there are any."""

    count: int
    note: Shown | None = None


Gallery = Callable[["Iterator[Job]", Path, TextIO, float], Written]
"""Writes jobs, given the results folder, to an open file within so many megabytes."""


def exhibits_of(jobs: Iterator[Job], results: Path) -> Iterator[Exhibit]:
    """Yield what there is to look at, in the order of the jobs."""
    from eternal_tui.media.export.html_gallery import Exhibit

    for job in jobs:
        path = result_path(job, results)
        if path is not None:
            title = join(" · ", say("Job {id}", id=job.id), who(job), kind(job))
            prompt = shown_block(job.request.prompt, limit=8_000)
            yield Exhibit(path=path, title=title, prompt=prompt, facts=tuple(_facts(job)))


def _facts(job: Job) -> Iterator[tuple[Shown, Shown]]:
    yield Shown("Job"), say("{id}", id=job.id)
    yield Shown("Character"), who(job)
    yield Shown("Asked"), kind(job)
    if job.facts is not None:
        yield Shown("File"), file_words(job.facts)
    yield Shown("Made"), say("{at}", at=local_time(job.finished_at or job.created_at))
    if job.cost is not None:
        yield Shown("Cost"), say("about {cost} credits", cost=f"{job.cost:.2f}")
    if job.note:
        yield Shown("Note"), shown(job.note, limit=400)
    if job.tags:
        yield Shown("Tags"), join(", ", *(shown(tag, limit=40) for tag in job.tags))


def write_html(jobs: Iterator[Job], results: Path, file: TextIO, megabytes: float) -> Written:
    """Write one page with every result in it."""
    from eternal_tui.media.export.html_gallery import write_page

    about = say("Results of eternal-tui, {day}", day=datetime.now().astimezone().strftime("%Y-%m-%d"))
    limit = int(megabytes * 1_000_000)
    page = write_page(exhibits_of(jobs, results), file, title=Shown("Gallery"), about=about, limit=limit)
    if not page.beyond:
        return Written(page.shown)
    note = say(
        "Described without a file: {n}, as all together are beyond {limit} megabytes. --megabytes allows more.",
        n=counted(page.beyond, "result"),
        limit=f"{megabytes:g}",
    )
    return Written(page.shown, note)


def write_sheet(jobs: Iterator[Job], results: Path, file: TextIO, megabytes: float) -> Written:  # noqa: ARG001
    """Write a contact sheet of the newest results."""
    from eternal_tui.media.export.contact_sheet import MOST, write_sheet

    raw = getattr(file, "buffer", None)
    if raw is None:
        raise Refused(Exit.USAGE, "A contact sheet is a picture and needs a file to go to.")
    exhibits = list(exhibits_of(jobs, results))
    sheet = write_sheet(exhibits, raw)
    notes = []
    if left := len(exhibits) - sheet.shown:
        notes.append(say("A sheet holds the newest {most}; {n} older ones are not on it.", most=MOST, n=left))
    if sheet.substituted:
        signs = counted(sheet.substituted, "character")
        notes.append(say("Drawn as ?: {signs} that no font found here has.", signs=signs))
    return Written(sheet.shown, join(" ", *notes) if notes else None)


GALLERIES: dict[str, Gallery] = {"html": write_html, "sheet": write_sheet}
"""Every gallery by its name."""


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
    from eternal_tui.cli.context import jobs_of

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
