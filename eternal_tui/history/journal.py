"""The journal: changes not yet compacted into the document, one checksummed line each, and their sum by record.

A line is eight hex digits (CRC-32 of what follows the space), a space, JSON, a newline. The first line is the
header. A line that is cut short or does not match its checksum is never replayed.
"""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from eternal_tui.history.errors import CorruptHeaderError, InvalidRecordError, NewerSchemaError
from eternal_tui.history.filesystem import FileSystem, read_all, write_all

SCHEMA_VERSION = 1

FIRST_CHARGE_ID = 10**15
"""Lower ids are rows of the table ``jobs``, the others rows of ``charges``: one id space, one journal."""

Record = dict[str, Any]


class Change(msgspec.Struct, frozen=True):
    """One change of one record, or ``reload``: the changes cannot be listed, read everything again."""

    op: Literal["put", "patch", "delete", "reload"]
    id: int
    fields: Record


class Entry(msgspec.Struct, frozen=True, gc=False, rename={"writer_id": "by", "sequence": "n"}):
    """A change in the journal, with the instance that wrote it and its sequence number.

    Its fields stay encoded: thousands of entries are summed, few are decoded.
    """

    op: Literal["put", "patch", "delete"]
    id: int
    fields: msgspec.Raw
    writer_id: str
    sequence: int

    def to_change(self) -> Change:
        """Return the change with its fields decoded."""
        return Change(self.op, self.id, decode(self.fields))


class SnapshotInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The document as written, to detect corruption and changes by other programs.

    ``records`` counts the rows of both tables; ``charges_at`` is the offset of the first charge, 0 without any.
    """

    size: int
    mtime_ns: int
    inode: int
    crc: int
    records: int
    charges: int = 0
    charges_at: int = 0


_HEADER_NAMES = {
    "snapshot": "base",
    "had_no_document": "empty",
    "follows_generation": "follows",
    "carried_bytes": "carried",
}
"""Fields under the names that headers on disk have had since their first version."""


class Header(msgspec.Struct, frozen=True, kw_only=True, rename=_HEADER_NAMES):
    """The first line. ``snapshot`` is the document that the journal continues, None for one of another program.

    ``sequence`` is the number of the first change: gaps in the numbers count lost changes. With ``had_no_document``
    there was none when the journal began. The first ``carried_bytes`` after the header are copied from the journal of
    ``follows_generation``; with -1 readers of any earlier journal read everything again.
    """

    schema: int = SCHEMA_VERSION
    generation: int
    last_id: int
    snapshot: SnapshotInfo | None
    sequence: int = 1
    had_no_document: bool = False
    follows_generation: int = -1
    carried_bytes: int = 0


class _SchemaProbe(msgspec.Struct):
    schema: int


class ScanResult(msgspec.Struct):
    """The entries of a part of the journal.

    ``end`` is the offset after the last readable line and ``sequence`` the number of the next one. ``bad_count`` counts
    unreadable lines before ``end``, ``lost_count`` numbers missing there; ``bad_tail`` are the bytes after it.
    """

    entries: list[Entry]
    end: int
    sequence: int
    bad_count: int = 0
    lost_count: int = 0
    bad_tail: bytes = b""


_encoder = msgspec.json.Encoder()
_entry_decoder = msgspec.json.Decoder(Entry)
_record_decoder = msgspec.json.Decoder(Record)
_raw_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


def encode(payload: Any) -> bytes:
    """Return a value as JSON; raises InvalidRecordError where JSON or UTF-8 cannot hold it."""
    try:
        return _encoder.encode(payload)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidRecordError(f"This cannot be recorded: {error}.") from error


def decode(fields: bytes | msgspec.Raw) -> Record:
    """Return the fields of a change or of a record; raises msgspec.DecodeError."""
    return _record_decoder.decode(fields)


def encode_lossy(payload: Any) -> bytes:
    """Return a value of another program as JSON, lone surrogates replaced by U+FFFD.

    JSON can escape them and UTF-8 cannot hold them; one such record must not block the compaction of all others.
    """
    try:
        return encode(payload)
    except InvalidRecordError as error:
        if not isinstance(error.__cause__, UnicodeEncodeError):
            raise
        text = json.dumps(payload, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return encode(json.loads(text))


def encode_line(payload: Any) -> bytes:
    """Return a line of the journal."""
    data = encode(payload)
    return b"%08x %b\n" % (zlib.crc32(data), data)


def decode_line(line: bytes) -> bytes | None:
    """Return the JSON of a line (given without its newline), None if its checksum is wrong."""
    if len(line) < 9 or line[8] != 0x20:
        return None
    data = line[9:]
    return data if line[:8] == b"%08x" % zlib.crc32(data) else None


def scan_lines(data: bytes, start: int, sequence: int | None = None) -> ScanResult:
    """Read every whole line of ``data``, which begins at offset ``start`` of the journal.

    ``sequence`` is the number that the first line must have, if known.
    """
    found = ScanResult([], start, sequence or 0)
    pending = 0
    for entry, position in iter_entries(data):
        if entry is None:
            pending += 1
            continue
        found.entries.append(entry)
        found.bad_count += pending
        if sequence is not None or len(found.entries) > 1:
            found.lost_count += max(0, entry.sequence - found.sequence)
        found.sequence = entry.sequence + 1
        found.end = start + position
        pending = 0
    found.bad_tail = data[found.end - start :]
    return found


def iter_entries(data: bytes) -> Iterator[tuple[Entry | None, int]]:
    """Yield the entry of each whole line of ``data``, None for an unreadable one, and the offset after it."""
    position = 0
    while (newline := data.find(b"\n", position)) >= 0:
        entry = _parse_entry(data[position:newline])
        position = newline + 1
        yield entry, position


def _parse_entry(line: bytes) -> Entry | None:
    data = decode_line(line)
    if data is None:
        return None
    try:
        entry = _entry_decoder.decode(data)
        # Fields that cannot be decoded later make it unreadable, whatever its checksum says.
        decode(entry.fields)
    except msgspec.MsgspecError:
        return None
    return entry


def parse_header(data: bytes) -> tuple[Header, int]:
    """Return the header and the offset after it.

    Raises:
        CorruptHeaderError: It is missing or damaged.
        NewerSchemaError: Its schema is above `SCHEMA_VERSION`.
    """
    newline = data.find(b"\n")
    payload = decode_line(data[:newline]) if newline >= 0 else None
    if payload is None:
        raise CorruptHeaderError
    try:
        if (schema := msgspec.json.decode(payload, type=_SchemaProbe).schema) > SCHEMA_VERSION:
            raise newer_schema_error(schema)
        return msgspec.json.decode(payload, type=Header), newline + 1
    except msgspec.MsgspecError as error:
        raise CorruptHeaderError from error


def newer_schema_error(schema: int) -> NewerSchemaError:
    """Return the error for a history of a later schema."""
    return NewerSchemaError(
        f"This history was written by a newer eternal-tui (format {schema}, this one reads {SCHEMA_VERSION}). "
        "It was not changed. Upgrade, or choose another data folder."
    )


class Journal:
    """An open journal, read up to `end`; appended to under the folder's lock."""

    def __init__(self, fs: FileSystem, path: Path) -> None:
        """Open an existing journal; raises CorruptHeaderError, NewerSchemaError or FileNotFoundError."""
        self._fs = fs
        self._fd = fs.open(path, os.O_RDWR)
        try:
            self.inode = fs.fstat(self._fd).st_ino
            self.header, self.start = parse_header(fs.read(self._fd, 65536, 0))
        except BaseException:
            self.close()
            raise
        self.end = self.start
        self.sequence = self.header.sequence

    def read_new(self) -> ScanResult:
        """Read the lines since the last call and move `end` past the readable ones."""
        found = scan_lines(read_all(self._fs, self._fd, self.end), self.end, self.sequence)
        self.end = found.end
        self.sequence = found.sequence
        return found

    def read_lines(self, start: int) -> bytes:
        """Return the bytes of the readable lines from the offset ``start`` on."""
        return read_all(self._fs, self._fd, start)[: self.end - start]

    def append(self, changes: Iterable[Change], writer: str, *, durable: bool) -> list[Entry]:
        """Write changes at `end` and return them as entries; on an error the journal is unchanged."""
        entries = [
            Entry(change.op, change.id, msgspec.Raw(encode(change.fields)), writer, number)
            for number, change in enumerate(changes, self.sequence)
            if change.op != "reload"
        ]
        lines = b"".join(map(encode_line, entries))
        start = self.end
        try:
            end = write_all(self._fs, self._fd, lines, start)
            if durable:
                self._fs.sync(self._fd)
        except BaseException:
            # Remove partial lines, and whole ones that were never confirmed.
            self._fs.truncate(self._fd, start)
            raise
        self.end = end
        self.sequence += len(entries)
        return entries

    def truncate_tail(self) -> None:
        """Remove the bytes after `end`: a line cut short by a crash."""
        self._fs.truncate(self._fd, self.end)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            self._fs.close(self._fd)
            self._fd = -1


