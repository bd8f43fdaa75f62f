"""Measure text pictures: `python -m tests.benchmarks.bench_symbols FOLDER [--columns 60 --rows 30] [--sheet FILE]`.

Every image of the folder is drawn in half-blocks and in each set of symbols, and by chafa with the same symbols as a
process, in turns in the same run. What stands in the cells is painted back into pixels, eight by sixteen a cell, and
compared with the image at that size: SSIM of the brightness (windows of 8 × 8) and PSNR of the colours.
"""

from __future__ import annotations

import argparse
import math
import shutil
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from eternal_tui.media.decode.frame import Canvas, fit_size
from eternal_tui.media.decode.images import image_frame
from eternal_tui.tui.graphics.half_blocks import HalfBlocks
from eternal_tui.tui.graphics.symbols import SYMBOL_NAMES, Symbols
from tests.tui.graphics.painted import CELL, as_text, paint

CHAFA_SYMBOLS = {"half": "vhalf", "quadrants": "quad+half", "sextants": "sextant+half"}
"""Octants came with chafa 1.16."""


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
