"""Frames of pixels, and which part of a picture one shows: pure arithmetic."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

HALF_BLOCK_CELL = (1, 2)
"""Pixels in one terminal cell when it is drawn as a half-block: one wide, two high."""


class Frame(msgspec.Struct, frozen=True):
    """`width` × `height` pixels, three bytes (red, green, blue) each, rows from the top."""

    width: int
    height: int
    rgb: bytes

    def row(self, y: int) -> bytes:
        """Return the bytes of one row of pixels."""
        stride = self.width * 3
        return self.rgb[y * stride : (y + 1) * stride]


def fit_size(
    width: int, height: int, columns: int, rows: int, cell_size: tuple[float, float] = HALF_BLOCK_CELL
) -> tuple[int, int]:
    """Return the largest size in pixels with the aspect of width × height inside columns × rows cells.

    `cell_size` is how many pixels of the frame one cell holds. Never less than 1 × 1.
    """
    wide, high = max(1, int(columns * cell_size[0])), max(1, int(rows * cell_size[1]))
    if width * high >= height * wide:
        return wide, max(1, round(height * wide / width))
    return max(1, round(width * high / height)), high


MAX_ZOOM = 16.0
"""Times the fitted size: beyond it a picture of the service is a handful of squares."""

ZOOM_STEP_FACTOR = 2**0.5
"""Two steps double the size."""

PAN_STEP_SHARE = 0.2
"""Share of the part in view by which one key moves: five presses go one whole view on."""


class Viewport(msgspec.Struct, frozen=True):
    """`zoom` times the fitted size, around the point at shares `x` and `y` of the picture's width and height."""

    zoom: float = 1.0
    x: float = 0.5
    y: float = 0.5

    @property
    def is_whole(self) -> bool:
        """Whether all of the picture is in view."""
        return self.zoom <= 1.0


WHOLE_VIEWPORT = Viewport()


class Crop(msgspec.Struct, frozen=True):
    """A part of the source in its own pixels, which need not be whole ones, and the frame it is drawn as."""

    left: float
    top: float
    right: float
    bottom: float
    width: int
    height: int

    def uncropped_size(self, source_size: tuple[int, int]) -> tuple[int, int]:
        """Return the pixels of the whole source, of `source_size` pixels, at the scale of this part."""
        return (
            max(1, round(self.width * source_size[0] / (self.right - self.left))),
            max(1, round(self.height * source_size[1] / (self.bottom - self.top))),
        )


class Canvas(NamedTuple):
    """Cells to draw in, of `cell_size` pixels (width, height) each, and which part of the picture they show."""

    columns: int
    rows: int
    cell_size: tuple[float, float] = HALF_BLOCK_CELL
    viewport: Viewport = WHOLE_VIEWPORT


ONE_CELL = Canvas(1, 1)


def visible_crop(source_size: tuple[int, int], canvas: Canvas) -> Crop:
    """Return what of a picture of `source_size` pixels is seen on `canvas`, and how many pixels it becomes.

    The part is never outside the picture, and grows to fill the cells before it is cut.
    """
    width, height = source_size
    columns, rows, cell_size, viewport = canvas
    across, down = fit_size(width, height, columns, rows, cell_size)
    zoom = min(max(viewport.zoom, 1.0), MAX_ZOOM)
    frame_width = min(max(1, int(columns * cell_size[0])), max(1, round(across * zoom)))
    frame_height = min(max(1, int(rows * cell_size[1])), max(1, round(down * zoom)))
    seen_width = min(float(width), width * frame_width / (across * zoom))
    seen_height = min(float(height), height * frame_height / (down * zoom))
    left = min(max(0.0, viewport.x * width - seen_width / 2), width - seen_width)
    top = min(max(0.0, viewport.y * height - seen_height / 2), height - seen_height)
    return Crop(left, top, left + seen_width, top + seen_height, frame_width, frame_height)


def zoom_viewport(viewport: Viewport, steps: int) -> Viewport:
    """Return the view some steps closer, or further away where negative; at its smallest it is the whole picture."""
    zoom = min(max(1.0, viewport.zoom * ZOOM_STEP_FACTOR**steps), MAX_ZOOM)
    return WHOLE_VIEWPORT if zoom < 1.001 else Viewport(zoom, viewport.x, viewport.y)


def pan_viewport(viewport: Viewport, visible: Crop, source_size: tuple[int, int], right: int, down: int) -> Viewport:
    """Return the view moved by steps to the right and down, as far as the picture goes.

    `visible` is its present part.
    """
    width, height = source_size
    seen_width, seen_height = visible.right - visible.left, visible.bottom - visible.top
    # From where the part is: a pan beyond the edge is not saved up.
    x = (visible.left + seen_width / 2 + right * PAN_STEP_SHARE * seen_width) / width
    y = (visible.top + seen_height / 2 + down * PAN_STEP_SHARE * seen_height) / height
    half_x, half_y = seen_width / width / 2, seen_height / height / 2
    return Viewport(viewport.zoom, min(max(x, half_x), 1 - half_x), min(max(y, half_y), 1 - half_y))
