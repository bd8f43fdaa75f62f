"""Text pictures painted back into pixels, eight by sixteen a cell."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from rich.color import ColorSystem

from eternal_tui.tui.graphics.base import Drawing
from eternal_tui.tui.graphics.symbols import SYMBOL_NAMES, symbol_characters

CELL = (8, 16)
"""Pixels of a cell: columns, rows."""

_SGR_PATTERN = re.compile(r"\x1b\[([\d;]*)m|\x1b\[\?25[lh]|(\n)|([^\x1b\r])")


def masks() -> dict[str, Any]:
    """Return by character which pixels of a cell are foreground."""
    found: dict[str, Any] = {" ": np.zeros(CELL[::-1], bool), "█": np.ones(CELL[::-1], bool)}
    for character, rows in (("▀", slice(0, 8)), ("▄", slice(8, 16))):
        found[character] = np.zeros(CELL[::-1], bool)
        found[character][rows] = True
    for name, high in zip(SYMBOL_NAMES, (2, 3, 4), strict=True):
        edges = [round(row * CELL[1] / high) for row in range(high + 1)]
        for pattern, character in enumerate(symbol_characters(name)):
            mask = np.zeros(CELL[::-1], bool)
            for bit in range(2 * high):
                if pattern >> bit & 1:
                    mask[edges[bit // 2] : edges[bit // 2 + 1], 4 * (bit % 2) : 4 * (bit % 2) + 4] = True
            found.setdefault(character, mask)
    return found


MASKS = masks()


def paint(text: str, columns: int, rows: int) -> Any:
    """Return the pixels that a terminal would show for these lines of characters and colours."""
    shown = np.zeros((rows * CELL[1], columns * CELL[0], 3), np.uint8)
    x = y = 0
    fore, back, inverse = (255, 255, 255), (0, 0, 0), False
    for numbers, newline, character in _SGR_PATTERN.findall(text):
        if newline:
            x, y = 0, y + 1
        elif character:
            if x < columns and y < rows:
                cell = shown[y * CELL[1] : (y + 1) * CELL[1], x * CELL[0] : (x + 1) * CELL[0]]
                ink, ground = (back, fore) if inverse else (fore, back)
                cell[:] = ground
                cell[MASKS[character]] = ink
            x += 1
        else:
            parts = [int(part or 0) for part in numbers.split(";")]
            while parts:
                code = parts.pop(0)
                if code == 0:
                    fore, back, inverse = (255, 255, 255), (0, 0, 0), False
                elif code == 7:
                    inverse = True
                elif code in (38, 48):
                    colour = (parts[1], parts[2], parts[3])
                    del parts[:4]
                    fore, back = (colour, back) if code == 38 else (fore, colour)
    return shown


def as_text(drawing: Drawing) -> str:
    """Return the drawing as it goes to a terminal of 24 bits."""
    return "\n".join(
        "".join(
            segment.style.render(segment.text, color_system=ColorSystem.TRUECOLOR) if segment.style else segment.text
            for segment in strip
        )
        for strip in drawing.strips
    )
