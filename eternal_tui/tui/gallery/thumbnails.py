"""Small drawings of results, made off the event loop and kept while there is room."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from eternal_tui.media.decode.images import still_frame
from eternal_tui.media.decode.video import poster
from eternal_tui.media.errors import ResultError
from eternal_tui.media.limits import DecodeLimits
from eternal_tui.tui.graphics.base import Drawing, Graphics
from eternal_tui.tui.picture.picture import CLIPS, SETTLE

MOST_KEPT = 400
"""Drawings kept: several screens of the largest terminal, about 30 MB of pixels in one that holds them itself."""

NOTHING = Drawing((), 0)


class Wanted(NamedTuple):
    """A file as it is to be drawn: its path and the cells it may take."""

    path: Path
    columns: int
    rows: int


class Thumbnails:
    """Draws what is wanted now, one after the other; what is no longer wanted is not begun.

    `transmit` sends to the terminal, `drawn` is told after each new drawing. A file that cannot be drawn becomes an
    empty drawing.
    """

    def __init__(
        self,
        graphics: Graphics,
        *,
        transmit: Callable[[str], None],
        drawn: Callable[[Wanted], None],
        limit: int = MOST_KEPT,
    ) -> None:
        self._graphics = graphics
        self._transmit = transmit
        self._drawn = drawn
        self._limit = limit
        self._limits = DecodeLimits()
        self._kept: OrderedDict[Wanted, Drawing] = OrderedDict()

    def get(self, wanted: Wanted) -> Drawing | None:
        """Return the drawing, None where it has not been made."""
        found = self._kept.get(wanted)
        if found is not None:
            self._kept.move_to_end(wanted)
        return found

    async def fill(self, wanted: Sequence[Wanted], settle: float = SETTLE) -> None:
        """Make those that are missing, after the choice has stood for `settle` seconds; cancelled when it changes."""
        await asyncio.sleep(settle)
        for one in wanted:
            if one in self._kept:
                continue
            drawing = await asyncio.to_thread(self._draw, one)
            self._keep(one, drawing)
            self._drawn(one)

    def send_again(self) -> None:
        """Send the pixels of every drawing again: the terminal forgot them while the screen was left."""
        for drawing in self._kept.values():
            self._transmit(drawing.transmit)

    def clear(self) -> None:
        """Let the terminal and this process forget every drawing."""
        while self._kept:
            self._drop()

    def _keep(self, wanted: Wanted, drawing: Drawing) -> None:
        self._kept[wanted] = drawing
        self._transmit(drawing.transmit)
        while len(self._kept) > self._limit:
            self._drop()

    def _drop(self) -> None:
        _, drawing = self._kept.popitem(last=False)
        self._transmit(self._graphics.release(drawing.handle))

    def _draw(self, wanted: Wanted) -> Drawing:
        """Blocks: runs in a thread."""
        path, columns, rows = wanted
        read = poster if path.suffix.lower() in CLIPS else still_frame
        try:
            return self._graphics.render(read(path, columns, rows, cell=self._graphics.cell, limits=self._limits))
        except ResultError:
            return NOTHING
