"""The history's results as something to look at: one page that stands alone, or a contact sheet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import msgspec

from eternal_tui.cli.context import Refused
from eternal_tui.cli.exit_codes import Exit
from eternal_tui.cli.formatting import local_time
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
