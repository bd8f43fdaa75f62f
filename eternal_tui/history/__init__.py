"""The durable history: one TinyDB file and its journal."""

from __future__ import annotations

from eternal_tui.history.errors import (
    ConflictError,
    DataFolderMissingError,
    DiskFullError,
    HistoryError,
    InvalidRecordError,
    LockUnavailableError,
    NewerSchemaError,
    ReadOnlyError,
    UnrepairableHistoryError,
    UnsafeFileError,
)
from eternal_tui.history.history import History, Transaction
from eternal_tui.history.journal import Change, Record
from eternal_tui.history.lock import InstanceLock

__all__ = [
    "Change",
    "ConflictError",
    "DataFolderMissingError",
    "DiskFullError",
    "History",
    "HistoryError",
    "InstanceLock",
    "InvalidRecordError",
    "LockUnavailableError",
    "NewerSchemaError",
    "ReadOnlyError",
    "Record",
    "Transaction",
    "UnrepairableHistoryError",
    "UnsafeFileError",
]
