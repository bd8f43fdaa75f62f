"""`star`, `tag`, `note`, `delete`, `undo` and `adopt`: change the history and send nothing."""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from eternal_tui.cli.context import Command, Context
from eternal_tui.cli.errors import ExitCode, UsageError
from eternal_tui.cli.formatting import print_changed_jobs
from eternal_tui.cli.parser import add_flag, add_option
from eternal_tui.cli.references import (
    STDIN_KEYWORD,
    UNKNOWN_CHARACTER,
    UNKNOWN_PROMPT,
    add_references,
    find_jobs,
    iter_jobs,
    read_references,
)
from eternal_tui.cli.request_input import MAX_NOTE_CHARS
from eternal_tui.core.files import write_atomic
from eternal_tui.core.sanitize import format_safe
from eternal_tui.jobs.formatting import pluralize
from eternal_tui.jobs.model import UNFINISHED_STATES, Job, JobState, from_record, parse_tags, to_record, with_event

if TYPE_CHECKING:
    from eternal_tui.api.models import GenerateRequest
    from eternal_tui.history.history import History


STAR_EPILOG = """\
examples:
  eternal-tui star 12 13
  eternal-tui star --off 'star:yes type:image'
"""

TAG_EPILOG = """\
examples:
  eternal-tui tag 12 winter favourite
  eternal-tui tag 'batch:3f2a91c0' draft --remove
  eternal-tui tag last                             print its tags
"""

NOTE_EPILOG = """\
examples:
  eternal-tui note 12 "use this one for the cover"
  eternal-tui note 12 ""                           remove the note
  eternal-tui note 12                              print it
"""


def _add_star_arguments(parser: argparse.ArgumentParser) -> None:
    add_references(parser)
    _add_json(parser)
    add_flag(parser, "--off", "remove the star")


def _add_tag_arguments(parser: argparse.ArgumentParser) -> None:
    add_references(parser, nargs=None)
    _add_json(parser)
    parser.add_argument("words", metavar="WORD", nargs="*", help="tags to add; none: print the tags")
    add_flag(parser, "--remove", "remove these tags instead; without WORD, all tags")


def _add_note_arguments(parser: argparse.ArgumentParser) -> None:
    add_references(parser, nargs=None)
    _add_json(parser)
    parser.add_argument("text", metavar="TEXT", nargs="?", help='the note; "" removes it; left out: print it')


def _add_json(parser: argparse.ArgumentParser) -> None:
    add_flag(parser, "--json", "print one JSON object per job")


def _star(context: Context) -> int:
    on = not context.arguments.off
    return _change(context, context.arguments.ids, lambda _job: {"starred": on}, "starred" if on else "star removed")


def _tag(context: Context) -> int:
    given = context.arguments
    words = parse_tags(" ".join(given.words))
    removed = {word.casefold() for word in words}
    if not words and not given.remove:
        return _print_marks(context, lambda job: " ".join(job.tags))

    def edit(job: Job) -> dict[str, Any]:
        if given.remove:
            return {"tags": [tag for tag in job.tags if words and tag.casefold() not in removed]}
        return {"tags": list(parse_tags(" ".join((*job.tags, *words))))}

    return _change(context, [given.ids], edit, "tags removed" if given.remove else "tagged")


def _note(context: Context) -> int:
    text = context.arguments.text
    if text is None:
        return _print_marks(context, lambda job: job.note)
    if len(text) > MAX_NOTE_CHARS:
        raise UsageError(f"A note has at most {MAX_NOTE_CHARS} characters. Nothing was changed.")
    return _change(context, [context.arguments.ids], lambda _job: {"note": text}, "noted" if text else "note removed")


def _print_marks(context: Context, text_of: Callable[[Job], str]) -> int:
    with context.open_history() as history:
        for job in find_jobs(history, [context.arguments.ids], context.output.stdin):
            if context.arguments.json:
                print_changed_jobs(context, [job], "")
            else:
                context.output.print_line(format_safe("{id}  {text}", id=job.id, text=text_of(job)))
    return ExitCode.SUCCESS


def _change(context: Context, references: list[str], edit: Callable[[Job], dict[str, Any]], done: str) -> int:
    with context.open_history() as history:
        jobs = find_jobs(history, references, context.output.stdin)
        changed = []
        with history.transaction() as transaction:
            for job in jobs:
                record = transaction.get(job.id)
                if record is not None:
                    fields = edit(from_record(job.id, record))
                    transaction.update(job.id, fields)
                    changed.append(from_record(job.id, {**record, **fields}))
    print_changed_jobs(context, changed, done)
    return ExitCode.SUCCESS


