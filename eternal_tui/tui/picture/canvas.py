"""The part of a picture widget that is on the screen: a drawing, or a message."""

from __future__ import annotations

from collections.abc import Iterable

from textual.color import Color
from textual.content import Content
from textual.filter import ANSIToTruecolor, LineFilter
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from eternal_tui.core.sanitize import SafeText
from eternal_tui.tui.graphics.base import EMPTY_DRAWING, Drawing, GraphicsBackend
from eternal_tui.tui.terminal.base_app import TerminalApp
from eternal_tui.tui.terminal.textual_internals import write_to_terminal

_STYLE_BYTES_PER_SEGMENT = 42
"""About the bytes of one segment's colours and its reset, `ESC [ 38;2;…;48;2;… m` and `ESC [ 0 m`."""


class DrawingWidget(Widget):
    """Shows one drawing in its middle and repaints only the rows that change; where there is none, lines of words.

    It holds what the terminal was given for it, gives it again after a suspend, and has it forgotten at the end.
    """

    def __init__(self, graphics: GraphicsBackend) -> None:
        super().__init__()
        self.graphics = graphics
        self._message_lines: tuple[SafeText, ...] = ()
        self._drawing = EMPTY_DRAWING
        self._handle = 0

    @property
    def has_drawing(self) -> bool:
        """Whether a picture is shown, not a message."""
        return bool(self._drawing.strips)

    def on_mount(self) -> None:
        """Send pictures again after a suspend: leaving the screen makes the terminal forget them."""
        self.app.app_resume_signal.subscribe(self, lambda _: self._transmit(self._drawing.transmit))

    async def on_unmount(self) -> None:
        """Be sent nothing more: a signal holds who listens to it, and with it the whole screen."""
        self.app.app_resume_signal.unsubscribe(self)

    def _show_drawing(self, drawing: Drawing) -> int:
        """Show `drawing`, repainting only the rows that differ, and return about the bytes that takes."""
        before, self._drawing = self._drawing, drawing
        transmit = drawing.data_after(before)
        self._transmit(transmit)
        self._place_overlay(drawing, before)
        if drawing.handle != self._handle:
            left, self._handle = self._handle, drawing.handle
            # Once the cells show the new one: pixels forgotten before would leave a hole between two frames.
            self.call_after_refresh(lambda: self._transmit(self.graphics.release(left)))
        if (before.width, len(before.strips)) != (drawing.width, len(drawing.strips)) or before.overlay:
            self.refresh()
            return estimate_bytes(drawing.strips) + len(transmit) + len(drawing.overlay)
        pairs = zip(before.strips, drawing.strips, strict=True)
        changed = [row for row, (old, new) in enumerate(pairs) if old != new]
        if changed:
            top = self._top_row(len(drawing.strips))
            self.refresh(*(Region(0, top + row, self.size.width, 1) for row in changed))
        return estimate_bytes(drawing.strips[row] for row in changed) + len(transmit)

    def _clear_drawing(self) -> None:
        before, self._drawing = self._drawing, EMPTY_DRAWING
        self._place_overlay(EMPTY_DRAWING, before)
        self._release_handle()
        self.refresh()

    def _release_handle(self) -> None:
        handle, self._handle = self._handle, 0
        self._transmit(self.graphics.release(handle))

    def _forget_drawing(self) -> None:
        """Have the terminal forget the drawing of a widget that is going."""
        if isinstance(self.app, TerminalApp):
            self.app.overlays.remove(self)
        self._release_handle()

    def _place_overlay(self, drawing: Drawing, before: Drawing) -> None:
        if isinstance(self.app, TerminalApp) and (drawing.overlay or before.overlay):
            self.app.overlays.place(self, drawing.overlay, lambda: self.drawn_region, drawing.overlay_cell)

    def _transmit(self, data: str) -> None:
        write_to_terminal(self.app, data)

    def _is_link_congested(self) -> bool:
        return isinstance(self.app, TerminalApp) and self.app.is_congested()

    @property
    def drawn_region(self) -> Region:
        """The cells of the screen that the drawing takes."""
        width, height, drawing = *self.size, self._drawing
        left, top = max(0, (width - drawing.width) // 2), self._top_row(len(drawing.strips))
        x, y = self.content_region.offset
        return Region(x + left, y + top, min(drawing.width, width), min(len(drawing.strips), height))

    def _top_row(self, rows: int) -> int:
        return max(0, (self.size.height - rows) // 2)

    def render(self) -> Content:
        """Return the words that are shown where there is no picture."""
        return Content("\n".join(self._message_lines))

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return rows of the widget, those of a picture as they were drawn.

        Nothing is laid around them, and their own colours are of 24 bits already: making them so again, one by one,
        took a quarter of the work of a clip.
        """
        if not self.has_drawing or any(self.styles.gutter) or self.opacity < 1:
            return super().render_lines(crop)
        filters, ground = self.get_line_filters(), self.background_colors[1]
        exact = [each for each in filters if not isinstance(each, ANSIToTruecolor)]
        of_picture = filters if self._drawing.is_transparent else exact
        rows = []
        for y in crop.line_range:
            before, drawn, after = self._row_parts(y)
            blank = [_apply_filters(part, filters, ground) for part in (before, after)]
            row = Strip.join([blank[0], _apply_filters(drawn, of_picture, ground), blank[1]])
            rows.append(row.crop(crop.x, crop.right))
        return rows

    def render_line(self, y: int) -> Strip:
        """Return one row: of the picture, of the words, or empty."""
        if not self.has_drawing:
            return super().render_line(y)
        return Strip.join(self._row_parts(y)).crop(0, self.size.width)

    def _row_parts(self, y: int) -> tuple[Strip, Strip, Strip]:
        """Return one row of the picture: the blanks before, the content, the blanks behind."""
        width, style, drawing = self.size.width, self.rich_style, self._drawing
        row = y - self._top_row(len(drawing.strips))
        if not 0 <= row < len(drawing.strips):
            return Strip.blank(width, style), Strip([]), Strip([])
        left = max(0, (width - drawing.width) // 2)
        right = max(0, width - drawing.width - left)
        return Strip.blank(left, style), drawing.row(row, style), Strip.blank(right, style)


def _apply_filters(strip: Strip, filters: Iterable[LineFilter], background: Color) -> Strip:
    for each in filters:
        strip = strip.apply_filter(each, background)
    return strip


def estimate_bytes(strips: Iterable[Strip]) -> int:
    """Return about how many bytes these rows take on the line."""
    return sum(len(segment.text.encode()) + _STYLE_BYTES_PER_SEGMENT for strip in strips for segment in strip)
