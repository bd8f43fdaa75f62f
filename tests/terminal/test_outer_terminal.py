"""What arrives at the terminal around tmux when a job ends behind somebody's back, and when something is copied."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from tests.terminal.test_going_away import Bare
from tests.terminal.tmux import CONFIG, PROGRAM, Tmux, environ_for, needs_tmux

pytestmark = [needs_tmux, pytest.mark.terminal]

TITLES = 'set -g set-titles on\nset -g set-titles-string "#T"\n'
FOCUS_LOST, FOCUS_BACK = b"\x1b[O", b"\x1b[I"


def test_an_end_unseen_rings_notifies_and_is_in_the_title_outside_of_tmux(
    tmp_path: Path, service: dict[str, str]
) -> None:
    """Seen to fail with the notification not wrapped for tmux, which keeps it to itself."""
    environ = environ_for(tmp_path, service)
    with Tmux(PROGRAM, environ, config=CONFIG + TITLES) as inner:
        outer = Bare(environ, command=["tmux", "-S", str(inner._socket), "attach"])
        try:
            outer.until(b"Nothing here yet")
            os.write(outer.master, FOCUS_BACK + b"\x0e")
            outer.until(b"opens the list")
            os.write(outer.master, b"6870\tIn a red coat")
            outer.until(b"In a red coat")
            os.write(outer.master, b"\x13")
            inner.until("1 running")
            os.write(outer.master, FOCUS_LOST)
            outer.until(b"\x1b]9;Job 1, ")
            outer.until(b"\x1b]777;notify;eternal-tui;Job 1, ")
            outer.until(b"\x1b]0;0 running \xc2\xb7 1 done\x07")
            assert b"\x1b]0;1 running \xc2\xb7 0 done\x07" in outer.written
            assert outer.written.count(b"is saved.\x07") == 2, "told once in each way"

            outer.written = b""
            os.write(outer.master, FOCUS_BACK + b"\x1b")
            outer.until(b"In a red coat")
            while outer.read(0.3):
                pass
            os.write(outer.master, b"yt")
            outer.until(base64.b64encode(b"In a red coat"))
            assert b"\x1b]52;" in outer.written
            os.write(outer.master, b"\x11")
            outer.until(b"modes restored")
        finally:
            outer.close()