DELETED_FILE_NAME = "deleted.json"
MAX_DELETIONS = 20
"""Deletions that `undo` can restore, the last one first."""

MAX_FILE_BYTES = 64_000_000


class _Deletion(msgspec.Struct):
    """The records of one `delete` by job, and when it was, in seconds since the epoch."""

    at: float
    jobs: dict[int, dict[str, Any]]


DELETE_EPILOG = """\
examples:
  eternal-tui delete 12 13
  eternal-tui delete 'state:failed since:1d'
  eternal-tui undo

Files in the results folder are kept. Deleting a running job neither cancels nor refunds it.
"""

UNDO_EPILOG = """\
Each `undo` restores one `delete`, the last one first. Deletions made in the app are undone there.
"""


def _add_delete_arguments(parser: argparse.ArgumentParser) -> None:
    add_references(parser)
    _add_json(parser)
    add_flag(parser, "--yes", "delete running and unconfirmed jobs without asking")


def _delete(context: Context) -> int:
    with context.open_history() as history:
        jobs = find_jobs(history, context.arguments.ids, context.output.stdin)
        _confirm(context, jobs)
        removed = _remove(context, history, jobs)
    if context.arguments.json:
        print_changed_jobs(context, [job for job in jobs if job.id in removed], "deleted")
        return ExitCode.SUCCESS
    what = pluralize(len(removed), "job")
    context.output.print_line(format_safe("Deleted {what} (`eternal-tui undo` restores). Files are kept.", what=what))
    return ExitCode.SUCCESS


def _confirm(context: Context, jobs: list[Job]) -> None:
    sending = [job.id for job in jobs if job.state is JobState.SUBMITTING]
    if sending:
        raise UsageError(f"Job {sending[0]} is being sent; wait for its response. Nothing deleted.")
    # A queued job was not sent: deleting cancels it.
    unsettled = {*UNFINISHED_STATES, JobState.UNCONFIRMED} - {JobState.QUEUED}
    open_jobs = [job for job in jobs if job.state in unsettled or job.needs_download]
    if open_jobs:
        count = pluralize(len(open_jobs), "job")
        fact = format_safe("{n} running or unconfirmed: deleting does not cancel or refund them.", n=count)
        context.require_consent(fact, "Delete?", " Nothing deleted.")


def _remove(context: Context, history: History, jobs: list[Job]) -> dict[int, dict[str, Any]]:
    """Delete the jobs and return their records, which are written to a file of deletions before."""
    path = context.settings.data_dir / DELETED_FILE_NAME
    removed = {}
    charges = _missing_charges(context, history, jobs)
    with history.transaction(keep_concurrent=True) as transaction:
        for row in charges:
            transaction.add_charge(row)
        for job in jobs:
            if (record := transaction.get(job.id)) is not None:
                removed[job.id] = record
                transaction.delete(job.id)
        _write_deletions(path, [*_read_deletions(path), _Deletion(time.time(), removed)])
    return removed


def _missing_charges(context: Context, history: History, jobs: list[Job]) -> list[dict[str, Any]]:
    """Return the rows of the ledger for jobs from before there was one: what they cost outlives them."""
    from eternal_tui.history.lock import InstanceLock
    from eternal_tui.jobs.billing.charges import rows_of_old_jobs, to_row_record
    from eternal_tui.jobs.billing.ledger import read_ledger
    from eternal_tui.services import service_name

    ledger = read_ledger(history, InstanceLock.observer(history.folder).is_alive)
    # The engine makes the rows of all old jobs only where there is none yet.
    unbilled = iter_jobs(history) if not ledger.last_number else jobs
    missing = sorted((job for job in unbilled if job.id not in ledger.charges), key=lambda job: job.id)
    return [to_row_record(row) for row in rows_of_old_jobs(missing, service_name(context.settings.base_url))]


def _undo(context: Context) -> int:
    path = context.settings.data_dir / DELETED_FILE_NAME
    deletions = _read_deletions(path)
    if not deletions:
        context.output.info(format_safe("Nothing to undo."))
        return ExitCode.FAILED
    restored = []
    with context.open_history() as history:
        with history.transaction(keep_concurrent=True) as transaction:
            for job_id, record in deletions[-1].jobs.items():
                if transaction.get(job_id) is None:
                    transaction.put(job_id, record)
                    restored.append(from_record(job_id, record))
        _write_deletions(path, deletions[:-1])
    print_changed_jobs(context, restored, "restored")
    return ExitCode.SUCCESS


