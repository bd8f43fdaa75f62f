"""An X server of its own with one terminal in it that runs the app, driven by keys and photographed."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from itertools import pairwise
from pathlib import Path

from PIL import Image

from eternal_tui.history.history import History
from eternal_tui.jobs.model import to_record
from tests.terminal.stage import make_environ
from tests.tui.results import saved_job

REQUIRED_TOOLS = {"Xvfb": "xvfb", "xdotool": "xdotool", "import": "imagemagick"}
"""Programs every display needs, and the package of each."""

TIMEOUT_SECONDS = 60.0
STRIPE_PIXELS = 6
"""Pixels of one stripe of the test picture, which is drawn smaller: less than a cell, so no half-block can show it."""


def missing_tools_message(terminal: str) -> str:
    """Return what is not installed of this terminal and what its display needs, and how to get it; empty if all is."""
    packages = {terminal: terminal, **REQUIRED_TOOLS}
    lacking = [program for program in packages if shutil.which(program) is None]
    if not lacking:
        return ""
    return f"{', '.join(lacking)} not installed: apt install {' '.join(packages[program] for program in lacking)}"


class Display:
    """One terminal, whose windows X knows by the class `window_class`."""

    def __init__(self, home: Path, window_class: str, command: Sequence[str]) -> None:
        read, write = os.pipe()
        self._window_class = window_class
        self._server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", "900x500x24", "-nolisten", "tcp"],
            pass_fds=(write,),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(write)
        with os.fdopen(read) as answer:
            display = f":{answer.readline().strip()}"
        self._environ = {
            **make_environ(home), "DISPLAY": display, "LIBGL_ALWAYS_SOFTWARE": "1", "PATH": os.environ["PATH"],
        }  # fmt: skip
        self._terminal = subprocess.Popen(
            command, env=self._environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def _run(self, *command: str) -> bytes:
        return subprocess.run(
            command, env=self._environ, check=True, capture_output=True, timeout=TIMEOUT_SECONDS
        ).stdout

    def focus(self) -> None:
        window = self._run("xdotool", "search", "--sync", "--onlyvisible", "--class", self._window_class).split()[0]
        self._run("xdotool", "windowfocus", "--sync", window.decode())

    def press(self, key: str) -> None:
        self._run("xdotool", "key", key)

    def wait_until(self, condition: Callable[[Image.Image], bool]) -> Image.Image:
        end = time.monotonic() + TIMEOUT_SECONDS
        while not condition(
            found := Image.open(BytesIO(self._run("import", "-window", "root", "png:-"))).convert("RGB")
        ):
            assert time.monotonic() < end, "the screen never came to look so"
        return found

    def close(self) -> None:
        for process in (self._terminal, self._server):
            process.terminate()
            process.wait(TIMEOUT_SECONDS)


@contextmanager
def open_stripes_display(home: Path, kind: str, command: Sequence[str], *, height: int = 600) -> Iterator[Display]:
    """Run the app over a history of one picture of stripes, 600 pixels wide."""
    results = home / "data" / "results"
    results.parent.mkdir(mode=0o700)
    results.mkdir(mode=0o700)
    stripes = Image.new("RGB", (600, height), (255, 0, 0))
    for x in range(0, 600, 2 * STRIPE_PIXELS):
        stripes.paste((0, 0, 255), (x, 0, x + STRIPE_PIXELS, height))
    stripes.save(results / "1.png")
    history = History.open(home / "data", now=lambda: 1_700_000_000.0)
    history.add(to_record(saved_job("1.png", created_at=1_700_000_000.0)))
    history.close(compact=True)
    display = Display(home, kind, command)
    try:
        yield display
    finally:
        display.close()


def count_edges(screen: Image.Image, row: int = 150) -> int:
    """Return how often neighbours on one line of the screen differ strongly, as fine stripes do."""
    reds = screen.crop((0, row, screen.width, row + 1)).convert("RGB").tobytes()[::3]
    return sum(abs(one - other) > 60 for one, other in pairwise(reds))


def shows_image(screen: Image.Image) -> bool:
    """Whether the picture is on the screen: red and blue stripes, and both at once when zoomed out."""
    pixels = screen.resize((90, 50)).tobytes()
    channels = zip(pixels[::3], pixels[1::3], pixels[2::3], strict=True)
    return sum(red < 250 and red + blue > 200 and green < 60 for red, green, blue in channels) > 20
