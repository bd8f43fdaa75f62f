"""The document ``history.json``: plain TinyDB JSON in a layout that can be read in parts.

One record per line, ids ascending, the tables ``jobs`` and ``charges`` last. The newest records are the end of their
table, and a record is found by bisecting byte offsets. A document written by another program is parsed whole and laid
out again in memory.
"""

from __future__ import annotations

import json
import os
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from eternal_tui.history.errors import CorruptDocumentError
from eternal_tui.history.filesystem import FileSystem, file_identity, read_all, write_all
from eternal_tui.history.journal import (
    FIRST_CHARGE_ID,
    SCHEMA_VERSION,
    Record,
    SnapshotInfo,
    encode_lossy,
    newer_schema_error,
)

JOBS_TABLE = "jobs"
CHARGES_TABLE = "charges"
META_TABLE = "meta"
_HEAD_TERMINATOR = b'\n"jobs":{\n'
_CHARGES_SEPARATOR = b'},\n"charges":{\n'
_TAIL = b"}}\n"
SMALL_DOCUMENT_BYTES = 2_000_000
"""Bytes up to which a document is checked whole when opened, and compacted by each command."""
_CHUNK_BYTES = 1 << 18
_PROBE_BYTES = 4096
_SYNC_EVERY_BYTES = 8 << 20
"""Bytes between fsyncs of a new document: one large fsync at the end would delay those of the journal."""

Tables = dict[str, Any]
Line = tuple[int, bytes]
"""A record's id and its text ``"id":{...}``, without comma and newline."""


def record_line(record_id: int, record: Record) -> Line:
    """Return the line of a record."""
    return record_id, b'"%d":%b' % (record_id, encode_lossy(record))


def write_document(
    fs: FileSystem, fd: int, lines: Iterable[Line], *, generation: int, last_id: int, other_tables: Tables
) -> SnapshotInfo:
    """Write a document into an empty file and fsync it; ids of lines ascend."""
    size = synced = 0

    def write(data: bytes) -> None:
        nonlocal size, synced
        size = write_all(fs, fd, data, size)
        if size - synced >= _SYNC_EVERY_BYTES:
            fs.sync(fd)
            synced = size

    meta = {META_TABLE: {"1": {"schema": SCHEMA_VERSION, "generation": generation, "last_id": last_id}}}
    snapshot = _lay_out(
        {**meta, **{name: other_tables[name] for name in other_tables if name != META_TABLE}}, lines, write
    )
    fs.sync(fd)
    stat = fs.fstat(fd)
    return msgspec.structs.replace(snapshot, mtime_ns=stat.st_mtime_ns, inode=stat.st_ino)


def _lay_out(other_tables: Tables, lines: Iterable[Line], write: Callable[[bytes], object]) -> SnapshotInfo:
    """Pass a document to `write` in chunks; the description returned is that of no file yet."""
    heads = [encode_lossy(name) + b":" + encode_lossy(table) for name, table in other_tables.items()]
    chunk = bytearray(b"{" + b",\n".join(heads) + b"," + _HEAD_TERMINATOR)
    size = crc = records = jobs = charges_at = 0
    separator = b""

    def flush() -> None:
        nonlocal size, crc
        data = bytes(chunk)
        chunk.clear()
        crc = zlib.crc32(data, crc)
        size += len(data)
        write(data)

    for record_id, line in lines:
        if record_id >= FIRST_CHARGE_ID and not charges_at:
            chunk += separator[1:] + _CHARGES_SEPARATOR
            jobs, charges_at, separator = records, size + len(chunk), b""
        chunk += separator + line
        separator = b",\n"
        records += 1
        if len(chunk) >= _CHUNK_BYTES:
            flush()
    chunk += separator[1:] + _TAIL
    flush()
    charges = records - jobs if charges_at else 0
    return SnapshotInfo(
        size=size, mtime_ns=0, inode=0, crc=crc, records=records, charges=charges, charges_at=charges_at
    )


