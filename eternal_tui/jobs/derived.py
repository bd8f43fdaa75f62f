"""Facts about a job that its record cannot hold: whether its process still runs, and whether its file is still there.

Every reader of the history passes jobs through here, so that all agree.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import msgspec

from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.jobs.files import RESULT_FILE_STATES, saved_name
from eternal_tui.jobs.model import FileState, Job, JobState

INTERRUPTED_MESSAGE = (
    "The program ended while the request was in flight, so its response was never seen. It may have been charged."
)
FILE_GONE_MESSAGE = "The file is no longer in the results folder."
FILE_CHANGED_MESSAGE = "The file in the results folder was changed since it was saved."


def with_interrupted_submit(job: Job, is_alive: Callable[[str], bool]) -> Job:
    """Return a job whose process died while submitting as unconfirmed; `is_alive` takes an instance id."""
    if job.state is not JobState.SUBMITTING or is_alive(job.owner):
        return job
    return msgspec.structs.replace(job, state=JobState.UNCONFIRMED, error=UntrustedText(INTERRUPTED_MESSAGE))


def with_file_presence(job: Job, results_dir: Path) -> Job:
    """Return the job with its file state as the results folder has it: a saved file that is gone is missing."""
    if job.file_state not in RESULT_FILE_STATES or (name := saved_name(job)) is None:
        return job
    problem = _file_problem(job, results_dir / name)
    if bool(problem) is (job.file_state is FileState.MISSING):
        return job
    state = FileState.MISSING if problem else FileState.SAVED
    return msgspec.structs.replace(job, file_state=state, error=UntrustedText(problem))


def _file_problem(job: Job, path: Path) -> str:
    try:
        size = path.lstat().st_size
    except OSError as error:
        # A folder that may not be entered says nothing about the file.
        return FILE_GONE_MESSAGE if error.errno in (errno.ENOENT, errno.ENOTDIR) else ""
    known = job.file_info.bytes if job.file_info is not None else 0
    return FILE_CHANGED_MESSAGE if known and size != known else ""


def derive_state(job: Job, results_dir: Path, is_alive: Callable[[str], bool]) -> Job:
    """Return the job as it really stands, for a reader of the history that runs no engine."""
    return with_file_presence(with_interrupted_submit(job, is_alive), results_dir)
