"""Open a history; repair a damaged one from what is readable, keeping the damaged files under dated names."""

from __future__ import annotations

import json
import os
import re
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from eternal_tui.history.document import (
    CHARGES_TABLE,
    JOBS_TABLE,
    META_TABLE,
    Document,
    Tables,
    matches_stat,
    meta_of,
    open_document,
    other_tables_of,
    parse_records,
    parse_tables,
    record_line,
    write_document,
)
from eternal_tui.history.errors import CorruptDocumentError, CorruptHeaderError, UnrepairableHistoryError
from eternal_tui.history.filesystem import FileSystem, Paths, copy_file, link_or_copy, read_all
from eternal_tui.history.journal import (
    FIRST_CHARGE_ID,
    SCHEMA_VERSION,
    Entry,
    Header,
    Journal,
    PendingChanges,
    Record,
    ScanResult,
    newer_schema_error,
    parse_header,
    scan_lines,
    write_journal,
)

_RECORD_LINE_PATTERN = rb'"(-?\d+)":(?=\{)'
_RECORD_KEY_PATTERN = r'"(-?\d+)"\s*:\s*(?=\{)'


_TABLE_HEADS = frozenset(b'"%b":{' % name.encode() for name in (JOBS_TABLE, CHARGES_TABLE))


def _max_job_id(ids: Iterable[int]) -> int:
    return max((record_id for record_id in ids if record_id < FIRST_CHARGE_ID), default=0)


class DamagedJournal:
    """The readable part of a journal; ``header`` is None when its first line is lost."""

    def __init__(self, fs: FileSystem, path: Path) -> None:
        self.exists = True
        self.header: Header | None = None
        self.scan = ScanResult([], 0, 0)
        data = _read_if_exists(fs, path)
        if data is None:
            self.exists = False
            return
        try:
            self.header, start = parse_header(data)
        except CorruptHeaderError:
            self.scan = scan_lines(data[data.find(b"\n") + 1 :], 0)
        else:
            self.scan = scan_lines(data[start:], start, self.header.sequence)

    @property
    def lost_count(self) -> int:
        """The least number of unreadable changes before the last readable one."""
        return self.scan.lost_count or self.scan.bad_count

    @property
    def unread_tail_lines(self) -> int:
        """Lines after the last readable one: damaged, or never confirmed."""
        tail = self.scan.bad_tail
        return tail.count(b"\n") + (bool(tail) and not tail.endswith(b"\n"))

    @property
    def is_damaged(self) -> bool:
        """Whether there is more damage than an unfinished last line."""
        return (self.exists and self.header is None) or bool(self.scan.bad_count) or is_damaged_tail(self.scan.bad_tail)


