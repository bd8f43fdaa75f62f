"""Opening a history, and mending one that is damaged without ever overwriting the damage."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from eternal_tui.history import compaction
from eternal_tui.history.compaction import DocumentWriter, Names
from eternal_tui.history.document import (
    JOBS,
    META,
    Document,
    Tables,
    as_noted,
    crc_of,
    meta_of,
    open_document,
    parse_jobs,
    parse_tables,
)
from eternal_tui.history.errors import DocumentBroken, HeaderBroken, HistoryDamaged, HistoryNewer
from eternal_tui.history.filesystem import Files, read_all
from eternal_tui.history.journal import (
    SCHEMA,
    Base,
    Entry,
    Header,
    Journal,
    Record,
    Scan,
    newer,
    read_header,
    scan,
    write_journal,
)
from eternal_tui.history.journal_index import Overlay

_LINE = rb'"(-?\d+)":(?=\{)'
_KEY = r'"(-?\d+)"\s*:\s*(?=\{)'


class JournalRemains:
    """What is left of a journal; ``header`` is None when its first line is lost."""

    def __init__(self, files: Files, path: Path) -> None:
        self.exists = True
        self.header: Header | None = None
        self.found = Scan([], 0, 0)
        data = _bytes(files, path)
        if data is None:
            self.exists = False
            return
        try:
            self.header, start = read_header(data)
        except HeaderBroken:
            self.found = scan(data[data.find(b"\n") + 1 :], 0)
        else:
            self.found = scan(data[start:], start, self.header.sequence)

    @property
    def lost(self) -> int:
        """Changes between others that can no longer be read, at the least."""
        return self.found.lost or self.found.bad

    @property
    def unread_at_the_end(self) -> int:
        """Lines after the last good one: damaged, or begun and never confirmed."""
        tail = self.found.bad_tail
        return tail.count(b"\n") + (bool(tail) and not tail.endswith(b"\n"))

    @property
    def damaged(self) -> bool:
        """Whether more is wrong than a last line that its writer did not finish."""
        return (self.exists and self.header is None) or bool(self.found.bad) or is_damage(self.found.bad_tail)


class DocumentRemains:
    """What is left of a document.

    ``reason`` is empty when it is whole; ``broken`` counts records that were seen and could not be read;
    ``foreign`` says that its layout is another program's.
    """

    def __init__(self, files: Files, path: Path, note: Base | None) -> None:
        self.records: dict[int, Record] = {}
        self.others: Tables = {}
        self.broken = 0
        self.reason = ""
        self.foreign = False
        self.generation = 0
        self.last_id = 0
        data = _bytes(files, path)
        self.exists = data is not None
        if data is None:
            self.reason = "it is missing" if note is not None else ""
            return
        try:
            if not data and note is not None:
                raise DocumentBroken("it is empty")
            if _rotten(files, path, note):
                raise DocumentBroken("its bytes changed without being written")
            tables = parse_tables(data) if data else {}
            self.records = parse_jobs(tables)
            self._note_others(tables)
        except DocumentBroken as broken:
            self.reason = str(broken)
            self._salvage(data)
        self.last_id = max([self.last_id, *self.records])

    def _note_others(self, tables: Tables) -> None:
        self.others = {name: table for name, table in tables.items() if name != "jobs"}
        meta = meta_of(tables)
        if (schema := meta.get("schema", SCHEMA)) > SCHEMA:
            raise newer(schema)
        self.generation = meta.get("generation", 0)
        self.last_id = meta.get("last_id", 0)

    def _salvage(self, data: bytes) -> None:
        lines = data.split(b"\n")
        for line in lines:
            if match := re.match(_LINE, line):
                self._keep(int(match[1]), line[match.end() :].rstrip(b",\r"))
            elif line.startswith((b'"%b":' % META.encode(), b'{"')):
                self._salvage_table(line)
            elif line.strip(b"}\x00 "):
                self.broken += 1
        if not self.records:
            self.foreign = True
            self._scan_text(data.decode("utf-8", "replace"))

    def _salvage_table(self, line: bytes) -> None:
        try:
            self._note_others(parse_tables(b"{" + line.lstrip(b"{").rstrip(b",") + b"}"))
        except DocumentBroken:
            # The tables in the first lines are short; what they held is ours to count again.
            self.generation = 0

    def _keep(self, record_id: int, value: bytes) -> None:
        try:
            self.records[record_id] = msgspec.json.decode(value, type=Record)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self.broken += 1

    def _scan_text(self, text: str) -> None:
        self.broken = 0
        decoder, key = json.JSONDecoder(), re.compile(_KEY)
        position = text.find(f'"{JOBS}"')
        if position < 0:
            # Before the table of jobs stand other tables, whose rows look just like records.
            return
        while match := key.search(text, position):
            try:
                record, position = decoder.raw_decode(text, match.end())
            except (ValueError, RecursionError):
                self.broken += 1
                position = match.end()
            else:
                self.records[int(match[1])] = record


def is_damage(tail: bytes) -> bool:
    """Whether the end of a journal is more than a line whose writer died within it."""
    return b"\n" in tail or b"\x00" in tail


def _bytes(files: Files, path: Path) -> bytes | None:
    try:
        fd = files.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return read_all(files, fd)
    finally:
        files.close(fd)


def _rotten(files: Files, path: Path, note: Base | None) -> bool:
    fd = files.open(path, os.O_RDONLY)
    try:
        return note is not None and as_noted(files.fstat(fd), note) and crc_of(files, fd) != note.crc
    finally:
        files.close(fd)


GAP = 1000
"""Ids left out when the journal's header, and with it the last id minted, cannot be had."""

