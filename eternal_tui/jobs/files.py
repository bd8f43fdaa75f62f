"""Files of jobs in the results folder: their names, which are not trusted, and their presence."""

from __future__ import annotations

import errno
import re
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec

from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.jobs.model import FileState, Job, JobState
from eternal_tui.media.decode.filetype import RESULT_SUFFIXES

_RESULT_NAME_PATTERN = rf"[A-Za-z0-9][A-Za-z0-9_-]{{0,63}}\.(?:{'|'.join(sorted(RESULT_SUFFIXES))})"


RESULT_FILE_STATES = frozenset({FileState.SAVED, FileState.MISSING})
"""States of a file that was saved once."""


def saved_name(job: Job) -> str | None:
    """Return the name the job's file was saved under, None where it is not a name that downloads get."""
    if job.file is None or re.fullmatch(_RESULT_NAME_PATTERN, job.file) is None:
        return None
    return job.file


def file_name(job: Job) -> str | None:
    """Return the name of the job's saved file, None where it has none."""
    return saved_name(job) if job.file_state is FileState.SAVED else None


def result_path(job: Job, results_dir: Path, *, encrypted: bool = False) -> Path | None:
    """Return where the job's verified file is, None where there is none to open; an encrypted one only if so asked.

    None also where a link, a pipe or a folder is in its place. The file may be missing.
    """
    name = file_name(job)
    if name is None or (job.encrypted and not encrypted):
        return None
    path = results_dir / name
    try:
        mode = path.lstat().st_mode
    except OSError:
        return path
    return path if stat.S_ISREG(mode) and not results_dir.is_symlink() else None


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
        # In a folder that may not be entered, the file may still exist.
        return FILE_GONE_MESSAGE if error.errno in (errno.ENOENT, errno.ENOTDIR) else ""
    known = job.file_info.bytes if job.file_info is not None else 0
    return FILE_CHANGED_MESSAGE if known and size != known else ""


def derive_state(job: Job, results_dir: Path, is_alive: Callable[[str], bool]) -> Job:
    """Return the job with its process and file checked, for readers of the history without an engine."""
    return with_file_presence(with_interrupted_submit(job, is_alive), results_dir)
