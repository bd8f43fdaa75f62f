"""The open files of a history and what is known of them; everything here happens under the lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from eternal_tui.history import compaction, recovery
from eternal_tui.history.compaction import Names
from eternal_tui.history.document import Document
from eternal_tui.history.errors import HistoryGone
from eternal_tui.history.filesystem import Files
from eternal_tui.history.journal import Base, Change, Header, Journal, Scan, entries_of, scan
from eternal_tui.history.journal_index import Overlay
from eternal_tui.history.lock import FolderLock
from eternal_tui.history.recovery import is_damage

RELOAD = Change("reload", 0, {})


class Store:
    """Document, journal and their sum, kept in step with what other instances write."""

    def __init__(self, files: Files, names: Names, lock: FolderLock, *, writer: str, now: Callable[[], float]) -> None:
        self.files = files
        self.names = names
        self.lock = lock
        self.notices: list[str] = []
        self.news: list[Change] = []
        self.overlay = Overlay()
        self.last_id = 0
        self._writer = writer
        self._now = now
        self._bad_tail = b""
        with lock.held():
            for leftover in names.temporary():
                files.unlink(leftover)
            self._take(self._open_files())

    def close(self) -> None:
        """Close every file."""
        self.journal.close()
        self.document.close()
        self.lock.close()

    def quiet(self) -> bool:
        """Whether no other instance has written since `catch_up`; two stats, no lock."""
        journal = self._stat_journal()
        return (
            journal.st_ino == self.journal.inode
            and journal.st_size == self.journal.end + len(self._bad_tail)
            and self._document_unmoved()
        )

    def catch_up(self) -> None:
        """Read what other instances wrote; under the lock."""
        journal = self._stat_journal()
        if journal.st_ino != self.journal.inode:
            # The old journal was renamed away whole: nobody writes to it any more.
            self._replay(self.journal.read())
            self._switch()
        elif not self._document_unmoved():
            self._take(self._open_files())
            self.news = [RELOAD]
        elif journal.st_size != self.journal.end + len(self._bad_tail):
            self._replay(self.journal.read())

    def append(self, changes: Iterable[Change], *, durable: bool) -> None:
        """Write changes after `catch_up`, under the exclusive lock: all of them or none."""
        changes = list(changes)
        if not changes:
            return
        if self._bad_tail:
            # A line whose writer died within it; anything worse was mended when it was read.
            self.journal.cut()
            self._bad_tail = b""
        for entry in self.journal.append(changes, self._writer, durable=durable):
            self.overlay.apply(entry)
        self.last_id = max(self.last_id, self.overlay.last_id)

    def fold(self) -> None:
        """Fold with the lock held only to begin and to put the result in place.

        Raises:
            DocumentBroken: The document turned out to be damaged; nothing was replaced.
        """
        with self.lock.held():
            self.catch_up()
            if self._folded():
                return
            fd = compaction.begin(self.files, self.names)
            if fd is None:
                return
            known, journal = self.document, self.journal
            header, end, sequence = journal.header, journal.end, journal.sequence
            lines = journal.bytes_between(journal.start, end)
            last_id, crc = self.last_id, header.base.crc if header.base and self._untouched else None
            document = known.duplicate()
        try:
            # Summed up afresh from the bytes: what is folded is what the disk holds, whatever interrupted us.
            # One entry at a time: ten thousand at once leave memory in pieces, 3 MB of it after each fold.
            overlay = Overlay.of(entry for entry, _ in entries_of(lines) if entry is not None)
            generation = header.generation + 1
            base = compaction.write(self.files, fd, document, overlay, generation=generation, last_id=last_id, crc=crc)
            with self.lock.held():
                self.catch_up()
                if self.document is known and self.journal is journal:
                    self._install(header, base, end, sequence)
        finally:
            document.close()
            self._discard(fd)

    def mend(self) -> None:
        """Set a damaged file aside and go on with the best that is left."""
        with self.lock.held():
            self.notices += recovery.mend(self.files, self.names, self._now)
            self._take(self._open_files())
            self.news = [RELOAD]

    def _open_files(self) -> recovery.Opened:
        opened, notices = recovery.open_or_mend(self.files, self.names, self._now)
        self.notices += notices
        return opened

    def _take(self, opened: recovery.Opened) -> None:
        for held in (getattr(self, "journal", None), getattr(self, "document", None)):
            if held is not None:
                held.close()
        self.journal: Journal = opened.journal
        self.document: Document = opened.document
        self._document_stat = opened.stat
        self._untouched = opened.untouched
        self._bad_tail = opened.found.bad_tail
        self.overlay = Overlay.of(opened.found.entries)
        self.last_id = max(self.last_id, self.journal.header.last_id, self.overlay.last_id, self.document.last_id)

    def _switch(self) -> None:
        generation = self.journal.header.generation
        opened = self._open_files()
        header = opened.journal.header
        news = [
            entry.change()
            for entry in scan(opened.journal.bytes_from(opened.journal.start + header.carried), 0).entries
            if entry.by != self._writer
        ]
        self._take(opened)
        self.news = [*self.news, *news] if header.follows == generation else [RELOAD]

    def _replay(self, found: Scan) -> None:
        for entry in found.entries:
            self.overlay.apply(entry)
            if entry.by != self._writer:
                self.news.append(entry.change())
        self.last_id = max(self.last_id, self.overlay.last_id)
        self._bad_tail = found.bad_tail
        if found.bad or is_damage(found.bad_tail):
            self.mend()

    def _folded(self) -> bool:
        return self.journal.end == self.journal.start and self._untouched and not self._bad_tail

    def _install(self, header: Header, base: Base, end: int, sequence: int) -> None:
        carried = self.journal.bytes_from(end)
        renewed = Header(
            generation=header.generation + 1,
            last_id=self.last_id,
            base=base,
            sequence=sequence,
            follows=header.generation,
            carried=len(carried),
        )
        compaction.install(self.files, self.names, renewed, carried)
        self._take(self._open_files())

    def _discard(self, fd: int) -> None:
        try:
            if self.files.fstat(fd).st_nlink and self._is(self.names.new_document, fd):
                self.files.unlink(self.names.new_document)
        finally:
            self.files.close(fd)

    def _is(self, path: Path, fd: int) -> bool:
        try:
            return self.files.stat(path).st_ino == self.files.fstat(fd).st_ino
        except FileNotFoundError:
            return False

    def _stat_journal(self) -> os.stat_result:
        try:
            return self.files.stat(self.names.journal)
        except FileNotFoundError as error:
            raise HistoryGone(
                f"The history in {self.names.folder} was removed while it was open. "
                "Nothing more can be recorded: start again."
            ) from error

    def _document_unmoved(self) -> bool:
        try:
            stat = self.files.stat(self.names.document)
        except FileNotFoundError:
            return self._document_stat is None
        known = self._document_stat
        return known is not None and (stat.st_ino, stat.st_size, stat.st_mtime_ns) == (
            known.st_ino,
            known.st_size,
            known.st_mtime_ns,
        )
