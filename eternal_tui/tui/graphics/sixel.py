"""Sixel: sharp stills on terminals without kitty's protocol, laid over half-blocks of the same picture.

Pixels go into bands six rows high, band by band and in each band colour by colour: a character says which of the six
stand in that colour. See https://vt100.net/docs/vt3xx-gp/chapter14.html. Clips stay half-blocks: a frame of sixels is
some hundred kilobytes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from eternal_tui.media.decode.frame import HALF_BLOCK_CELL, Frame
from eternal_tui.tui.graphics.base import Drawing, GraphicsName
from eternal_tui.tui.graphics.half_blocks import HalfBlocks

if TYPE_CHECKING:
    from PIL import Image

MAX_COLOURS = 128
"""Most colours of one picture: with dithering as good as 256 to the eye, and a fifth fewer bytes."""

_SAMPLE_PIXELS = 128
"""Pixels a side from which the palette is chosen: the whole picture takes 20 times as long and chooses the same."""

_BAND_ROWS = 6
_RUN_PATTERN = re.compile(rb"(.)\1{3,254}", re.DOTALL)
_SIXEL_CHARACTERS = bytes((value & 63) + 63 for value in range(256))
_ROW_BIT_TABLES = [
    [bytes(colour) + bytes([1 << bit]) + bytes(255 - colour) for bit in range(_BAND_ROWS)] for colour in range(256)
]
"""For a colour and a row of the band: the table that turns that colour into the row's bit, and all others into none."""


class SixelOverBlocks:
    """Draws half-blocks, and over them, where the terminal is at rest, the picture in sixels.

    `cell_size` is the exact size of a cell in pixels, `colours` how many the terminal holds, `max_size` the largest
    picture it takes in pixels, (0, 0) where it names none.
    """

    name: GraphicsName = "sixel"
    video_cell_size = HALF_BLOCK_CELL

    def __init__(
        self,
        cell_size: tuple[int, int],
        *,
        colours: int = MAX_COLOURS,
        max_size: tuple[int, int] = (0, 0),
        bits: int = 8,
    ) -> None:
        if not all(cell_size):
            raise ValueError("sixels need the size of a cell")
        self.cell_size = cell_size
        self._colours = max(2, min(colours, MAX_COLOURS))
        self._max_size = max_size
        self._blocks = HalfBlocks(bits)

    @property
    def for_thumbnails(self) -> HalfBlocks:
        """Half-blocks: a screen full of thumbnails would be megabytes."""
        return self._blocks

    def render(self, frame: Frame, *, handle: int = 0, animated: bool = False) -> Drawing:  # noqa: ARG002
        """Draw `frame`, stretched by at most half a cell to fill whole ones."""
        if animated:
            return self._blocks.render(frame)
        from PIL import Image

        columns = max(1, round(frame.width / self.cell_size[0]))
        rows = max(1, round(frame.height / self.cell_size[1]))
        image = Image.frombytes("RGB", (frame.width, frame.height), frame.rgb)
        coarse = image.resize((columns, rows * 2), Image.Resampling.BOX)
        drawing = self._blocks.render(Frame(columns, rows * 2, coarse.tobytes()))
        width, height = columns * self.cell_size[0], rows * self.cell_size[1]
        if self._max_size != (0, 0) and (width > self._max_size[0] or height > self._max_size[1]):
            return drawing
        pixels = encode_sixel(quantize(image.resize((width, height)), self._colours))
        return Drawing(drawing.strips, drawing.width, overlay=pixels)

    def lower_quality(self) -> HalfBlocks | None:
        """Return half-blocks with fewer colours: only clips are thinned, and they are drawn so."""
        return self._blocks.lower_quality()

    def release(self, handle: int) -> str:  # noqa: ARG002
        """Return nothing: what is written over is gone."""
        return ""


def quantize(image: Image.Image, colours: int) -> Image.Image:
    """Return the picture in its own palette of so many colours, dithered."""
    from PIL import Image

    sample = image.resize(
        (min(_SAMPLE_PIXELS, image.width), min(_SAMPLE_PIXELS, image.height)), Image.Resampling.NEAREST
    )
    palette = sample.quantize(colours, method=Image.Quantize.MEDIANCUT)
    return image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)


def encode_sixel(image: Image.Image) -> str:
    """Return a picture with a palette as a sixel sequence that leaves other pixels alone."""
    width, height = image.size
    data, palette = image.tobytes(), image.getpalette() or []
    parts = [f'\x1bP0;1;0q"1;1;{width};{height}']
    for colour in sorted(set(data)):
        red, green, blue = (round(level * 100 / 255) for level in palette[colour * 3 : colour * 3 + 3])
        parts.append(f"#{colour};2;{red};{green};{blue}")
    for top in range(0, height, _BAND_ROWS):
        rows = [data[y * width : (y + 1) * width] for y in range(top, min(height, top + _BAND_ROWS))]
        lines = [b"#%d" % colour + _encode_colour_line(rows, colour, width) for colour in sorted(set(b"".join(rows)))]
        parts.append(b"$".join(lines).decode("ascii") + "-")
    return "".join(parts) + "\x1b\\"


def _encode_colour_line(rows: list[bytes], colour: int, width: int) -> bytes:
    """Return one colour of a band: the bits of its rows laid together as one long number, runs counted."""
    bits = 0
    for row, table in zip(rows, _ROW_BIT_TABLES[colour], strict=False):
        if colour in row:
            bits |= int.from_bytes(row.translate(table), "little")
    line = bits.to_bytes(width, "little").translate(_SIXEL_CHARACTERS).rstrip(b"?")
    return _RUN_PATTERN.sub(lambda run: b"!%d%c" % (len(run[0]), run[1][0]), line)
