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
_ROWS_KEPT = 512
"""Rows drawn lately, at least those of the last frames of four clips side by side: most rows of a frame are those of
the frame before."""
_NAME = "picture"
_FIRST_THINNED = 5
_MOVING_BITS = 6
"""Bits a channel that frames of a clip keep: what a codec wavers by disappears, and with it a third of the work."""
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
        self._moving = _levels(min(bits, _MOVING_BITS))
        self._styles: dict[bytes, Style] = {}
        self._rows: dict[tuple[bytes, bytes], Strip] = {}
        self._older: dict[tuple[bytes, bytes], Strip] = {}

    @property
    def for_many(self) -> HalfBlocks:
        """Itself."""
        return self

    def render(self, frame: Frame, *, handle: int = 0, moving: bool = False) -> Drawing:  # noqa: ARG002
        """Draw `frame`; an odd last row of pixels has the terminal's own background below it."""
        exact = self.bits == 8 and not moving
        levels = self._moving if moving else self._levels
        pixels = frame if exact else Frame(frame.width, frame.height, frame.rgb.translate(levels))
        rows = range(0, pixels.height, 2)
        strips = tuple(self._row(pixels.row(y), pixels.row(y + 1), pixels.width) for y in rows)
        return Drawing(strips, frame.width)

    def thinned(self) -> HalfBlocks | None:
        """Return half-blocks with one bit a channel less, down to three."""
        return HalfBlocks(min(self.bits - 1, _FIRST_THINNED)) if self.bits > _FEWEST_BITS else None

    def release(self, handle: int) -> str:  # noqa: ARG002
        """Return nothing: nothing is held."""
        return ""

    def forget_rows(self) -> None:
        """Draw every row anew from now on."""
        self._rows, self._older = {}, {}

    def _row(self, upper: bytes, lower: bytes, width: int) -> Strip:
        """Return the row as it was drawn lately, or draw it."""
        key = (upper, lower)
        found = self._rows.get(key) or self._older.get(key)
        if found is None:
            found = self._strip(upper, lower, width)
        if len(self._rows) >= _ROWS_KEPT:
            self._rows, self._older = {}, self._rows
        self._rows[key] = found
        return found

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
