"""Opening a history, and mending one that is damaged without ever overwriting the damage."""

from __future__ import annotations

import os
from collections.abc import Callable

from eternal_tui.history.document import Document, as_noted, open_document
from eternal_tui.history.errors import DocumentBroken, HeaderBroken, HistoryDamaged
from eternal_tui.history.files import Files
from eternal_tui.history.fold import Names
from eternal_tui.history.journal import Header, Journal, Scan, write_journal

GAP = 1000
"""Ids left out when the journal's header, and with it the last id minted, cannot be had."""


class Opened:
    """An open journal, what it holds, and the document it continues."""

    def __init__(
        self, journal: Journal, found: Scan, document: Document, stat: os.stat_result | None
    ) -> None:
        self.journal = journal
        self.found = found
        self.document = document
        self.stat = stat
        self.untouched = as_noted(stat, journal.header.base)


def open_or_mend(files: Files, names: Names, now: Callable[[], float]) -> tuple[Opened, list[str]]:
    """Open journal and document, mending them first if need be; under the folder's lock."""
    try:
        return open_files(files, names), []
    except (DocumentBroken, HeaderBroken) as broken:
        notices = mend(files, names, now, str(broken))
    return open_files(files, names), notices


def open_files(files: Files, names: Names) -> Opened:
    """Open journal and document, making an empty journal in a new folder; under the folder's lock."""
    try:
        journal = Journal.open(files, names.journal)
    except FileNotFoundError:
        _first_journal(files, names)
        journal = Journal.open(files, names.journal)
    try:
        document, stat = open_document(files, names.document, journal.header.base)
    except BaseException:
        journal.close()
        raise
    return Opened(journal, journal.read(), document, stat)


def mend(files: Files, names: Names, now: Callable[[], float], reason: str) -> list[str]:
    """Set damaged files aside under a dated name and rebuild from what is whole."""
    raise HistoryDamaged(f"The history is damaged: {reason}.")


def lost_lines(count: int) -> str:
    """Say how many changes could not be read."""
    return f"{count} change{'s' if count > 1 else ''} in the journal could not be read and {'are' if count > 1 else 'is'} lost."


def set_tail_aside(files: Files, names: Names, now: Callable[[], float]) -> str:
    """Keep a copy of a journal whose last lines are damaged."""
    return "The last lines of the journal are damaged."


def _first_journal(files: Files, names: Names) -> None:
    document, _ = open_document(files, names.document, None)
    last_id = max(document.last_id, document.meta.get("last_id", 0))
    header = Header(
        generation=document.meta.get("generation", 0),
        last_id=last_id + (GAP if last_id else 0),
        base=None,
    )
    document.close()
    write_journal(files, names.new_journal, header)
    files.replace(names.new_journal, names.journal)
    files.sync_folder(names.folder)
