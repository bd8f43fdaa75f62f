"""The whole app in a real kitty that knows placeholders, photographed: sharper than cells can be, and gone at the end.

Debian 12 has kitty 0.26.5, which is too old: there this is left out. Seen to pass with kitty 0.32.2.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.terminal.display import (
    TIMEOUT_SECONDS,
    Display,
    count_edges,
    missing_tools_message,
    open_stripes_display,
    shows_image,
)
from tests.terminal.tmux import PROGRAM

MIN_KITTY_VERSION = (0, 28)
BACKGROUND_COLOUR = "#00ff00"
"""The terminal's own ground: seen within the app's screen, it would be a stripe beside a picture."""

DIALOG_ROW, ROW_ABOVE_DIALOG = 250, 60
"""Lines of the screen in pixels: one within a dialog of a few rows, and one above it."""

KITTY_OPTIONS = (
    f"background={BACKGROUND_COLOUR}",
    "font_size=9",
    "remember_window_size=no",
    "update_check_interval=0",
    "initial_window_width=900",
    "initial_window_height=500",
    "confirm_os_window_close=0",
)


def _kitty_version() -> tuple[int, int]:
    said = subprocess.run(
        ["kitty", "--version"], check=True, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
    ).stdout
    found = re.search(r"(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _skip_reason() -> str:
    if lacking := missing_tools_message("kitty"):
        return lacking
    return (
        ""
        if _kitty_version() >= MIN_KITTY_VERSION
        else "needs kitty 0.28 or newer, which knows placeholders: see kitty's own site"
    )


SKIP_REASON = _skip_reason()
pytestmark = [pytest.mark.terminal, pytest.mark.skipif(bool(SKIP_REASON), reason=SKIP_REASON or "-")]


@pytest.fixture
def display(tmp_path: Path) -> Iterator[Display]:
    options = [word for one in KITTY_OPTIONS for word in ("-o", one)]
    command = ["kitty", "--config", "NONE", *options, "sh", "-c", '"$@"; sleep 1000', "sh", *PROGRAM]
    # An odd height: no whole number of cells, and so a part of a cell beneath the picture.
    with open_stripes_display(tmp_path, "kitty", command, height=601) as found:
        yield found


def count_background_pixels(screen: Image.Image) -> int:
    """Return how many pixels show the terminal's own ground."""
    pixels = screen.crop((8, 8, 892, 480)).tobytes()
    return sum(red < 40 and green > 200 and blue < 40 for red, green, blue in zip(*[iter(pixels)] * 3, strict=True))


def test_a_picture_is_sharper_than_cells_without_stripes_and_gone_at_the_end(display: Display) -> None:
    display.focus()
    display.wait_until(shows_image)
    display.press("Return")
    assert count_background_pixels(display.wait_until(lambda screen: count_edges(screen) > 80)) == 0
    display.press("s")
    saving = display.wait_until(lambda screen: count_edges(screen, DIALOG_ROW) < 20)
    assert count_edges(saving, ROW_ABOVE_DIALOG) > 80
    display.press("Escape")
    display.wait_until(lambda screen: count_edges(screen, DIALOG_ROW) > 80)
    display.press("F1")
    display.wait_until(lambda screen: count_edges(screen) < 20)
    display.press("Escape")
    display.wait_until(lambda screen: count_edges(screen) > 80)
    display.press("Escape")
    display.press("ctrl+q")
    display.wait_until(lambda screen: count_background_pixels(screen) > 400_000)
