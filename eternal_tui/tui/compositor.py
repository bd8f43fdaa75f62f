"""Partial updates that write the changed cells alone.

Textual 8.2.8 keeps dirty regions by column, yet `ChopsUpdate.render_segments` writes each dirty line from the left edge
of the widget on: 1,200 bytes for one digit at the right end of a row. Here a line is written from the segment in
which the change begins. The classes stand on names that Textual keeps to itself; it is pinned, and the tests count.
"""

from __future__ import annotations

from rich.console import Console
from textual._compositor import ChopsUpdate, Compositor
from textual.screen import Screen
from textual.strip import Strip


class CellUpdate(ChopsUpdate):
    """Writes the dirty spans of the screen, each from the start of its first segment."""

    def render_segments(self, console: Console) -> str:
        """Return the update as what is sent to the terminal."""
        written: list[str] = []
        for y, x1, x2 in self.spans:
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                if strip is None or x >= x2 or end <= x1:
                    continue
                start = x + _segment_start(strip, x1 - x)
                part = strip.crop(start - x, min(end, x2) - x)
                written.append(f"\x1b[{y + 1};{start + 1}H{part.render(console)}")
        return "".join(written)


def _segment_start(strip: Strip, column: int) -> int:
    """Return where the segment over `column` starts: between segments no wide character can be cut in two."""
    start = 0
    for segment in strip:
        following = start + segment.cell_length
        if following > column:
            return start
        start = following
    return start


class CellCompositor(Compositor):
    """Textual's compositor with partial updates that keep to the changed columns."""

    def render_partial_update(self) -> ChopsUpdate | None:
        """Return an update of what changed, or None."""
        update = super().render_partial_update()
        return update and CellUpdate(update.chops, update.spans, update.chop_ends)


class CellScreen(Screen[None]):
    """A screen that draws through a CellCompositor."""

    def __init__(
        self,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - Textual's own name
        classes: str | None = None,
    ) -> None:
        super().__init__(name, id, classes)
        self._compositor = CellCompositor()
