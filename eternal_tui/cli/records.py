"""Jobs read straight from the history, for verbs that only print."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from eternal_tui.cli.context import Refused
from eternal_tui.cli.exit_codes import Exit
from eternal_tui.core.sanitize import say
from eternal_tui.history.history import History
from eternal_tui.jobs.model import Job, from_record

SHORTEST_PREFIX = 4
"""Characters of a request id that must be given: fewer are more likely a slip than an id."""

LAST = "last"


def jobs_of(history: History) -> Iterator[Job]:
    """Yield every job of the history, newest first; records that are not jobs are left out."""
    for page in history.slices():
        for job_id, record in page:
            try:
                yield from_record(job_id, record)
            except msgspec.ValidationError:
                continue


def find_job(history: History, wanted: str) -> Job:
    """Return the job that `wanted` names: its number, `last`, its request id, or the beginning of that alone."""
    if wanted == LAST:
        newest = next(jobs_of(history), None)
        if newest is None:
            raise Refused(Exit.USAGE, "There is no job in this history yet.")
        return newest
    if wanted.isascii() and wanted.isdigit() and len(wanted) <= 18:
        record = history.get(int(wanted))
        if record is not None:
            return _as_job(int(wanted), record)
    return _by_request_id(history, wanted)


def _as_job(job_id: int, record: dict[str, object]) -> Job:
    try:
        return from_record(job_id, record)
    except msgspec.ValidationError:
        raise Refused(Exit.USAGE, f"The record {job_id} of this history is not a job of this program.") from None


def _by_request_id(history: History, wanted: str) -> Job:
    found = []
    if len(wanted) >= SHORTEST_PREFIX:
        for job in jobs_of(history):
            if job.request_id == wanted:
                return job
            if job.request_id is not None and job.request_id.startswith(wanted):
                found.append(job)
    if len(found) == 1:
        return found[0]
    if found:
        raise Refused(
            Exit.USAGE, say("{count} jobs have request ids that begin with {wanted}.", count=len(found), wanted=wanted)
        )
    raise Refused(
        Exit.USAGE,
        say("There is no job {wanted} in this history; `eternal-tui jobs` lists what there is.", wanted=wanted),
    )
