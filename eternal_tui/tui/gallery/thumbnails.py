"""Small drawings of results, made off the event loop and kept while there is room."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from eternal_tui.media.decode.filetype import VIDEO_SUFFIXES
from eternal_tui.media.decode.images import image_frame
from eternal_tui.media.decode.video import poster
from eternal_tui.media.errors import ResultError
from eternal_tui.media.limits import DecodeLimits
from eternal_tui.tui.graphics.base import Drawing, GraphicsBackend
from eternal_tui.tui.picture.picture import DECODE_DELAY_SECONDS

MAX_THUMBNAILS = 400
"""Drawings kept: several screens of the largest terminal, about 30 MB of pixels in one that holds them itself."""

EMPTY_DRAWING = Drawing((), 0)


class ThumbnailKey(NamedTuple):
    """A file as it is to be drawn: its path and the cells it may take."""

    path: Path
    columns: int
    rows: int


class ThumbnailCache:
    """Draws what is wanted now, one after the other; what is no longer wanted is not begun.

    `transmit` sends to the terminal, `on_rendered` is told after each new drawing. A file that cannot be drawn becomes
    an empty drawing.
    """

    def __init__(
        self,
        graphics: GraphicsBackend,
        *,
        transmit: Callable[[str], None],
        on_rendered: Callable[[ThumbnailKey], None],
        max_count: int = MAX_THUMBNAILS,
    ) -> None:
        self._graphics = graphics
        self._transmit = transmit
        self._on_rendered = on_rendered
        self._max_count = max_count
        self._decode_limits = DecodeLimits()
        self._drawings: OrderedDict[ThumbnailKey, Drawing] = OrderedDict()

    def get(self, key: ThumbnailKey) -> Drawing | None:
        """Return the drawing, None where it has not been made."""
        found = self._drawings.get(key)
        if found is not None:
            self._drawings.move_to_end(key)
        return found

    async def render_missing(self, keys: Sequence[ThumbnailKey], delay_seconds: float = DECODE_DELAY_SECONDS) -> None:
        """Make those that are missing, after the choice has stood for `delay_seconds` seconds.

        A new choice cancels it.
        """
        await asyncio.sleep(delay_seconds)
        for one in keys:
            if one in self._drawings:
                continue
            drawing = await asyncio.to_thread(self._render, one)
            self._add(one, drawing)
            self._on_rendered(one)

    def retransmit(self) -> None:
        """Send the pixels of every drawing again: the terminal forgot them while the screen was left."""
        for drawing in self._drawings.values():
            self._transmit(drawing.transmit)

    def clear(self) -> None:
        """Let the terminal and this process forget every drawing."""
        while self._drawings:
            self._evict_oldest()

    def _add(self, key: ThumbnailKey, drawing: Drawing) -> None:
        self._drawings[key] = drawing
        self._transmit(drawing.transmit)
        while len(self._drawings) > self._max_count:
            self._evict_oldest()

    def _evict_oldest(self) -> None:
        _, drawing = self._drawings.popitem(last=False)
        self._transmit(self._graphics.release(drawing.handle))

    def _render(self, key: ThumbnailKey) -> Drawing:
        """Blocks: runs in a thread."""
        path, columns, rows = key
        read = poster if path.suffix.lower() in VIDEO_SUFFIXES else image_frame
        try:
            return self._graphics.render(
                read(path, columns, rows, cell_size=self._graphics.cell_size, limits=self._decode_limits)
            )
        except ResultError:
            return EMPTY_DRAWING
