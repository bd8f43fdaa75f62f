"""The document ``history.json``: plain TinyDB JSON in a layout that can be read in parts.

One record per line, ids ascending, the tables ``jobs`` and ``charges`` last. The newest records are the end of their
table, a record is found by bisecting byte offsets, and unchanged lines are copied unparsed. A document written by
another program is parsed whole.
"""

from __future__ import annotations

import json
import os
import zlib
from bisect import bisect_left
from pathlib import Path
from typing import Any

import msgspec

from eternal_tui.history.errors import CorruptDocumentError
from eternal_tui.history.filesystem import FileSystem, file_identity, read_all
from eternal_tui.history.journal import FIRST_CHARGE_ID, SCHEMA_VERSION, Record, SnapshotInfo, newer_schema_error

JOBS_TABLE = "jobs"
CHARGES_TABLE = "charges"
META_TABLE = "meta"
HEAD_TERMINATOR = b'\n"jobs":{\n'
CHARGES_SEPARATOR = b'},\n"charges":{\n'
TAIL = b"}}\n"
SMALL_DOCUMENT_BYTES = 2_000_000
"""Bytes up to which a document is checked whole when opened, and compacted by each command."""
CHUNK_BYTES = 1 << 18
_PROBE_BYTES = 4096

Tables = dict[str, Any]


class IndexedDocument:
    """A document in our own layout, read in parts."""

    is_own_format = True

    def __init__(self, fs: FileSystem, fd: int, snapshot: SnapshotInfo) -> None:
        self._fs = fs
        self._fd = fd
        self._snapshot = snapshot
        self.record_count = snapshot.records
        self.job_count = snapshot.records - snapshot.charges
        self.size = fs.fstat(fd).st_size
        self.other_tables, self.start = self._read_head()
        self.meta = meta_of(self.other_tables)
        self.end = self.size - len(TAIL)
        if self.end < self.start or fs.read(fd, len(TAIL), self.end) != TAIL:
            raise CorruptDocumentError("its end is missing")
        at = snapshot.charges_at
        self.jobs_end, self.charges_start = (at - len(CHARGES_SEPARATOR), at) if at else (self.end, self.end)
        if self.read_range(self.jobs_end, self.charges_start) not in (b"", CHARGES_SEPARATOR):
            raise CorruptDocumentError("its table of charges is not where it was written")
        self.last_id, self.last_charge_id = (
            last[0][0] if (last := self.page(None, 1, charges=charges)) else 0 for charges in (False, True)
        )

    def get(self, record_id: int) -> Record | None:
        """Read one record; touches a few kilobytes of the file."""
        line, _ = self.find_line(record_id)
        return None if line is None else decode_record_line(line)[1]

    def find_line(self, record_id: int) -> tuple[bytes | None, int]:
        """Return the line of a record and the offset after it; None and the offset to insert it at if missing."""
        position = self.find_offset(record_id)
        if position >= self.table_bounds(record_id)[1] or self._id_at(position) != record_id:
            return None, position
        after = self._next_line_offset(position)
        return self.read_range(position, after), after

    def table_bounds(self, record_id: int) -> tuple[int, int]:
        """Return start and end offset of the table that the id belongs to."""
        return (self.start, self.jobs_end) if record_id < FIRST_CHARGE_ID else (self.charges_start, self.end)

    def page(self, before: int | None, limit: int, *, charges: bool = False) -> list[tuple[int, Record]]:
        """Read up to ``limit`` rows of one table below the id ``before``, newest first."""
        start, end = self.table_bounds(FIRST_CHARGE_ID if charges else 0)
        end = end if before is None else self.find_offset(before)
        found: list[tuple[int, Record]] = []
        carry = b""
        step = min(CHUNK_BYTES, 1024 * (limit + 1))
        while end > start and len(found) < limit:
            begin = max(start, end - step)
            chunk = self.read_range(begin, end) + carry
            end = begin
            lines = chunk.splitlines(keepends=True)
            # The first line of a chunk is complete only at the start of the table.
            carry = lines.pop(0) if begin > start else b""
            for line in reversed(lines):
                found.append(decode_record_line(line))
                if len(found) == limit:
                    break
        return found

    def find_offset(self, record_id: int) -> int:
        """Return the offset of the first line whose id is not below ``record_id``."""
        low, high = self.table_bounds(record_id)
        if record_id > (self.last_id if record_id < FIRST_CHARGE_ID else self.last_charge_id):
            return high
        probe = high
        while probe - low > _PROBE_BYTES:
            middle = (low + probe) // 2
            start = self._next_line_offset(middle)
            if start >= high:
                probe = middle
            elif self._id_at(start) < record_id:
                low = start
            else:
                high = start
                probe = middle
        while low < high and self._id_at(low) < record_id:
            low = self._next_line_offset(low)
        return low

    def read_range(self, begin: int, end: int) -> bytes:
        """Read the bytes from ``begin`` to ``end``."""
        parts = []
        while begin < end:
            part = self._fs.read(self._fd, end - begin, begin)
            if not part:
                raise CorruptDocumentError("it was cut short while being read")
            parts.append(part)
            begin += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def duplicate(self) -> IndexedDocument:
        """Return a reader that stays open when this one is closed."""
        return IndexedDocument(self._fs, self._fs.duplicate(self._fd), self._snapshot)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            self._fs.close(self._fd)
            self._fd = -1

    def _read_head(self) -> tuple[Tables, int]:
        data = self._fs.read(self._fd, 4096, 0)
        while (mark := data.find(HEAD_TERMINATOR)) < 0:
            more = self._fs.read(self._fd, max(CHUNK_BYTES, len(data)), len(data))
            if not more:
                raise CorruptDocumentError("its beginning is missing")
            data += more
        try:
            tables = msgspec.json.decode(data[:mark].rstrip(b",") + b"}", type=Tables)
        except msgspec.MsgspecError as error:
            raise CorruptDocumentError("its beginning is not JSON") from error
        return tables, mark + len(HEAD_TERMINATOR)

    def _next_line_offset(self, offset: int) -> int:
        while offset < self.end:
            chunk = self._fs.read(self._fd, min(_PROBE_BYTES, self.end - offset), offset)
            if not chunk:
                break
            newline = chunk.find(b"\n")
            if newline >= 0:
                return offset + newline + 1
            offset += len(chunk)
        if offset < self.end:
            raise CorruptDocumentError("it was cut short while being read")
        return self.end

    def _id_at(self, offset: int) -> int:
        return _parse_line_id(self._fs.read(self._fd, 40, offset))[0]


