"""The whole app in a real xterm that draws sixels, photographed: sharper than cells can be, covered, and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal.display import Display, count_edges, missing_tools_message, open_stripes_display, shows_image
from tests.terminal.tmux import PROGRAM

SKIP_REASON = missing_tools_message("xterm")
pytestmark = [pytest.mark.terminal, pytest.mark.skipif(bool(SKIP_REASON), reason=SKIP_REASON or "-")]

COMMAND = ("xterm", "-ti", "vt340", "-geometry", "100x30", "-fa", "monospace", "-fs", "9", "-e", *PROGRAM)


@pytest.fixture
def display(tmp_path: Path) -> Iterator[Display]:
    with open_stripes_display(tmp_path, "xterm", COMMAND) as found:
        yield found


def test_a_picture_is_sharper_than_cells_and_comes_back_after_a_dialog(display: Display) -> None:
    """Seen to fail with half-blocks, and without laying the pixels again: after the help they stayed away."""
    display.focus()
    display.wait_until(shows_image)
    display.press("Return")
    sharp = count_edges(display.wait_until(lambda screen: count_edges(screen) > 80))
    display.press("F1")
    display.wait_until(lambda screen: count_edges(screen) < sharp // 2)
    display.press("Escape")
    display.wait_until(lambda screen: count_edges(screen) >= sharp)
