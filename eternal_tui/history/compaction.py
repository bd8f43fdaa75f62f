"""Folding: the document and the summed journal become the next document, and every crash between is harmless.

Names, for generation g: the document D(g) and the journal J(g) that continues it; P and Q are the previous
document and the previous journal. The order of renames keeps two things true after a crash at any point:
``history.json`` + ``history.journal`` hold everything, and so do P + Q + ``history.journal``.

1. D(g+1) is written beside the others and fsynced.
2. A second name for D(g) is made; D(g+1) replaces ``history.json``; the second name replaces P.
3. A second name for J(g) replaces Q.
4. J(g+1) replaces ``history.journal``.

The folder is fsynced after 2, 3 and 4. Before 4, J(g) is replayed over D(g+1), which already holds it: to
replay twice changes nothing (see `Overlay`).
"""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Iterable
from pathlib import Path

from eternal_tui.history.document import (
    CHUNK,
    HEAD_END,
    JOBS,
    META,
    TAIL,
    Document,
    LineDocument,
    Tables,
    decode_line,
)
from eternal_tui.history.errors import DocumentBroken
from eternal_tui.history.filesystem import Files, read_all, write_all
from eternal_tui.history.journal import SCHEMA, Base, Header, Record, encode_anyway, write_journal
from eternal_tui.history.journal_index import Overlay

SYNC_EVERY = 8 << 20
"""Bytes between fsyncs of a new document: one large fsync at the end would hold up the journal's own."""


