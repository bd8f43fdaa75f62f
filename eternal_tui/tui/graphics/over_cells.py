"""Sharp stills laid over text symbols of the same picture: sixel, and iTerm2's inline images.

Both belong to the place of the cursor and disappear where a cell is written, so clips stay symbols. Sixel pixels go
into bands six rows high, band by band and in each band colour by colour: a character says which of the six have
that colour, see https://vt100.net/docs/vt3xx-gp/chapter14.html. iTerm2's is a whole JPEG file that the terminal scales
to a number of cells, see https://iterm2.com/documentation-images.html.
"""

from __future__ import annotations

import base64
import re
from io import BytesIO
from typing import TYPE_CHECKING

from eternal_tui.media.decode.frame import Frame
from eternal_tui.tui.graphics.base import Drawing, GraphicsBackend, GraphicsName

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


_JPEG_QUALITY, _REMOTE_JPEG_QUALITY = 95, 80
"""Local: means 1/255 off a photo, an eighth of its PNG. Over SSH: a fifth of that again."""


class _OverCells(GraphicsBackend):
    """Draws the picture with `cells`, and its pixels to be laid over them once the screen is at rest."""

    def __init__(self, cells: GraphicsBackend, cell_size: tuple[float, float]) -> None:
        self.cell_size = cell_size
        self.video_cell_size = cells.video_cell_size
        self._cells = cells

    @property
    def for_thumbnails(self) -> GraphicsBackend:
        """The symbols alone: pixels for a screen full of thumbnails would be megabytes."""
        return self._cells

    def lower_quality(self) -> GraphicsBackend | None:
        """Return the symbols with fewer colours: only clips need them."""
        return self._cells.lower_quality()

    def release(self, handle: int) -> str:
        """Return "": pixels disappear when they are overwritten."""
        return self._cells.release(handle)

    def render(self, frame: Frame, *, handle: int = 0, animated: bool = False) -> Drawing:
        """Draw `frame`, stretched by at most half a cell to fill whole ones."""
        if animated:
            return self._cells.render(frame, handle=handle, animated=True)
        from PIL import Image

        columns = max(1, round(frame.width / self.cell_size[0]))
        rows = max(1, round(frame.height / self.cell_size[1]))
        image = Image.frombytes("RGB", (frame.width, frame.height), frame.rgb)
        width, height = round(columns * self._cells.cell_size[0]), round(rows * self._cells.cell_size[1])
        coarse = image.resize((width, height), Image.Resampling.BOX)
        drawing = self._cells.render(Frame(width, height, coarse.tobytes()))
        overlay, overlay_cell = self._encode(image, columns, rows)
        return Drawing(drawing.strips, drawing.width, overlay=overlay, overlay_cell=overlay_cell)

    def _encode(self, image: Image.Image, columns: int, rows: int) -> tuple[str, tuple[int, int]]:
        """Return the sequence that draws `image` over these cells, and `Drawing.overlay_cell`."""
        raise NotImplementedError


class Sixel(_OverCells):
    """Draws stills in sixels.

    `cell_size` is the exact size of a cell in pixels, `colours` how many the terminal has, `max_size` the largest
    picture it takes in pixels, (0, 0) where it names none.
    """

    name: GraphicsName = "sixel"

    def __init__(
        self,
        cells: GraphicsBackend,
        cell_size: tuple[int, int],
        *,
        colours: int = MAX_COLOURS,
        max_size: tuple[int, int] = (0, 0),
    ) -> None:
        super().__init__(cells, cell_size)
        self._pixels = cell_size
        self._colours = max(2, min(colours, MAX_COLOURS))
        self._max_size = max_size

    def _encode(self, image: Image.Image, columns: int, rows: int) -> tuple[str, tuple[int, int]]:
        width, height = columns * self._pixels[0], rows * self._pixels[1]
        if self._max_size != (0, 0) and (width > self._max_size[0] or height > self._max_size[1]):
            return "", self._pixels
        return encode_sixel(quantize(image.resize((width, height)), self._colours)), self._pixels


class InlineImages(_OverCells):
    """Draws stills by iTerm2's protocol; over a `remote` line with a quarter of the pixels."""

    name: GraphicsName = "iterm2"

    def __init__(self, cells: GraphicsBackend, cell_size: tuple[int, int], *, remote: bool = False) -> None:
        super().__init__(cells, (cell_size[0] / 2, cell_size[1] / 2) if remote else cell_size)
        self._quality = _REMOTE_JPEG_QUALITY if remote else _JPEG_QUALITY

    def _encode(self, image: Image.Image, columns: int, rows: int) -> tuple[str, tuple[int, int]]:
        return encode_inline(image, columns, rows, self._quality), (0, 0)


def encode_inline(image: Image.Image, columns: int, rows: int, quality: int) -> str:
    """Return iTerm2's sequence for a picture that fills these cells."""
    file = BytesIO()
    image.save(file, "JPEG", quality=quality, subsampling=0)
    size = f"size={file.tell()};width={columns};height={rows};preserveAspectRatio=0;doNotMoveCursor=1"
    return f"\x1b]1337;File=inline=1;{size}:{base64.standard_b64encode(file.getvalue()).decode('ascii')}\x07"


def quantize(image: Image.Image, colours: int) -> Image.Image:
    """Return the picture, dithered, in its own palette of that many colours."""
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
