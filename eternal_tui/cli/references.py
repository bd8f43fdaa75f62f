"""Jobs named on the command line: number, request id or its beginning, batch, `last`, `-` or a filter in quotes."""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TextIO

import msgspec

from eternal_tui.cli.errors import UsageError
from eternal_tui.history.lock import InstanceLock
from eternal_tui.jobs.files import derive_state
from eternal_tui.jobs.model import Job, from_record

if TYPE_CHECKING:
    from eternal_tui.cli.context import Context
    from eternal_tui.history.history import History

MIN_REQUEST_ID_PREFIX_CHARS = 4
"""Characters of a request id that must be given: fewer are more likely a slip than an id."""

LAST_JOB_KEYWORD = "last"
STDIN_KEYWORD = "-"
UNKNOWN_CHARACTER, UNKNOWN_PROMPT = "unknown", "(unknown)"
"""Placeholder for the request of a job that was adopted without one."""

MAX_STDIN_REFERENCES = 10_000
MAX_REFERENCE_CHARS = 4_096
_FILTER_PATTERN = re.compile(r'[\s:"]')
"""Characters of filters that no id contains; ids of the API are letters, digits, `-` and `_`."""

REFERENCE_HELP = "job number, request id or its beginning, batch, 'last', '-' (ids on stdin), or a filter in quotes"


def add_references(parser: argparse.ArgumentParser, *, nargs: str | None = "+", extra: str = "") -> None:
    """Add the positional argument `ids`."""
    # With a default, `*` is not among "the following arguments are required".
    parser.add_argument("ids", metavar="JOB", nargs=nargs, default=[], help=REFERENCE_HELP + extra)


def iter_jobs(history: History) -> Iterator[Job]:
    """Yield every job of the history, newest first; records that are not jobs are left out."""
    is_alive = InstanceLock.observer(history.folder).is_alive
    for page in history.iter_pages():
        for job_id, record in page:
            try:
                job = from_record(job_id, record)
            except msgspec.ValidationError:
                continue
            yield derive_state(job, history.folder / "results", is_alive)


def find_jobs(history: History, references: Iterable[str], stdin: TextIO) -> list[Job]:
    """Return the jobs that the references name, each once, in their order; CommandError where one names none."""
    found: dict[int, Job] = {}
    for reference in references:
        named = read_references(stdin) if reference == STDIN_KEYWORD else [reference]
        for one in named:
            found.update((job.id, job) for job in _find(history, one))
    return list(found.values())


def find_named_jobs(context: Context) -> list[Job]:
    """Return the jobs that the command line names."""
    with context.open_history() as history:
        return find_jobs(history, context.arguments.ids, context.output.stdin)


def read_references(stdin: TextIO) -> list[str]:
    """Return the ids on standard input: words, or JSON objects with an `id` as `--json` prints them."""
    found: list[str] = []
    try:
        while line := stdin.readline(1_000_000):
            text = line.strip().removeprefix("\ufeff")
            if text.startswith("{"):
                found.append(str(json.loads(text)["id"]))
            else:
                found += text.split()
            if len(found) > MAX_STDIN_REFERENCES or any(len(one) > MAX_REFERENCE_CHARS for one in found[-2:]):
                raise UsageError("Standard input contains too many or too long job ids.")
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise UsageError("Standard input contains no job ids.") from None
    if not found:
        raise UsageError("Standard input contains no job ids.")
    return found


def _find(history: History, reference: str) -> list[Job]:
    if reference == LAST_JOB_KEYWORD:
        if newest := next(iter_jobs(history), None):
            return [newest]
        raise UsageError("No jobs yet.")
    if reference.isascii() and reference.isdigit() and len(reference) <= 18:
        record = history.get(int(reference))
        if record is not None:
            return [_parse_job(history, int(reference), record)]
    if _FILTER_PATTERN.search(reference):
        return _find_by_filter(history, reference)
    return _find_by_id(history, reference)


def _parse_job(history: History, job_id: int, record: dict[str, object]) -> Job:
    try:
        job = from_record(job_id, record)
    except msgspec.ValidationError:
        raise UsageError(f"Record {job_id} of this history is not a job.") from None
    return derive_state(job, history.folder / "results", InstanceLock.observer(history.folder).is_alive)


def _find_by_filter(history: History, text: str) -> list[Job]:
    from eternal_tui.jobs.filter import compile_filter

    matches = compile_filter(text, now=time.time())
    if found := [job for job in iter_jobs(history) if matches(job)]:
        return found
    raise UsageError(f"No job matches {text}.")


def _find_by_id(history: History, wanted: str) -> list[Job]:
    by_batch, by_prefix = [], []
    if len(wanted) >= MIN_REQUEST_ID_PREFIX_CHARS:
        for job in iter_jobs(history):
            if job.request_id == wanted:
                return [job]
            if job.batch == wanted:
                by_batch.append(job)
            elif job.request_id is not None and job.request_id.startswith(wanted):
                by_prefix.append(job)
    if by_batch:
        return by_batch
    if len(by_prefix) > 1:
        raise UsageError(f"{len(by_prefix)} request ids begin with {wanted}.")
    if not by_prefix:
        raise UsageError(f"No job {wanted.strip() or chr(34) * 2}. See `eternal-tui jobs`.")
    return by_prefix