class Names:
    """Where the files of one history stand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.document = folder / "history.json"
        self.journal = folder / "history.journal"
        self.lock = folder / "history.lock"
        self.previous = folder / "history.previous.json"
        self.previous_journal = folder / "history.previous.journal"
        self.new_document = folder / "history.json.new"
        self.new_journal = folder / "history.journal.new"
        self.new_previous = folder / "history.previous.new"

    def temporary(self) -> tuple[Path, ...]:
        """Names a crash may leave behind; `new_document` is left out, as a living fold holds it."""
        return (self.new_journal, self.new_previous)


class DocumentWriter:
    """Writes a document in our layout, counting and checksumming as it goes."""

    def __init__(self, files: Files, fd: int) -> None:
        self._files = files
        self._fd = fd
        self._pending: list[bytes] = []
        self._held = 0
        self._size = 0
        self._synced = 0
        self._crc = 0
        self.records = 0

    def head(self, generation: int, last_id: int, others: Tables) -> None:
        """Write everything before the jobs."""
        meta = {"1": {"schema": SCHEMA, "generation": generation, "last_id": last_id}}
        tables: Tables = {META: meta}
        tables |= {name: table for name, table in others.items() if name not in {META, JOBS}}
        rows = [encode_anyway(name) + b":" + encode_anyway(table) for name, table in tables.items()]
        self._put(b"{" + b",\n".join(rows) + b"," + HEAD_END)

    def record(self, record_id: int, record: Record) -> None:
        """Write one record; ids must ascend."""
        self._separate()
        self._put(b'"%d":%b' % (record_id, encode_anyway(record)))
        self.records += 1

    def copied(self, chunks: Iterable[bytes]) -> None:
        """Write whole lines as they stood, without the comma and newline of the last."""
        first = True
        for chunk in chunks:
            if first:
                self._separate()
                self.records += 1
                first = False
            self.records += chunk.count(b"\n")
            self._put(chunk)

    def finish(self) -> Base:
        """Write the end, fsync, and describe the file."""
        self._put((b"\n" if self.records else b"") + TAIL)
        self._flush()
        self._files.sync(self._fd)
        stat = self._files.fstat(self._fd)
        return Base(
            size=self._size,
            mtime_ns=stat.st_mtime_ns,
            inode=stat.st_ino,
            crc=self._crc,
            records=self.records,
        )

    def _separate(self) -> None:
        if self.records:
            self._put(b",\n")

    def _put(self, data: bytes) -> None:
        self._pending.append(data)
        self._held += len(data)
        if self._held >= CHUNK:
            self._flush()

    def _flush(self) -> None:
        data = b"".join(self._pending)
        self._pending.clear()
        self._held = 0
        self._crc = zlib.crc32(data, self._crc)
        self._size = write_all(self._files, self._fd, data, self._size)
        if self._size - self._synced >= SYNC_EVERY:
            self._files.sync(self._fd)
            self._synced = self._size


class _Source:
    """Reads a line document once from start to end, checksumming every byte."""

    def __init__(self, document: LineDocument) -> None:
        self._document = document
        self._offset = 0
        self._crc = 0
        self.take(document.start)

    def take(self, end: int) -> bytes:
        data = self._document.read(self._offset, end)
        self._crc = zlib.crc32(data, self._crc)
        self._offset = end
        return data

    def lines(self, end: int) -> Iterable[bytes]:
        """The lines up to ``end`` in chunks, without the separator of the last."""
        separator = 2 if end < self._document.end else 1
        while self._offset < end:
            stop = min(end, self._offset + CHUNK)
            # A separator must not be split between two chunks.
            stop = end if end - stop <= separator else stop
            data = self.take(stop)
            yield data[:-separator] if stop == end else data

    def checksum(self) -> int:
        """The checksum of the whole file."""
        self.take(self._document.size)
        return self._crc


def merge(document: Document, overlay: Overlay, writer: DocumentWriter) -> int | None:
    """Write the document's records with the overlay's changes; return the checksum of what was read.

    Unchanged stretches of our own layout are copied unparsed; the checksum says afterwards whether they were
    sound. For a document of another program there is none.

    Raises:
        DocumentBroken: A line that had to be read is not one.
    """
    if not isinstance(document, LineDocument):
        _merge_parsed(document, overlay, writer)
        return None
    source = _Source(document)
    for record_id in overlay.ids():
        line, after = document.line(record_id)
        start = after - len(line) if line is not None else after
        writer.copied(source.lines(start))
        known = None
        if line is not None:
            source.take(after)
            known = decode_line(line)[1]
        record = overlay.over(record_id, known)
        if record is not None:
            writer.record(record_id, record)
    writer.copied(source.lines(document.end))
    return source.checksum()


def _merge_parsed(document: Document, overlay: Overlay, writer: DocumentWriter) -> None:
    ids = {record_id for record_id, _ in document.page(None, document.records)}
    for record_id in sorted(ids | set(overlay.ids())):
        record = overlay.over(record_id, document.get(record_id))
        if record is not None:
            writer.record(record_id, record)


def begin(files: Files, names: Names) -> int | None:
    """Make the new document's file and lock it, or return nothing when another instance is folding.

    Called under the folder's lock. The file's own lock tells a living fold from what a crash left behind.
    """
    try:
        fd = files.open(names.new_document, os.O_RDWR)
    except FileNotFoundError:
        pass
    else:
        try:
            if not files.lock(fd):
                return None
            files.unlink(names.new_document)
        finally:
            files.close(fd)
    fd = files.create(names.new_document)
    files.lock(fd)
    return fd


def write(
    files: Files,
    fd: int,
    document: Document,
    overlay: Overlay,
    *,
    generation: int,
    last_id: int,
    crc: int | None,
) -> Base:
    """Fill the file made by `begin`; needs no lock.

    Raises:
        DocumentBroken: The old document is not what was noted (``crc``) when it was written.
    """
    writer = DocumentWriter(files, fd)
    writer.head(generation, last_id, document.others)
    found = merge(document, overlay, writer)
    if found is not None and crc is not None and found != crc:
        raise DocumentBroken("its bytes changed without being written")
    return writer.finish()


def install(files: Files, names: Names, header: Header, carried: bytes) -> None:
    """Put the new document and journal in place and keep the generation before; under the lock."""
    write_journal(files, names.new_journal, header, carried)
    had_document = second_name(files, names.document, names.new_previous)
    files.replace(names.new_document, names.document)
    if had_document:
        files.replace(names.new_previous, names.previous)
    files.sync_folder(names.folder)
    second_name(files, names.journal, names.new_previous)
    files.replace(names.new_previous, names.previous_journal)
    files.sync_folder(names.folder)
    files.replace(names.new_journal, names.journal)
    files.sync_folder(names.folder)


def second_name(files: Files, source: Path, target: Path) -> bool:
    """Give a file another name, or copy it where there are no hard links; false if there is no such file."""
    files.unlink(target)
    try:
        files.link(source, target)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno not in {
            errno.EPERM,
            errno.ENOTSUP,
            errno.EOPNOTSUPP,
            errno.EMLINK,
            errno.ENOSYS,
            errno.EXDEV,
        }:
            raise
        copy(files, source, target)
    return True


def copy(files: Files, source: Path, target: Path) -> None:
    """Copy a file where the file system has no hard links, fsynced."""
    old = files.open(source, os.O_RDONLY)
    try:
        new = files.create(target)
        try:
            write_all(files, new, read_all(files, old), 0)
            files.sync(new)
        finally:
            files.close(new)
    finally:
        files.close(old)
