"""Half-blocks: two pixels a cell, in any terminal with colours."""

from __future__ import annotations

from typing import Self

from rich.color import Color, ColorType
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from eternal_tui.media.decode.frame import HALF_BLOCK_CELL, Frame
from eternal_tui.tui.graphics.base import Drawing, GraphicsName

_COLOUR_NAME = "picture"


class PixelPairStyle(Style):
    """The colours of the upper pixel and, where `pair` has six bytes and not three, of the lower one behind it."""

    __slots__ = ("_pair",)
    _pair: bytes

    # What no cell has, said once and not for each of them.
    _attributes = _set_attributes = 0
    _link = _meta = None
    _link_id = ""
    _null = False

    @classmethod
    def from_pixels(cls, pair: bytes, *, truecolor: bool) -> Self:
        """Return the style; `truecolor` says that the terminal takes 24 bits."""
        style = cls.__new__(cls)
        style._pair = pair
        style._hash = hash(pair)
        style._style_definition = None
        style._ansi = _sgr_parameters(pair) if truecolor else None
        return style

    @property
    def _color(self) -> Color | None:  # type: ignore[override]
        return _rich_colour(self._pair[:3])

    @property
    def _bgcolor(self) -> Color | None:  # type: ignore[override]
        lower = self._pair[3:]
        return _rich_colour(lower) if lower else None


class GroundStyle(PixelPairStyle):
    """One colour of a whole cell, behind its character."""

    __slots__ = ()

    @classmethod
    def from_pixels(cls, pair: bytes, *, truecolor: bool) -> Self:
        """Return the style of a colour of three bytes."""
        style = super().from_pixels(pair, truecolor=False)
        style._hash = hash((pair, "ground"))
        if truecolor:
            style._ansi = f"48;2;{pair[0]};{pair[1]};{pair[2]}"
        return style

    @property
    def _color(self) -> Color | None:  # type: ignore[override]
        return None

    @property
    def _bgcolor(self) -> Color | None:  # type: ignore[override]
        return _rich_colour(self._pair)


# Numbers with their separators, formatted once: a third of the time of formatting them for each cell.
_FOREGROUND_RED = tuple(f"38;2;{level};" for level in range(256))
_MIDDLE_CHANNEL = tuple(f"{level};" for level in range(256))
_FOREGROUND_BLUE_TO_BACKGROUND = tuple(f"{level};48;2;" for level in range(256))
_LAST_CHANNEL = tuple(f"{level}" for level in range(256))


def _sgr_parameters(pair: bytes) -> str:
    if len(pair) == 3:
        red, green, blue = pair
        return f"{_FOREGROUND_RED[red]}{_MIDDLE_CHANNEL[green]}{_LAST_CHANNEL[blue]}"
    red, green, blue, lower_red, lower_green, lower_blue = pair
    upper = f"{_FOREGROUND_RED[red]}{_MIDDLE_CHANNEL[green]}{_FOREGROUND_BLUE_TO_BACKGROUND[blue]}"
    return f"{upper}{_MIDDLE_CHANNEL[lower_red]}{_MIDDLE_CHANNEL[lower_green]}{_LAST_CHANNEL[lower_blue]}"


def _rich_colour(rgb: bytes) -> Color:
    return Color(_COLOUR_NAME, ColorType.TRUECOLOR, None, ColorTriplet(*rgb))


UPPER_HALF_BLOCK = "▀"
_MAX_CACHED_CELLS = 8_192
_MAX_CACHED_ROWS = 192
"""Rows drawn lately, at least those of the last frames of four clips side by side: most rows of a frame are those of
the frame before."""
FIRST_REDUCED_BITS = 5
ANIMATED_BITS = 6
"""Bits a channel that frames of a clip keep: what a codec wavers by disappears, and with it a third of the work."""
MIN_BITS = 3