class DamagedDocument:
    """The readable part of a document.

    ``damage`` is empty when it is whole; ``unreadable_count`` counts records that were found but not readable;
    ``is_foreign_format`` means that another program wrote its layout.
    """

    def __init__(self, fs: FileSystem, path: Path, header: Header | None) -> None:
        self.records: dict[int, Record] = {}
        self.other_tables: Tables = {}
        self.unreadable_count = 0
        self.damage = ""
        self.is_foreign_format = False
        self.generation = 0
        self.last_id = 0
        snapshot = header.snapshot if header else None
        data = _read_if_exists(fs, path)
        self.exists = data is not None
        if data is None:
            self.damage = "" if header and header.had_no_document and not snapshot else "it is missing"
            return
        try:
            if not data and snapshot is not None:
                raise CorruptDocumentError("it is empty")
            if snapshot and matches_stat(fs.stat(path), snapshot) and zlib.crc32(data) != snapshot.crc:
                raise CorruptDocumentError("its bytes changed without being written")
            tables = parse_tables(data) if data else {}
            self.records = parse_records(tables)
            self._load_other_tables(tables)
        except CorruptDocumentError as broken:
            self.damage = str(broken)
            self._salvage_lines(data)
        self.last_id = _max_job_id([self.last_id, *self.records])

    def _load_other_tables(self, tables: Tables) -> None:
        self.other_tables = other_tables_of(tables)
        meta = meta_of(tables)
        if (schema := meta.get("schema", SCHEMA_VERSION)) > SCHEMA_VERSION:
            raise newer_schema_error(schema)
        self.generation = meta.get("generation", 0)
        self.last_id = meta.get("last_id", 0)

    def _salvage_lines(self, data: bytes) -> None:
        lines = data.split(b"\n")
        for line in lines:
            if match := re.match(_RECORD_LINE_PATTERN, line):
                self._salvage_record(int(match[1]), line[match.end() :].rstrip(b",\r"))
            elif line.startswith((b'"%b":' % META_TABLE.encode(), b'{"')):
                self._salvage_table(line)
            elif line.strip(b"},\x00 ") and line not in _TABLE_HEADS:
                self.unreadable_count += 1
        if not self.records:
            self.is_foreign_format = True
            self._salvage_text(data.decode("utf-8", "replace"))

    def _salvage_table(self, line: bytes) -> None:
        try:
            self._load_other_tables(parse_tables(b"{" + line.lstrip(b"{").rstrip(b",") + b"}"))
        except CorruptDocumentError:
            # The lost head held only counters.
            self.generation = 0

    def _salvage_record(self, record_id: int, value: bytes) -> None:
        try:
            self.records[record_id] = msgspec.json.decode(value, type=Record)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self.unreadable_count += 1

    def _salvage_text(self, text: str) -> None:
        self.unreadable_count = 0
        decoder, key = json.JSONDecoder(), re.compile(_RECORD_KEY_PATTERN)
        position = text.find(f'"{JOBS_TABLE}"')
        if position < 0:
            # Rows of other tables look like records.
            return
        while match := key.search(text, position):
            try:
                record, position = decoder.raw_decode(text, match.end())
            except (ValueError, RecursionError):
                self.unreadable_count += 1
                position = match.end()
            else:
                self.records[int(match[1])] = record


def is_damaged_tail(tail: bytes) -> bool:
    """Whether the end of a journal is more than one unfinished line."""
    return b"\n" in tail or b"\x00" in tail


def _read_if_exists(fs: FileSystem, path: Path) -> bytes | None:
    try:
        with fs.closing(fs.open(path, os.O_RDONLY)) as fd:
            return read_all(fs, fd)
    except FileNotFoundError:
        return None


SKIPPED_IDS = 1000
"""Ids skipped when the journal's header, which holds the last id, is lost."""

Clock = Callable[[], float]


class OpenedHistory(NamedTuple):
    """An open journal, its entries, and the document it continues."""

    journal: Journal
    scan: ScanResult
    document: Document


def open_or_repair(fs: FileSystem, paths: Paths, now: Clock) -> tuple[OpenedHistory, list[str]]:
    """Open journal and document, repaired where damaged; runs under the folder's lock.

    Returns them with messages for the user. Raises UnrepairableHistoryError, or NewerSchemaError where a later version
    wrote them.
    """
    try:
        opened = _open_unrepaired(fs, paths)
        if not opened.scan.bad_count and not is_damaged_tail(opened.scan.bad_tail):
            return opened, _minor_notices(opened)
        opened.journal.close()
        opened.document.close()
    except (CorruptDocumentError, CorruptHeaderError):
        pass
    notices = repair(fs, paths, now)
    try:
        return _open_unrepaired(fs, paths), notices
    except (CorruptDocumentError, CorruptHeaderError) as broken:
        raise UnrepairableHistoryError(
            f"The history in {paths.folder} is damaged and could not be repaired ({broken}). Nothing was removed."
        ) from broken


