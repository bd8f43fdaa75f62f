"""The whole app in a real xterm that draws sixels, photographed: sharper than cells can be, covered, and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal.display import Display, changes, missing, purple, showing_stripes
from tests.terminal.tmux import PROGRAM

MISSING = missing("xterm")
pytestmark = [pytest.mark.terminal, pytest.mark.skipif(bool(MISSING), reason=MISSING or "-")]

COMMAND = ("xterm", "-ti", "vt340", "-geometry", "100x30", "-fa", "monospace", "-fs", "9", "-e", *PROGRAM)


@pytest.fixture
def display(tmp_path: Path) -> Iterator[Display]:
    with showing_stripes(tmp_path, "xterm", COMMAND) as found:
        yield found


def test_a_picture_is_sharper_than_cells_and_comes_back_after_a_dialog(display: Display) -> None:
    """Seen to fail with half-blocks, and without laying the pixels again: after the help they stayed away."""
    display.focus()
    display.until(purple)
    display.press("Return")
    sharp = changes(display.until(lambda screen: changes(screen) > 80))
    display.press("F1")
    display.until(lambda screen: changes(screen) < sharp // 2)
    display.press("Escape")
    display.until(lambda screen: changes(screen) >= sharp)