Clock = Callable[[], float]


class Opened:
    """An open journal, what it holds, and the document it continues."""

    def __init__(self, journal: Journal, found: Scan, document: Document, stat: os.stat_result | None) -> None:
        self.journal = journal
        self.found = found
        self.document = document
        self.stat = stat
        self.untouched = as_noted(stat, journal.header.base)


def open_or_mend(files: Files, names: Names, now: Clock) -> tuple[Opened, list[str]]:
    """Open journal and document, mending them first if need be; under the folder's lock.

    Raises:
        HistoryDamaged: They could not be mended.
        HistoryNewer: A later version wrote them.
    """
    try:
        opened = _open_files(files, names)
        if not opened.found.bad and not is_damage(opened.found.bad_tail):
            return opened, _small_notices(opened)
        opened.journal.close()
        opened.document.close()
    except (DocumentBroken, HeaderBroken):
        pass
    notices = mend(files, names, now)
    try:
        return _open_files(files, names), notices
    except (DocumentBroken, HeaderBroken) as broken:
        raise HistoryDamaged(
            f"The history in {names.folder} is damaged and could not be mended ({broken}). Nothing was removed."
        ) from broken


def mend(files: Files, names: Names, now: Clock) -> list[str]:
    """Set what is damaged aside under a dated name and rebuild from the best that is left.

    Returns:
        What was damaged, what it is called now, what was recovered and how much is lost.
    """
    journal = JournalRemains(files, names.journal)
    note = journal.header.base if journal.header else None
    document = DocumentRemains(files, names.document, note)
    missing = not document.exists and (journal.header is None or not journal.header.empty)
    if missing and not document.reason:
        document.reason = "it is missing"
    notices, rescue = [], _Rescue(document.records, document.others, document.last_id)
    if document.reason:
        kept = _kept(files, names, names.document, now) if document.exists else ""
        rescue = _rescue(files, names, journal, document)
        _replay(rescue.records, journal.found.entries)
        notices.append(f"history.json was damaged ({document.reason}){kept}. {rescue.verdict()}")
    if journal.damaged:
        kept = _kept(files, names, names.journal, now)
        notices.append(f"The journal was damaged{kept}. {_lost_changes(journal)}")
    elif not journal.exists:
        notices.append("The journal was missing: changes since the history was last folded may be lost.")
    _rebuild(files, names, journal, rescue, document.generation)
    return notices


