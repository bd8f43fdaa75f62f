"""The part of a picture widget that stands on the screen: a drawing, or words in its place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.content import Content
from textual.filter import ANSIToTruecolor, LineFilter
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from eternal_tui.core.sanitize import Shown
from eternal_tui.tui.graphics.base import Drawing, Graphics
from eternal_tui.tui.graphics.pacing import cost
from eternal_tui.tui.terminal.overlays import overlays_of

NOTHING = Drawing((), 0)
NO_CELLS = Strip([], 0)


@runtime_checkable
class Line(Protocol):
    """A way to the terminal that says when it is behind."""

    def behind(self) -> bool:
        """Tell whether the terminal takes its time with what was written before."""


class Canvas(Widget):
    """Shows one drawing in its middle and repaints only the rows that change; where there is none, lines of words.

    It holds what the terminal was given for it, gives it again after a suspend, and has it forgotten at the end.
    """

    def __init__(
        self,
        graphics: Graphics,
        *,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - Textual's own name for it
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.graphics = graphics
        self._words: tuple[Shown, ...] = ()
        self._drawing = NOTHING
        self._handle = 0

    @property
    def draws(self) -> bool:
        """Whether a picture stands on the screen, and not words."""
        return bool(self._drawing.strips)

    def on_mount(self) -> None:
        """Send pictures again after a suspend: leaving the screen makes the terminal forget them."""
        self.app.app_resume_signal.subscribe(self, lambda _: self._transmit(self._drawing.transmit))

    async def on_unmount(self) -> None:
        """Be sent nothing more: a signal holds who listens to it, and with it the whole screen."""
        self.app.app_resume_signal.unsubscribe(self)

    def _put(self, drawing: Drawing) -> int:
        """Show `drawing`, repainting only the rows that differ, and return about the bytes that takes."""
        before, self._drawing = self._drawing, drawing
        transmit = drawing.sent_after(before)
        self._transmit(transmit)
        self._lay(drawing, before)
        if drawing.handle != self._handle:
            left, self._handle = self._handle, drawing.handle
            # Once the cells show the new one: pixels forgotten before would leave a hole between two frames.
            self.call_after_refresh(lambda: self._transmit(self.graphics.release(left)))
        if (before.width, len(before.strips)) != (drawing.width, len(drawing.strips)) or before.overlay:
            self.refresh()
            return cost(drawing.strips) + len(transmit) + len(drawing.overlay)
        pairs = zip(before.strips, drawing.strips, strict=True)
        changed = [row for row, (old, new) in enumerate(pairs) if old != new]
        if changed:
            top = self._top(len(drawing.strips))
            self.refresh(*(Region(0, top + row, self.size.width, 1) for row in changed))
        return cost(drawing.strips[row] for row in changed) + len(transmit)

    def _wipe(self) -> None:
        before, self._drawing = self._drawing, NOTHING
        self._lay(NOTHING, before)
        self._release()
        self.refresh()

    def _release(self) -> None:
        handle, self._handle = self._handle, 0
        self._transmit(self.graphics.release(handle))

    def _leave(self) -> None:
        """Have the terminal forget the drawing of a widget that is going."""
        overlays = overlays_of(self.app)
        if overlays is not None:
            overlays.drop(self)
        self._release()

    def _lay(self, drawing: Drawing, before: Drawing) -> None:
        overlays = overlays_of(self.app)
        if overlays is not None and (drawing.overlay or before.overlay):
            overlays.lay(self, drawing.overlay, lambda: self.drawn_region, self.graphics.cell)

    def _transmit(self, data: str) -> None:
        driver = self.app._driver
        if data and driver is not None:
            driver.write(data)

    def _line_is_behind(self) -> bool:
        """Tell whether the terminal takes its time with what was written before."""
        driver: object = self.app._driver
        return isinstance(driver, Line) and driver.behind()

    @property
    def drawn_region(self) -> Region:
        """The cells of the screen that the drawing takes."""
        width, height, drawing = *self.size, self._drawing
        left, top = max(0, (width - drawing.width) // 2), self._top(len(drawing.strips))
        x, y = self.content_region.offset
        return Region(x + left, y + top, min(drawing.width, width), min(len(drawing.strips), height))

    def _top(self, rows: int) -> int:
        return max(0, (self.size.height - rows) // 2)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return rows of the widget, those of a picture as they were drawn.

        Nothing is laid around them, and their own colours are of 24 bits already: making them so again, one by one,
        took a quarter of the work of a clip.
        """
        if not self.draws or any(self.styles.gutter) or self.opacity < 1:
            return super().render_lines(crop)
        filters, ground, style = self.get_line_filters(), self.background_colors[1], self.rich_style
        exact = [each for each in filters if not isinstance(each, ANSIToTruecolor)]
        of_picture = filters if self._drawing.bare else exact
        rows = []
        for y in crop.line_range:
            before, drawn, after = self._row(y, style)
            blank = [_filtered(part, filters, ground) for part in (before, after)]
            row = Strip.join([blank[0], _filtered(drawn, of_picture, ground), blank[1]])
            rows.append(row.crop(crop.x, crop.right))
        return rows

    def render_line(self, y: int) -> Strip:
        """Return one row: of the picture, of the words, or empty."""
        return Strip.join(self._row(y, self.rich_style)).crop(0, self.size.width)

    def _row(self, y: int, style: Style) -> tuple[Strip, Strip, Strip]:
        """Return what stands in one row, between the blanks before and behind it."""
        width = self.size.width
        rows, columns = (self._drawing.strips, self._drawing.width) if self.draws else (self._word_rows(), width)
        row = y - self._top(len(rows))
        if not 0 <= row < len(rows):
            return Strip.blank(width, style), NO_CELLS, NO_CELLS
        left = max(0, (width - columns) // 2)
        right = max(0, width - columns - left)
        strip = self._drawing.row(row, style) if self.draws else rows[row]
        return Strip.blank(left, style), strip, Strip.blank(right, style)

    def _word_rows(self) -> tuple[Strip, ...]:
        width = self.size.width
        rows = []
        wrapped = (part for line in self._words for part in Content(line).wrap(max(1, width)))
        for line in (part.plain for part in wrapped):
            left = max(0, (width - cell_len(line)) // 2)
            rows.append(Strip([Segment(set_cell_size(" " * left + line, width), self.rich_style)], width))
        return tuple(rows)


def _filtered(strip: Strip, filters: Iterable[LineFilter], background: Color) -> Strip:
    for each in filters:
        strip = strip.apply_filter(each, background)
    return strip
