"""The history as a TinyDB storage, for scripts that want tables and queries over the same files.

``TinyDB(folder / "history.json", storage=DurableStorage)`` reads document and journal. A write is compared with the
last read, and the differences are appended to the journal: durably, and never over another process's changes.
"""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

from tinydb.storages import Storage

from eternal_tui.history.document import CHARGES_TABLE, JOBS_TABLE, META_TABLE
from eternal_tui.history.errors import ConflictError, HistoryError
from eternal_tui.history.history import History
from eternal_tui.history.journal import Change, decode, encode


class DurableStorage(Storage):
    """A TinyDB storage over a `History`; the table ``jobs`` holds the records and is the only one written."""

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self._history = History.open(Path(path).parent)
        self._last_read: dict[int, bytes] = {}

    def read(self) -> dict[str, dict[str, Any]]:
        """Read every record."""
        with self._history.transaction(keep_concurrent=True):
            pass  # Catch up; the changes of others stay for other readers of this history.
        self._last_read = {record_id: encode(record) for record_id, record in self._history.find_all()}
        jobs = {str(record_id): decode(data) for record_id, data in reversed(self._last_read.items())}
        return {**copy.deepcopy(self._history.other_tables), JOBS_TABLE: jobs, **self._charges()}

    def write(self, data: dict[str, dict[str, Any]]) -> None:
        """Append what differs from the last `read`.

        Raises:
            ConflictError: Another process changed one of the same records since; nothing was written.
            HistoryError: A table other than ``jobs`` was changed.
        """
        others = {name: table for name, table in data.items() if name not in {JOBS_TABLE, META_TABLE, CHARGES_TABLE}}
        charges = {CHARGES_TABLE: data[CHARGES_TABLE]} if CHARGES_TABLE in data else {}
        if charges != self._charges() or others != {
            name: table for name, table in self._history.other_tables.items() if name != META_TABLE
        }:
            raise HistoryError("Only the table jobs of the history can be written.")
        wanted = {int(key): encode(record) for key, record in data.get(JOBS_TABLE, {}).items()}
        changes = [
            Change("put", record_id, decode(record))
            for record_id, record in wanted.items()
            if self._last_read.get(record_id) != record
        ]
        changes += [Change("delete", record_id, {}) for record_id in self._last_read if record_id not in wanted]
        with self._history.transaction(keep_concurrent=True) as transaction:
            for change in changes:
                now = transaction.get(change.id)
                if (None if now is None else encode(now)) != self._last_read.get(change.id):
                    raise ConflictError(
                        f"Record {change.id} was changed by another program meanwhile. Nothing was written. Retry."
                    )
            transaction.changes += changes
        self._last_read = wanted

    def _charges(self) -> dict[str, dict[str, Any]]:
        rows = self._history.charges(limit=sys.maxsize)
        return {CHARGES_TABLE: {str(row_id): row for row_id, row in reversed(rows)}} if rows else {}

    def close(self) -> None:
        """Compact and close the history."""
        self._history.close(compact=True)
