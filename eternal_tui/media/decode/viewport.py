"""Looking closer at a picture: which part of it is seen, and how large it is drawn. Pure arithmetic."""

from __future__ import annotations

import msgspec

from eternal_tui.media.decode.frame import BLOCK_CELL, fitted

MOST_ZOOM = 16.0
"""Times the fitted size: beyond it a picture of the service is a handful of squares."""

ZOOM_STEP = 2**0.5
"""Two steps double the size."""

PAN_STEP = 0.2
"""Share of the part in view by which one key moves: five presses go one whole view on."""


class View(msgspec.Struct, frozen=True):
    """`zoom` times the fitted size, around the point at shares `x` and `y` of the picture's width and height."""

    zoom: float = 1.0
    x: float = 0.5
    y: float = 0.5

    @property
    def whole(self) -> bool:
        """Whether all of the picture is in view."""
        return self.zoom <= 1.0


WHOLE = View()


class Crop(msgspec.Struct, frozen=True):
    """A part of the source in its own pixels, which need not be whole ones, and the frame it is drawn as."""

    left: float
    top: float
    right: float
    bottom: float
    width: int
    height: int

    def whole(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the pixels of the whole source, of `size` pixels, at the scale of this part."""
        return (
            max(1, round(self.width * size[0] / (self.right - self.left))),
            max(1, round(self.height * size[1] / (self.bottom - self.top))),
        )


def crop(
    size: tuple[int, int], columns: int, rows: int, view: View = WHOLE, cell: tuple[float, float] = BLOCK_CELL
) -> Crop:
    """Return what of a picture of `size` pixels is seen in columns × rows cells, and how many pixels it becomes.

    The part is never outside the picture, and grows to fill the cells before it is cut.
    """
    width, height = size
    across, down = fitted(width, height, columns, rows, cell)
    zoom = min(max(view.zoom, 1.0), MOST_ZOOM)
    frame_width = min(max(1, int(columns * cell[0])), max(1, round(across * zoom)))
    frame_height = min(max(1, int(rows * cell[1])), max(1, round(down * zoom)))
    seen_width = min(float(width), width * frame_width / (across * zoom))
    seen_height = min(float(height), height * frame_height / (down * zoom))
    left = min(max(0.0, view.x * width - seen_width / 2), width - seen_width)
    top = min(max(0.0, view.y * height - seen_height / 2), height - seen_height)
    return Crop(left, top, left + seen_width, top + seen_height, frame_width, frame_height)


def zoomed(view: View, steps: int) -> View:
    """Return the view some steps closer, or further away where negative; at its smallest it is the whole picture."""
    zoom = min(max(1.0, view.zoom * ZOOM_STEP**steps), MOST_ZOOM)
    return WHOLE if zoom < 1.001 else View(zoom, view.x, view.y)


def panned(view: View, seen: Crop, size: tuple[int, int], right: int, down: int) -> View:
    """Return the view moved by steps to the right and down, as far as the picture goes; `seen` is its present part."""
    width, height = size
    seen_width, seen_height = seen.right - seen.left, seen.bottom - seen.top
    # From where the part really is: a wish beyond the edge is not saved up.
    x = (seen.left + seen_width / 2 + right * PAN_STEP * seen_width) / width
    y = (seen.top + seen_height / 2 + down * PAN_STEP * seen_height) / height
    half_x, half_y = seen_width / width / 2, seen_height / height / 2
    return View(view.zoom, min(max(x, half_x), 1 - half_x), min(max(y, half_y), 1 - half_y))