def repair(fs: FileSystem, paths: Paths, now: Clock) -> list[str]:
    """Keep damaged files under dated names and rebuild the history from what is readable.

    Returns messages for the user: the damage, the dated names, what was recovered and what is lost.
    """
    journal = DamagedJournal(fs, paths.journal)
    document = DamagedDocument(fs, paths.document, journal.header)
    notices, recovered = [], _Recovery(document.records, document.other_tables, document.last_id)
    if document.damage:
        recovered = _recover(fs, paths, journal, document)
    _replay_entries(recovered.records, journal.scan.entries)
    if document.damage:
        aside = quarantine(fs, paths, paths.document, now) if document.exists else ""
        notices.append(f"history.json was damaged ({document.damage}){aside}. {recovered.summary()}")
    if journal.is_damaged:
        aside = quarantine(fs, paths, paths.journal, now)
        notices.append(f"The journal was damaged{aside}. {_lost_changes_text(journal)}")
    elif not journal.exists:
        notices.append("The journal was missing: changes since the last compaction may be lost.")
    _rebuild(fs, paths, journal, recovered, document.generation)
    return notices


def quarantine(fs: FileSystem, paths: Paths, path: Path, now: Clock) -> str:
    """Keep a damaged file under a dated name and return the words that say so."""
    names = fs.list_dir(paths.folder)
    inode = fs.stat(path).st_ino
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(now()))
    for name in names:
        if name.startswith("history.damaged-") and fs.stat(paths.folder / name).st_ino == inode:
            break
    else:
        name, count = f"history.damaged-{stamp}{path.suffix}", 1
        while name in names:
            count += 1
            name = f"history.damaged-{stamp}-{count}{path.suffix}"
        link_or_copy(fs, path, paths.folder / name)
        fs.sync_dir(paths.folder)
    return f" and was set aside as {name}"


@dataclass
class _Recovery:
    """The recovered records, before the journal is replayed over them."""

    records: dict[int, Record]
    other_tables: Tables
    last_id: int
    lost_count: int = 0
    is_complete: bool = False

    def summary(self) -> str:
        count = sum(record_id < FIRST_CHARGE_ID for record_id in self.records)
        recovered = f"{count} {'record was' if count == 1 else 'records were'} recovered"
        if self.is_complete:
            return f"{recovered} from the previous generation and the journals; none is lost."
        if not self.lost_count:
            return f"{recovered} from what was readable; whether there were more is unknown."
        return f"{recovered}; at least {self.lost_count} {'is' if self.lost_count == 1 else 'are'} lost."


def _recover(fs: FileSystem, paths: Paths, journal: DamagedJournal, document: DamagedDocument) -> _Recovery:
    earlier = DamagedJournal(fs, paths.previous_journal)
    header = earlier.header
    previous = DamagedDocument(fs, paths.previous_document, header)
    records = dict(previous.records)
    _replay_entries(records, earlier.scan.entries)
    others = document.other_tables or previous.other_tables
    last_id = max(document.last_id, previous.last_id, header.last_id if header else 0)
    if _is_complete(previous, earlier, journal):
        if document.is_foreign_format:
            deleted = {entry.id for entry in earlier.scan.entries if entry.op == "delete"}
            records = {key: record for key, record in document.records.items() if key not in deleted} | records
        return _Recovery(records, others, last_id, is_complete=True)
    records |= document.records
    snapshot = journal.header.snapshot if journal.header else None
    expected = snapshot.records if snapshot else len(document.records) + document.unreadable_count
    return _Recovery(records, others, last_id, lost_count=max(0, expected - len(records)))


def _is_complete(previous: DamagedDocument, previous_journal: DamagedJournal, journal: DamagedJournal) -> bool:
    """Whether the previous generation and both journals hold every record and change."""
    if journal.header is None:
        return False
    if not previous.exists and not previous_journal.exists:
        return journal.header.had_no_document
    if previous.damage or previous_journal.is_damaged:
        return False
    header, last = previous_journal.header, journal.header.generation
    first = header.generation if header and not previous.exists else previous.generation
    present = {last, header.generation} if header else {last}
    return first <= last and present >= set(range(first, last))


