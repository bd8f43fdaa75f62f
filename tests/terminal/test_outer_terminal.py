"""What arrives at the terminal around tmux when a job ends behind somebody's back, and when something is copied."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import QUICK, sandbox_in_a_thread
from tests.terminal.test_going_away import Bare
from tests.terminal.tmux import CONFIG, PROGRAM, Tmux, environ_for, needs_tmux

pytestmark = [needs_tmux, pytest.mark.terminal]

TITLES = 'set -g set-titles on\nset -g set-titles-string "#T"\n'
WAYS = (b"\x1b]9;", b"\x1b]777;notify;eternal-tui;")
SAVED = b"Job 1, Astrid's picture, is saved.\x07"
FOCUS_LOST, FOCUS_BACK = b"\x1b[O", b"\x1b[I"


@pytest.fixture
def held() -> Iterator[Sandbox]:
    """A service whose job ends when the test says so: first it is seen to run, and the terminal loses the focus."""
    with sandbox_in_a_thread(msgspec.structs.replace(QUICK, image_median=1e9)) as running:
        yield running


def test_an_end_unseen_rings_notifies_and_is_in_the_title_outside_of_tmux(tmp_path: Path, held: Sandbox) -> None:
    """Seen to fail with the notification not wrapped for tmux, which keeps it to itself."""
    environ = environ_for(tmp_path, {"ETERNAL_TUI_BASE_URL": held.api_url, "ETERNALAI_API_KEY": held.key})
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
            outer.until(b"\x1b]0;1 running \xc2\xb7 0 done\x07")
            os.write(outer.master, FOCUS_LOST)
            inner.until(lambda screen: "▌In a red coat" not in screen)
            held.finish()
            for way in WAYS:
                outer.until(way + SAVED)
            outer.until(b"\x1b]0;0 running \xc2\xb7 1 done\x07")
            assert [outer.written.count(way) for way in WAYS] == [1, 1], "told once in each way"

            os.write(outer.master, FOCUS_BACK + b"\x1b")
            inner.until("2 Jobs")
            os.write(outer.master, b"yt")
            outer.until(base64.b64encode(b"In a red coat"))
            assert b"\x1b]52;" in outer.written
            os.write(outer.master, b"\x11")
            outer.until(b"modes restored")
        finally:
            outer.close()
