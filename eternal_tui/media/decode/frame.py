"""A block of pixels, ready to draw."""

from __future__ import annotations

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
