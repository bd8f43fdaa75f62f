"""What the live list writes to a real pseudo-terminal: counted, because a slow line pays for every byte."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal.list_app import DRAWN_MARKER
from tests.terminal.stage import start_app

ROOT = Path(__file__).parents[2]
DRAWN_MARKER_BYTES = DRAWN_MARKER.encode()
TIMEOUT_SECONDS = 60.0


class ListTerminal:
    """The other end of a pseudo-terminal in which the list runs."""

    def __init__(self, columns: int, rows: int) -> None:
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            environ = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
            environ.pop("NO_COLOR", None)
            os.execve(sys.executable, [sys.executable, "-m", "tests.terminal.list_app"], environ)
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read_until_drawn(self) -> bytes:
        """Return what was written until the list said that it had drawn."""
        written = b""
        while DRAWN_MARKER_BYTES not in written:
            ready, _, _ = select.select([self._descriptor], [], [], TIMEOUT_SECONDS)
            assert ready, written[-300:]
            written += os.read(self._descriptor, 65_536)
        return written.replace(DRAWN_MARKER_BYTES, b"")

    def press(self, key: str) -> bytes:
        """Return what one key press made the list write."""
        os.write(self._descriptor, key.encode())
        return self.read_until_drawn()

    def close(self) -> None:
        os.write(self._descriptor, b"\x11")
        while True:
            try:
                if not os.read(self._descriptor, 65_536):
                    break
            except OSError:
                break
        os.close(self._descriptor)
        os.waitpid(self.pid, 0)


@pytest.fixture(params=[(104, 26), (200, 60)], ids=["104x26", "200x60"])
def terminal(request: pytest.FixtureRequest) -> Iterator[ListTerminal]:
    terminal = ListTerminal(*request.param)
    try:
        terminal.read_until_drawn()
        terminal.press("o")
        yield terminal
    finally:
        terminal.close()


def test_bytes(terminal: ListTerminal) -> None:
    one = [len(terminal.press("x")) for _ in range(6)]
    assert max(one) < 300
    seconds = [len(terminal.press("s")) for _ in range(3)]
    assert max(seconds) <= 1_250
    everything = [len(terminal.press("b")) for _ in range(5)]
    assert sum(everything) / len(everything) <= 2_700
    assert [terminal.press("o") for _ in range(3)] == [b""] * 3


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
