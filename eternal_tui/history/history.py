"""The durable history: records under integer ids, shared between processes, written whole or not at all."""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Self, TypeVar

from eternal_tui.history.document import SMALL_DOCUMENT_BYTES
from eternal_tui.history.errors import CorruptDocumentError, HistoryError, UnrepairableHistoryError, translate_oserror
from eternal_tui.history.file_set import OpenFiles
from eternal_tui.history.filesystem import FileSystem, Paths
from eternal_tui.history.journal import FIRST_CHARGE_ID, Change, PendingChanges, Record
from eternal_tui.history.lock import FolderLock


class Transaction:
    """Changes collected under the exclusive lock and written with one fsync when the block ends without an error.

    ``concurrent_changes`` are the changes of other instances since the last read. If the block raises, nothing is
    written and they stay for the next reader.
    """

    def __init__(
        self,
        read: Callable[[int], Record | None],
        last_ids: tuple[int, int],
        concurrent_changes: list[Change],
        unread_changes: list[Change],
    ) -> None:
        self.concurrent_changes = concurrent_changes
        self.unread_changes = unread_changes
        self.changes: list[Change] = []
        self._read = read
        self._pending_changes = PendingChanges()
        self._last_id, self._last_charge_id = last_ids

    def get(self, record_id: int) -> Record | None:
        """Read a record, with the changes of this transaction."""
        return self._pending_changes.apply_to(record_id, self._read(record_id))

    def add(self, record: Record) -> int:
        """Add a record; return its id."""
        self._last_id += 1
        self._add_change(Change("put", self._last_id, record))
        return self._last_id

    def add_charge(self, row: Record) -> int:
        """Add a row to the table ``charges``; return its id."""
        self._last_charge_id += 1
        self._add_change(Change("put", self._last_charge_id, row))
        return self._last_charge_id

    def put(self, record_id: int, record: Record) -> None:
        """Write a whole record under an existing or deleted id."""
        self._add_change(Change("put", record_id, record))

    def update(self, record_id: int, fields: Record) -> None:
        """Change some fields of a record; does nothing if it does not exist."""
        self._add_change(Change("patch", record_id, fields))

    def delete(self, record_id: int) -> None:
        """Remove a record."""
        self._add_change(Change("delete", record_id, {}))

    def _add_change(self, change: Change) -> None:
        self.changes.append(change)
        self._pending_changes.apply(change)


_T = TypeVar("_T")


