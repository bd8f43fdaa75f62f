"""The document ``history.json``: plain TinyDB JSON, laid out so that a part of it can be read.

One record a line, ascending ids, table ``jobs`` last: the newest records are the tail of the file, any record
is found by bisecting byte offsets, and unchanged stretches are copied without being parsed. A document that
another program wrote is read whole instead.
"""

from __future__ import annotations

import json
import os
import zlib
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import msgspec

from eternal_tui.history.errors import DocumentBroken
from eternal_tui.history.filesystem import Files, read_all
from eternal_tui.history.journal import SCHEMA, Base, Record, newer

JOBS = "jobs"
META = "meta"
HEAD_END = b'\n"jobs":{\n'
TAIL = b"}}\n"
SMALL = 2_000_000
"""Bytes up to which a document is checked whole at every open, and folded by a command-line verb."""
CHUNK = 1 << 18
_STRIDE = 4096

Tables = dict[str, Any]


class Document(Protocol):
    """What the history needs of a document, however it is laid out.

    ``ours`` is false when another program wrote it; ``others`` holds the tables that are not jobs.
    """

    records: int
    last_id: int
    others: Tables
    meta: Record
    ours: bool
    size: int

    def get(self, record_id: int) -> Record | None:
        """Read one record."""
        ...

    def page(self, before: int | None, limit: int) -> list[tuple[int, Record]]:
        """Read up to ``limit`` records below the id ``before``, newest first."""
        ...

    def duplicate(self) -> Document:
        """Give a reader that lives on when this one is closed."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class LineDocument:
    """A document in our own layout, read in parts."""

    ours = True

    def __init__(self, files: Files, fd: int, records: int) -> None:
        self._files = files
        self._fd = fd
        self.records = records
        self.size = files.fstat(fd).st_size
        self.others, self.start = self._head()
        self.meta = meta_of(self.others)
        self.end = self.size - len(TAIL)
        if self.end < self.start or files.read(fd, len(TAIL), self.end) != TAIL:
            raise DocumentBroken("its end is missing")
        last = self.page(None, 1)
        self.last_id = last[0][0] if last else 0

    def get(self, record_id: int) -> Record | None:
        """Read one record; touches a few kilobytes of the file."""
        if record_id > self.last_id:
            return None
        line, _ = self.line(record_id)
        return None if line is None else decode_line(line)[1]

    def line(self, record_id: int) -> tuple[bytes | None, int]:
        """Give the line of a record and the offset after it, or nothing and where it would stand."""
        position = self.position(record_id)
        if position >= self.end or self._id_at(position) != record_id:
            return None, position
        after = self._line_after(position)
        return self.read(position, after), after

    def page(self, before: int | None, limit: int) -> list[tuple[int, Record]]:
        """Read up to ``limit`` records below the id ``before``, newest first."""
        end = self.end if before is None else self.position(before)
        found: list[tuple[int, Record]] = []
        carry = b""
        step = min(CHUNK, 1024 * (limit + 1))
        while end > self.start and len(found) < limit:
            begin = max(self.start, end - step)
            chunk = self.read(begin, end) + carry
            end = begin
            lines = chunk.splitlines(keepends=True)
            # The first line of a chunk is whole only at the start of the table.
            carry = lines.pop(0) if begin > self.start else b""
            for line in reversed(lines):
                found.append(decode_line(line))
                if len(found) == limit:
                    break
        return found

    def position(self, record_id: int) -> int:
        """The offset of the first line whose id is not below ``record_id``."""
        if record_id > self.last_id:
            return self.end
        low, probe, high = self.start, self.end, self.end
        while probe - low > _STRIDE:
            middle = (low + probe) // 2
            start = self._line_after(middle)
            if start >= high:
                probe = middle
            elif self._id_at(start) < record_id:
                low = start
            else:
                high = start
                probe = middle
        while low < high and self._id_at(low) < record_id:
            low = self._line_after(low)
        return low

    def read(self, begin: int, end: int) -> bytes:
        """Read the bytes from ``begin`` to ``end``."""
        parts = []
        while begin < end:
            part = self._files.read(self._fd, end - begin, begin)
            if not part:
                raise DocumentBroken("it was cut short while being read")
            parts.append(part)
            begin += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def duplicate(self) -> LineDocument:
        """Give a reader that lives on when this one is closed."""
        return LineDocument(self._files, self._files.duplicate(self._fd), self.records)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            self._files.close(self._fd)
            self._fd = -1

    def _head(self) -> tuple[Tables, int]:
        data = self._files.read(self._fd, 4096, 0)
        while (mark := data.find(HEAD_END)) < 0:
            more = self._files.read(self._fd, max(CHUNK, len(data)), len(data))
            if not more:
                raise DocumentBroken("its beginning is missing")
            data += more
        try:
            tables = msgspec.json.decode(data[:mark].rstrip(b",") + b"}", type=Tables)
        except msgspec.MsgspecError as error:
            raise DocumentBroken("its beginning is not JSON") from error
        return tables, mark + len(HEAD_END)

    def _line_after(self, offset: int) -> int:
        while offset < self.end:
            chunk = self._files.read(self._fd, min(_STRIDE, self.end - offset), offset)
            if not chunk:
                break
            newline = chunk.find(b"\n")
            if newline >= 0:
                return offset + newline + 1
            offset += len(chunk)
        if offset < self.end:
            raise DocumentBroken("it was cut short while being read")
        return self.end

    def _id_at(self, offset: int) -> int:
        return _id_of(self._files.read(self._fd, 40, offset))[0]


class ParsedDocument:
    """A document another program wrote, held whole in memory until the next fold."""

    ours = False

    def __init__(self, tables: Tables, size: int) -> None:
        self.size = size
        self.others = {name: table for name, table in tables.items() if name != JOBS}
        self.meta = meta_of(self.others)
        self.jobs = parse_jobs(tables)
        self.records = len(self.jobs)
        self._ids = sorted(self.jobs)
        self.last_id = self._ids[-1] if self._ids else 0

    def get(self, record_id: int) -> Record | None:
        """Give one record."""
        record = self.jobs.get(record_id)
        return None if record is None else _fresh(record)

    def page(self, before: int | None, limit: int) -> list[tuple[int, Record]]:
        """Give up to ``limit`` records below the id ``before``, newest first."""
        end = len(self._ids) if before is None else bisect_left(self._ids, before)
        ids = self._ids[max(0, end - limit) : end]
        return [(record_id, _fresh(self.jobs[record_id])) for record_id in reversed(ids)]

    def duplicate(self) -> ParsedDocument:
        """Give the same: there is no file to close."""
        return self

    def close(self) -> None:
        """Nothing is open."""


def _fresh(record: Record) -> Record:
    # What copy.deepcopy does, in a sixteenth of the time: a stranger's record may hold a million elements.
    copied: Record = msgspec.to_builtins(record)
    return copied


def open_document(files: Files, path: Path, note: Base | None) -> tuple[Document, os.stat_result | None]:
    """Open the document and check it against what was noted when it was written.

    A small document is checked to the last bit. A large one whose size, time and inode are as noted is
    trusted until a fold reads it whole: opening must not cost more with every job.

    Raises:
        DocumentBroken: It is missing though it was noted, rotten, cut or not a TinyDB document.
        HistoryNewer: A later version wrote it.
    """
    try:
        fd = files.open(path, os.O_RDONLY)
    except FileNotFoundError as error:
        if note is None:
            return ParsedDocument({}, 0), None
        raise DocumentBroken("it is missing") from error
    document: Document | None = None
    try:
        stat = files.fstat(fd)
        document = _open(files, fd, stat, note)
    finally:
        if not isinstance(document, LineDocument):
            files.close(fd)
    if (schema := document.meta.get("schema", SCHEMA)) > SCHEMA:
        document.close()
        raise newer(schema)
    return document, stat


def as_noted(stat: os.stat_result | None, note: Base | None) -> bool:
    """Whether the file is the very one that was noted: same inode, size and time."""
    if stat is None or note is None:
        return stat is None and note is None
    return (stat.st_ino, stat.st_size, stat.st_mtime_ns) == (note.inode, note.size, note.mtime_ns)


def crc_of(files: Files, fd: int) -> int:
    """Checksum an open file."""
    crc, offset = 0, 0
    while chunk := files.read(fd, CHUNK, offset):
        crc = zlib.crc32(chunk, crc)
        offset += len(chunk)
    return crc


def _open(files: Files, fd: int, stat: os.stat_result, note: Base | None) -> Document:
    if note is not None:
        untouched = as_noted(stat, note)
        if untouched and stat.st_size > SMALL:
            return LineDocument(files, fd, note.records)
        if stat.st_size == note.size and crc_of(files, fd) == note.crc:
            return LineDocument(files, fd, note.records)
        if untouched:
            raise DocumentBroken("its bytes changed without being written")
    data = read_all(files, fd)
    if not data and note is None:
        return ParsedDocument({}, 0)
    return ParsedDocument(parse_tables(data), len(data))


def parse_tables(data: bytes) -> Tables:
    """Read a whole TinyDB document.

    Raises:
        DocumentBroken: It is not one.
    """
    try:
        tables = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # The standard library also reads NaN and lone surrogates, which it writes too.
        try:
            tables = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise DocumentBroken("it is not JSON") from error
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise DocumentBroken("it is not a TinyDB document")
    return tables


def parse_jobs(tables: Tables) -> dict[int, Record]:
    """Give the records by their numbers.

    Raises:
        DocumentBroken: One has no number or is not an object.
    """
    jobs: dict[int, Record] = {}
    for key, record in tables.get(JOBS, {}).items():
        try:
            record_id = int(key)
        except ValueError as error:
            raise DocumentBroken("a record has no number") from error
        if not isinstance(record, dict):
            raise DocumentBroken(f"record {record_id} is not an object")
        jobs[record_id] = record
    return jobs


def meta_of(tables: Tables) -> Record:
    """Our own note inside the document: ``schema``, ``generation``, ``last_id``; empty if absent."""
    meta = tables.get(META, {}).get("1", {})
    return {key: value for key, value in meta.items() if isinstance(value, int)} if isinstance(meta, dict) else {}


def _id_of(line: bytes) -> tuple[int, int]:
    colon = line.find(b'":', 1)
    try:
        if colon < 0 or line[:1] != b'"':
            raise ValueError
        return int(line[1:colon]), colon + 2
    except ValueError as error:
        raise DocumentBroken("a record has no number") from error


def decode_line(line: bytes) -> tuple[int, Record]:
    """Read one record's line, with or without its comma and newline.

    Raises:
        DocumentBroken: It is not one.
    """
    record_id, value = _id_of(line)
    try:
        return record_id, msgspec.json.decode(line[value:].rstrip(b",\n"), type=Record)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DocumentBroken(f"record {record_id} is not JSON") from error


def lines_of(document: Document) -> Iterator[tuple[int, Record]]:
    """Every record, newest first, in pages."""
    before: int | None = None
    while page := document.page(before, 500):
        yield from page
        before = page[-1][0]