class Document:
    """A document in our own layout, read in parts. `file_stat` is that of its file when opened, None without one."""

    def __init__(
        self, fs: FileSystem, fd: int, snapshot: SnapshotInfo, file_stat: os.stat_result | None = None
    ) -> None:
        self._fs = fs
        self._fd = fd
        self._snapshot = snapshot
        self.file_stat = file_stat
        self.is_own_format = fd >= 0
        self.job_count = snapshot.records - snapshot.charges
        self.size = snapshot.size
        self.other_tables, self.start = self._read_head()
        self.meta = meta_of(self.other_tables)
        self.end = self.size - len(_TAIL)
        if self.end < self.start or fs.read(fd, len(_TAIL), self.end) != _TAIL:
            raise CorruptDocumentError("its end is missing")
        at = snapshot.charges_at
        self.jobs_end, self.charges_start = (at - len(_CHARGES_SEPARATOR), at) if at else (self.end, self.end)
        if self._read_range(self.jobs_end, self.charges_start) not in (b"", _CHARGES_SEPARATOR):
            raise CorruptDocumentError("its table of charges is not where it was written")
        self.last_id, self.last_charge_id = (
            last[0][0] if (last := self.page(None, 1, charges=charges)) else 0 for charges in (False, True)
        )

    def get(self, record_id: int) -> Record | None:
        """Read one record; touches a few kilobytes of the file."""
        start = self._find_offset(record_id)
        if start == self._table_bounds(record_id)[1]:
            return None
        found, record = decode_record_line(self._read_range(start, self._line_start(start + 1)))
        return record if found == record_id else None

    def page(self, before: int | None, limit: int, *, charges: bool = False) -> list[tuple[int, Record]]:
        """Read up to ``limit`` rows of one table below the id ``before``, newest first."""
        start, end = self._table_bounds(FIRST_CHARGE_ID if charges else 0)
        end = end if before is None else self._find_offset(before)
        found: list[tuple[int, Record]] = []
        step = min(_CHUNK_BYTES, 1024 * (limit + 1))
        while end > start and len(found) < limit:
            begin = self._line_start(max(start, end - step))
            if begin < end:
                lines = self._read_range(begin, end).splitlines()
                found += map(decode_record_line, lines[::-1][: limit - len(found)])
                end = begin
            else:
                step *= 2
        return found

    def iter_lines(self) -> Iterator[Line]:
        """Yield every record's line, ids ascending."""
        for start, end in ((self.start, self.jobs_end), (self.charges_start, self.end)):
            rest = b""
            for begin in range(start, end, _CHUNK_BYTES):
                *lines, rest = (rest + self._read_range(begin, min(end, begin + _CHUNK_BYTES))).split(b"\n")
                for line in lines:
                    yield _parse_line_id(line)[0], line.removesuffix(b",")

    def verify(self) -> None:
        """Read the whole document; raises CorruptDocumentError where it is not as it was written."""
        if file_crc(self._fs, self._fd) != self._snapshot.crc:
            raise CorruptDocumentError("its bytes changed without being written")

    def duplicate(self) -> Document:
        """Return a reader that stays open when this one is closed."""
        return Document(self._fs, self._fs.duplicate(self._fd), self._snapshot, self.file_stat)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            self._fs.close(self._fd)
            self._fd = -1

    def _table_bounds(self, record_id: int) -> tuple[int, int]:
        """Return start and end offset of the table that the id belongs to."""
        return (self.start, self.jobs_end) if record_id < FIRST_CHARGE_ID else (self.charges_start, self.end)

    def _find_offset(self, record_id: int) -> int:
        """Return the offset of the first line whose id is not below ``record_id``."""
        low, high = self._table_bounds(record_id)

        def following_id(offset: int) -> int:
            start = self._line_start(offset)
            return _parse_line_id(self._fs.read(self._fd, 40, start))[0] if start < high else record_id

        index = bisect_left(range(low, high), record_id, key=following_id)
        return min(high, self._line_start(low + index))

    def _line_start(self, offset: int) -> int:
        """Return the offset of the first line that begins at ``offset`` or after it."""
        position = offset - 1
        while position < self.end:
            chunk = self._read_range(position, min(self.end, position + _PROBE_BYTES))
            if (newline := chunk.find(b"\n")) >= 0:
                return position + newline + 1
            position += len(chunk)
        return self.end

    def _read_range(self, begin: int, end: int) -> bytes:
        parts = []
        while begin < end:
            part = self._fs.read(self._fd, end - begin, begin)
            if not part:
                raise CorruptDocumentError("it was cut short while being read")
            parts.append(part)
            begin += len(part)
        return b"".join(parts)

    def _read_head(self) -> tuple[Tables, int]:
        data = self._fs.read(self._fd, _PROBE_BYTES, 0)
        while (mark := data.find(_HEAD_TERMINATOR)) < 0:
            more = self._fs.read(self._fd, max(_CHUNK_BYTES, len(data)), len(data))
            if not more:
                raise CorruptDocumentError("its beginning is missing")
            data += more
        try:
            tables = msgspec.json.decode(data[:mark].rstrip(b",") + b"}", type=Tables)
        except msgspec.MsgspecError as error:
            raise CorruptDocumentError("its beginning is not JSON") from error
        return tables, mark + len(_HEAD_TERMINATOR)


