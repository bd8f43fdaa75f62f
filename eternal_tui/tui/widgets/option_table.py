"""A list of many rows to choose one from: draws only the rows in view, so that thousands cost what a dozen does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import msgspec
from rich.segment import Segment
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from eternal_tui.core.sanitize import sanitize
from eternal_tui.tui.widgets.cells import fit


class Column(msgspec.Struct, frozen=True):
    """One column: its width in cells, 0 for what the others leave, and whether it is drawn dim."""

    width: int
    dim: bool = False
    align_right: bool = False


class VirtualList(ScrollView, can_focus=False):
    """Rows of columns with a cursor. The text line above it keeps the focus and moves the cursor.

    `row_cells` turns a row, a number into the owner's data, into its cells: text from anywhere, gated here.
    """

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
        """The row the cursor is on."""
        return self._rows[self._cursor] if self._rows else None

    def set_rows(self, rows: Sequence[int], *, keep_cursor: bool = False) -> None:
        """Show these rows; the cursor goes to the first, or stays where it was."""
        self._rows = rows
        self._cursor = min(self._cursor, max(0, len(rows) - 1)) if keep_cursor else 0
        self.virtual_size = Size(self.size.width, len(rows))
        self._scroll_to_cursor()

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
        self.move_cursor(round(screens * self.size.height))

    def render_line(self, y: int) -> Strip:
        place = y + self.scroll_offset.y
        width = self.scrollable_content_region.width
        if place >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        row = self._rows[place]
        here = place == self._cursor
        text, dim = (
            self.get_component_rich_style(f"pick-list--{'cursor' if here else part}") for part in ("text", "dim")
        )
        sign = "●" if row in self._marked_rows else "▌" if here else " "
        segments = [Segment(f"{sign} ", text)]
        left = width - 2
        rest = left - sum(column.width for column in self._columns) - 2 * (len(self._columns) - 1)
        for column, cell in zip(self._columns, self._row_cells(row), strict=True):
            room = min(column.width or max(0, rest), left)
            gap = min(2, left - room)
            gated = sanitize(cell, limit=300).replace("⏎", " ")
            segments.append(
                Segment(fit(gated, room, align_right=column.align_right) + " " * gap, dim if column.dim else text)
            )
            left -= room + gap
        return Strip(segments, width).adjust_cell_length(width, text if here else self.rich_style)

    def on_click(self, event: events.Click) -> None:
        place = event.y + self.scroll_offset.y
        if place < len(self._rows):
            self._cursor = place
            self.refresh()
            self.post_message(self.RowClicked(self._rows[place]))

    def _scroll_to_cursor(self) -> None:
        self.scroll_to_region(Region(0, self._cursor, 1, 1), animate=False, force=True)
        self.refresh()