def _read_deletions(path: Path) -> list[_Deletion]:
    try:
        found = json.loads(path.read_bytes()) if path.stat().st_size <= MAX_FILE_BYTES else []
        deletions = msgspec.convert(found, list[_Deletion], str_keys=True)
        for job_id, record in (each for one in deletions for each in one.jobs.items()):
            from_record(job_id, record)
    except (OSError, ValueError, RecursionError, msgspec.ValidationError):
        return []
    return deletions


def _write_deletions(path: Path, deletions: list[_Deletion]) -> None:
    write_atomic(path, json.dumps(msgspec.to_builtins(deletions[-MAX_DELETIONS:], str_keys=True)).encode())


ADOPT_EPILOG = """\
examples:
  eternal-tui adopt 7f3c9a52-6c1e-4d0b-9f64-2f9d7c1b8a11
  eternal-tui adopt --character 6870 --prompt "At sea" --type video REQUEST_ID
  eternal-tui adopt - < ids.txt && eternal-tui watch

Adopted jobs are polled by the app or by `eternal-tui watch`. Adopting is free: a request is charged when it is sent.
"""

_REQUEST_ID_PATTERN = r"[A-Za-z0-9._~:-]{1,200}"


def _add_adopt_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("request_ids", metavar="REQUEST_ID", nargs="+", help="request ids; '-' reads them from stdin")
    add_option(parser, "--character ID", "character ID, if known", default="")
    add_option(parser, "--prompt TEXT", "prompt, if known", default="")
    parser.add_argument("--type", choices=("image", "video"), default="image", help="what it makes (default: image)")
    add_option(parser, "--tag WORD", "tag the jobs; repeatable", action="append", default=[])
    add_flag(parser, "--json", "print one JSON object per job")


def _adopt(context: Context) -> int:
    """Add the jobs and print them; ids that are here already are named and left alone."""
    from eternal_tui.services import service_name

    given = context.arguments
    ids: list[str] = []
    for text in given.request_ids:
        ids += read_references(context.output.stdin) if text == STDIN_KEYWORD else [text.strip()]
    for request_id in ids:
        if re.fullmatch(_REQUEST_ID_PATTERN, request_id) is None:
            raise UsageError(f"“{request_id[:80]}” is not a request id. Nothing adopted.")
    now = time.time()
    service = "loopback" if context.arguments.demo else service_name(context.settings.base_url)
    request = _adopted_request(context)
    with context.open_history() as history:
        known = {job.request_id: job.id for job in iter_jobs(history) if job.request_id in set(ids)}
        jobs = []
        for request_id in dict.fromkeys(ids):
            if request_id in known:
                there = known[request_id]
                context.output.info(format_safe("{request} is job {id} already.", request=request_id, id=there))
                continue
            job = Job(
                id=0, request=request, state=JobState.RUNNING, created_at=now, request_id=request_id,
                service=service, cost=0.0, tags=parse_tags(" ".join(given.tag)),
            )  # fmt: skip
            record = to_record(with_event(job, now, "adopted", request_id))
            jobs.append(from_record(history.add(record), record))
    print_changed_jobs(context, jobs)
    return ExitCode.SUCCESS


def _adopted_request(context: Context) -> GenerateRequest:
    from eternal_tui.api.models import GenerateRequest, validation_errors

    given = context.arguments
    request = GenerateRequest(
        character=given.character or UNKNOWN_CHARACTER, prompt=given.prompt or UNKNOWN_PROMPT, type=given.type
    )
    if errors := validation_errors(request):
        raise UsageError(f"{' '.join(errors.values())} Nothing adopted.")
    return request


COMMANDS = {
    "star": Command(STAR_EPILOG, _add_star_arguments, _star),
    "tag": Command(TAG_EPILOG, _add_tag_arguments, _tag),
    "note": Command(NOTE_EPILOG, _add_note_arguments, _note),
    "delete": Command(DELETE_EPILOG, _add_delete_arguments, _delete),
    "undo": Command(UNDO_EPILOG, _add_json, _undo),
    "adopt": Command(ADOPT_EPILOG, _add_adopt_arguments, _adopt),
}