def write_journal(fs: FileSystem, path: Path, header: Header, carried_lines: bytes = b"") -> None:
    """Write a new journal under ``path`` and fsync it; the caller renames it into place."""
    fs.unlink(path)
    with fs.closing(fs.create(path)) as fd:
        write_all(fs, fd, encode_line(header) + carried_lines, 0)
        fs.sync(fd)


ChangeOp = Literal["put", "patch", "delete", "reload"]


class PendingChanges:
    """The changes of a journal, summed by record id.

    Applying a journal twice gives the same result as once, so a crash between writing the document and renewing the
    journal is harmless; therefore a patch of a missing record does nothing.

    Changes stay encoded: as Python objects they take twice the memory and fragment it. Returned records are new.
    """

    def __init__(self, changes: Iterable[Change | Entry] = ()) -> None:
        self._changes: dict[int, tuple[ChangeOp, bytes]] = {}
        self.last_id = 0
        self.last_charge_id = 0
        for change in changes:
            self.apply(change)

    def apply(self, change: Change | Entry) -> None:
        """Add one change; raises InvalidRecordError where its fields cannot be encoded."""
        op: ChangeOp = change.op
        fields = bytes(change.fields) if isinstance(change, Entry) else encode(change.fields)
        known = self._changes.get(change.id)
        if op == "patch" and known is not None:
            op, fields = known[0], encode(_raw_decoder.decode(known[1]) | _raw_decoder.decode(fields))
        self._changes[change.id] = op, fields
        if change.id < FIRST_CHARGE_ID:
            self.last_id = max(self.last_id, change.id)
        else:
            self.last_charge_id = max(self.last_charge_id, change.id)

    def op(self, record_id: int) -> ChangeOp | None:
        """Return the kind of change of a record, None where there is none."""
        known = self._changes.get(record_id)
        return None if known is None else known[0]

    def apply_to(self, record_id: int, record: Record | None) -> Record | None:
        """Return the record with its changes, given the document's (None if missing)."""
        op, fields = self._changes.get(record_id, (None, b""))
        if op == "put":
            return decode(fields)
        if op == "patch" and record is not None:
            return record | decode(fields)
        return None if op == "delete" else record

    def ids(self) -> list[int]:
        """Return every changed id, ascending."""
        return sorted(self._changes)

    def iter_puts(
        self, lowest: float = -math.inf, before: float = math.inf, *, reverse: bool = False
    ) -> Iterator[tuple[int, Record]]:
        """Yield records written whole with ids from ``lowest`` to below ``before``, ascending."""
        for record_id in sorted(self._changes, reverse=reverse):
            op, fields = self._changes[record_id]
            if op == "put" and lowest <= record_id < before:
                yield record_id, decode(fields)
