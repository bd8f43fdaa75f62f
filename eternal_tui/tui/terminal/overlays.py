"""Pixels laid over cells, for terminals whose pictures are not part of the text, and laid again after it is written.

A sixel picture stands where the cursor was, and is gone wherever a cell under it is written. So the cells under it
show the same picture in half-blocks, and its pixels are put over them once the screen has come to rest. Where they
cannot stand, covered by a notification or partly scrolled away, the half-blocks are what is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import msgspec
from textual.app import App
from textual.geometry import Region
from textual.timer import Timer
from textual.widget import Widget

from eternal_tui.tui.terminal.compositor import draw_anew

REST = 0.06
"""Seconds without a write over its cells after which pixels are laid: a screen that is being drawn is not at rest."""


class _Overlay(msgspec.Struct):
    pixels: str
    cells: Callable[[], Region]
    cell: tuple[float, float]
    stands: Region | None = None


@runtime_checkable
class OverlayApp(Protocol):
    """An app that lays pixels over its cells."""

    overlays: Overlays


def overlays_of(app: App[object]) -> Overlays | None:
    """Return what lays pixels in this app, None where nothing does."""
    return app.overlays if isinstance(app, OverlayApp) else None


class Overlays:
    """The pixels over one app's screen.

    `write` puts them on the terminal, `ready` says whether it takes them now, and `cell` how large its cells are now in
    pixels, (0, 0) where that is not known.
    """

    def __init__(
        self,
        app: App[None],
        write: Callable[[str], None],
        ready: Callable[[], bool],
        cell: Callable[[], tuple[int, int]] = lambda: (0, 0),
    ) -> None:
        self._app = app
        self._write = write
        self._ready = ready
        self._cell = cell
        self._overlays: dict[Widget, _Overlay] = {}
        self._timer: Timer | None = None

    def lay(self, widget: Widget, pixels: str, cells: Callable[[], Region], cell: tuple[float, float]) -> None:
        """Keep `pixels`, made for cells of that size, over those that `cells` returns; nothing if they are empty."""
        before = self._overlays.pop(widget, None)
        if before is not None and before.stands is not None:
            # Writing every cell anew takes away what stands over it.
            draw_anew(self._app.screen)
        if pixels:
            self._overlays[widget] = _Overlay(pixels, cells, cell)
            self._soon()

    def drop(self, widget: Widget) -> None:
        """Forget the pixels of a widget that is going."""
        self._overlays.pop(widget, None)

    def displayed(self, touched: Sequence[Region]) -> None:
        """Take note of the cells just written: pixels over them are gone, others may stand where they should not."""
        for widget, overlay in self._overlays.items():
            if overlay.stands is None:
                self._soon()
            elif not widget.is_attached or widget.screen is not self._app.screen:
                # Another screen was drawn over all of this one.
                overlay.stands = None
                self._soon()
            elif self._place(widget, overlay) != overlay.stands:
                overlay.stands = None
                draw_anew(self._app.screen)
                self._soon()
            elif any(region.overlaps(overlay.stands) for region in touched):
                overlay.stands = None
                self._soon()

    def _soon(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self._app.set_timer(REST, self._paint)

    def _paint(self) -> None:
        self._timer = None
        for widget, overlay in self._overlays.items():
            place = self._place(widget, overlay) if overlay.stands is None else None
            if place is None:
                continue
            if self._ready():
                overlay.stands = place
                self._write(f"\x1b7\x1b[{place.y + 1};{place.x + 1}H{overlay.pixels}\x1b8")
            else:
                self._soon()

    def _place(self, widget: Widget, overlay: _Overlay) -> Region | None:
        """Return where the pixels belong, None where they cannot stand whole."""
        screen = self._app.screen
        if not widget.is_attached or not widget.display:
            return None
        if self._cell() not in ((0, 0), overlay.cell):
            return None
        region = overlay.cells()
        geometry = screen._compositor.full_map.get(widget)
        if geometry is None or not geometry.visible_region.contains_region(region):
            return None
        # A picture that reaches into the last row makes the terminal scroll.
        if region.bottom >= screen.size.height:
            return None
        if any(toast.region.overlaps(region) for toast in screen.query("Toast")):
            return None
        return region
