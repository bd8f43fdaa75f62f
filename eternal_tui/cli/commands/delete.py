"""`delete` and `undo`: remove jobs from the history, and restore the last removal in any later run."""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from eternal_tui.cli.context import Context, UsageError
from eternal_tui.cli.exit_codes import ExitCode
from eternal_tui.cli.formatting import print_changed_jobs
from eternal_tui.cli.parser import Command
from eternal_tui.cli.references import add_references, find_jobs, iter_jobs
from eternal_tui.core.files import write_atomic
from eternal_tui.core.sanitize import format_safe
from eternal_tui.jobs.formatting import pluralize
from eternal_tui.jobs.model import Job, JobState, from_record

if TYPE_CHECKING:
    from eternal_tui.history.history import History

DELETED_FILE_NAME = "deleted.json"
MAX_DELETIONS = 20
"""Deletions that `undo` can restore, the last one first."""

MAX_FILE_BYTES = 64_000_000

DELETE_EPILOG = """\
examples:
  eternal-tui delete 12 13
  eternal-tui delete 'state:failed since:1d'
  eternal-tui undo

Files in the results folder are kept. A running job is not cancelled and stays charged: --yes deletes it anyway.
"""

UNDO_EPILOG = """\
Each `undo` restores one `delete`, the last one first. Deletions made in the app are undone there.
"""


def add_delete_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `delete`."""
    add_references(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object per job")
    parser.add_argument("--yes", action="store_true", help="delete running and unconfirmed jobs without asking")


def add_undo_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `undo`."""
    parser.add_argument("--json", action="store_true", help="print one JSON object per job")


def _delete(context: Context) -> int:
    with context.open_history() as history:
        jobs = find_jobs(history, context.arguments.ids, context.output.stdin)
        _confirm(context, jobs)
        removed = _remove(context, history, jobs)
    if context.arguments.json:
        print_changed_jobs(context, [job for job in jobs if str(job.id) in removed], "deleted")
        return ExitCode.SUCCESS
    what = pluralize(len(removed), "job")
    context.output.print_line(format_safe("Deleted {what} (`eternal-tui undo` restores). Files are kept.", what=what))
    return ExitCode.SUCCESS


def _confirm(context: Context, jobs: list[Job]) -> None:
    sending = [job.id for job in jobs if job.state is JobState.SUBMITTING]
    if sending:
        raise UsageError(f"Job {sending[0]} is being sent; wait for its response. Nothing deleted.")
    open_jobs = [
        job
        for job in jobs
        # What is queued was not sent: deleting cancels it.
        if (not job.is_ended and job.state is not JobState.QUEUED)
        or job.needs_download
        or job.state is JobState.UNCONFIRMED
    ]
    if not open_jobs or context.arguments.yes:
        return
    question = format_safe(
        "{n} running or unconfirmed: deleting does not cancel or refund them.", n=pluralize(len(open_jobs), "job")
    )
    if not context.output.confirm(format_safe("{question} Delete?", question=question)):
        raise UsageError(format_safe("{question} Add --yes. Nothing deleted.", question=question))


def _remove(context: Context, history: History, jobs: list[Job]) -> dict[str, Any]:
    """Delete the jobs and return their records, which are written to a file of deletions before."""
    path = context.settings.data_dir / DELETED_FILE_NAME
    removed = {}
    charges = _missing_charges(context, history, jobs)
    with history.transaction(keep_concurrent=True) as transaction:
        for row in charges:
            transaction.add_charge(row)
        for job in jobs:
            if (record := transaction.get(job.id)) is not None:
                removed[str(job.id)] = record
                transaction.delete(job.id)
        _write_deletions(path, [*_read_deletions(path), {"at": time.time(), "jobs": removed}])
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
            for job_id, record in deletions[-1]["jobs"].items():
                if transaction.get(int(job_id)) is None:
                    transaction.put(int(job_id), record)
                    restored.append(from_record(int(job_id), record))
        _write_deletions(path, deletions[:-1])
    print_changed_jobs(context, restored, "restored")
    return ExitCode.SUCCESS


def _read_deletions(path: Path) -> list[dict[str, Any]]:
    with contextlib.suppress(OSError, ValueError, RecursionError):
        if path.stat().st_size <= MAX_FILE_BYTES:
            found = json.loads(path.read_bytes())
            if isinstance(found, list) and all(_is_deletion(each) for each in found):
                return found
    return []


def _is_deletion(value: Any) -> bool:
    """Whether the value is a deletion whose records are jobs."""
    try:
        for job_id, record in value["jobs"].items():
            from_record(int(job_id), record)
    except (msgspec.ValidationError, TypeError, KeyError, AttributeError, ValueError):
        return False
    return True


def _write_deletions(path: Path, deletions: list[dict[str, Any]]) -> None:
    write_atomic(path, json.dumps(deletions[-MAX_DELETIONS:]).encode())


COMMANDS = {
    "delete": Command(DELETE_EPILOG, add_delete_arguments, _delete),
    "undo": Command(UNDO_EPILOG, add_undo_arguments, _undo),
}
