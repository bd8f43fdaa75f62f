"""The whole app in real terminals that draw sixels or iTerm2's images: sharper than cells can be, covered, and back."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest
from PIL import Image

from tests.terminal.display import STRIPE_PIXELS, Display, missing_tools_message, open_stripes_display, shows_image
from tests.terminal.tmux import PROGRAM

COMMANDS = {
    "xterm": ("xterm", "-ti", "vt340", "-geometry", "100x30", "-fa", "monospace", "-fs", "9", "-e", *PROGRAM),
    "konsole": ("konsole", "--hide-menubar", "--hide-tabbar", "-e", *PROGRAM),
}
"""xterm draws sixels, Konsole iTerm2's inline images too, which are then preferred."""

pytestmark = pytest.mark.terminal


@pytest.fixture(params=COMMANDS)
def display(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Display]:
    if lacking := missing_tools_message(request.param):
        pytest.skip(lacking)
    with open_stripes_display(tmp_path, request.param, COMMANDS[request.param]) as found:
        yield found


def shows_every_stripe(screen: Image.Image) -> bool:
    """Tell whether a line of the screen alternates between red and blue as often as the picture does."""
    reds_and_blues = [
        "red" if red > blue else "blue"
        for red, _, blue in zip(*[iter(screen.crop((0, 150, screen.width, 151)).tobytes())] * 3, strict=True)
        if max(red, blue) > 200 and min(red, blue) < 60
    ]
    return abs(len(list(groupby(reds_and_blues))) - 600 // STRIPE_PIXELS) <= 1


def test_a_picture_is_sharper_than_cells_and_comes_back_after_a_dialog(display: Display) -> None:
    display.focus()
    display.wait_until(shows_image)
    display.press("Return")
    display.wait_until(shows_every_stripe)
    display.press("F1")
    display.wait_until(lambda screen: not shows_every_stripe(screen))
    display.press("Escape")
    display.wait_until(shows_every_stripe)
