"""Half-blocks: two pixels a cell, in any terminal with colours."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Self, TypeVar

from rich.color import Color, ColorType
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from eternal_tui.media.decode.frame import HALF_BLOCK_CELL, Frame
from eternal_tui.tui.graphics.base import Drawing, GraphicsBackend, GraphicsName

_Made = TypeVar("_Made")

UPPER_HALF_BLOCK = "▀"
_MAX_CACHED_COLOURS = 8_192
_MAX_CACHED_ROWS = 384
"""Rows drawn lately, at least those of the last frames of four clips side by side: most rows of a frame are those of
the frame before."""
FIRST_REDUCED_BITS = 5
ANIMATED_BITS = 6
"""Bits a channel that frames of a clip keep: what a codec wavers by disappears, and with it a third of the work."""
MIN_BITS = 3


class PixelStyle(Style):
    """Colours of the pixels of a cell, of three bytes each or none; made in a tenth of the time of a Style of Rich."""

    __slots__ = ("_background", "_foreground")
    _foreground: bytes
    _background: bytes

    # Attributes that no cell has, shared by all styles.
    _attributes = _set_attributes = 0
    _link = _meta = None
    _link_id = ""
    _null = False

    @classmethod
    def from_pixels(cls, foreground: bytes, background: bytes, *, truecolor: bool) -> Self:
        """Return the style; `truecolor` means that the terminal supports 24 bits."""
        style = cls.__new__(cls)
        style._foreground, style._background = foreground, background
        style._hash = hash((foreground, background))
        style._style_definition = None
        style._ansi = _sgr_parameters(foreground, background) if truecolor else None
        return style

    @property
    def _color(self) -> Color | None:  # type: ignore[override]
        return _rich_colour(self._foreground)

    @property
    def _bgcolor(self) -> Color | None:  # type: ignore[override]
        return _rich_colour(self._background)


def _rich_colour(rgb: bytes) -> Color | None:
    return Color("picture", ColorType.TRUECOLOR, None, ColorTriplet(*rgb)) if rgb else None


_LEVELS = tuple(f";{level}" for level in range(256))
"""Formatted once: a third of the time of formatting them for each cell."""


def _sgr_parameters(foreground: bytes, background: bytes) -> str:
    if not (foreground and background):
        return "{};2;{};{};{}".format(38 if foreground else 48, *(foreground or background))
    (red, green, blue), (red2, green2, blue2) = foreground, background
    level = _LEVELS
    return f"38;2{level[red]}{level[green]}{level[blue]};48;2{level[red2]}{level[green2]}{level[blue2]}"


class ColourCache(dict[bytes, _Made]):
    """Styles by the bytes of a cell's colours. Cleared as a whole: an LRU cache would create garbage."""

    def __init__(self, make: Callable[[bytes], _Made]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, colours: bytes) -> _Made:
        if len(self) >= _MAX_CACHED_COLOURS:
            self.clear()
        made = self[colours] = self._make(colours)
        return made


class HalfBlocks(GraphicsBackend):
    """Draws the upper pixel of a cell as its foreground and the lower one as its background.

    `bits` is how many bits of each colour channel are kept: 8 is exact; 4 makes neighbours equal, so that
    they share one escape sequence, which is what a slow line needs. `truecolor` promises that the terminal takes
    colours of 24 bits, which spares working out what it takes.
    """

    name: GraphicsName = "blocks"
    cell_size = video_cell_size = HALF_BLOCK_CELL

    def __init__(self, bits: int = 8, *, truecolor: bool = False) -> None:
        self.bits = bits
        self._truecolor = truecolor
        self._cells = ColourCache(self._make_cell)
        self._row = lru_cache(_MAX_CACHED_ROWS)(self._draw_row)

    def render(self, frame: Frame, *, handle: int = 0, animated: bool = False) -> Drawing:  # noqa: ARG002
        """Draw `frame`; an odd last row of pixels has the terminal's own background below it."""
        levels = quantization_table(min(self.bits, ANIMATED_BITS) if animated else self.bits)
        pixels = Frame(frame.width, frame.height, frame.rgb.translate(levels))
        return Drawing(
            tuple(self._row(pixels.row(y), pixels.row(y + 1)) for y in range(0, frame.height, 2)), frame.width
        )

    def lower_quality(self) -> HalfBlocks | None:
        """Return half-blocks with one bit a channel less, down to three."""
        if self.bits <= MIN_BITS:
            return None
        return HalfBlocks(min(self.bits - 1, FIRST_REDUCED_BITS), truecolor=self._truecolor)

    def _draw_row(self, upper: bytes, lower: bytes) -> Strip:
        """Merge equal neighbours into one segment each."""
        pairs = [upper[at : at + 3] + lower[at : at + 3] for at in range(0, len(upper), 3)]
        segments, held, start, cells = [], pairs[0], 0, self._cells
        for x, pair in enumerate([*pairs, b""]):
            if pair != held:
                cell, length = cells[held], x - start
                segments.append(cell if length == 1 else Segment(UPPER_HALF_BLOCK * length, cell.style))
                held, start = pair, x
        return Strip(segments, len(pairs))

    def _make_cell(self, pair: bytes) -> Segment:
        return Segment(UPPER_HALF_BLOCK, PixelStyle.from_pixels(pair[:3], pair[3:], truecolor=self._truecolor))


@lru_cache
def quantization_table(bits: int) -> bytes:
    """Return the table that rounds a channel to the nearest of 2**bits evenly spread levels."""
    top = (1 << bits) - 1
    return bytes(round(round(value * top / 255) * 255 / top) for value in range(256))
