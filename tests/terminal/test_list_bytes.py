"""Bytes that the live list writes to a real pseudo-terminal: counted, because they cost time on a slow line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.terminal.list_app import DRAWN_MARKER
from tests.terminal.pseudo_terminal import PseudoTerminal
from tests.terminal.stage import make_environ, start_app

LIST_APP = (sys.executable, "-m", "tests.terminal.list_app")


@pytest.mark.parametrize(("columns", "rows"), [(104, 26), (200, 60)])
def test_bytes(columns: int, rows: int, tmp_path: Path) -> None:
    with PseudoTerminal(LIST_APP, make_environ(tmp_path), columns=columns, rows=rows) as terminal:

        def press(key: bytes) -> int:
            """Return how many bytes one key press made the list write."""
            terminal.send(key)
            terminal.wait_for(DRAWN_MARKER, keep=True)
            written = len(terminal.written) - len(DRAWN_MARKER)
            terminal.written.clear()
            return written

        terminal.wait_for(DRAWN_MARKER)
        press(b"o")
        assert max(press(b"x") for _ in range(6)) < 300
        assert max(press(b"s") for _ in range(3)) <= 1_250
        assert sum(press(b"b") for _ in range(5)) / 5 <= 2_700
        assert [press(b"o") for _ in range(3)] == [0] * 3


def test_a_cursor_in_the_form_stands_still(tmp_path: Path) -> None:
    with start_app(tmp_path) as terminal:
        terminal.wait_for("No jobs yet")
        terminal.send(b"\x0e")
        terminal.wait_for("opens the list")
        assert terminal.becomes_idle(1.5)
        terminal.written.clear()
        terminal.send(b"a wide")
        terminal.wait_for("e")
        assert terminal.becomes_idle(1.5)
