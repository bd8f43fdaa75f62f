"""Measure text pictures: `python -m tests.benchmarks.bench_symbols FOLDER [--columns 60 --rows 30] [--sheet FILE]`.

Every image of the folder is drawn in half-blocks and in each set of symbols, and by chafa with the same symbols as a
process, in turns in the same run. What stands in the cells is painted back into pixels, eight by sixteen a cell, and
compared with the image at that size: SSIM of the brightness (windows of 8 × 8) and PSNR of the colours.
"""

from __future__ import annotations

import argparse
import math
import re
import shutil
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.color import ColorSystem

from eternal_tui.media.decode.frame import Canvas, fit_size
from eternal_tui.media.decode.images import image_frame
from eternal_tui.tui.graphics.base import Drawing
from eternal_tui.tui.graphics.half_blocks import HalfBlocks
from eternal_tui.tui.graphics.symbols import SYMBOL_NAMES, Symbols, symbol_characters

CELL = (8, 16)
"""Pixels of a cell that is painted back."""

CHAFA_SYMBOLS = {"half": "vhalf", "quadrants": "quad+half", "sextants": "sextant+half"}
"""Octants came with chafa 1.16."""

_SGR = re.compile(r"\x1b\[([\d;]*)m|\x1b\[\?25[lh]|(\n)|([^\x1b\r])")


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
    fore, back = (255, 255, 255), (0, 0, 0)
    inverse = False
    for numbers, newline, character in _SGR.findall(text):
        if newline:
            x, y = 0, y + 1
        elif character:
            if x < columns and y < rows:
                ink, ground = (back, fore) if inverse else (fore, back)
                cell = shown[y * CELL[1] : (y + 1) * CELL[1], x * CELL[0] : (x + 1) * CELL[0]]
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


