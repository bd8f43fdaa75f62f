"""Block symbols: four, six or eight pixels a cell in two colours, in any terminal that draws the characters.

Of all ways to split a cell's pixels into two groups the one is taken that leaves the least error when each group is
drawn in its mean colour. Where a split gains no more than what a codec's noise would, the cell stays one colour.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from rich.segment import Segment
from textual.strip import Strip

from eternal_tui.media.decode.frame import HALF_BLOCK_CELL, Frame
from eternal_tui.tui.graphics.base import Drawing, GraphicsBackend, GraphicsName
from eternal_tui.tui.graphics.half_blocks import (
    ANIMATED_BITS,
    FIRST_REDUCED_BITS,
    MIN_BITS,
    ColourCache,
    HalfBlocks,
    PixelStyle,
    quantization_table,
)

if TYPE_CHECKING:
    import numpy as np

    Floats = np.ndarray[Any, np.dtype[np.float32]]
    Integers = np.ndarray[Any, np.dtype[np.int64]]

SymbolName = Literal["quadrants", "sextants", "octants"]
SYMBOL_NAMES: tuple[SymbolName, ...] = ("quadrants", "sextants", "octants")

_PIXEL_ROWS = {"quadrants": 2, "sextants": 3, "octants": 4}
_FRAME_CELLS = {"quadrants": (4, 8), "sextants": (6, 12), "octants": (4, 8)}
"""Pixels of a frame a cell: square ones, from which those of a symbol are averaged."""

_VIDEO_CELL = (2, 4)
"""The same for frames of a clip, which are drawn in quadrants."""

_QUADRANTS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"
"""By pattern: bit 0 is the upper left pixel, bit 1 the one right of it, and so on row by row."""

_SEXTANTS_ELSEWHERE = {0: " ", 0b010101: "▌", 0b101010: "▐", 0b111111: "█"}
_OCTANT_ROWS = {0b11: "\U0001fb82", 0b11000000: "▂", 0b111111: "\U0001fb85", 0b11111100: "▆"}
_OCTANT_EIGHTHS = {
    0b1: "\U0001cea8", 0b10: "\U0001ceab", 0b1000000: "\U0001cea3", 0b10000000: "\U0001cea0",
    0b10100: "\U0001fbe6", 0b101000: "\U0001fbe7",
}  # fmt: skip
"""Patterns that had a character before Unicode 16 gave the others theirs, in the order of the patterns."""

_NOISE_LEVELS = 1.2
"""Levels a channel by which a codec's noise moves a pixel: a split that gains less is not made."""

_WEIGHTS = (0.9, 1.2, 0.6)
"""Weights of red, green and blue when colours are compared: the eye sees green best."""

_MAX_CACHED_ROWS = 192


@lru_cache(maxsize=3)
def symbol_characters(name: SymbolName) -> str:
    """Return the characters of a set, by pattern: bit 0 is the upper left pixel, bit 1 the one right of it."""
    if name == "quadrants":
        return _QUADRANTS
    if name == "sextants":
        return _fill_gaps(_SEXTANTS_ELSEWHERE, 64, 0x1FB00)
    doubled = {_quadrant_as_octant(pattern): character for pattern, character in enumerate(_QUADRANTS)}
    return _fill_gaps({**doubled, **_OCTANT_ROWS, **_OCTANT_EIGHTHS}, 256, 0x1CD00)


def _quadrant_as_octant(pattern: int) -> int:
    upper, lower = pattern & 3, pattern >> 2
    return upper | upper << 2 | lower << 4 | lower << 6


def _fill_gaps(known: dict[int, str], count: int, first: int) -> str:
    free = iter(range(first, first + count))
    return "".join(known.get(pattern) or chr(next(free)) for pattern in range(count))


@lru_cache(maxsize=3)
def _memberships(pixels: int) -> Floats:
    """Return a matrix of pixels and patterns, 1 where the pattern has the pixel."""
    import numpy as np

    return (np.arange(1 << pixels)[None, :] >> np.arange(pixels)[:, None] & 1).astype(np.float32)


