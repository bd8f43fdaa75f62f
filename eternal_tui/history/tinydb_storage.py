"""The history as a TinyDB storage, for whoever wants tables and queries over the same files.

``TinyDB(folder / "history.json", storage=DurableStorage)`` reads document and journal; what it writes is compared
with what it read, and the differences are appended to the journal: durable, and never over what another process
wrote in between.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import msgspec
from tinydb.storages import Storage

from eternal_tui.history.document import JOBS, META
from eternal_tui.history.errors import HistoryConflict, HistoryError
from eternal_tui.history.history import History
from eternal_tui.history.journal import Change, Record, encode

_records = msgspec.json.Decoder(Record)


class DurableStorage(Storage):
    """A TinyDB storage over a `History`; the table ``jobs`` holds the records and is the only one written."""

    def __init__(self, path: str | Path, *, history: History | None = None) -> None:
        super().__init__()
        self._own = history is None
        self._history = history or History.open(Path(path).parent)
        self._seen: dict[int, bytes] = {}

    def read(self) -> dict[str, dict[str, Any]]:
        """Read every record as it stands now."""
        with self._history.transaction(keep_news=True):
            pass  # The news stays for whoever else reads this history.
        self._seen = {record_id: encode(record) for record_id, record in self._history.find_all()}
        jobs = {str(record_id): _records.decode(data) for record_id, data in reversed(self._seen.items())}
        return {**copy.deepcopy(self._history.others), JOBS: jobs}

    def write(self, data: dict[str, dict[str, Any]]) -> None:
        """Append what differs from the last `read`.

        Raises:
            HistoryConflict: Another process changed one of the same records since; nothing was written.
            HistoryError: A table other than ``jobs`` was to be changed.
        """
        others = {name: table for name, table in data.items() if name not in {JOBS, META}}
        if others != {name: table for name, table in self._history.others.items() if name != META}:
            raise HistoryError("Only the table jobs of the history can be written.")
        wanted = {int(key): encode(record) for key, record in data.get(JOBS, {}).items()}
        changes = [
            Change("put", record_id, _records.decode(record))
            for record_id, record in wanted.items()
            if self._seen.get(record_id) != record
        ]
        changes += [Change("delete", record_id, {}) for record_id in self._seen if record_id not in wanted]
        with self._history.transaction(keep_news=True) as transaction:
            for change in changes:
                now = transaction.get(change.id)
                if (None if now is None else encode(now)) != self._seen.get(change.id):
                    raise HistoryConflict(
                        f"Record {change.id} was changed by another program meanwhile. Nothing was written: try again."
                    )
            transaction.pending += changes
        self._seen = wanted

    def close(self) -> None:
        """Close the history if this storage opened it."""
        if self._own:
            self._history.close(fold=True)