class ParsedDocument:
    """A document written by another program, in memory until the next compaction."""

    is_own_format = False

    def __init__(self, tables: Tables, size: int) -> None:
        self.size = size
        self.other_tables = other_tables_of(tables)
        self.meta = meta_of(self.other_tables)
        self.records = parse_records(tables)
        self.record_count = len(self.records)
        self._ids = sorted(self.records)
        self.job_count = bisect_left(self._ids, FIRST_CHARGE_ID)
        self.last_id = self._ids[self.job_count - 1] if self.job_count else 0
        self.last_charge_id = self._ids[-1] if self.record_count > self.job_count else 0

    def get(self, record_id: int) -> Record | None:
        """Return one record."""
        record = self.records.get(record_id)
        return None if record is None else _copy_record(record)

    def page(self, before: int | None, limit: int, *, charges: bool = False) -> list[tuple[int, Record]]:
        """Return up to ``limit`` rows of one table below the id ``before``, newest first."""
        start, end = (self.job_count, self.record_count) if charges else (0, self.job_count)
        end = end if before is None else bisect_left(self._ids, before)
        ids = self._ids[max(start, end - limit) : end]
        return [(record_id, _copy_record(self.records[record_id])) for record_id in reversed(ids)]

    def duplicate(self) -> ParsedDocument:
        """Return itself: there is no file to close."""
        return self

    def close(self) -> None:
        """Nothing is open."""


Document = IndexedDocument | ParsedDocument


def _copy_record(record: Record) -> Record:
    # 16 times as fast as copy.deepcopy: a record of another program may hold a million elements.
    copied: Record = msgspec.to_builtins(record)
    return copied


def open_document(fs: FileSystem, path: Path, snapshot: SnapshotInfo | None) -> tuple[Document, os.stat_result | None]:
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
            return ParsedDocument({}, 0), None
        raise CorruptDocumentError("it is missing") from error
    document: Document | None = None
    try:
        stat = fs.fstat(fd)
        document = _open_checked(fs, fd, stat, snapshot)
    finally:
        if not isinstance(document, IndexedDocument):
            fs.close(fd)
    if (schema := document.meta.get("schema", SCHEMA_VERSION)) > SCHEMA_VERSION:
        document.close()
        raise newer_schema_error(schema)
    return document, stat


def matches_stat(stat: os.stat_result | None, snapshot: SnapshotInfo | None) -> bool:
    """Whether inode, size and time of the file are those of the snapshot."""
    if stat is None or snapshot is None:
        return stat is None and snapshot is None
    return file_identity(stat) == (snapshot.inode, snapshot.size, snapshot.mtime_ns)


def file_crc(fs: FileSystem, fd: int) -> int:
    """Return the CRC-32 of an open file."""
    crc, offset = 0, 0
    while chunk := fs.read(fd, CHUNK_BYTES, offset):
        crc = zlib.crc32(chunk, crc)
        offset += len(chunk)
    return crc


def _open_checked(fs: FileSystem, fd: int, stat: os.stat_result, snapshot: SnapshotInfo | None) -> Document:
    if snapshot is not None:
        untouched = matches_stat(stat, snapshot)
        if untouched and stat.st_size > SMALL_DOCUMENT_BYTES:
            return IndexedDocument(fs, fd, snapshot)
        if stat.st_size == snapshot.size and file_crc(fs, fd) == snapshot.crc:
            return IndexedDocument(fs, fd, snapshot)
        if untouched:
            raise CorruptDocumentError("its bytes changed without being written")
    data = read_all(fs, fd)
    if not data and snapshot is None:
        return ParsedDocument({}, 0)
    return ParsedDocument(parse_tables(data), len(data))


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
