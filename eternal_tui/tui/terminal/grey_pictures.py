"""Half-block pictures where there are no colours: without theirs every cell is the same half, and a picture stripes."""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.filter import NoColor

from eternal_tui.tui.graphics.cell_style import CellStyle

SHADES = " ░▒▓█"
"""From dark to light, as on a dark ground."""


def shade(red: int, green: int, blue: int) -> str:
    """Return the sign as light as a colour of three times 0 to 255; the weights are those of ITU-R BT.601."""
    light = (299 * red + 587 * green + 114 * blue) // 1000
    return SHADES[light * len(SHADES) // 256]


class GreyPictures(NoColor):
    """Takes the colours away, and draws the cells of pictures as shades, whichever widget drew them."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments without colours, with a shade in each cell of a picture."""
        shaded = [_grey(segment) if isinstance(segment.style, CellStyle) else segment for segment in segments]
        return super().apply(shaded, background)


def _grey(segment: Segment) -> Segment:
    style = segment.style
    colours = [each.triplet for each in (style.color, style.bgcolor) if each and each.triplet] if style else []
    mean = [sum(channel) // len(colours) for channel in zip(*colours, strict=True)]
    return Segment(shade(*mean) * len(segment.text))
