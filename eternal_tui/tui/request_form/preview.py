"""What exactly will be sent, drawn small."""

from __future__ import annotations

from rich.cells import cell_len, chop_cells, set_cell_size
from textual.content import Content
from textual.widget import Widget

from eternal_tui.core.sanitize import shown


class Preview(Widget):
    """A block of wrapped text; where it is too long for the room, its middle is left out, never its ends."""

    DEFAULT_CSS = """
    Preview { height: 3; width: 1fr; color: $text-muted; }
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._text = ""

    def show(self, text: str) -> None:
        """Draw `text`; costs a repaint of these few cells and no layout."""
        if text != self._text:
            self._text = text
            self.refresh()

    def render(self) -> Content:
        """Draw as much as there is room for."""
        width, height = self.content_size
        # Cut first and gated after: the gate looks at every character.
        rows = [shown(row) for row in _fitted(self._text, max(1, width), max(1, height))]
        # Set at the bottom, so that the price below it does not stand apart.
        return Content("\n" * (height - len(rows)) + "\n".join(rows))


def _fitted(text: str, width: int, height: int) -> list[str]:
    # Wide characters may leave a cell empty at the end of a row, hence the second look.
    if cell_len(text) <= width * height and len(rows := chop_cells(text, width)) <= height:
        return rows
    # The tail holds the settings, which is where a mistake costs money: it gets the last row and a half.
    room = width * height - height - 3
    tail = _end(text, min(room // 2, width + width // 2))
    head = set_cell_size(text[:room], max(0, room - cell_len(tail))).rstrip()
    return chop_cells(f"{head} … {tail}", width)[:height]


def _end(text: str, cells: int) -> str:
    start = max(0, len(text) - cells)
    while cell_len(text[start:]) > cells:
        start += 1
    return text[start:]