def set_aside(files: Files, names: Names, path: Path, now: Clock) -> str:
    """Keep a damaged file under a dated name and return that name."""
    inode = files.stat(path).st_ino
    for name in files.names(names.folder):
        if name.startswith("history.damaged-") and files.stat(names.folder / name).st_ino == inode:
            return name
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(now()))
    name, count = f"history.damaged-{stamp}{path.suffix}", 1
    while name in files.names(names.folder):
        count += 1
        name = f"history.damaged-{stamp}-{count}{path.suffix}"
    compaction.second_name(files, path, names.folder / name)
    files.sync_folder(names.folder)
    return name


def set_newer_aside(files: Files, names: Names, now: Clock) -> str:
    """Move what a later version wrote under dated names, so that the generation before can be used; say so."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(now()))
    moved = []
    for path in (names.document, names.journal, names.previous, names.previous_journal):
        if path.name in files.names(names.folder) and (path == names.journal or _is_newer(files, path)):
            aside = path.name.replace("history.", f"history.newer-{stamp}.", 1)
            files.link(path, names.folder / aside)
            files.unlink(path)
            moved.append(aside)
    files.sync_folder(names.folder)
    return f"A newer eternal-tui wrote this history; it was set aside as {', '.join(moved)}."


def _is_newer(files: Files, path: Path) -> bool:
    try:
        if path.suffix == ".json":
            DocumentRemains(files, path, None)
        else:
            JournalRemains(files, path)
    except HistoryNewer:
        return True
    return False


class _Rescue:
    """The records to go on with, before the journal is replayed over them."""

    def __init__(
        self, records: dict[int, Record], others: Tables, last_id: int, lost: int = 0, *, complete: bool = False
    ) -> None:
        self.records = records
        self.others = others
        self.last_id = last_id
        self.lost = lost
        self.complete = complete

    def verdict(self) -> str:
        count = len(self.records)
        kept = f"{count} {'record was' if count == 1 else 'records were'} recovered"
        if self.complete:
            return f"{kept} from the generation before and the journals; none is lost."
        if not self.lost:
            return f"{kept} from what was still readable; whether there were more cannot be told."
        return f"{kept}; at least {self.lost} could not be and {'is' if self.lost == 1 else 'are'} lost."


def _rescue(files: Files, names: Names, journal: JournalRemains, document: DocumentRemains) -> _Rescue:
    earlier = JournalRemains(files, names.previous_journal)
    header = earlier.header
    previous = DocumentRemains(files, names.previous, header.base if header else None)
    records = dict(previous.records)
    _replay(records, earlier.found.entries)
    others = document.others or previous.others
    last_id = max(document.last_id, previous.last_id, header.last_id if header else 0)
    if _complete(previous, earlier, journal):
        if document.foreign:
            gone = {entry.id for entry in earlier.found.entries if entry.op == "delete"}
            records = {key: record for key, record in document.records.items() if key not in gone} | records
        return _Rescue(records, others, last_id, complete=True)
    records |= document.records
    note = journal.header.base if journal.header else None
    expected = note.records if note else len(document.records) + document.broken
    return _Rescue(records, others, last_id, lost=max(0, expected - len(records)))


def _complete(previous: DocumentRemains, earlier: JournalRemains, journal: JournalRemains) -> bool:
    """Whether the generation before and both journals together hold everything there was."""
    if previous.reason or earlier.damaged or journal.header is None:
        return False
    if not previous.exists and not earlier.exists:
        return journal.header.empty
    have = {journal.header.generation}
    first = previous.generation
    if earlier.header is not None:
        have.add(earlier.header.generation)
        if not previous.exists:
            if not earlier.header.empty:
                return False
            first = earlier.header.generation
    elif not previous.exists:
        return False
    return first <= journal.header.generation and have >= set(range(first, journal.header.generation + 1))


def _rebuild(files: Files, names: Names, journal: JournalRemains, rescue: _Rescue, generation: int) -> None:
    records = rescue.records
    _replay(records, journal.found.entries)
    header = journal.header
    last_id = max([rescue.last_id, header.last_id if header else 0, *records, *_ids(journal)])
    last_id += 0 if header else GAP
    generation = max(generation, header.generation if header else 0) + 1
    # A fold of another instance may hold this name; it will find the journal changed and give up.
    files.unlink(names.new_document)
    base = _write(files, names.new_document, rescue, generation, last_id)
    renewed = Header(generation=generation, last_id=last_id, base=base, sequence=journal.found.sequence or 1)
    write_journal(files, names.new_journal, renewed)
    files.replace(names.new_document, names.document)
    files.sync_folder(names.folder)
    files.replace(names.new_journal, names.journal)
    files.sync_folder(names.folder)
    files.unlink(names.new_previous)
    compaction.copy(files, names.document, names.new_previous)
    files.replace(names.new_previous, names.previous)
    files.sync_folder(names.folder)


def _write(files: Files, path: Path, rescue: _Rescue, generation: int, last_id: int) -> Base:
    fd = files.create(path)
    try:
        writer = DocumentWriter(files, fd)
        writer.head(generation, last_id, rescue.others)
        for record_id in sorted(rescue.records):
            writer.record(record_id, rescue.records[record_id])
        return writer.finish()
    finally:
        files.close(fd)


def _replay(records: dict[int, Record], entries: list[Entry]) -> None:
    overlay = Overlay.of(entries)
    for record_id in overlay.ids():
        record = overlay.over(record_id, records.pop(record_id, None))
        if record is not None:
            records[record_id] = record


def _lost_changes(journal: JournalRemains) -> str:
    if journal.header is None:
        return "How many changes since the last fold are lost, if any, cannot be told."
    said = []
    if journal.lost:
        said.append(f"At least {journal.lost} {'change is' if journal.lost == 1 else 'changes are'} lost.")
    if tail := journal.unread_at_the_end:
        said.append(f"{tail} at its end could not be read, and may never have been confirmed.")
    return " ".join(said) or "No change is known to be lost."


def _ids(journal: JournalRemains) -> list[int]:
    return [entry.id for entry in journal.found.entries]


def _kept(files: Files, names: Names, path: Path, now: Clock) -> str:
    return f" and was set aside as {set_aside(files, names, path, now)}"


def _open_files(files: Files, names: Names) -> Opened:
    try:
        journal = Journal.open(files, names.journal)
    except FileNotFoundError:
        _first_journal(files, names)
        journal = Journal.open(files, names.journal)
    try:
        document, stat = open_document(files, names.document, journal.header.base)
        if stat is None and not journal.header.empty:
            raise DocumentBroken("it is missing")
    except BaseException:
        journal.close()
        raise
    return Opened(journal, journal.read(), document, stat)


def _small_notices(opened: Opened) -> list[str]:
    header, notices = opened.journal.header, []
    ours = opened.document.meta.get("generation") == header.generation + 1
    if not opened.untouched and header.base is not None and not opened.document.ours and not ours:
        notices.append("history.json was changed by another program; its content is used as it is.")
    if opened.found.bad_tail:
        notices.append("The last change was cut short before it was confirmed; it is not in the history.")
    return notices


def _first_journal(files: Files, names: Names) -> None:
    present = set(files.names(names.folder))
    if present & {names.previous.name, names.previous_journal.name}:
        raise HeaderBroken("it is missing")
    document, stat = open_document(files, names.document, None)
    last_id = max(document.last_id, document.meta.get("last_id", 0))
    header = Header(
        generation=document.meta.get("generation", 0),
        last_id=last_id + (GAP if last_id else 0),
        base=None,
        empty=stat is None,
    )
    document.close()
    write_journal(files, names.new_journal, header)
    files.replace(names.new_journal, names.journal)
    files.sync_folder(names.folder)