def ssim(one: Any, other: Any) -> float:
    """Return the mean structural similarity of two grey pictures, by windows of 8 × 8."""

    def mean(values: Any) -> Any:
        sums = np.pad(values, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
        return (sums[8:, 8:] - sums[:-8, 8:] - sums[8:, :-8] + sums[:-8, :-8]) / 64

    a, b = one.astype(float), other.astype(float)
    first, second = mean(a), mean(b)
    spread, other_spread = mean(a * a) - first**2, mean(b * b) - second**2
    shared = mean(a * b) - first * second
    small, large = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    found = (2 * first * second + small) * (2 * shared + large)
    return float((found / ((first**2 + second**2 + small) * (spread + other_spread + large))).mean())


def score(text: str, columns: int, rows: int, wanted: Image.Image) -> tuple[float, float]:
    """Return SSIM and PSNR in dB of what `text` shows."""
    shown = paint(text, columns, rows)[: wanted.height, : wanted.width]
    reference = np.asarray(wanted)
    error = float(((shown.astype(float) - reference) ** 2).mean())
    grey = np.asarray(Image.fromarray(shown).convert("L"))
    return ssim(grey, np.asarray(wanted.convert("L"))), 10 * math.log10(255**2 / max(error, 1e-9))


def draw(path: Path, graphics: HalfBlocks | Symbols, columns: int, rows: int) -> tuple[str, float]:
    """Return an image as text, and the milliseconds that decoding and drawing it took."""
    began = time.perf_counter()
    drawing = graphics.render(image_frame(path, Canvas(columns, rows, graphics.cell_size)))
    text = as_text(drawing)
    return text, (time.perf_counter() - began) * 1000


def backend(name: str, bits: int = 8) -> HalfBlocks | Symbols:
    """Return a backend that has drawn nothing yet."""
    if name == "half":
        return HalfBlocks(bits, truecolor=True)
    return next(Symbols(each, bits, truecolor=True) for each in SYMBOL_NAMES if each == name)


def chafa(path: Path, symbols: str, columns: int, rows: int) -> tuple[str, float]:
    """Return the same by chafa."""
    command = ["chafa", "-f", "symbols", "-c", "full", "--symbols", symbols, "-s", f"{columns}x{rows}", "--stretch"]
    began = time.perf_counter()
    done = subprocess.run([*command, "--polite=on", str(path)], capture_output=True, check=True)
    return done.stdout.decode(), (time.perf_counter() - began) * 1000


def print_worst(figures: Mapping[str, Sequence[Sequence[float]]]) -> None:
    """Print what the goals are about, of the picture that is furthest from them."""
    for name in ("quadrants", "sextants"):
        if f"chafa {name}" in figures:
            both = list(zip(figures[name], figures[f"chafa {name}"], figures["half"], strict=True))
            print(
                f"{name}, worst picture: SSIM less chafa's {min(own[0] - peer[0] for own, peer, _ in both):+.3f},",
                end=" ",
            )
            print(f"time by chafa's {max(own[2] / peer[2] for own, peer, _ in both):.2f},", end=" ")
            print(f"bytes by half-blocks' {max(own[3] / half[3] for own, _, half in both):.2f}")


def main() -> None:
    """Print a table, one row a set of symbols."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--columns", type=int, default=60)
    parser.add_argument("--rows", type=int, default=30)
    parser.add_argument("--sheet", type=Path, help="where to put the pictures side by side")
    parser.add_argument("--each", action="store_true", help="print every picture's figures")
    options = parser.parse_args()
    paths = sorted(path for path in options.folder.iterdir() if path.suffix in (".png", ".jpg", ".jpeg"))
    figures: dict[str, list[tuple[float, ...]]] = {}
    sheet: list[list[Image.Image]] = []
    for path in paths:
        with Image.open(path) as opened:
            source = opened.convert("RGB")
        columns, pixel_rows = fit_size(*source.size, options.columns, options.rows)
        rows = -(-pixel_rows // 2)
        wanted = source.resize((columns * CELL[0], pixel_rows * CELL[1] // 2), Image.Resampling.BOX)
        shown = [wanted]
        for name in ("half", *SYMBOL_NAMES):
            runs = [draw(path, backend(name), options.columns, options.rows) for _ in range(8)]
            text, sent = runs[0][0], len(draw(path, backend(name, 5), options.columns, options.rows)[0].encode())
            # The shortest: what else the machine does only adds to it.
            took = min(run[1] for run in runs)
            figures.setdefault(name, []).append((*score(text, columns, rows, wanted), took, sent))
            shown.append(Image.fromarray(paint(text, columns, rows)))
            if name in CHAFA_SYMBOLS and shutil.which("chafa"):
                theirs = [chafa(path, CHAFA_SYMBOLS[name], columns, rows) for _ in range(8)]
                took = min(run[1] for run in theirs)
                text = theirs[0][0]
                figures.setdefault(f"chafa {name}", []).append(
                    (*score(text, columns, rows, wanted), took, len(text.encode()))
                )
                shown.append(Image.fromarray(paint(text, columns, rows)))
            if options.each:
                print(path.name, name, *(f"{value[-1][0]:.3f}" for key, value in figures.items() if name in key))
        sheet.append(shown)
    print(f"{'':18}{'SSIM':>7}{'PSNR':>7}{'ms':>7}{'kB':>7}")
    for name, rows_found in figures.items():
        means = [statistics.fmean(column) for column in zip(*rows_found, strict=True)]
        print(f"{name:18}{means[0]:7.3f}{means[1]:7.1f}{means[2]:7.1f}{means[3] / 1000:7.1f}")
    print_worst(figures)
    if options.sheet:
        wide, high = max(one.width for row in sheet for one in row), max(one.height for row in sheet for one in row)
        page = Image.new("RGB", (wide * len(sheet[0]), high * len(sheet)))
        for y, row in enumerate(sheet):
            for x, one in enumerate(row):
                page.paste(one, (x * wide, y * high))
        page.save(options.sheet)


if __name__ == "__main__":
    main()
