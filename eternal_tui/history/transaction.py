"""Reading, deciding and writing as one step that no other instance can come between."""

from __future__ import annotations

from typing import Protocol

from eternal_tui.history.journal import Change, Record
from eternal_tui.history.journal_index import Overlay


class _Reader(Protocol):
    def get(self, record_id: int, /) -> Record | None: ...


class Transaction:
    """Changes gathered under the exclusive lock and written, with one fsync, when the block ends well.

    ``news`` holds what other instances wrote since it was last asked for. If the block raises, nothing is
    written and the news is kept for the next reader. `durable` may be set false when only progress is
    written.
    """

    def __init__(self, reader: _Reader, news: list[Change], last_id: int) -> None:
        self.news = news
        self.durable = True
        self.pending: list[Change] = []
        self._reader = reader
        self._overlay = Overlay()
        self._last_id = last_id

    def get(self, record_id: int) -> Record | None:
        """Read a record, with the changes of this transaction."""
        return self._overlay.over(record_id, self._reader.get(record_id))

    def add(self, record: Record) -> int:
        """Add a record and return its new id."""
        self._last_id += 1
        self._write(Change("put", self._last_id, record))
        return self._last_id

    def put(self, record_id: int, record: Record) -> None:
        """Write a whole record under a known id."""
        self._write(Change("put", record_id, record))

    def update(self, record_id: int, fields: Record) -> None:
        """Change some fields of a record; nothing happens if it does not exist."""
        self._write(Change("patch", record_id, fields))

    def delete(self, record_id: int) -> None:
        """Remove a record."""
        self._write(Change("delete", record_id, {}))

    def _write(self, change: Change) -> None:
        self.pending.append(change)
        self._overlay.apply(change)