class HalfBlocks:
    """Draws the upper pixel of a cell as its foreground and the lower one as its background.

    `bits` is how many bits of each colour channel are kept: 8 is exact; 4 makes neighbours equal, so that
    they share one escape sequence, which is what a slow line needs. `truecolor` promises that the terminal takes
    colours of 24 bits, which spares working out what it takes.
    """

    name: GraphicsName = "blocks"
    cell_size = HALF_BLOCK_CELL
    video_cell_size = HALF_BLOCK_CELL

    def __init__(self, bits: int = 8, *, truecolor: bool = False) -> None:
        if not 1 <= bits <= 8:
            raise ValueError("bits must lie between 1 and 8")
        self.bits = bits
        self._levels = quantization_table(bits)
        self._animated_levels = quantization_table(min(bits, ANIMATED_BITS))
        self._truecolor = truecolor
        self._cached_cells: dict[bytes, Segment] = {}
        self._recent_rows: dict[tuple[bytes, bytes], Strip] = {}
        self._older_rows: dict[tuple[bytes, bytes], Strip] = {}

    @property
    def for_thumbnails(self) -> HalfBlocks:
        """Itself."""
        return self

    def render(self, frame: Frame, *, handle: int = 0, animated: bool = False) -> Drawing:  # noqa: ARG002
        """Draw `frame`; an odd last row of pixels has the terminal's own background below it."""
        exact = self.bits == 8 and not animated
        levels = self._animated_levels if animated else self._levels
        pixels = frame if exact else Frame(frame.width, frame.height, frame.rgb.translate(levels))
        rows = range(0, pixels.height, 2)
        strips = tuple(self._cached_row(pixels.row(y), pixels.row(y + 1), pixels.width) for y in rows)
        return Drawing(strips, frame.width)

    def lower_quality(self) -> HalfBlocks | None:
        """Return half-blocks with one bit a channel less, down to three."""
        if self.bits <= MIN_BITS:
            return None
        return HalfBlocks(min(self.bits - 1, FIRST_REDUCED_BITS), truecolor=self._truecolor)

    def release(self, handle: int) -> str:  # noqa: ARG002
        """Return nothing: nothing is held."""
        return ""

    def clear_row_cache(self) -> None:
        """Forget the rows drawn so far."""
        self._recent_rows, self._older_rows = {}, {}

    def _cached_row(self, upper: bytes, lower: bytes, width: int) -> Strip:
        """Return the row as it was drawn lately, or draw it."""
        key = (upper, lower)
        found = self._recent_rows.get(key) or self._older_rows.get(key)
        if found is None:
            found = self._draw_row(upper, lower, width)
        if len(self._recent_rows) >= _MAX_CACHED_ROWS:
            self._recent_rows, self._older_rows = {}, self._recent_rows
        self._recent_rows[key] = found
        return found

    def _draw_row(self, upper: bytes, lower: bytes, width: int) -> Strip:
        """Merge equal neighbours into one segment each."""
        segments: list[Segment] = []
        known, cell_of = self._cached_cells, self._cell_segment
        held, start = b"", 0
        for x, pair in enumerate(_pixel_pairs(upper, lower, width)):
            if pair != held:
                if x - start == 1:
                    segments.append(known.get(held) or cell_of(held))
                elif x:
                    segments.append(Segment(UPPER_HALF_BLOCK * (x - start), (known.get(held) or cell_of(held)).style))
                held, start = pair, x
        segments.append(Segment(UPPER_HALF_BLOCK * (width - start), (known.get(held) or cell_of(held)).style))
        return Strip(segments, width)

    def _cell_segment(self, pair: bytes) -> Segment:
        """Return one cell of two pixels; its like are given out again."""
        if len(self._cached_cells) >= _MAX_CACHED_CELLS:
            self._cached_cells.clear()
        cell = self._cached_cells[pair] = Segment(
            UPPER_HALF_BLOCK, PixelPairStyle.from_pixels(pair, truecolor=self._truecolor)
        )
        return cell


def _pixel_pairs(upper: bytes, lower: bytes, width: int) -> list[bytes]:
    """Return cell by cell the bytes of its upper pixel and of its lower one, if there is one."""
    if not lower:
        return [upper[at : at + 3] for at in range(0, width * 3, 3)]
    both = bytearray(width * 6)
    for channel in range(3):
        both[channel::6], both[channel + 3 :: 6] = upper[channel::3], lower[channel::3]
    pixels = bytes(both)
    return [pixels[at : at + 6] for at in range(0, width * 6, 6)]


def quantization_table(bits: int) -> bytes:
    """Return the table that rounds a channel to the nearest of 2**bits evenly spread levels."""
    top = (1 << bits) - 1
    return bytes(round(round(value * top / 255) * 255 / top) for value in range(256))
