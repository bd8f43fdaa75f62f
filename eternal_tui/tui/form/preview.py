"""What exactly will be sent, drawn small."""

from __future__ import annotations

from rich.cells import cell_len, chop_cells
from textual.content import Content
from textual.widget import Widget

from eternal_tui.untrusted import shown


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
        rows = _fitted(shown(self._text, limit=25_000), max(1, width), max(1, height))
        # Set at the bottom, so that the price below it does not stand apart.
        return Content("\n" * (height - len(rows)) + "\n".join(rows))


def _fitted(text: str, width: int, height: int) -> list[str]:
    rows = chop_cells(text, width)
    if len(rows) <= height:
        return rows
    # The tail holds the settings, which is where a mistake costs money: it gets the last row and a half.
    room = width * height - 3
    tail_cells = min(room // 2, width + width // 2)
    head, tail = text, ""
    while tail != text and cell_len(text[-len(tail) - 1 :]) <= tail_cells:
        tail = text[-len(tail) - 1 :]
    while cell_len(head) > room - cell_len(tail):
        head = head[: len(head) - max(1, (len(head) - room) // 2)]
    return chop_cells(f"{head} … {tail}", width)[:height]
