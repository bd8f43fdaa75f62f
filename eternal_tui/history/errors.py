"""Errors of the history; each message states the fact and the remedy."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class HistoryError(Exception):
    """The history could not be read or written."""


class DiskFullError(HistoryError):
    """No space left for the change (ENOSPC, EDQUOT, EFBIG)."""


class ReadOnlyError(HistoryError):
    """The data folder is not writable (EACCES, EPERM, EROFS)."""


class DataFolderMissingError(HistoryError):
    """The data folder or one of its files was removed while it was in use (ENOENT, ESTALE)."""


class LockUnavailableError(HistoryError):
    """Locks are not supported here, or another process holds the lock (ENOLCK, ENOTSUP, timeout)."""


class NewerSchemaError(HistoryError):
    """The history was written by a newer version of the program."""


class UnrepairableHistoryError(HistoryError):
    """The history is damaged and could not be repaired."""


class UnsafeFileError(HistoryError):
    """A file or folder of the history is a symbolic link or has the wrong type."""


class ConflictError(HistoryError):
    """Another program changed the same records first; nothing was written."""


class InvalidRecordError(HistoryError):
    """The record cannot be written as JSON."""


class CorruptDocumentError(Exception):
    """The document is damaged; the message says how. Repaired inside the package."""


class CorruptHeaderError(Exception):
    """The journal's first line is damaged. Repaired inside the package."""


DISK_FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
READ_ONLY_ERRNOS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
MISSING_ERRNOS = frozenset({errno.ENOENT, errno.ESTALE})
LOCK_UNSUPPORTED_ERRNOS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
UNSAFE_FILE_ERRNOS = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EISDIR})


def error_from_oserror(error: OSError, activity: str) -> HistoryError:
    """Return the error for a failed system call; `activity` follows "while": ``"recording a change"``."""
    cause = error.strerror or str(error)
    if error.errno in DISK_FULL_ERRNOS:
        return DiskFullError(f"No space left while {activity} ({cause}). The history is unchanged. Free some space.")
    if error.errno in READ_ONLY_ERRNOS:
        return ReadOnlyError(f"Not permitted while {activity} ({cause}). Make {_denied_path(error)} writable.")
    if error.errno in MISSING_ERRNOS:
        return DataFolderMissingError(f"The data folder was removed or moved: {activity} failed ({cause}). Restart.")
    if error.errno in LOCK_UNSUPPORTED_ERRNOS:
        return LockUnavailableError(
            f"This file system cannot lock files: {activity} failed ({cause}). Choose another data folder."
        )
    if error.errno in UNSAFE_FILE_ERRNOS:
        return UnsafeFileError(f"A part of the data folder is a link or not a plain file: {activity} failed ({cause}).")
    if error.errno == errno.ENAMETOOLONG:
        return HistoryError(f"{activity.capitalize()} failed ({cause}). Choose a data folder with a shorter name.")
    return HistoryError(f"The disk failed while {activity} ({cause}).")


def _denied_path(error: OSError) -> str:
    """Return the path that was denied: an existing file, else the folder to create it in."""
    if not isinstance(error.filename, str | os.PathLike):
        return "the data folder"
    path = Path(error.filename)
    return str(path if os.access(path, os.F_OK) else path.parent)


@contextmanager
def translate_oserror(activity: str) -> Iterator[None]:
    """Raise every ``OSError`` of the block as a `HistoryError`."""
    try:
        yield
    except OSError as error:
        raise error_from_oserror(error, activity) from error
