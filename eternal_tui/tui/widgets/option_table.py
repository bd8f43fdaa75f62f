"""Lists of many rows to choose one from: only the rows in view are drawn, and get small pictures in front of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import msgspec
from rich.segment import Segment
from rich.style import Style
from textual import events, work
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from eternal_tui.core.sanitize import sanitize
from eternal_tui.tui.graphics.base import NO_FACES, FaceSource
from eternal_tui.tui.graphics.thumbnails import ThumbnailCache, ThumbnailKey
from eternal_tui.tui.terminal.textual_internals import write_to_terminal
from eternal_tui.tui.widgets.cells import fit

EMPTY_STRIP = Strip([], 0)


MIN_FLEXIBLE_WIDTH = 6
"""Cells below which the flexible column is left out: no word can be read in them."""


class Column(msgspec.Struct, frozen=True):
    """One column: its width in cells, 0 for what the others leave, and whether it is drawn dim."""

    width: int
    dim: bool = False
    align_right: bool = False


class VirtualList(ScrollView, can_focus=False):
    """Rows of columns with a cursor. The text line above it keeps the focus and moves the cursor.

    `row_cells` turns a row, a number into the owner's data, into its cells: text from anywhere, gated here. Where
    `row_height` is more than a line, the text of the last column is wrapped under the others.
    """

    row_height = 1

    COMPONENT_CLASSES: ClassVar[set[str]] = {"pick-list--text", "pick-list--dim", "pick-list--cursor"}
    DEFAULT_CSS = """
    VirtualList {
        height: 1fr; background: transparent; overflow-x: hidden; scrollbar-size-vertical: 1;
        & > .pick-list--text { color: $foreground; }
        & > .pick-list--dim { color: $text-muted; }
        & > .pick-list--cursor { color: $foreground; background: $block-cursor-background; text-style: bold; }
        &:ansi > .pick-list--cursor { color: ansi_default; background: transparent; text-style: bold reverse; }
    }
    """

    @dataclass
    class RowClicked(Message):
        """A row was chosen with the mouse."""

        row: int

    def __init__(
        self,
        columns: Sequence[Column],
        row_cells: Callable[[int], Sequence[str]],
        *,
        id: str,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self._columns = tuple(columns)
        self._row_cells = row_cells
        self._rows: Sequence[int] = ()
        self._marked_rows: frozenset[int] = frozenset()
        self._cursor = 0

    @property
    def current_row(self) -> int | None:
        return self._rows[self._cursor] if self._rows else None

    def set_rows(self, rows: Sequence[int], *, keep_cursor: bool = False) -> None:
        """Show these rows; the cursor goes to the first, or stays where it was."""
        self._rows = rows
        self._cursor = min(self._cursor, max(0, len(rows) - 1)) if keep_cursor else 0
        self.update_size()

    def update_size(self) -> None:
        """Take the rows' number and height into account."""
        self.virtual_size = Size(self.size.width, len(self._rows) * self.row_height)
        self._scroll_to_cursor()

    @property
    def visible_rows(self) -> Sequence[int]:
        """The rows in view, also those of which only a part is."""
        top, bottom = self.scroll_offset.y, self.scroll_offset.y + self.size.height
        return self._rows[top // self.row_height : -(-bottom // self.row_height)]

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Draw the rows in these columns."""
        self._columns = tuple(columns)
        self.refresh()

    def set_marked(self, rows: frozenset[int]) -> None:
        """Draw these rows as marked."""
        self._marked_rows = rows
        self.refresh()

    def move_cursor(self, delta: int) -> None:
        """Move the cursor, no further than the ends."""
        self._cursor = min(max(self._cursor + delta, 0), max(0, len(self._rows) - 1))
        self._scroll_to_cursor()

    def move_page(self, screens: float) -> None:
        """Move the cursor by that many screens."""
        self.move_cursor(round(screens * max(1, self.size.height // self.row_height)))

    def render_line(self, y: int) -> Strip:
        place, line = divmod(y + self.scroll_offset.y, self.row_height)
        width = self.scrollable_content_region.width
        if place >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        row = self._rows[place]
        here = place == self._cursor
        text, dim = (
            self.get_component_rich_style(f"pick-list--{'cursor' if here else part}") for part in ("text", "dim")
        )
        sign = "●" if row in self._marked_rows and not line else "▌" if here else " "
        lead = Strip.join([Strip([Segment(f"{sign} ", text)], 2), self.lead_strip(row, line, text)])
        cells = [sanitize(cell, limit=300).replace("⏎", " ") for cell in self._row_cells(row)]
        left = width - lead.cell_length
        if self.row_height == 1 or not line:
            segments = list(self._columns_of(cells, left, text, dim))
        else:
            wrapped = [part.plain for part in Content(cells[-1]).wrap(max(1, left))][line - 1 :]
            # The last line gets all the rest, so that its ellipsis shows that there is more.
            shown = " ".join(wrapped) if line == self.row_height - 1 else "".join(wrapped[:1])
            segments = [Segment(fit(shown, left), dim)]
        rest = Strip(segments).adjust_cell_length(left, text if here else self.rich_style)
        return Strip.join([lead, rest])

    def _columns_of(self, cells: Sequence[str], left: int, text: Style, dim: Style) -> Iterator[Segment]:
        rest = left - sum(column.width for column in self._columns) - 2 * (len(self._columns) - 1)
        for column, cell in zip(self._columns, cells, strict=True):
            if self.row_height > 1 and column is self._columns[-1]:
                return
            room = min(column.width or (rest if rest >= MIN_FLEXIBLE_WIDTH else 0), left)
            gap = min(2, left - room)
            yield Segment(fit(cell, room, align_right=column.align_right) + " " * gap, dim if column.dim else text)
            left -= room + gap

    def lead_strip(self, row: int, line: int, style: Style) -> Strip:  # noqa: ARG002
        """Return what is drawn in front of a line of a row."""
        return EMPTY_STRIP

    def on_click(self, event: events.Click) -> None:
        place = (event.y + self.scroll_offset.y) // self.row_height
        if place < len(self._rows):
            self._cursor = place
            self.refresh()
            self.post_message(self.RowClicked(self._rows[place]))

    def _scroll_to_cursor(self) -> None:
        height = self.row_height
        self.scroll_to_region(Region(0, self._cursor * height, 1, height), animate=False, force=True)
        self.refresh()


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
            on_rendered=lambda _: self.refresh(),
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
            is_large = event.size.height >= LARGE_FACE_MIN_ROWS and event.size.width >= LARGE_FACE_MIN_COLUMNS
            self.row_height = LARGE_FACE_ROWS if is_large else SMALL_FACE_ROWS
            self.update_size()
            self._load_visible()

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

    def _thumbnail_key(self, path: Path | None) -> ThumbnailKey | None:
        # A cell is half as wide as it is high: this is a square.
        return None if path is None else ThumbnailKey(path, 2 * self.row_height, self.row_height)

    def _load_visible(self) -> None:
        if self._has_faces and self.is_attached:
            self._load(dict.fromkeys(filter(None, map(self._row_url, self.visible_rows))))

    @work(group="faces", exclusive=True, exit_on_error=False)
    async def _load(self, urls: Iterable[str]) -> None:
        await asyncio.sleep(LOAD_DELAY_SECONDS)
        await asyncio.gather(*map(self._load_one, urls))

    async def _load_one(self, url: str) -> None:
        path = self._paths[url] = self._paths.get(url) or await self._source.find(url)
        if (key := self._thumbnail_key(path)) is not None:
            await self._thumbnails.render_missing([key])
