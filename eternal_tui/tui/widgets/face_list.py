"""FaceList: rows with a small picture in front of each, loaded while the keys go on working."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.strip import Strip
from textual.worker import Worker

from eternal_tui.tui.graphics.base import NO_FACES, FaceSource
from eternal_tui.tui.graphics.thumbnails import ThumbnailCache, ThumbnailKey
from eternal_tui.tui.terminal.textual_internals import write_to_terminal
from eternal_tui.tui.widgets.option_table import Column, VirtualList

LOAD_DELAY_SECONDS = 0.12
"""Seconds the rows in view stay the same before their pictures are requested: not for all that a held key passes."""

SMALL_FACE_ROWS, LARGE_FACE_ROWS = 2, 3
LARGE_FACE_MIN_ROWS, LARGE_FACE_MIN_COLUMNS = 24, 80
"""Size of the list from which faces are large."""


class FaceList(VirtualList):
    """Rows of two or three lines with the picture of `row_url` in front; of one line where pictures are off."""

    def __init__(
        self,
        columns: Sequence[Column],
        row_cells: Callable[[int], Sequence[str]],
        *,
        row_url: Callable[[int], str],
        source: FaceSource = NO_FACES,
        id: str,  # noqa: A002
    ) -> None:
        super().__init__(columns, row_cells, id=id)
        self._row_url = row_url
        self._source = source
        graphics = source.graphics.for_thumbnails
        self._has_faces = any(graphics.cell_size)
        self._thumbnails = ThumbnailCache(
            graphics,
            transmit=lambda data: write_to_terminal(self.app, data),
            on_rendered=self._face_rendered,
            fill=True,
        )
        self._paths: dict[str, Path | None] = {}

    def on_mount(self) -> None:
        self.app.app_resume_signal.subscribe(self, lambda _: self._thumbnails.retransmit())

    def on_unmount(self) -> None:
        self.app.app_resume_signal.unsubscribe(self)
        self._thumbnails.clear()

    def on_resize(self, event: events.Resize) -> None:
        if self._has_faces:
            self.row_height = self._face_rows(event.size)
            self.update_size()
            self._load_visible()

    @staticmethod
    def _face_rows(size: Size) -> int:
        is_large = size.height >= LARGE_FACE_MIN_ROWS and size.width >= LARGE_FACE_MIN_COLUMNS
        return LARGE_FACE_ROWS if is_large else SMALL_FACE_ROWS

    def set_rows(self, rows: Sequence[int], *, keep_cursor: bool = False) -> None:
        """Show these rows; the cursor goes to the first, or stays where it was."""
        super().set_rows(rows, keep_cursor=keep_cursor)
        self._load_visible()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._load_visible()

    def lead_strip(self, row: int, line: int, style: Style) -> Strip:
        """Return a line of the face, and a gap."""
        if not self._has_faces:
            return super().lead_strip(row, line, style)
        key = self._thumbnail_key(self._paths.get(self._row_url(row)))
        drawing = self._thumbnails.get(key) if key is not None else None
        width = 2 * self.row_height
        if drawing is None or line >= len(drawing.strips):
            return Strip.blank(width + 1, style)
        return Strip.join([drawing.row(line, style).adjust_cell_length(width, style), Strip.blank(1, style)])

    def _face_rendered(self, _key: ThumbnailKey) -> None:
        self.refresh()

    def _thumbnail_key(self, path: Path | None) -> ThumbnailKey | None:
        # A cell is half as wide as it is high: this is a square.
        return None if path is None else ThumbnailKey(path, 2 * self.row_height, self.row_height)

    def _load_visible(self) -> None:
        if self._has_faces and self.is_attached:
            self._start_loading(dict.fromkeys(filter(None, map(self._row_url, self.visible_rows))))

    def _start_loading(self, urls: Iterable[str]) -> Worker[None]:

        async def load() -> None:
            await asyncio.sleep(LOAD_DELAY_SECONDS)
            await asyncio.gather(*map(self._load_one, urls))

        return self.run_worker(load, group="faces", exclusive=True, exit_on_error=False)

    async def _load_one(self, url: str) -> None:
        path = self._paths[url] = self._paths.get(url) or await self._source.find(url)
        if (key := self._thumbnail_key(path)) is not None:
            await self._thumbnails.render_missing([key], 0.0)
