"""Strips of the list's lines, and which cells on the screen are not what they should be."""

from __future__ import annotations

from collections.abc import Callable

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.strip import Strip

from eternal_tui.tui.job_list.line_cache import CachedLine
from eternal_tui.tui.widgets.cells import changed_spans


class LinePainter:
    """Remembers the line last drawn in each row of the screen, so that a change repaints only what it changed.

    `line_at` returns the line for a row of the screen, `style_for` the style of a role, on the cursor's line or not.
    """

    def __init__(self, line_at: Callable[[int], CachedLine], style_for: Callable[[str, bool], Style]) -> None:
        self._line_at = line_at
        self._style_for = style_for
        self._drawn: dict[int, CachedLine] = {}
        self._styles: dict[tuple[str, bool], Style] = {}
        self._styles_version = 0

    def clear(self) -> None:
        """Forget what is drawn: sizes or colours changed."""
        self._drawn.clear()
        self.restyle()

    def restyle(self) -> None:
        """Render strips again with the styles of now."""
        self._styles.clear()
        self._styles_version += 1

    def dirty_regions(self, size: Size) -> list[Region]:
        """Return the cells of the screen that are not what they should be."""
        dirty: list[Region] = []
        for y in range(size.height):
            new, old = self._line_at(y), self._drawn.get(y)
            if new is old:
                continue
            if old is None or old.has_cursor != new.has_cursor or _job_id(old) != _job_id(new):
                dirty.append(Region(0, y, size.width, 1))
            else:
                dirty += (Region(x, y, end - x, 1) for x, end in changed_spans(old.line, new.line))
        return dirty

    def strip(self, y: int, width: int) -> Strip:
        """Return a row of the screen, padded to `width` columns."""
        line = self._drawn[y] = self._line_at(y)
        key = (self._styles_version, width)
        if line.strip is None or line.strip_key != key:
            plain = self._style("", line.has_cursor)
            line.strip, line.strip_key = self._render(line).adjust_cell_length(width, plain), key
        return line.strip

    def _render(self, line: CachedLine) -> Strip:
        segments: list[Segment] = []
        text, style = "", self._style("", line.has_cursor)
        for cell in line.line:
            # Blanks look the same in every style of the line: they go with the cell before, and cost no colour codes.
            wanted = self._style(cell.role, line.has_cursor) if cell.text.strip() else style
            if wanted is not style and text:
                segments.append(Segment(text, style))
                text = ""
            text, style = text + cell.text, wanted
        segments.append(Segment(text, style))
        return Strip(segments, sum(cell.width for cell in line.line))

    def _style(self, role: str, has_cursor: bool) -> Style:
        style = self._styles.get((role, has_cursor))
        if style is None:
            style = self._styles[role, has_cursor] = self._style_for(role, has_cursor)
        return style


def _job_id(line: CachedLine) -> int | None:
    return line.job.id if line.job is not None else None
