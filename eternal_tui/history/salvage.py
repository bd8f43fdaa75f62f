"""Reading what can still be read of damaged files."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import msgspec

from eternal_tui.history.document import JOBS, META, Tables, as_noted, crc_of, meta_of, parse_jobs, parse_tables
from eternal_tui.history.errors import DocumentBroken, HeaderBroken
from eternal_tui.history.filesystem import Files, read_all
from eternal_tui.history.journal import SCHEMA, Base, Header, Record, Scan, newer, read_header, scan

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
