"""The open files of a history and their contents so far; every method runs under the lock.

Compaction writes the document and the pending changes as the next document; a crash at any point loses nothing.

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

import heapq
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from eternal_tui.history import recovery
from eternal_tui.history.document import Document, Line, decode_record_line, matches_stat, record_line, write_document
from eternal_tui.history.errors import DataFolderMissingError
from eternal_tui.history.filesystem import FileSystem, Paths, file_identity, link_or_copy
from eternal_tui.history.journal import (
    FIRST_CHARGE_ID,
    Change,
    Header,
    Journal,
    PendingChanges,
    ScanResult,
    SnapshotInfo,
    iter_entries,
    scan_lines,
    write_journal,
)
from eternal_tui.history.lock import FolderLock
from eternal_tui.history.recovery import OpenedHistory, is_damaged_tail

RELOAD_CHANGE = Change("reload", 0, {})


class OpenFiles:
    """Document, journal and pending changes, updated with what other instances write."""

    def __init__(self, fs: FileSystem, paths: Paths, lock: FolderLock, *, now: Callable[[], float]) -> None:
        self.fs = fs
        self.paths = paths
        self.lock = lock
        self.notices: list[str] = []
        self.concurrent_changes: list[Change] = []
        self.pending_changes = PendingChanges()
        self.last_id = 0
        self.last_charge_id = FIRST_CHARGE_ID - 1
        self._writer_id = os.urandom(4).hex()
        self._now = now
        self._bad_tail = b""
        with lock.hold():
            for leftover in paths.leftovers():
                fs.unlink(leftover)
            self._use(self._open_files())

    def close(self) -> None:
        """Close every file."""
        self.journal.close()
        self.document.close()
        self.lock.close()

    def is_in_sync(self) -> bool:
        """Whether no other instance has written since `read_new`; takes two stats and no lock."""
        journal = self._stat_journal()
        return (
            journal.st_ino == self.journal.inode
            and journal.st_size == self.journal.end + len(self._bad_tail)
            and self._is_document_unchanged()
        )

    def read_new(self) -> None:
        """Read what other instances wrote."""
        journal = self._stat_journal()
        if journal.st_ino != self.journal.inode:
            # The old journal was replaced; nothing is appended to it any more.
            self._apply_scan(self.journal.read_new())
            self._follow_compaction()
        elif not self._is_document_unchanged():
            self._use(self._open_files())
            self.concurrent_changes = [RELOAD_CHANGE]
        elif journal.st_size != self.journal.end + len(self._bad_tail):
            self._apply_scan(self.journal.read_new())

    def append(self, changes: Iterable[Change], *, durable: bool) -> None:
        """Write all changes or none; `read_new` comes first."""
        changes = list(changes)
        if not changes:
            return
        if self._bad_tail:
            # A line cut short by a crash; worse damage was repaired when it was read.
            self.journal.truncate_tail()
            self._bad_tail = b""
        for entry in self.journal.append(changes, self._writer_id, durable=durable):
            self.pending_changes.apply(entry)
        self._update_last_ids()

    def compact(self) -> None:
        """Compact, holding the lock only to begin and to install the result.

        Raises:
            CorruptDocumentError: The document is damaged; nothing was replaced.
        """
        with self.lock.hold():
            self.read_new()
            if self._is_compacted():
                return
            fd = _begin_compaction(self.fs, self.paths)
            if fd is None:
                return
            known, journal, last_id = self.document, self.journal, self.last_id
            header, end, sequence = journal.header, journal.end, journal.sequence
            changes = journal.read_lines(journal.start)
            document = known.duplicate()
        try:
            # Summed from the bytes on disk, whatever interrupted an append. One entry at a time: ten thousand at once
            # leave 3 MB of fragmented memory after each compaction.
            pending = PendingChanges(entry for entry, _ in iter_entries(changes) if entry is not None)
            document.verify()
            lines, others, generation = _merge(document, pending), document.other_tables, header.generation + 1
            snapshot = write_document(self.fs, fd, lines, generation=generation, last_id=last_id, other_tables=others)
            with self.lock.hold():
                self.read_new()
                if self.document is known and self.journal is journal:
                    self._install(header, snapshot, end, sequence)
        finally:
            document.close()
            with self.fs.closing(fd), suppress(FileNotFoundError):
                if self.fs.stat(self.paths.new_document).st_ino == self.fs.fstat(fd).st_ino:
                    self.fs.unlink(self.paths.new_document)

    def repair(self) -> None:
        """Quarantine a damaged file and continue with what can be recovered."""
        with self.lock.hold():
            self.notices += recovery.repair(self.fs, self.paths, self._now)
            self._use(self._open_files())
            self.concurrent_changes = [RELOAD_CHANGE]

    def _open_files(self) -> OpenedHistory:
        opened, notices = recovery.open_or_repair(self.fs, self.paths, self._now)
        self.notices += notices
        return opened

    def _use(self, opened: OpenedHistory) -> None:
        for held in (getattr(self, "journal", None), getattr(self, "document", None)):
            if held is not None:
                held.close()
        self.journal: Journal = opened.journal
        self.document: Document = opened.document
        self._bad_tail = opened.scan.bad_tail
        self.pending_changes = PendingChanges(opened.scan.entries)
        self.last_id = max(self.last_id, self.journal.header.last_id, self.document.last_id)
        self.last_charge_id = max(self.last_charge_id, self.document.last_charge_id)
        self._update_last_ids()

    def _update_last_ids(self) -> None:
        self.last_id = max(self.last_id, self.pending_changes.last_id)
        self.last_charge_id = max(self.last_charge_id, self.pending_changes.last_charge_id)

    def _follow_compaction(self) -> None:
        generation = self.journal.header.generation
        opened = self._open_files()
        header = opened.journal.header
        fresh = [
            entry.to_change()
            for entry in scan_lines(opened.journal.read_lines(opened.journal.start + header.carried_bytes), 0).entries
            if entry.writer_id != self._writer_id
        ]
        self._use(opened)
        self.concurrent_changes = (
            [*self.concurrent_changes, *fresh] if header.follows_generation == generation else [RELOAD_CHANGE]
        )

    def _apply_scan(self, scan: ScanResult) -> None:
        for entry in scan.entries:
            self.pending_changes.apply(entry)
            if entry.writer_id != self._writer_id:
                self.concurrent_changes.append(entry.to_change())
        self._update_last_ids()
        self._bad_tail = scan.bad_tail
        if scan.bad_count or is_damaged_tail(scan.bad_tail):
            self.repair()

    def _is_compacted(self) -> bool:
        is_unmodified = matches_stat(self.document.file_stat, self.journal.header.snapshot)
        return self.journal.end == self.journal.start and is_unmodified and not self._bad_tail

    def _install(self, header: Header, snapshot: SnapshotInfo, end: int, sequence: int) -> None:
        """Rename the new document and journal into place and keep the previous generation; runs under the lock."""
        fs, paths, carried = self.fs, self.paths, self.journal.read_lines(end)
        renewed = Header(
            generation=header.generation + 1,
            last_id=self.last_id,
            snapshot=snapshot,
            sequence=sequence,
            follows_generation=header.generation,
            carried_bytes=len(carried),
        )
        write_journal(fs, paths.new_journal, renewed, carried)
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
        self._use(self._open_files())

    def _stat_journal(self) -> os.stat_result:
        try:
            return self.fs.stat(self.paths.journal)
        except FileNotFoundError as error:
            raise DataFolderMissingError(
                f"The history in {self.paths.folder} was removed while it was open. "
                "Nothing more can be recorded: start again."
            ) from error

    def _is_document_unchanged(self) -> bool:
        try:
            stat = self.fs.stat(self.paths.document)
        except FileNotFoundError:
            return self.document.file_stat is None
        known = self.document.file_stat
        return known is not None and file_identity(stat) == file_identity(known)


def _merge(document: Document, pending: PendingChanges) -> Iterator[Line]:
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


def _begin_compaction(fs: FileSystem, paths: Paths) -> int | None:
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
