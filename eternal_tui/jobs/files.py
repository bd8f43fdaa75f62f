"""Files of jobs in the results folder: names, presence and copies. Names in the history are not trusted."""

from __future__ import annotations

import errno
import os
import re
import stat
import unicodedata
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from eternal_tui.core.sanitize import UntrustedText, sanitize
from eternal_tui.jobs.model import FileState, Job, JobState
from eternal_tui.media.decode.filetype import RESULT_SUFFIXES

if TYPE_CHECKING:
    from eternal_tui.media.export.xmp import Splice

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


MAX_FILENAME_CHARS = 120
"""Characters of a proposed name: as many as a line shows."""

MAX_FILENAME_BYTES = 200
"""Bytes of a proposed name: with number and suffix under the 255 that most disks allow."""

_TEMPLATE_FIELD_PATTERN = r"\{(date|time|character|type|id)\}"
_RESERVED_NAMES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
)


def suggest_filename(job: Job, template: str, suffix: str) -> str:
    """Return the file name that the template makes for the job, ending in the verified file's own `suffix`.

    Unknown fields stay as they are written. Times are local, of when the job was made.
    """
    then = _local_datetime(job.created_at)
    fields = {
        "date": then.strftime("%Y-%m-%d"),
        "time": then.strftime("%H%M%S"),
        "character": job.name or job.request.character,
        "type": job.request.type,
        "id": str(job.id),
    }
    return (
        safe_filename(
            re.sub(_TEMPLATE_FIELD_PATTERN, lambda found: fields[found[1]], template), fallback=f"job-{job.id}"
        )
        + suffix
    )


def _local_datetime(timestamp: float) -> datetime:
    try:
        return datetime.fromtimestamp(timestamp).astimezone()
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0).astimezone()


def safe_filename(text: str, *, fallback: str) -> str:
    """Return `text` as one portable file name; `fallback` where nothing is left.

    Letters and digits of every script stay; separators, control and direction characters, quotes and shell signs
    become a hyphen; no leading dot or hyphen.
    """
    visible = sanitize(text, limit=4 * MAX_FILENAME_CHARS)
    kept = "".join(one if one in "._-" or unicodedata.category(one)[0] in "LMN" else "-" for one in visible)
    name = re.sub(r"-{2,}", "-", re.sub(r"\.{2,}", ".", kept))[:MAX_FILENAME_CHARS]
    name = name.encode()[:MAX_FILENAME_BYTES].decode(errors="ignore").strip(".-_ ")
    return fallback if not name or name.casefold() in _RESERVED_NAMES else name


def numbered_path(path: Path, number: int) -> Path:
    """Return the path for the `number`th file of that name: the first keeps it, others end in -2, -3 … ."""
    return path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")


MAX_COPIES = 999
COPY_BLOCK_BYTES = 1 << 20


def copy_to(source: Path, target: Path, *, splices: Sequence[Splice] = ()) -> Path:
    """Copy the file to `target`, or to `target` with -2, -3 … where that name is taken, and return where it is.

    `splices` are changes to make on the way, by rising offset. The copy is as readable as the user's umask makes new
    files. Raises OSError; nothing is then left behind.
    """
    # Without O_NONBLOCK a pipe in the file's place would be waited for.
    handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as original:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "it is no file any more", str(source))
        for number in range(1, MAX_COPIES + 1):
            path = numbered_path(target, number)
            try:
                # "x" neither replaces a file nor follows a link, even a dangling one.
                copy = path.open("xb")
            except FileExistsError:
                continue
            try:
                with copy:
                    original.seek(0)
                    for splice in splices:
                        _copy_bytes(original, copy, splice.offset - original.tell())
                        copy.write(splice.data)
                        original.seek(splice.removed, os.SEEK_CUR)
                    _copy_bytes(original, copy)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
            return path
    raise FileExistsError(errno.EEXIST, "there are too many files of that name", str(target))


def _copy_bytes(source: BinaryIO, target: BinaryIO, count: int | None = None) -> None:
    while block := source.read(COPY_BLOCK_BYTES if count is None else min(COPY_BLOCK_BYTES, count)):
        target.write(block)
        count = None if count is None else count - len(block)


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
    """Return the job with its process and file checked, for readers of the history without an engine."""
    return with_file_presence(with_interrupted_submit(job, is_alive), results_dir)
