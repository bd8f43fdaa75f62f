"""Measure pictures and clips: `python tests/benchmarks/bench_pictures.py [--json FILE]`.

Stills: a 1024² file to 80×40 cells of escape sequences, ours in this process against `chafa -s 80x40` as a
process, in turns in the same run. Clips: 4 s of 480×720 in 60×30 cells, played for some seconds in a real app
under a pty, with its frames a second, CPU and bytes. Figures hold for this machine and moment; ratios last.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PIL import Image
from rich.console import Console

from eternal_tui.media.decode.frame import Canvas
from eternal_tui.media.decode.images import image_frame
from eternal_tui.media.decode.video import VideoReader, poster
from eternal_tui.tui.graphics.half_blocks import HalfBlocks
from eternal_tui.tui.graphics.kitty import KittyPlaceholders
from eternal_tui.tui.graphics.over_cells import Sixel
from tests.media.files import write_scene_video
from tests.terminal.pseudo_terminal import PseudoTerminal

PLAYER = """
import sys, time
from pathlib import Path
from eternal_tui.tui.terminal.compositor import DiffScreen
from eternal_tui.tui.graphics.half_blocks import HalfBlocks
from eternal_tui.tui.picture.pacing import FrameBudget
from eternal_tui.tui.terminal.base_app import TerminalApp
from eternal_tui.tui.picture.picture import MediaView

class Counting(MediaView):
    # When each frame was put on the screen, and which.
    put = []
    def _show_drawing(self, drawing):
        Counting.put.append((time.monotonic(), self.position))
        return super()._show_drawing(drawing)

