"""Which part of a picture a person looks at: its zoom, what pans it, and keys typed ahead of its size."""

from __future__ import annotations

from typing import NamedTuple

from eternal_tui.media.decode.viewport import WHOLE_VIEWPORT, pan_viewport, visible_crop, zoom_viewport


class CanvasSize(NamedTuple):
    """Where a picture is drawn: columns, rows, and the pixels of one cell."""

    columns: int
    rows: int
    cell_size: tuple[float, float]


class ZoomState:
    """The part in view of one picture; its size in pixels is learned later than its first keys may come."""

    def __init__(self) -> None:
        self.viewport = WHOLE_VIEWPORT
        self.source_size = (0, 0)
        self._pending_pans: list[tuple[int, int]] = []

    def reset(self) -> None:
        """Look at the whole of another picture, whose size is not known yet."""
        self.viewport, self.source_size = WHOLE_VIEWPORT, (0, 0)
        self._pending_pans.clear()

    def set_source_size(self, source_size: tuple[int, int], canvas_size: CanvasSize) -> None:
        """Take the picture's size in pixels; pans that came before it count from now."""
        self.source_size = source_size
        for right, down in self._pending_pans:
            self._apply_pan(right, down, canvas_size)
        self._pending_pans.clear()

    def zoom_by(self, steps: int) -> None:
        """Look closer by steps, less close where negative, at the whole for 0."""
        self.viewport = WHOLE_VIEWPORT if steps == 0 else zoom_viewport(self.viewport, steps)

    def pan(self, right: int, down: int, canvas_size: CanvasSize) -> None:
        """Move the part in view by steps; the whole of a picture cannot be moved."""
        if self.viewport.is_whole:
            return
        if all(self.source_size):
            self._apply_pan(right, down, canvas_size)
        else:
            self._pending_pans.append((right, down))

    def _apply_pan(self, right: int, down: int, canvas_size: CanvasSize) -> None:
        seen = visible_crop(
            self.source_size, canvas_size.columns, canvas_size.rows, self.viewport, canvas_size.cell_size
        )
        self.viewport = pan_viewport(self.viewport, seen, self.source_size, right, down)
