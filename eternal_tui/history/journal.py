"""The journal: changes not yet compacted into the document, one checksummed line each, and their sum by record.

A line is eight hex digits (CRC-32 of what follows the space), a space, JSON, a newline. The first line is the
header. A line that is cut short or does not match its checksum is never replayed.
"""

from __future__ import annotations

import os
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from eternal_tui.history.errors import CorruptHeaderError, InvalidRecordError, NewerSchemaError
from eternal_tui.history.filesystem import FileSystem, read_all, write_all

SCHEMA_VERSION = 1

FIRST_CHARGE_ID = 10**15
"""Ids below are rows of the table ``jobs``, ids from here on rows of ``charges``: one id space, one journal."""

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

    def to_change(self) -> Change:
        """Read the fields, and leave out who wrote it."""
        return Change(self.op, self.id, decode(self.fields))


class SnapshotInfo(msgspec.Struct, frozen=True, kw_only=True):
    """How the document looked when it was written, to tell rot and rewriting by others.

    ``records`` counts the rows of both tables; ``charges_at`` is the offset of the first charge, 0 without any.
    """

    size: int
    mtime_ns: int
    inode: int
    crc: int
    records: int
    charges: int = 0
    charges_at: int = 0


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line: which document the journal continues; no ``base`` when it was not ours to note.

    ``sequence`` is the number of the first change: a gap in the numbers counts the changes that were lost.
    ``empty`` says that there was no document when the journal began.

    ``carried`` bytes of lines after the header stood in the journal of generation ``follows`` already; -1
    says that readers of any earlier journal must read everything again.
    """

    schema: int = SCHEMA_VERSION
    generation: int
    last_id: int
    base: SnapshotInfo | None
    sequence: int = 1
    empty: bool = False
    follows: int = -1
    carried: int = 0


class _SchemaProbe(msgspec.Struct):
    schema: int


class ScanResult(msgspec.Struct):
    """What a stretch of journal holds.

    ``end`` is the offset after the last good line and ``sequence`` the number of the next; ``bad_count`` counts the
    unreadable lines before ``end``, ``lost_count`` the numbers missing there; ``bad_tail`` is what stands after it.
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
_header_decoder = msgspec.json.Decoder(Header)
_schema_decoder = msgspec.json.Decoder(_SchemaProbe)


def encode(payload: Any) -> bytes:
    """Write one value as JSON.

    Raises:
        InvalidRecordError: It holds something JSON or UTF-8 cannot carry.
    """
    try:
        return _encoder.encode(payload)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidRecordError(f"This cannot be kept in the history: {error}.") from error


def decode(fields: bytes | msgspec.Raw) -> Record:
    """Read the fields of a change or of a record, each time anew.

    Raises:
        msgspec.DecodeError: They are no JSON object.
    """
    return _record_decoder.decode(fields)


def encode_lossy(payload: Any) -> bytes:
    """Write one value that another program left; half a surrogate pair in it becomes a replacement sign.

    JSON can escape one and UTF-8 cannot carry it: one such record must not keep all the others from being folded.
    """
    try:
        return encode(payload)
    except InvalidRecordError as error:
        if not isinstance(error.__cause__, UnicodeEncodeError):
            raise
        return encode(_replace_lone_surrogates(payload))


