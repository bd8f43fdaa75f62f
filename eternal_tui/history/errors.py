"""What can go wrong with the history, each as a type with a sentence a person can act on."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager


class HistoryError(Exception):
    """The history could not be read or written."""


class HistoryFull(HistoryError):
    """There is no room left for the change (ENOSPC, EDQUOT, EFBIG)."""


class HistoryReadOnly(HistoryError):
    """The data folder may not be written (EACCES, EPERM, EROFS)."""


class HistoryGone(HistoryError):
    """The data folder or one of its files was removed while it was in use (ENOENT, ESTALE)."""


class HistoryLockUnavailable(HistoryError):
    """The lock is not supported here, or its holder does not give it back (ENOLCK, ENOTSUP, time-out)."""


class HistoryNewer(HistoryError):
    """The history was written by a newer version of the program."""


class HistoryDamaged(HistoryError):
    """The history is damaged and could not be mended."""


class HistoryRefused(HistoryError):
    """A file or folder of the history is not what it must be, such as a symbolic link."""


class HistoryConflict(HistoryError):
    """Another program changed the same records first; nothing was written."""


class RecordInvalid(HistoryError):
    """The record cannot be written as JSON."""


class DocumentBroken(Exception):
    """The document cannot be read as it stands; the text says why. Mended inside the package."""


class HeaderBroken(Exception):
    """The journal's first line cannot be read. Mended inside the package."""


FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
READ_ONLY = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
GONE = frozenset({errno.ENOENT, errno.ESTALE})
LOCKLESS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
REFUSED = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EISDIR})


def explain(error: OSError, doing: str) -> HistoryError:
    """Turn a failed system call into the error a person can act on.

    Args:
        error: What the system said.
        doing: What was being done, fit to follow "while": ``"recording a change"``.
    """
    cause = error.strerror or str(error)
    if error.errno in FULL:
        return HistoryFull(f"No room left while {doing} ({cause}). The history is as it was: free some space.")
    if error.errno in READ_ONLY:
        return HistoryReadOnly(f"Not permitted while {doing} ({cause}). Make the data folder writable.")
    if error.errno in GONE:
        return HistoryGone(f"The data folder is gone or was moved: {doing} failed ({cause}). Start again.")
    if error.errno in LOCKLESS:
        return HistoryLockUnavailable(
            f"This file system cannot lock files: {doing} failed ({cause}). Choose another data folder."
        )
    if error.errno in REFUSED:
        return HistoryRefused(
            f"A part of the data folder is a link or not a plain file: {doing} was refused ({cause})."
        )
    if error.errno == errno.ENAMETOOLONG:
        return HistoryError(f"{doing.capitalize()} failed ({cause}). Choose a data folder with a shorter name.")
    return HistoryError(f"The disk failed while {doing} ({cause}).")


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Raise every ``OSError`` of the block as a `HistoryError`."""
    try:
        yield
    except OSError as error:
        raise explain(error, doing) from error
