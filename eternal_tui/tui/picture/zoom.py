"""Which part of a picture a person looks at: its zoom, what pans it, and keys typed ahead of its size."""

from __future__ import annotations

from typing import NamedTuple

from eternal_tui.media.decode.viewport import WHOLE, crop, panned, zoomed


class Room(NamedTuple):
    """Where a picture is drawn: columns, rows, and the pixels of one cell."""

    columns: int
    rows: int
    cell: tuple[float, float]


class Closer:
    """The part in view of one picture; its size in pixels is learned later than its first keys may come."""

    def __init__(self) -> None:
        self.view = WHOLE
        self.source = (0, 0)
        self._pans: list[tuple[int, int]] = []

    def forget(self) -> None:
        """Look at the whole of another picture, whose size is not known yet."""
        self.view, self.source = WHOLE, (0, 0)
        self._pans.clear()

    def learn(self, source: tuple[int, int], room: Room) -> None:
        """Take the picture's size in pixels; pans that came before it count from now."""
        self.source = source
        for right, down in self._pans:
            self._move(right, down, room)
        self._pans.clear()

    def zoom(self, steps: int) -> None:
        """Look closer by steps, less close where negative, at the whole for 0."""
        self.view = WHOLE if steps == 0 else zoomed(self.view, steps)

    def pan(self, right: int, down: int, room: Room) -> None:
        """Move the part in view by steps; the whole of a picture cannot be moved."""
        if self.view.whole:
            return
        if all(self.source):
            self._move(right, down, room)
        else:
            self._pans.append((right, down))

    def _move(self, right: int, down: int, room: Room) -> None:
        seen = crop(self.source, room.columns, room.rows, self.view, room.cell)
        self.view = panned(self.view, seen, self.source, right, down)
