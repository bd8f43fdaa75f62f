"""Half-blocks: two pixels a cell, in any terminal with colours."""

from __future__ import annotations

from rich.color import Color, ColorType
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from eternal_tui.media.frame import BLOCK_CELL, Frame
from eternal_tui.tui.graphics.protocol import Drawing, GraphicsName

UPPER_HALF = "▀"
_STYLES_KEPT = 16_384
_NAME = "picture"
_FIRST_THINNED = 5
_FEWEST_BITS = 3


class HalfBlocks:
    """Draws the upper pixel of a cell as its foreground and the lower one as its background.

    `bits` is how many bits of each colour channel are kept: 8 is exact; 4 makes neighbours equal, so that
    they share one escape sequence, which is what a slow line needs.
    """

    name: GraphicsName = "blocks"
    cell = BLOCK_CELL
    clip_cell = BLOCK_CELL

    def __init__(self, bits: int = 8) -> None:
        if not 1 <= bits <= 8:
            raise ValueError("bits must lie between 1 and 8")
        self.bits = bits
        self._levels = _levels(bits)
        self._styles: dict[bytes, Style] = {}

    @property
    def for_many(self) -> HalfBlocks:
        """Itself."""
        return self

    def render(self, frame: Frame, *, handle: int = 0, moving: bool = False) -> Drawing:  # noqa: ARG002
        """Draw `frame`; an odd last row of pixels has the terminal's own background below it."""
        pixels = frame if self.bits == 8 else Frame(frame.width, frame.height, frame.rgb.translate(self._levels))
        rows = range(0, pixels.height, 2)
        strips = tuple(self._strip(pixels.row(y), pixels.row(y + 1), pixels.width) for y in rows)
        return Drawing(strips, frame.width)

    def thinned(self) -> HalfBlocks | None:
        """Return half-blocks with one bit a channel less, down to three."""
        return HalfBlocks(min(self.bits - 1, _FIRST_THINNED)) if self.bits > _FEWEST_BITS else None

    def release(self, handle: int) -> str:  # noqa: ARG002
        """Return nothing: nothing is held."""
        return ""

    def _strip(self, upper: bytes, lower: bytes, width: int) -> Strip:
        """Merge equal neighbours into one segment each."""
        segments: list[Segment] = []
        styles, style_of = self._styles, self._style
        held, start = b"", 0
        for x in range(width):
            pair = upper[x * 3 : x * 3 + 3] + lower[x * 3 : x * 3 + 3]
            if pair != held:
                if held:
                    segments.append(Segment(UPPER_HALF * (x - start), styles.get(held) or style_of(held)))
                held, start = pair, x
        segments.append(Segment(UPPER_HALF * (width - start), styles.get(held) or style_of(held)))
        return Strip(segments, width)

    def _style(self, pair: bytes) -> Style:
        if len(self._styles) >= _STYLES_KEPT:
            self._styles.clear()
        style = Style.from_color(_colour(pair[:3]), _colour(pair[3:]) if len(pair) == 6 else None)
        self._styles[pair] = style
        return style


def _colour(rgb: bytes) -> Color:
    return Color(_NAME, ColorType.TRUECOLOR, None, ColorTriplet(rgb[0], rgb[1], rgb[2]))


def _levels(bits: int) -> bytes:
    """Return the table that rounds a channel to the nearest of 2**bits evenly spread levels."""
    top = (1 << bits) - 1
    return bytes(round(round(value * top / 255) * 255 / top) for value in range(256))
