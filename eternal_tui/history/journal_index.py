"""What the journal makes of the document: the sum of its changes, one for each record."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from eternal_tui.history.journal import FIRST_CHARGE_ID, Change, Entry, Record, decode, encode

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
