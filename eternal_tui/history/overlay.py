"""What the journal makes of the document: the sum of its changes, one for each record."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

import msgspec

from eternal_tui.history.journal import Change, Entry, Record


class Overlay:
    """The changes of a journal, summed up for each id.

    Applying a journal twice gives what applying it once gives: that is what makes a crash between writing the
    document and renewing the journal harmless. Hence a patch of a record that does not exist does nothing.
    """

    def __init__(self) -> None:
        self._changes: dict[int, Change] = {}
        self._sorted: list[int] | None = None
        self.last_id = 0

    @classmethod
    def of(cls, changes: Iterable[Change | Entry]) -> Overlay:
        """Sum up changes, oldest first."""
        overlay = cls()
        for change in changes:
            overlay.apply(change)
        return overlay

    def __len__(self) -> int:
        return len(self._changes)

    def __contains__(self, record_id: int) -> bool:
        return record_id in self._changes

    def apply(self, change: Change | Entry) -> None:
        """Add one change; records handed in are never altered."""
        known = self._changes.get(change.id)
        summed = change.change() if isinstance(change, Entry) else change
        if change.op == "patch" and known is not None:
            if known.op == "delete":
                return
            summed = Change(known.op, change.id, known.fields | change.fields)
        if known is None:
            self._sorted = None
            self.last_id = max(self.last_id, change.id)
        self._changes[change.id] = summed

    def get(self, record_id: int) -> Change | None:
        """The sum for one id."""
        return self._changes.get(record_id)

    def over(self, record_id: int, record: Record | None) -> Record | None:
        """What becomes of the document's record, or of its absence."""
        change = self._changes.get(record_id)
        if change is None:
            return record
        if change.op == "delete":
            return None
        if change.op == "put":
            return _own(change.fields)
        return None if record is None else record | _own(change.fields)

    def ids(self) -> list[int]:
        """Every id touched, ascending."""
        if self._sorted is None:
            self._sorted = sorted(self._changes)
        return self._sorted

    def puts_below(self, before: int | None) -> Iterator[tuple[int, Record]]:
        """Whole records, descending from below ``before``."""
        ids = self.ids()
        for index in range((len(ids) if before is None else bisect_left(ids, before)) - 1, -1, -1):
            change = self._changes[ids[index]]
            if change.op == "put":
                yield change.id, _own(change.fields)


def _own(fields: Record) -> Record:
    # A caller may alter what it is given, to any depth; what will be folded must not change with it.
    copy: Record = msgspec.json.decode(msgspec.json.encode(fields))
    return copy
