"""The whole app in a real kitty that knows placeholders, photographed: sharper than cells can be, and gone at the end.

Debian 12 has kitty 0.26.5, which is too old: there this is left out. Seen to pass with kitty 0.32.2.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from eternal_tui.history.history import History
from eternal_tui.jobs.job import to_record
from tests.terminal.stage import environ_for
from tests.terminal.test_sixel_in_xterm import FINE, changes, purple
from tests.terminal.tmux import PROGRAM
from tests.tui.results import saved

TOOLS = ("Xvfb", "kitty", "xdotool", "import")
PATIENCE = 60.0
FIRST = (0, 28)
GREEN = "#00ff00"
"""The terminal's own ground: seen within the app's screen, it would be a stripe beside a picture."""

CONFIG = (
    f"background={GREEN}",
    "font_size=9",
    "remember_window_size=no",
    "update_check_interval=0",
    "initial_window_width=900",
    "initial_window_height=500",
    "confirm_os_window_close=0",
)


def _version() -> tuple[int, int]:
    said = subprocess.run(["kitty", "--version"], check=True, capture_output=True, text=True, timeout=PATIENCE).stdout
    found = re.search(r"(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _missing() -> str:
    if any(shutil.which(tool) is None for tool in TOOLS):
        return f"needs {', '.join(TOOLS)} (ImageMagick)"
    return "" if _version() >= FIRST else "needs kitty 0.28 or newer, which knows placeholders"


pytestmark = [pytest.mark.terminal, pytest.mark.skipif(bool(_missing()), reason=_missing() or "-")]


class Display:
    """An X server of its own with one kitty in it."""

    def __init__(self, home: Path) -> None:
        read, write = os.pipe()
        self._server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", "900x500x24", "-nolisten", "tcp"],
            pass_fds=(write,),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(write)
        with os.fdopen(read) as answer:
            display = f":{answer.readline().strip()}"
        self._environ = {**environ_for(home), "DISPLAY": display, "LIBGL_ALWAYS_SOFTWARE": "1"}
        options = [word for one in CONFIG for word in ("-o", one)]
        self._terminal = subprocess.Popen(
            ["kitty", "--config", "NONE", *options, "sh", "-c", '"$@"; sleep 1000', "sh", *PROGRAM],
            env={**self._environ, "PATH": os.environ["PATH"]},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _run(self, *command: str) -> bytes:
        return subprocess.run(command, env=self._environ, check=True, capture_output=True, timeout=PATIENCE).stdout

    def focus(self) -> None:
        window = self._run("xdotool", "search", "--sync", "--onlyvisible", "--class", "kitty").split()[0]
        self._run("xdotool", "windowfocus", "--sync", window.decode())

    def press(self, key: str) -> None:
        self._run("xdotool", "key", key)

    def until(self, true: Callable[[Image.Image], bool]) -> Image.Image:
        end = time.monotonic() + PATIENCE
        while not true(found := Image.open(BytesIO(self._run("import", "-window", "root", "png:-"))).convert("RGB")):
            assert time.monotonic() < end, "the screen never came to look so"
        return found

    def close(self) -> None:
        for process in (self._terminal, self._server):
            process.terminate()
            process.wait(PATIENCE)


@pytest.fixture
def display(tmp_path: Path) -> Iterator[Display]:
    results = tmp_path / "data" / "results"
    results.parent.mkdir(mode=0o700)
    results.mkdir(mode=0o700)
    stripes = Image.new("RGB", (600, 601), (255, 0, 0))
    for x in range(0, 600, 2 * FINE):
        stripes.paste((0, 0, 255), (x, 0, x + FINE, 601))
    stripes.save(results / "1.png")
    history = History.open(tmp_path / "data", now=lambda: 1_700_000_000.0)
    history.add(to_record(saved("1.png", created_at=1_700_000_000.0)))
    history.close(fold=True)
    found = Display(tmp_path)
    try:
        yield found
    finally:
        found.close()


def greens(screen: Image.Image) -> int:
    """Return how many pixels show the terminal's own ground."""
    pixels = screen.crop((8, 8, 892, 480)).tobytes()
    return sum(red < 40 and green > 200 and blue < 40 for red, green, blue in zip(*[iter(pixels)] * 3, strict=True))


def test_a_picture_is_sharper_than_cells_without_stripes_and_gone_at_the_end(display: Display) -> None:
    """Seen to fail with half-blocks, and with cells that had no background of their own."""
    display.focus()
    display.until(purple)
    display.press("Return")
    assert greens(display.until(lambda screen: changes(screen) > 80)) == 0
    display.press("F1")
    display.until(lambda screen: changes(screen) < 20)
    display.press("Escape")
    display.until(lambda screen: changes(screen) > 80)
    display.press("Escape")
    display.press("ctrl+q")
    display.until(lambda screen: greens(screen) > 400_000)