def _replace_lone_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_replace_lone_surrogates(name): _replace_lone_surrogates(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [_replace_lone_surrogates(held) for held in value]
    return value


def encode_line(payload: Any) -> bytes:
    """Make a line of the journal."""
    data = encode(payload)
    return b"%08x %b\n" % (zlib.crc32(data), data)


def decode_line(line: bytes) -> bytes | None:
    """Give back the JSON of a line without its newline, or nothing if the line is not whole."""
    if len(line) < 9 or line[8] != 0x20:
        return None
    data = line[9:]
    return data if line[:8] == b"%08x" % zlib.crc32(data) else None


def scan_lines(data: bytes, start: int, sequence: int | None = None) -> ScanResult:
    """Read every whole line of ``data``, which stands at offset ``start`` of the journal.

    Args:
        data: The bytes.
        start: Their offset in the journal.
        sequence: The number the first line must have, if that is known.
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
            found.lost_count += max(0, entry.n - found.sequence)
        found.sequence = entry.n + 1
        found.end = start + position
        pending = 0
    found.bad_tail = data[found.end - start :]
    return found


def iter_entries(data: bytes) -> Iterator[tuple[Entry | None, int]]:
    """Yield what each whole line of ``data`` holds, None where that cannot be read, and the offset after it."""
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
        # What nobody could read later is no entry, whatever its checksum says.
        decode(entry.fields)
    except msgspec.MsgspecError:
        return None
    return entry


def parse_header(data: bytes) -> tuple[Header, int]:
    """Read the first line; return it and the offset after it.

    Raises:
        CorruptHeaderError: It is cut short, flipped or missing.
        NewerSchemaError: Its schema is above `SCHEMA_VERSION`.
    """
    newline = data.find(b"\n")
    payload = decode_line(data[:newline]) if newline >= 0 else None
    if payload is None:
        raise CorruptHeaderError
    try:
        if (schema := _schema_decoder.decode(payload).schema) > SCHEMA_VERSION:
            raise newer_schema_error(schema)
        return _header_decoder.decode(payload), newline + 1
    except msgspec.MsgspecError as error:
        raise CorruptHeaderError from error


def newer_schema_error(schema: int) -> NewerSchemaError:
    """Say that the history is from a later version."""
    return NewerSchemaError(
        f"This history was written by a newer eternal-tui (format {schema}, this one reads {SCHEMA_VERSION}). "
        "It was left as it is: upgrade, or choose another data folder."
    )


class Journal:
    """An open journal: read to `end`, appended to under the folder's lock."""

    def __init__(self, fs: FileSystem, path: Path, fd: int) -> None:
        self._fs = fs
        self.path = path
        self._fd = fd
        try:
            self.inode = fs.fstat(fd).st_ino
            self.header, self.start = parse_header(fs.read(fd, 65536, 0))
        except BaseException:
            fs.close(fd)
            raise
        self.end = self.start
        self.sequence = self.header.sequence

    @classmethod
    def open(cls, fs: FileSystem, path: Path) -> Journal:
        """Open an existing journal.

        Raises:
            CorruptHeaderError: The first line cannot be read.
            NewerSchemaError: It belongs to a later version.
            FileNotFoundError: There is none.
        """
        return cls(fs, path, fs.open(path, os.O_RDWR))

    def read_new(self) -> ScanResult:
        """Read the lines since the last call and move `end` past the good ones."""
        found = scan_lines(read_all(self._fs, self._fd, self.end), self.end, self.sequence)
        self.end = found.end
        self.sequence = found.sequence
        return found

    def bytes_from(self, offset: int) -> bytes:
        """The good lines from ``offset`` on, as they stand."""
        return self.bytes_between(offset, self.end)

    def bytes_between(self, start: int, end: int) -> bytes:
        """The bytes of the journal from ``start`` to ``end``."""
        return read_all(self._fs, self._fd, start)[: end - start]

    def append(self, changes: Iterable[Change], writer: str, *, durable: bool) -> list[Entry]:
        """Write changes at `end`, or leave the journal as it was; return them as they were written."""
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
            # Half a line must not stay, nor a whole one that was never confirmed.
            self._fs.truncate(self._fd, start)
            raise
        self.end = end
        self.sequence += len(entries)
        return entries

    def truncate_tail(self) -> None:
        """Remove what stands after `end`: a line whose writer died within it."""
        self._fs.truncate(self._fd, self.end)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            self._fs.close(self._fd)
            self._fd = -1


def write_journal(fs: FileSystem, path: Path, header: Header, carried_lines: bytes = b"") -> None:
    """Write a fresh journal under ``path``, fsynced; the caller renames it to its place."""
    fs.unlink(path)
    fd = fs.create(path)
    try:
        write_all(fs, fd, encode_line(header) + carried_lines, 0)
        fs.sync(fd)
    finally:
        fs.close(fd)


MAX_UNMERGED_BYTES = 4096
"""Bytes of further changes that stand behind a record before they are summed up with it."""

ChangeOp = Literal["put", "patch", "delete", "reload"]


class _MergedChange(msgspec.Struct, gc=False):
    """The changes of one record: the text of each on a line of its own, and the size at which they become one."""

    op: ChangeOp
    lines: bytes
    merge_at_bytes: int

    def fields(self) -> Record:
        first, *later = self.lines.split(b"\n")
        fields = decode(first)
        for text in later:
            fields |= decode(text)
        return fields


class PendingChanges:
    """The changes of a journal, summed up for each id.

    Applying a journal twice gives what applying it once gives: that is what makes a crash between writing the
    document and renewing the journal harmless. Hence a patch of a record that does not exist does nothing.

    Changes are kept as text, as they were written: as Python's objects they take twice as much, and their room is
    never given back whole. So what is handed out is always fresh, and a caller may alter it to any depth.
    """

    def __init__(self) -> None:
        self._merged: dict[int, _MergedChange] = {}
        self._sorted_ids: list[int] | None = None
        self.last_id = 0
        self.last_charge_id = 0

    @classmethod
    def from_changes(cls, changes: Iterable[Change | Entry]) -> PendingChanges:
        """Sum up changes, oldest first."""
        overlay = cls()
        for change in changes:
            overlay.apply(change)
        return overlay

    def __len__(self) -> int:
        return len(self._merged)

    def __contains__(self, record_id: int) -> bool:
        return record_id in self._merged

    def apply(self, change: Change | Entry) -> None:
        """Add one change; raises InvalidRecordError where its fields cannot be written."""
        known = self._merged.get(change.id)
        text = bytes(change.fields) if isinstance(change, Entry) else encode(change.fields)
        if known is None:
            self._sorted_ids = None
            if change.id < FIRST_CHARGE_ID:
                self.last_id = max(self.last_id, change.id)
            else:
                self.last_charge_id = max(self.last_charge_id, change.id)
        elif change.op == "patch":
            if known.op != "delete":
                _append_change(known, text)
            return
        self._merged[change.id] = _MergedChange(change.op, text, 2 * len(text) + MAX_UNMERGED_BYTES)

    def op(self, record_id: int) -> ChangeOp | None:
        """What becomes of one id: written whole, altered, or removed; None where nothing does."""
        known = self._merged.get(record_id)
        return None if known is None else known.op

    def apply_to(self, record_id: int, record: Record | None) -> Record | None:
        """What becomes of the document's record, or of its absence."""
        known = self._merged.get(record_id)
        if known is None:
            return record
        if known.op == "delete":
            return None
        if known.op == "put":
            return known.fields()
        return None if record is None else record | known.fields()

    def ids(self) -> list[int]:
        """Every id touched, ascending."""
        if self._sorted_ids is None:
            self._sorted_ids = sorted(self._merged)
        return self._sorted_ids

    def new_records_before(self, before: int, floor: int = 0) -> Iterator[tuple[int, Record]]:
        """Whole records, descending from below ``before`` down to ``floor``."""
        ids = self.ids()
        for index in range(bisect_left(ids, before) - 1, bisect_left(ids, floor) - 1, -1):
            known = self._merged[ids[index]]
            if known.op == "put":
                yield ids[index], known.fields()


def _append_change(merged: _MergedChange, line: bytes) -> None:
    """Put a further change behind the others, and make one of them all when they have doubled."""
    merged.lines += b"\n" + line
    if len(merged.lines) > merged.merge_at_bytes:
        merged.lines = encode(merged.fields())
        merged.merge_at_bytes = 2 * len(merged.lines) + MAX_UNMERGED_BYTES