class _Memory(FileSystem):
    """A file system of one document in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, fd: int, size: int, offset: int) -> bytes:  # noqa: ARG002
        return self._data[offset : offset + size]

    def duplicate(self, fd: int) -> int:
        return fd


def document_from_tables(tables: Tables, file_stat: os.stat_result | None = None) -> Document:
    """Return a document of another program in our layout, in memory until the next compaction."""
    chunks: list[bytes] = []
    lines = (record_line(record_id, record) for record_id, record in sorted(parse_records(tables).items()))
    snapshot = _lay_out(other_tables_of(tables), lines, chunks.append)
    return Document(_Memory(b"".join(chunks)), -1, snapshot, file_stat)


def open_document(fs: FileSystem, path: Path, snapshot: SnapshotInfo | None) -> Document:
    """Open the document and compare it with the snapshot recorded when it was written.

    A small document is checked whole. A large one whose size, time and inode match is trusted until a compaction
    reads it: the time to open must not grow with the number of jobs.

    Raises:
        CorruptDocumentError: It is missing, changed, cut short, or not a TinyDB document.
        NewerSchemaError: A later version wrote it.
    """
    try:
        fd = fs.open(path, os.O_RDONLY)
    except FileNotFoundError as error:
        if snapshot is None:
            return document_from_tables({})
        raise CorruptDocumentError("it is missing") from error
    document: Document | None = None
    try:
        document = _open_checked(fs, fd, snapshot)
    finally:
        if document is None or not document.is_own_format:
            fs.close(fd)
    if (schema := document.meta.get("schema", SCHEMA_VERSION)) > SCHEMA_VERSION:
        document.close()
        raise newer_schema_error(schema)
    return document


def matches_stat(stat: os.stat_result | None, snapshot: SnapshotInfo | None) -> bool:
    """Whether inode, size and time of the file are those of the snapshot."""
    if stat is None or snapshot is None:
        return stat is None and snapshot is None
    return file_identity(stat) == (snapshot.inode, snapshot.size, snapshot.mtime_ns)


def file_crc(fs: FileSystem, fd: int) -> int:
    """Return the CRC-32 of an open file."""
    crc, offset = 0, 0
    while chunk := fs.read(fd, _CHUNK_BYTES, offset):
        crc = zlib.crc32(chunk, crc)
        offset += len(chunk)
    return crc


def _open_checked(fs: FileSystem, fd: int, snapshot: SnapshotInfo | None) -> Document:
    stat = fs.fstat(fd)
    if snapshot is not None:
        untouched = matches_stat(stat, snapshot)
        if untouched and stat.st_size > SMALL_DOCUMENT_BYTES:
            return Document(fs, fd, snapshot, stat)
        if stat.st_size == snapshot.size and file_crc(fs, fd) == snapshot.crc:
            return Document(fs, fd, snapshot, stat)
        if untouched:
            raise CorruptDocumentError("its bytes changed without being written")
    data = read_all(fs, fd)
    return document_from_tables(parse_tables(data) if data or snapshot is not None else {}, stat)


def parse_tables(data: bytes) -> Tables:
    """Parse a whole TinyDB document; raises CorruptDocumentError."""
    try:
        tables = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # The standard library also reads NaN and lone surrogates, which it writes too.
        try:
            tables = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise CorruptDocumentError("it is not JSON") from error
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise CorruptDocumentError("it is not a TinyDB document")
    return tables


def other_tables_of(tables: Tables) -> Tables:
    """Return the tables other than jobs and charges."""
    return {name: table for name, table in tables.items() if name not in {JOBS_TABLE, CHARGES_TABLE}}


def parse_records(tables: Tables) -> dict[int, Record]:
    """Return the rows of ``jobs`` and ``charges`` by id; raises CorruptDocumentError."""
    records: dict[int, Record] = {}
    for key, record in [*tables.get(JOBS_TABLE, {}).items(), *tables.get(CHARGES_TABLE, {}).items()]:
        try:
            record_id = int(key)
        except ValueError as error:
            raise CorruptDocumentError("a record has no number") from error
        if not isinstance(record, dict):
            raise CorruptDocumentError(f"record {record_id} is not an object")
        records[record_id] = record
    return records


def meta_of(tables: Tables) -> Record:
    """Return ``schema``, ``generation`` and ``last_id`` of the table ``meta``; empty if absent."""
    meta = tables.get(META_TABLE, {}).get("1", {})
    return {key: value for key, value in meta.items() if isinstance(value, int)} if isinstance(meta, dict) else {}


def _parse_line_id(line: bytes) -> tuple[int, int]:
    colon = line.find(b'":', 1)
    try:
        if colon < 0 or line[:1] != b'"':
            raise ValueError
        return int(line[1:colon]), colon + 2
    except ValueError as error:
        raise CorruptDocumentError("a record has no number") from error


def decode_record_line(line: bytes) -> tuple[int, Record]:
    """Parse one record's line, with or without its comma and newline; raises CorruptDocumentError."""
    record_id, value = _parse_line_id(line)
    try:
        return record_id, msgspec.json.decode(line[value:].rstrip(b",\n"), type=Record)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CorruptDocumentError(f"record {record_id} is not JSON") from error
