"""The journal: changes not yet folded into the document, one checked line each.

A line is eight hex digits (CRC-32 of what follows the space), a space, JSON, a newline. The first line is the
header. A line that is cut short or does not match its checksum is never replayed.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from eternal_tui.history.errors import HeaderBroken, HistoryNewer, RecordInvalid
from eternal_tui.history.filesystem import Files, read_all, write_all

SCHEMA = 1
Record = dict[str, Any]


class Change(msgspec.Struct, frozen=True):
    """One change of one record, or ``reload``: more happened than can be listed, read everything again."""

    op: Literal["put", "patch", "delete", "reload"]
    id: int
    fields: Record


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A change as it stands in the journal, with the instance that wrote it and its running number.

    The fields stay the text they are written as: thousands of entries are read to be summed up, few to be looked at.
    """

    op: Literal["put", "patch", "delete"]
    id: int
    fields: msgspec.Raw
    by: str
    n: int

    def change(self) -> Change:
        """Read the fields, and leave out who wrote it."""
        return Change(self.op, self.id, decode(self.fields))


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """How the document looked when it was written, to tell rot and rewriting by others."""

    size: int
    mtime_ns: int
    inode: int
    crc: int
    records: int


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line: which document the journal continues; no ``base`` when it was not ours to note.

    ``sequence`` is the number of the first change: a gap in the numbers counts the changes that were lost.
    ``empty`` says that there was no document when the journal began.

    ``carried`` bytes of lines after the header stood in the journal of generation ``follows`` already; -1
    says that readers of any earlier journal must read everything again.
    """

    schema: int = SCHEMA
    generation: int
    last_id: int
    base: Base | None
    sequence: int = 1
    empty: bool = False
    follows: int = -1
    carried: int = 0


class _Schema(msgspec.Struct):
    schema: int


class Scan(msgspec.Struct):
    """What a stretch of journal holds.

    ``end`` is the offset after the last good line and ``sequence`` the number of the next; ``bad`` counts the
    unreadable lines before ``end``, ``lost`` the numbers missing there; ``bad_tail`` is what stands after it.
    """

    entries: list[Entry]
    end: int
    sequence: int
    bad: int = 0
    lost: int = 0
    bad_tail: bytes = b""


_encoder = msgspec.json.Encoder()
_entries = msgspec.json.Decoder(Entry)
_records = msgspec.json.Decoder(Record)
_headers = msgspec.json.Decoder(Header)
_schemas = msgspec.json.Decoder(_Schema)


def encode(payload: Any) -> bytes:
    """Write one value as JSON.

    Raises:
        RecordInvalid: It holds something JSON or UTF-8 cannot carry.
    """
    try:
        return _encoder.encode(payload)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise RecordInvalid(f"This cannot be kept in the history: {error}.") from error


def decode(fields: bytes | msgspec.Raw) -> Record:
    """Read the fields of a change or of a record, each time anew.

    Raises:
        msgspec.DecodeError: They are no JSON object.
    """
    return _records.decode(fields)


def encode_anyway(payload: Any) -> bytes:
    """Write one value that another program left; half a surrogate pair in it becomes a replacement sign.

    JSON can escape one and UTF-8 cannot carry it: one such record must not keep all the others from being folded.
    """
    try:
        return encode(payload)
    except RecordInvalid as error:
        if not isinstance(error.__cause__, UnicodeEncodeError):
            raise
        return encode(_without_halves(payload))


def _without_halves(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_without_halves(name): _without_halves(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [_without_halves(held) for held in value]
    return value


def framed(payload: Any) -> bytes:
    """Make a line of the journal."""
    data = encode(payload)
    return b"%08x %b\n" % (zlib.crc32(data), data)


def unframed(line: bytes) -> bytes | None:
    """Give back the JSON of a line without its newline, or nothing if the line is not whole."""
    if len(line) < 9 or line[8] != 0x20:
        return None
    data = line[9:]
    return data if line[:8] == b"%08x" % zlib.crc32(data) else None


def scan(data: bytes, start: int, sequence: int | None = None) -> Scan:
    """Read every whole line of ``data``, which stands at offset ``start`` of the journal.

    Args:
        data: The bytes.
        start: Their offset in the journal.
        sequence: The number the first line must have, if that is known.
    """
    found = Scan([], start, sequence or 0)
    pending = 0
    for entry, position in entries_of(data):
        if entry is None:
            pending += 1
            continue
        found.entries.append(entry)
        found.bad += pending
        if sequence is not None or len(found.entries) > 1:
            found.lost += max(0, entry.n - found.sequence)
        found.sequence = entry.n + 1
        found.end = start + position
        pending = 0
    found.bad_tail = data[found.end - start :]
    return found


def entries_of(data: bytes) -> Iterator[tuple[Entry | None, int]]:
    """Yield what each whole line of ``data`` holds, None where that cannot be read, and the offset after it."""
    position = 0
    while (newline := data.find(b"\n", position)) >= 0:
        entry = _entry(data[position:newline])
        position = newline + 1
        yield entry, position


def _entry(line: bytes) -> Entry | None:
    data = unframed(line)
    if data is None:
        return None
    try:
        entry = _entries.decode(data)
        # What nobody could read later is no entry, whatever its checksum says.
        decode(entry.fields)
    except msgspec.MsgspecError:
        return None
    return entry


def read_header(data: bytes) -> tuple[Header, int]:
    """Read the first line; return it and the offset after it.

    Raises:
        HeaderBroken: It is cut short, flipped or missing.
        HistoryNewer: Its schema is above `SCHEMA`.
    """
    newline = data.find(b"\n")
    payload = unframed(data[:newline]) if newline >= 0 else None
    if payload is None:
        raise HeaderBroken
    try:
        if (schema := _schemas.decode(payload).schema) > SCHEMA:
            raise newer(schema)
        return _headers.decode(payload), newline + 1
    except msgspec.MsgspecError as error:
        raise HeaderBroken from error


def newer(schema: int) -> HistoryNewer:
    """Say that the history is from a later version."""
    return HistoryNewer(
        f"This history was written by a newer eternal-tui (format {schema}, this one reads {SCHEMA}). "
        "It was left as it is: upgrade, or choose another data folder."
    )


class Journal:
    """An open journal: read to `end`, appended to under the folder's lock."""

    def __init__(self, files: Files, path: Path, fd: int) -> None:
        self._files = files
        self.path = path
        self._fd = fd
        try:
            self.inode = files.fstat(fd).st_ino
            self.header, self.start = read_header(files.read(fd, 65536, 0))
        except BaseException:
            files.close(fd)
            raise
        self.end = self.start
        self.sequence = self.header.sequence

    @classmethod
    def open(cls, files: Files, path: Path) -> Journal:
        """Open an existing journal.

        Raises:
            HeaderBroken: The first line cannot be read.
            HistoryNewer: It belongs to a later version.
            FileNotFoundError: There is none.
        """
        return cls(files, path, files.open(path, os.O_RDWR))

    def read(self) -> Scan:
        """Read the lines since the last call and move `end` past the good ones."""
        found = scan(read_all(self._files, self._fd, self.end), self.end, self.sequence)
        self.end = found.end
        self.sequence = found.sequence
        return found

    def bytes_from(self, offset: int) -> bytes:
        """The good lines from ``offset`` on, as they stand."""
        return self.bytes_between(offset, self.end)

    def bytes_between(self, start: int, end: int) -> bytes:
        """The bytes of the journal from ``start`` to ``end``."""
        return read_all(self._files, self._fd, start)[: end - start]

    def append(self, changes: Iterable[Change], by: str, *, durable: bool) -> list[Entry]:
        """Write changes at `end`, or leave the journal as it was; return them as they were written."""
        entries = [
            Entry(change.op, change.id, msgspec.Raw(encode(change.fields)), by, number)
            for number, change in enumerate(changes, self.sequence)
            if change.op != "reload"
        ]
        lines = b"".join(map(framed, entries))
        start = self.end
        try:
            end = write_all(self._files, self._fd, lines, start)
            if durable:
                self._files.sync(self._fd)
        except BaseException:
            # Half a line must not stay, nor a whole one that was never confirmed.
            self._files.truncate(self._fd, start)
            raise
        self.end = end
        self.sequence += len(entries)
        return entries

    def cut(self) -> None:
        """Remove what stands after `end`: a line whose writer died within it."""
        self._files.truncate(self._fd, self.end)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            self._files.close(self._fd)
            self._fd = -1


def write_journal(files: Files, path: Path, header: Header, carried: bytes = b"") -> None:
    """Write a fresh journal under ``path``, fsynced; the caller renames it to its place."""
    files.unlink(path)
    fd = files.create(path)
    try:
        write_all(files, fd, framed(header) + carried, 0)
        files.sync(fd)
    finally:
        files.close(fd)