def _rebuild(fs: FileSystem, paths: Paths, journal: DamagedJournal, recovered: _Recovery, generation: int) -> None:
    header = journal.header
    entry_ids = [entry.id for entry in journal.scan.entries]
    last_id = _max_job_id([recovered.last_id, header.last_id if header else 0, *recovered.records, *entry_ids])
    last_id += 0 if header else SKIPPED_IDS
    generation = max(generation, header.generation if header else 0) + 1
    # Another instance may be compacting into this name; it finds the journal replaced and gives up.
    fs.unlink(paths.new_document)
    lines = (record_line(*found) for found in sorted(recovered.records.items()))
    with fs.closing(fs.create(paths.new_document)) as fd:
        snapshot = write_document(
            fs, fd, lines, generation=generation, last_id=last_id, other_tables=recovered.other_tables
        )
    renewed = Header(generation=generation, last_id=last_id, snapshot=snapshot, sequence=journal.scan.sequence or 1)
    write_journal(fs, paths.new_journal, renewed)
    fs.replace(paths.new_document, paths.document)
    fs.sync_dir(paths.folder)
    fs.replace(paths.new_journal, paths.journal)
    fs.sync_dir(paths.folder)
    fs.unlink(paths.new_previous)
    copy_file(fs, paths.document, paths.new_previous)
    fs.replace(paths.new_previous, paths.previous_document)
    fs.sync_dir(paths.folder)


def _replay_entries(records: dict[int, Record], entries: list[Entry]) -> None:
    pending = PendingChanges(entries)
    for record_id in pending.ids():
        record = pending.apply_to(record_id, records.pop(record_id, None))
        if record is not None:
            records[record_id] = record


def _lost_changes_text(journal: DamagedJournal) -> str:
    if journal.header is None:
        return "How many changes since the last compaction are lost is unknown."
    parts = []
    if journal.lost_count:
        parts.append(f"At least {journal.lost_count} {'change is' if journal.lost_count == 1 else 'changes are'} lost.")
    if tail := journal.unread_tail_lines:
        parts.append(f"{tail} at its end could not be read; they may never have been confirmed.")
    return " ".join(parts) or "No change is known to be lost."


def _open_unrepaired(fs: FileSystem, paths: Paths) -> OpenedHistory:
    try:
        journal = Journal(fs, paths.journal)
    except FileNotFoundError:
        _create_first_journal(fs, paths)
        journal = Journal(fs, paths.journal)
    try:
        document = open_document(fs, paths.document, journal.header.snapshot)
        if document.file_stat is None and not journal.header.had_no_document:
            raise CorruptDocumentError("it is missing")
    except BaseException:
        journal.close()
        raise
    return OpenedHistory(journal, journal.read_new(), document)


def _minor_notices(opened: OpenedHistory) -> list[str]:
    header, document, notices = opened.journal.header, opened.document, []
    ours = document.is_own_format or document.meta.get("generation") == header.generation + 1
    if header.snapshot is not None and not ours and not matches_stat(document.file_stat, header.snapshot):
        notices.append("history.json was changed by another program; its content is used as it is.")
    if opened.scan.bad_tail:
        notices.append("The last change was cut short before it was confirmed; it is not in the history.")
    return notices


def _create_first_journal(fs: FileSystem, paths: Paths) -> None:
    present = set(fs.list_dir(paths.folder))
    if present & {paths.previous_document.name, paths.previous_journal.name}:
        raise CorruptHeaderError("it is missing")
    document = open_document(fs, paths.document, None)
    last_id = max(document.last_id, document.meta.get("last_id", 0))
    header = Header(
        generation=document.meta.get("generation", 0),
        last_id=last_id + (SKIPPED_IDS if last_id else 0),
        snapshot=None,
        had_no_document=document.file_stat is None,
    )
    document.close()
    write_journal(fs, paths.new_journal, header)
    fs.replace(paths.new_journal, paths.journal)
    fs.sync_dir(paths.folder)
