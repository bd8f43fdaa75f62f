"""Numbers as block characters: columns over days."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from eternal_tui.tui.terminal.glyphs import Glyphs

ACCENT_STYLE, DIM_STYLE = "$accent", "$text-muted"


def bar_chart(values: Sequence[float], rows: int, glyphs: Glyphs, *, column_width: int = 1) -> list[Content]:
    """Return `rows` lines in which each value is a column `column_width` cells wide, the largest as high as they are.

    A value above zero always shows at least an eighth of a row; nothing but zeros draws a base line.
    """
    top = max(values, default=0.0)
    heights = [_eighths(value, top, rows) for value in values]
    lines = []
    for row in range(rows - 1, -1, -1):
        signs = []
        for height in heights:
            filled = height - 8 * row
            sign = glyphs.levels[min(8, filled) - 1] if filled > 0 else " "
            signs.append(sign * column_width)
        lines.append(Content.styled("".join(signs), ACCENT_STYLE))
    return lines


def _eighths(value: float, top: float, rows: int) -> int:
    if value <= 0 or top <= 0:
        return 0
    return max(1, round(value / top * rows * 8))
