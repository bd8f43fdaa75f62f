"""Compaction: writes the document and the pending changes as the next document; a crash at any point loses nothing.

For generation g, D(g) is the document and J(g) the journal that continues it; P and Q are the previous document and
journal. The order of renames keeps two things true after a crash at any point: ``history.json`` and
``history.journal`` together hold everything, and so do P, Q and ``history.journal``.

1. D(g+1) is written under a temporary name and fsynced.
2. D(g) gets a second name; D(g+1) replaces ``history.json``; the second name replaces P.
3. A second name of J(g) replaces Q.
4. J(g+1) replaces ``history.journal``.

The folder is fsynced after 2, 3 and 4. Before 4, J(g) is replayed over D(g+1), which already includes it: replaying
twice changes nothing (see `PendingChanges`).
"""

from __future__ import annotations

import errno
import heapq
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from eternal_tui.history.document import Document, Line, decode_record_line, record_line
from eternal_tui.history.filesystem import FileSystem, read_all, write_all
from eternal_tui.history.journal import Header, PendingChanges, write_journal

_NO_HARD_LINK_ERRNOS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS, errno.EXDEV}


_NO_HARD_LINK_ERRNOS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS, errno.EXDEV}


_NO_HARD_LINK_ERRNOS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS, errno.EXDEV}


_NO_HARD_LINK_ERRNOS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS, errno.EXDEV}


_NO_HARD_LINK_ERRNOS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS, errno.EXDEV}


class Paths:
    """The paths of the files of one history."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.document = folder / "history.json"
        self.journal = folder / "history.journal"
        self.lock = folder / "history.lock"
        self.previous_document = folder / "history.previous.json"
        self.previous_journal = folder / "history.previous.journal"
        self.new_document = folder / "history.json.new"
        self.new_journal = folder / "history.journal.new"
        self.new_previous = folder / "history.previous.new"

    def leftovers(self) -> tuple[Path, ...]:
        """Temporary names that a crash may leave; without `new_document`, which a running compaction uses."""
        return (self.new_journal, self.new_previous)


def merge(document: Document, pending: PendingChanges) -> Iterator[Line]:
    """Yield the lines of the document with the pending changes, ids ascending; unchanged ones are not parsed."""
    puts = (record_line(record_id, record) for record_id, record in pending.iter_puts())
    return heapq.merge(puts, _unreplaced_lines(document, pending))


def _unreplaced_lines(document: Document, pending: PendingChanges) -> Iterator[Line]:
    for record_id, line in document.iter_lines():
        op = pending.op(record_id)
        if op is None:
            yield record_id, line
        elif op == "patch":
            yield record_line(record_id, pending.apply_to(record_id, decode_record_line(line)[1]) or {})


def begin(fs: FileSystem, paths: Paths) -> int | None:
    """Create and lock the new document's file; return None when another instance is compacting.

    Runs under the folder's lock. The file's own lock tells a running compaction from the remains of a crash.
    """
    with suppress(FileNotFoundError), fs.closing(fs.open(paths.new_document, os.O_RDWR)) as fd:
        if not fs.try_lock(fd):
            return None
        fs.unlink(paths.new_document)
    fd = fs.create(paths.new_document)
    fs.try_lock(fd)
    return fd


def install(fs: FileSystem, paths: Paths, header: Header, carried_lines: bytes) -> None:
    """Rename the new document and journal into place and keep the previous generation; runs under the lock."""
    write_journal(fs, paths.new_journal, header, carried_lines)
    had_document = link_or_copy(fs, paths.document, paths.new_previous)
    fs.replace(paths.new_document, paths.document)
    if had_document:
        fs.replace(paths.new_previous, paths.previous_document)
    fs.sync_dir(paths.folder)
    link_or_copy(fs, paths.journal, paths.new_previous)
    fs.replace(paths.new_previous, paths.previous_journal)
    fs.sync_dir(paths.folder)
    fs.replace(paths.new_journal, paths.journal)
    fs.sync_dir(paths.folder)


def link_or_copy(fs: FileSystem, source: Path, target: Path) -> bool:
    """Give a file a second name, or copy it where hard links are not supported; False if it does not exist."""
    fs.unlink(target)
    try:
        fs.link(source, target)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno not in _NO_HARD_LINK_ERRNOS:
            raise
        copy_file(fs, source, target)
    return True


def copy_file(fs: FileSystem, source: Path, target: Path) -> None:
    """Copy a file and fsync the copy."""
    with fs.closing(fs.open(source, os.O_RDONLY)) as old, fs.closing(fs.create(target)) as new:
        write_all(fs, new, read_all(fs, old), 0)
        fs.sync(new)