class Player(TerminalApp):
    CSS = f"MediaView {{ width: {sys.argv[6]}; height: {sys.argv[7]}; }}"
    def get_default_screen(self):
        return DiffScreen()
    def compose(self):
        graphics, budget = HalfBlocks(int(sys.argv[3]), truecolor=True), FrameBudget(float(sys.argv[2]))
        yield Counting(graphics, frame_budget=budget)
    def on_mount(self):
        self.query_one(MediaView).set_file(Path(sys.argv[1]))
    def on_media_view_loaded(self, message):
        Counting.put.clear()
        message.media_view.play()
        self.cpu, self.wall = time.process_time(), time.monotonic()
        self.set_timer(float(sys.argv[4]), self.report)
    def on_media_view_playback_changed(self, message):
        message.media_view.play()
    def report(self):
        wall = time.monotonic() - self.wall
        cpu = time.process_time() - self.cpu
        (first, _), *_, (last, _) = put = Counting.put
        pairs = list(zip(put, put[1:]))
        new = sum(before[1] != after[1] for before, after in pairs)
        off = sorted(abs(after[0] - before[0] - 1 / float(sys.argv[2])) for before, after in pairs)
        uneven = off[len(off) * 95 // 100] * 1000
        Path(sys.argv[5]).write_text(f"{new / (last - first)} {cpu / wall} {wall} {uneven}")
        self.exit()

Player().run()
"""


TEXTUAL_IMAGE = """
import statistics, sys, time
from rich.console import Console
from textual_image.renderable.halfcell import Image
console = Console(color_system="truecolor", width=80, height=40, force_terminal=True)
taken = []
for _ in range(int(sys.argv[2])):
    began = time.perf_counter()
    with console.capture():
        console.print(Image(sys.argv[1], width=80, height=40))
    taken.append((time.perf_counter() - began) * 1000)
print(statistics.median(taken))
"""


def textual_image(path: Path, runs: int) -> float | None:
    """Return the time textual-image's half-blocks take in a process that has imported it; None where it is missing."""
    command = [sys.executable, "-c", TEXTUAL_IMAGE, str(path), str(runs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return float(done.stdout) if done.returncode == 0 else None


def milliseconds(work: Callable[[], object], runs: int) -> float:
    """Return the median time of `work`."""
    taken = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def cells(path: Path, graphics: HalfBlocks | None = None) -> int:
    """Turn a file into escape sequences, with cold styles unless `graphics` has warm ones; return their length."""
    graphics = graphics or HalfBlocks(truecolor=True)
    # Rows of the picture drawn before would be taken as they are: this is about one not seen yet.
    graphics._row.cache_clear()
    drawing = graphics.render(image_frame(path, Canvas(80, 40)))
    console = Console(color_system="truecolor")
    return len("".join(strip.render(console) for strip in drawing.strips))


def stills(folder: Path, runs: int) -> dict[str, float]:
    image = Image.merge(
        "RGB", [Image.linear_gradient("L"), Image.radial_gradient("L"), Image.effect_noise((256, 256), 60)]
    ).resize((1024, 1024))
    chafa = shutil.which("chafa")
    found: dict[str, float] = {}
    for kind in ("jpg", "png"):
        path = folder / f"a.{kind}"
        image.save(path, quality=90)

        warm = HalfBlocks(truecolor=True)
        cells(path, warm)
        found[f"{kind} to frame ms"] = milliseconds(partial(image_frame, path, Canvas(80, 40)), runs)
        found[f"{kind} to cells, cold styles ms"] = milliseconds(partial(cells, path), runs)
        found[f"{kind} to cells, warm styles ms"] = milliseconds(partial(cells, path, warm), runs)
        found[f"{kind} bytes, 8 bits"] = cells(path, HalfBlocks(8))
        found[f"{kind} bytes, 5 bits"] = cells(path, HalfBlocks(5))
        found[f"{kind} bytes, 4 bits"] = cells(path, HalfBlocks(4))
        if chafa:
            command = [chafa, "-s", "80x40", str(path)]
            took = milliseconds(partial(subprocess.run, command, capture_output=True, check=True), runs)
            found[f"{kind} chafa as a process ms"] = took
            found[f"{kind} cold over chafa"] = found[f"{kind} to cells, cold styles ms"] / took
            found[f"{kind} warm over chafa"] = found[f"{kind} to cells, warm styles ms"] / took
        if (peer := textual_image(path, runs)) is not None:
            found[f"{kind} textual-image, import not counted ms"] = peer
        sixel = Sixel(HalfBlocks(), (10, 20))
        large = image_frame(path, Canvas(40, 20, sixel.cell_size))
        found[f"{kind} to 40x20 cells of sixels ms"] = milliseconds(partial(sixel.render, large), runs)
        found[f"{kind} sixel bytes"] = len(sixel.render(large).overlay)
        kitty = KittyPlaceholders((10, 20))
        frame = image_frame(path, Canvas(80, 40, kitty.cell_size))
        found[f"{kind} to kitty ms"] = milliseconds(partial(kitty.render, frame), runs)
        found[f"{kind} kitty bytes"] = len(kitty.render(frame).transmit)
    return found


def play(
    clip: Path, rate: float, bits: int, seconds: float, folder: Path, size: tuple[int, int] = (60, 30)
) -> dict[str, float]:
    """Play in a real app whose terminal takes everything at once."""
    report = folder / "report"
    arguments = [str(clip), str(rate), str(bits), str(seconds), str(report), *map(str, size)]
    environ = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    with PseudoTerminal([sys.executable, "-c", PLAYER, *arguments], environ, columns=100, rows=45) as terminal:
        terminal.wait_for_end(seconds + 20)
        written = len(terminal.written)
    fps, cpu, wall, uneven = (float(word) for word in report.read_text().split())
    name = f"clip in {size[0]}x{size[1]}, wanted {rate:.0f}/s, {bits} bits"
    return {
        f"{name}: new frames/s": fps,
        f"{name}: off their beat, p95 ms": uneven,
        f"{name}: CPU %": cpu * 100,
        f"{name}: bytes/s": written / wall,
    }


def clips(folder: Path, runs: int, seconds: float) -> dict[str, float]:
    clip = write_scene_video(folder / "clip.mp4")

    def decode() -> None:
        with VideoReader(clip, Canvas(60, 30)) as reader:
            last = False
            while not last:
                last = reader.step(1).is_last

    found = {"poster ms": milliseconds(lambda: poster(clip, Canvas(60, 30)), runs)}
    found["decode and scale frames/s"] = 96 / (milliseconds(decode, 3) / 1000)
    for rate, bits, size in ((24.0, 8, (60, 30)), (24.0, 8, (80, 40)), (12.0, 8, (60, 30)), (4.0, 5, (60, 30))):
        found |= play(clip, rate, bits, seconds, folder, size)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure pictures and clips.")
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        found = stills(Path(name), options.runs) | clips(Path(name), options.runs, options.seconds)
    for label, value in found.items():
        print(f"{label:45} {value:12,.2f}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
