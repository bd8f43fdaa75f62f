"""ThumbnailCache: small drawings of results, rendered in threads."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from eternal_tui.media.decode.filetype import VIDEO_SUFFIXES
from eternal_tui.media.decode.frame import WHOLE_VIEWPORT, Canvas, Viewport
from eternal_tui.media.decode.images import image_frame, image_size
from eternal_tui.media.decode.video import poster
from eternal_tui.media.errors import ResultError
from eternal_tui.media.limits import DecodeLimits
from eternal_tui.tui.graphics.base import EMPTY_DRAWING, Drawing, GraphicsBackend

MAX_THUMBNAILS = 400
"""Drawings cached: several screens of the largest terminal, about 30 MB of pixels in one that holds them itself."""

DECODE_DELAY_SECONDS = 0.03
"""Seconds without another choice after which a file is decoded: `j` held down repeats about every 30 ms."""


class ThumbnailKey(NamedTuple):
    """A file and the cells its drawing may take."""

    path: Path
    columns: int
    rows: int


class ThumbnailCache:
    """An LRU cache that renders the wanted thumbnails one after the other.

    `transmit` writes to the terminal, `on_rendered` is called after each new drawing. `fill` cuts an image to the shape
    of its cells, at the lower end or at both sides, for a face. A file that cannot be drawn becomes an empty drawing.
    """

    def __init__(
        self,
        graphics: GraphicsBackend,
        *,
        transmit: Callable[[str], None],
        on_rendered: Callable[[ThumbnailKey], object],
        max_count: int = MAX_THUMBNAILS,
        fill: bool = False,
    ) -> None:
        self._graphics = graphics
        self._transmit = transmit
        self._on_rendered = on_rendered
        self._max_count = max_count
        self._fill = fill
        self._drawings: OrderedDict[ThumbnailKey, Drawing] = OrderedDict()

    def get(self, key: ThumbnailKey) -> Drawing | None:
        """Return the drawing, None where it is not rendered yet."""
        found = self._drawings.get(key)
        if found is not None:
            self._drawings.move_to_end(key)
        return found

    async def render_missing(self, keys: Sequence[ThumbnailKey]) -> None:
        """Render the missing ones one after the other."""
        for one in keys:
            if one in self._drawings:
                continue
            self._drawings[one] = drawing = await asyncio.to_thread(self._render, one)
            self._transmit(drawing.transmit)
            while len(self._drawings) > self._max_count:
                self._evict_oldest()
            self._on_rendered(one)

    def retransmit(self) -> None:
        """Send every drawing again after the terminal dropped them with the screen."""
        for drawing in self._drawings.values():
            self._transmit(drawing.transmit)

    def clear(self) -> None:
        """Free every drawing here and in the terminal."""
        while self._drawings:
            self._evict_oldest()

    def _evict_oldest(self) -> None:
        _, drawing = self._drawings.popitem(last=False)
        self._transmit(self._graphics.release(drawing.handle))

    def _render(self, key: ThumbnailKey) -> Drawing:
        """Blocks: runs in a thread."""
        path, columns, rows = key
        cell, limits = self._graphics.cell_size, DecodeLimits()
        try:
            if path.suffix.lower() in VIDEO_SUFFIXES:
                frame = poster(path, Canvas(columns, rows, cell), limits=limits)
            else:
                view = fill_viewport(image_size(path, limits), key, cell) if self._fill else WHOLE_VIEWPORT
                frame = image_frame(path, Canvas(columns, rows, cell, view), limits=limits)
            return self._graphics.render(frame)
        except ResultError:
            return EMPTY_DRAWING


def fill_viewport(size: tuple[int, int], key: ThumbnailKey, cell_size: tuple[float, float]) -> Viewport:
    """Return the view in which an image of `size` pixels leaves no cell empty, from its top on."""
    shape = size[0] * key.rows * cell_size[1] / (size[1] * key.columns * cell_size[0])
    return Viewport(max(shape, 1 / shape), 0.5, 0.0)