class History:
    """One open history; safe for several threads and several processes.

    A change is on disk when its call returns, unless ``durable=False``. Every method may raise a `HistoryError`; the
    change was then not recorded. Returned records are copies.
    """

    def __init__(self, store: OpenFiles) -> None:
        self._open_files = store
        self._lock = store.lock
        self._closed = False

    @classmethod
    def open(cls, folder: Path, *, now: Callable[[], float] = time.time, fs: FileSystem | None = None) -> Self:
        """Open the history of a folder; create both if missing and repair damage.

        Args:
            folder: The data folder; created with mode 0700.
            now: Clock, seconds since the epoch, for the names of quarantined files.
            fs: The file system, replaced in tests.

        Raises:
            NewerSchemaError: A later version wrote it; nothing was changed.
            HistoryError: Any other failure, as the subclass that tells it.
        """
        fs = fs or FileSystem()
        paths = Paths(folder)
        with translate_oserror("opening the history"):
            fs.make_dir(folder)
            lock = FolderLock(fs, paths.lock)
            try:
                return cls(OpenFiles(fs, paths, lock, now=now))
            except BaseException:
                lock.close()
                raise

    @property
    def folder(self) -> Path:
        """The data folder."""
        return self._open_files.paths.folder

    @property
    def notices(self) -> list[str]:
        """Messages for the user about damage, quarantined files, recovered and lost records."""
        return self._open_files.notices

    @property
    def other_tables(self) -> dict[str, Record]:
        """The document's tables besides jobs and charges; compaction copies them."""
        return self._open_files.document.other_tables

    @property
    def is_small(self) -> bool:
        """Whether the document is small enough to compact after every command."""
        return self._open_files.document.size <= SMALL_DOCUMENT_BYTES

    @property
    def journal_size(self) -> int:
        """Bytes of changes that are not in the document yet."""
        return self._open_files.journal.end - self._open_files.journal.start

    def recent(self, limit: int) -> list[tuple[int, Record]]:
        """Return the newest records, newest first; reads only the end of the document."""
        return self.page(None, limit)

    def page(self, before: int | None, limit: int) -> list[tuple[int, Record]]:
        """Return up to ``limit`` records with ids below ``before``, newest first."""
        return self._read_with_repair(lambda: list(islice(self._iter_descending(before, limit), limit)))

    @property
    def last_charge_id(self) -> int:
        """The id of the newest row of the table ``charges`` read so far; one below the first where there is none."""
        return self._open_files.last_charge_id

    def charges(self, before: int | None = None, limit: int = 500) -> list[tuple[int, Record]]:
        """Return up to ``limit`` rows of the table ``charges`` with ids below ``before``, newest first."""
        return self._read_with_repair(lambda: list(islice(self._iter_descending(before, limit, charges=True), limit)))

    def iter_pages(self, size: int = 500) -> Iterator[list[tuple[int, Record]]]:
        """Yield every record, newest first, in lists of up to ``size``, each read when it is yielded."""
        before: int | None = None
        while page := self.page(before, size):
            yield page
            before = page[-1][0]

    def get(self, record_id: int) -> Record | None:
        """Read one record."""
        return self._read_with_repair(lambda: self._get(record_id))

    def find_all(self) -> list[tuple[int, Record]]:
        """Return every record, newest first."""
        return [found for page in self.iter_pages() for found in page]

    def count(self) -> int:
        """Return the number of records."""
        return self._read_with_repair(self._count)

    def add(self, record: Record) -> int:
        """Add a record; return its id once it is on disk."""
        return self.add_many([record])[0]

    def add_many(self, records: Iterable[Record]) -> list[int]:
        """Add several records with one write and one fsync."""
        with self.transaction(keep_concurrent=True) as transaction:
            return [transaction.add(record) for record in records]

    def put(self, record_id: int, record: Record) -> None:
        """Write a whole record under an id, for instance to restore a deleted one."""
        self.update_many([Change("put", record_id, record)])

    def update(self, record_id: int, fields: Record, *, durable: bool = True) -> None:
        """Change some fields of a record; does nothing if it does not exist.

        With ``durable=False`` it does not wait for the disk: a killed process loses nothing, a power cut may.
        """
        self.update_many([Change("patch", record_id, fields)], durable=durable)

    def update_many(self, changes: Iterable[Change], *, durable: bool = True) -> None:
        """Make several changes with one write and at most one fsync."""
        with translate_oserror("recording a change"), self._hold_current():
            self._open_files.append(changes, durable=durable)

    def delete(self, record_id: int) -> None:
        """Delete a record; its id is never used again."""
        self.update_many([Change("delete", record_id, {})])

    def read_changes(self) -> list[Change]:
        """Return the changes of other instances since the last call; takes two stats where there are none.

        A ``reload`` means that the history was compacted more than once meanwhile, repaired, or rewritten by another
        program: read everything again.
        """
        with translate_oserror("reading what other instances wrote"), self._lock.mutex:
            self._check_open()
            if not self._open_files.is_in_sync():
                with self._lock.hold():
                    self._open_files.read_new()
            return self._take_concurrent_changes()

    @contextmanager
    def transaction(self, *, keep_concurrent: bool = False) -> Iterator[Transaction]:
        """Hold the exclusive lock for a block that reads, decides and writes.

        With `keep_concurrent` the changes of others stay for `read_changes` instead of going to the block.
        """
        files = self._open_files
        with translate_oserror("recording a change"), self._hold_current():
            taken = [] if keep_concurrent else self._take_concurrent_changes()
            last_ids = files.last_id, files.last_charge_id
            transaction = Transaction(self.get, last_ids, taken, files.concurrent_changes)
            try:
                yield transaction
                files.append(transaction.changes, durable=True)
            except BaseException:
                files.concurrent_changes[:0] = taken
                raise

    def compact(self) -> None:
        """Write the journal's changes into the document and start an empty journal.

        Runs in a thread: this process and others go on appending. Does nothing when there is nothing to compact or
        another instance is compacting.
        """
        self._check_open()
        with translate_oserror("compacting the history"):
            try:
                self._open_files.compact()
            except CorruptDocumentError:
                self._open_files.repair()

    def close(self, *, compact: bool) -> None:
        """Close the files, with `compact` after a compaction; a second call does nothing."""
        if self._closed:
            return
        try:
            if compact:
                self.compact()
        finally:
            with self._lock.mutex:
                self._closed = True
                self._open_files.close()

    def _get(self, record_id: int) -> Record | None:
        pending = self._open_files.pending_changes
        known = None if pending.op(record_id) in ("put", "delete") else self._open_files.document.get(record_id)
        return pending.apply_to(record_id, known)

    def _count(self) -> int:
        document, pending = self._open_files.document, self._open_files.pending_changes
        replaced = [i for i in pending.ids() if i < FIRST_CHARGE_ID and pending.op(i) != "patch"]
        return document.job_count + sum(
            (pending.op(record_id) == "put") - (document.get(record_id) is not None) for record_id in replaced
        )

    def _iter_descending(
        self, before: int | None, batch: int, *, charges: bool = False
    ) -> Iterator[tuple[int, Record]]:
        document, pending = self._open_files.document, self._open_files.pending_changes
        lowest, top = (FIRST_CHARGE_ID, math.inf) if charges else (0, FIRST_CHARGE_ID)

        def unreplaced(before: int | None) -> Iterator[tuple[int, Record]]:
            while page := document.page(before, batch, charges=charges):
                for record_id, record in page:
                    if pending.op(record_id) in (None, "patch"):
                        yield record_id, pending.apply_to(record_id, record) or record
                before = page[-1][0]

        puts = pending.iter_puts(lowest, top if before is None else before, reverse=True)
        return heapq.merge(puts, unreplaced(before), key=itemgetter(0), reverse=True)

    def _read_with_repair(self, read: Callable[[], _T]) -> _T:
        with translate_oserror("reading the history"), self._lock.mutex:
            self._check_open()
            try:
                return read()
            except CorruptDocumentError:
                self._open_files.repair()
            try:
                return read()
            except CorruptDocumentError as broken:
                raise UnrepairableHistoryError(f"The history is damaged: {broken}.") from broken

    @contextmanager
    def _hold_current(self) -> Iterator[None]:
        self._check_open()
        with self._lock.hold():
            self._open_files.read_new()
            yield

    def _take_concurrent_changes(self) -> list[Change]:
        taken, self._open_files.concurrent_changes = self._open_files.concurrent_changes, []
        return taken

    def _check_open(self) -> None:
        if self._closed:
            raise HistoryError("The history is closed.")
