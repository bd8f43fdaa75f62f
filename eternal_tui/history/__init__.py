"""The durable history: one TinyDB file and its journal."""

from __future__ import annotations

from eternal_tui.history.errors import (
    HistoryConflict,
    HistoryDamaged,
    HistoryError,
    HistoryFull,
    HistoryGone,
    HistoryLockUnavailable,
    HistoryNewer,
    HistoryReadOnly,
    HistoryRefused,
    RecordInvalid,
)
from eternal_tui.history.history import History, Transaction
from eternal_tui.history.journal import Change, Record
from eternal_tui.history.lock import Instance

__all__ = [
    "Change",
    "History",
    "HistoryConflict",
    "HistoryDamaged",
    "HistoryError",
    "HistoryFull",
    "HistoryGone",
    "HistoryLockUnavailable",
    "HistoryNewer",
    "HistoryReadOnly",
    "HistoryRefused",
    "Instance",
    "Record",
    "RecordInvalid",
    "Transaction",
]
