"""Images drawn over cells, for terminals whose images are not part of the text, and again after text is written.

A sixel or iTerm2 picture is drawn where the cursor was, and is gone wherever a cell under it is written. So the cells
show the same picture in symbols, and its pixels are put over them once the screen has come to rest. Where that is not
possible, covered by a notification or partly scrolled away, the symbols are what is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
from textual.geometry import Region
from textual.timer import Timer
from textual.widget import Widget

from eternal_tui.tui.terminal.compositor import force_repaint, rewrite_cells

if TYPE_CHECKING:
    from eternal_tui.tui.terminal.base_app import TerminalApp

IDLE_SECONDS = 0.06
"""Seconds without a write over its cells after which pixels are laid: a screen that is being drawn is not at rest."""


class _PixelOverlay(msgspec.Struct):
    pixels: str
    get_region: Callable[[], Region]
    cell_size: tuple[int, int]
    drawn_at: Region | None = None


class PixelOverlays:
    """The pixels over one app's screen."""

    def __init__(self, app: TerminalApp) -> None:
        self._app = app
        self._overlays: dict[Widget, _PixelOverlay] = {}
        self._timer: Timer | None = None

    def place(self, widget: Widget, pixels: str, get_region: Callable[[], Region], cell_size: tuple[int, int]) -> None:
        """Keep `pixels`, made for cells of that size, over the cells that `get_region` returns.

        A size of (0, 0) fits any cells. Nothing is kept if `pixels` is empty.
        """
        before = self._overlays.pop(widget, None)
        if before is not None and before.drawn_at is not None:
            # Rewriting every cell removes the pixels over it.
            force_repaint(self._app.screen)
        if pixels:
            self._overlays[widget] = _PixelOverlay(pixels, get_region, cell_size)
            self._schedule_paint()

    def remove(self, widget: Widget) -> None:
        """Forget the pixels of a widget that is going."""
        self._overlays.pop(widget, None)

    def invalidate(self, written_regions: Sequence[Region]) -> None:
        """Note the cells just written: pixels over them are gone, others may be out of place."""
        for widget, overlay in self._overlays.items():
            if overlay.drawn_at is None:
                self._schedule_paint()
            elif not widget.is_attached or widget.screen is not self._app.screen:
                # Another screen was drawn over all of this one.
                overlay.drawn_at = None
                self._schedule_paint()
            elif self._target_region(widget, overlay) != overlay.drawn_at:
                overlay.drawn_at = None
                force_repaint(self._app.screen)
                self._schedule_paint()
            elif any(region.overlaps(overlay.drawn_at) for region in written_regions):
                overlay.drawn_at = None
                self._schedule_paint()

    def _schedule_paint(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self._app.set_timer(IDLE_SECONDS, self._paint_due)

    def _paint_due(self) -> None:
        self._timer = None
        due = {
            widget: place
            for widget, overlay in self._overlays.items()
            if overlay.drawn_at is None and (place := self._target_region(widget, overlay)) is not None
        }
        if due and self._app.is_congested():
            self._schedule_paint()
            return
        while due:
            # From the left: Konsole erases one column more than a picture has, maybe of the picture next to it.
            widget = min(due, key=lambda each: due[each].x)
            overlay, place = self._overlays[widget], due.pop(widget)
            overlay.drawn_at = place
            erased = Region(place.right, place.y, 1, place.height)
            beside = rewrite_cells(self._app.screen, erased)
            self._app.write_sequence(f"\x1b7\x1b[{place.y + 1};{place.x + 1}H{overlay.pixels}{beside}\x1b8")
            due |= {
                other: each.drawn_at
                for other, each in self._overlays.items()
                if each.drawn_at is not None and each.drawn_at.overlaps(erased)
            }

    def _target_region(self, widget: Widget, overlay: _PixelOverlay) -> Region | None:
        """Return the region of the pixels, None where they are not fully visible."""
        screen = self._app.screen
        if not widget.is_attached or not widget.display:
            return None
        if overlay.cell_size != (0, 0) and self._app.cell_size() not in ((0, 0), overlay.cell_size):
            return None
        region = overlay.get_region()
        geometry = screen._compositor.full_map.get(widget)
        if geometry is None or not geometry.visible_region.contains_region(region):
            return None
        # A picture that reaches into the last row makes the terminal scroll.
        if region.bottom >= screen.size.height:
            return None
        if any(toast.region.overlaps(region) for toast in screen.query("Toast")):
            return None
        return region
