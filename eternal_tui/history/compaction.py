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
import os
import zlib
from bisect import bisect_left
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from eternal_tui.history.document import (
    CHARGES_SEPARATOR,
    CHUNK_BYTES,
    HEAD_TERMINATOR,
    JOBS_TABLE,
    META_TABLE,
    TAIL,
    Document,
    IndexedDocument,
    Tables,
    decode_record_line,
)
from eternal_tui.history.errors import CorruptDocumentError
from eternal_tui.history.filesystem import FileSystem, read_all, write_all
from eternal_tui.history.journal import (
    FIRST_CHARGE_ID,
    SCHEMA_VERSION,
    Header,
    PendingChanges,
    Record,
    SnapshotInfo,
    encode_lossy,
    write_journal,
)

SYNC_EVERY_BYTES = 8 << 20
"""Bytes between fsyncs of a new document: one large fsync at the end would delay those of the journal."""


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


class DocumentWriter:
    """Writes a document in our layout; counts records and computes the checksum."""

    def __init__(self, fs: FileSystem, fd: int) -> None:
        self._fs = fs
        self._fd = fd
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._size = 0
        self._synced_bytes = 0
        self._crc = 0
        self._job_count: int | None = None
        self._charges_at = 0
        self._is_table_empty = True
        self.record_count = 0

    def write_head(self, generation: int, last_id: int, other_tables: Tables) -> None:
        """Write everything before the jobs."""
        meta = {"1": {"schema": SCHEMA_VERSION, "generation": generation, "last_id": last_id}}
        tables: Tables = {META_TABLE: meta}
        tables |= {name: table for name, table in other_tables.items() if name not in {META_TABLE, JOBS_TABLE}}
        rows = [encode_lossy(name) + b":" + encode_lossy(table) for name, table in tables.items()]
        self._buffer(b"{" + b",\n".join(rows) + b"," + HEAD_TERMINATOR)

    def write_record(self, record_id: int, record: Record) -> None:
        """Write one record; ids ascend."""
        self._write_separator(record_id)
        self._buffer(b'"%d":%b' % (record_id, encode_lossy(record)))
        self.record_count += 1

    def copy_lines(self, chunks: Iterable[bytes], first_id: int) -> None:
        """Copy lines of the table of ``first_id``; the last comes without its comma and newline."""
        for number, chunk in enumerate(chunks):
            if number == 0:
                self._write_separator(first_id)
                self.record_count += 1
            self.record_count += chunk.count(b"\n")
            self._buffer(chunk)

    def finish(self) -> SnapshotInfo:
        """Write the end and fsync; return the description of the file."""
        self._buffer((b"" if self._is_table_empty else b"\n") + TAIL)
        self._flush()
        self._fs.sync(self._fd)
        stat = self._fs.fstat(self._fd)
        return SnapshotInfo(
            size=self._size,
            mtime_ns=stat.st_mtime_ns,
            inode=stat.st_ino,
            crc=self._crc,
            records=self.record_count,
            charges=0 if self._job_count is None else self.record_count - self._job_count,
            charges_at=self._charges_at,
        )

    def _write_separator(self, record_id: int) -> None:
        if record_id >= FIRST_CHARGE_ID and self._job_count is None:
            self._buffer((b"" if self._is_table_empty else b"\n") + CHARGES_SEPARATOR)
            self._job_count, self._charges_at = self.record_count, self._size + self._pending_bytes
        elif not self._is_table_empty:
            self._buffer(b",\n")
        self._is_table_empty = False

    def _buffer(self, data: bytes) -> None:
        self._pending.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes >= CHUNK_BYTES:
            self._flush()

    def _flush(self) -> None:
        data = b"".join(self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        self._crc = zlib.crc32(data, self._crc)
        self._size = write_all(self._fs, self._fd, data, self._size)
        if self._size - self._synced_bytes >= SYNC_EVERY_BYTES:
            self._fs.sync(self._fd)
            self._synced_bytes = self._size


class _SequentialReader:
    """Reads a document once from start to end and computes its checksum."""

    def __init__(self, document: IndexedDocument) -> None:
        self._document = document
        self._offset = 0
        self._crc = 0
        self.read_to(document.start)

    def read_to(self, end: int) -> bytes:
        data = self._document.read_range(self._offset, end)
        self._crc = zlib.crc32(data, self._crc)
        self._offset = end
        return data

    def iter_chunks(self, end: int) -> Iterable[bytes]:
        """Yield the lines up to ``end`` in chunks, the last without its separator."""
        separator = 1 if end in (self._document.jobs_end, self._document.end) else 2
        while self._offset < end:
            stop = min(end, self._offset + CHUNK_BYTES)
            # Do not split a separator between two chunks.
            stop = end if end - stop <= separator else stop
            data = self.read_to(stop)
            yield data[:-separator] if stop == end else data

    def checksum(self) -> int:
        """Read the rest; return the checksum of the whole file."""
        self.read_to(self._document.size)
        return self._crc


def merge(document: Document, pending: PendingChanges, writer: DocumentWriter) -> int | None:
    """Write the document's records with the pending changes; return the checksum of the bytes read.

    Unchanged lines of our own layout are copied unparsed; the checksum shows afterwards whether they were intact.
    It is None for a document of another program.

    Raises:
        CorruptDocumentError: A line that had to be parsed is not a record.
    """
    if not isinstance(document, IndexedDocument):
        _merge_parsed(document, pending, writer)
        return None
    source = _SequentialReader(document)
    ids = pending.ids()
    split = bisect_left(ids, FIRST_CHARGE_ID)
    for table_ids, first_id in ((ids[:split], 0), (ids[split:], FIRST_CHARGE_ID)):
        start, end = document.table_bounds(first_id)
        source.read_to(start)
        for record_id in table_ids:
            line, after = document.find_line(record_id)
            writer.copy_lines(source.iter_chunks(after - len(line or b"")), first_id)
            known = None
            if line is not None:
                source.read_to(after)
                known = decode_record_line(line)[1]
            record = pending.apply_to(record_id, known)
            if record is not None:
                writer.write_record(record_id, record)
        writer.copy_lines(source.iter_chunks(end), first_id)
    return source.checksum()


def _merge_parsed(document: Document, pending: PendingChanges, writer: DocumentWriter) -> None:
    count = document.record_count
    rows = document.page(None, count) + document.page(None, count, charges=True)
    for record_id in sorted({record_id for record_id, _ in rows} | set(pending.ids())):
        record = pending.apply_to(record_id, document.get(record_id))
        if record is not None:
            writer.write_record(record_id, record)


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


def write(
    fs: FileSystem,
    fd: int,
    document: Document,
    pending: PendingChanges,
    *,
    generation: int,
    last_id: int,
    crc: int | None,
) -> SnapshotInfo:
    """Fill the file created by `begin`; needs no lock.

    Raises:
        CorruptDocumentError: The checksum of the old document is not ``crc``, recorded when it was written.
    """
    writer = DocumentWriter(fs, fd)
    writer.write_head(generation, last_id, document.other_tables)
    found = merge(document, pending, writer)
    if found is not None and crc is not None and found != crc:
        raise CorruptDocumentError("its bytes changed without being written")
    return writer.finish()


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