class Symbols(GraphicsBackend):
    """Draws four, six or eight pixels a cell; clips in quadrants, or in half-blocks where the line is slow.

    `bits` are kept of each colour channel, as in `HalfBlocks`; `remote` says that the line is slow. `truecolor`
    promises that the terminal takes colours of 24 bits.
    """

    name: GraphicsName = "symbols"

    def __init__(
        self, symbols: SymbolName = "quadrants", bits: int = 8, *, truecolor: bool = False, remote: bool = False
    ) -> None:
        self.symbols = symbols
        self.bits = bits
        self._truecolor = truecolor
        self._remote = remote
        self.cell_size = _FRAME_CELLS[symbols]
        self.video_cell_size = HALF_BLOCK_CELL if remote else _VIDEO_CELL
        self._blocks = HalfBlocks(bits, truecolor=truecolor)
        self._rows: dict[tuple[bytes, bool], Strip] = {}
        self._styles = ColourCache(lambda pair: PixelStyle.from_pixels(pair[:-3], pair[-3:], truecolor=truecolor))

    def lower_quality(self) -> Symbols | None:
        """Return the same with one bit a channel less, down to three."""
        if self.bits <= MIN_BITS:
            return None
        bits = min(self.bits - 1, FIRST_REDUCED_BITS)
        return Symbols(self.symbols, bits, truecolor=self._truecolor, remote=self._remote)

    def render(self, frame: Frame, *, handle: int = 0, animated: bool = False) -> Drawing:  # noqa: ARG002
        """Draw `frame`, stretched by at most half a cell to fill whole ones."""
        if animated and self._remote:
            return self._blocks.render(frame, animated=True)
        symbols: SymbolName = "quadrants" if animated else self.symbols
        columns, rgb = _scale_to_cells(frame, _VIDEO_CELL if animated else _FRAME_CELLS[symbols], _PIXEL_ROWS[symbols])
        stride = columns * 2 * _PIXEL_ROWS[symbols] * 3
        keys = [(rgb[at : at + stride], animated) for at in range(0, len(rgb), stride)]
        # By a name of its own: other threads draw with the same cache.
        rows = self._rows
        found = {key: strip for key in keys if (strip := rows.get(key)) is not None}
        missing = [key for key in dict.fromkeys(keys) if key not in found]
        drawn = self._draw_rows([row for row, _ in missing], columns, symbols, animated=animated)
        found.update(zip(missing, drawn, strict=True))
        self._rows = found if len(rows) > _MAX_CACHED_ROWS else rows | found
        return Drawing(tuple(found[key] for key in keys), columns)

    def _draw_rows(self, rows: list[bytes], columns: int, symbols: SymbolName, *, animated: bool) -> list[Strip]:
        """Return rows of cells made of as many rows of pixels."""
        if not rows:
            return []
        import numpy as np

        down = _PIXEL_ROWS[symbols]
        pixels = np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), down, columns, 2, 3)
        # Rows of cells, columns, then the channels of a cell, each row by row of its pixels.
        cells = pixels.transpose(0, 2, 4, 1, 3).reshape(len(rows) * columns, 3, down * 2)
        patterns, colours = _split(cells.astype(np.float32))
        bits = min(self.bits, ANIMATED_BITS) if animated else self.bits
        packed = np.frombuffer(quantization_table(bits), np.uint8)[colours]
        flat = (packed[:, :3] == packed[:, 3:]).all(axis=1) | (patterns == 0)
        patterns[flat] = 0
        characters = symbol_characters(symbols)
        rgb, numbers = packed.tobytes(), patterns.tolist()
        return [
            self._draw_row(
                [characters[number] for number in numbers[start : start + columns]],
                [rgb[at : at + 6] for at in range(start * 6, (start + columns) * 6, 6)],
            )
            for start in range(0, len(rows) * columns, columns)
        ]

    def _draw_row(self, characters: list[str], pairs: list[bytes]) -> Strip:
        """Merge neighbours into one segment where their colours allow it; a cell of one colour has but a background."""
        segments: list[Segment] = []
        text, held = "", b""
        for character, pair in zip(characters, pairs, strict=True):
            wanted = pair[3:] if character == " " else pair
            if not text or wanted == held or (len(wanted) == 3 and held[3:] == wanted):
                text, held = text + character, held or wanted
            elif len(held) == 3 and wanted[3:] == held:
                text, held = text + character, wanted
            else:
                segments.append(Segment(text, self._styles[held]))
                text, held = character, wanted
        segments.append(Segment(text, self._styles[held]))
        return Strip(segments, len(characters))


def _scale_to_cells(frame: Frame, cell: tuple[int, int], pixel_rows: int) -> tuple[int, bytes]:
    """Return how many columns of cells a frame takes, and its colours at two by `pixel_rows` pixels a cell."""
    from PIL import Image

    columns, rows = max(1, round(frame.width / cell[0])), max(1, round(frame.height / cell[1]))
    image = Image.frombytes("RGB", (frame.width, frame.height), frame.rgb)
    return columns, image.resize((columns * 2, rows * pixel_rows), Image.Resampling.BOX).tobytes()


def _split(cells: Floats) -> tuple[Integers, Integers]:
    """Return for each cell, its three channels of pixels, the pattern of its foreground, and both colours.

    The colours are the foreground's three channels and the background's; pattern 0 has the background alone.
    """
    import numpy as np

    count, _, pixels = cells.shape
    half = pixels // 2
    # Each split once: the first pixel is always background. Sums of a pattern are those of its two halves.
    low, high = _memberships(half)[:, ::2], _memberships(pixels - half)
    counts = (high.sum(axis=0)[:, None] + low.sum(axis=0)[None, :]).ravel()
    inside = ((cells[:, :, half:] @ high)[:, :, :, None] + (cells[:, :, :half] @ low)[:, :, None, :]).reshape(
        count, 3, -1
    )
    total = cells.sum(axis=2)
    # The variance explained by two means, less that by one, is (S - nT/K)² · K / (n (K - n)), summed over channels.
    apart = inside - total[:, :, None] * (counts / pixels)
    apart *= np.array(_WEIGHTS, np.float32)[None, :, None]
    gain = np.einsum("cks,cks->cs", apart, apart)
    counts[0] = 1
    gain *= pixels / (counts * (pixels - counts))
    best = gain.argmax(axis=1)
    each = np.arange(count)
    inner, size = inside[each, :, best], counts[best][:, None]
    means = np.concatenate([inner / size, (total - inner) / (pixels - size)], axis=1)
    quiet = gain[each, best] < pixels * 3 * _NOISE_LEVELS**2 / 2
    means[quiet, 3:] = total[quiet] / pixels
    return np.where(quiet, 0, best * 2), np.rint(means).astype(np.int64)
