"""Sequences that reach the terminal around tmux when a job ends unseen, and when something is copied."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import FAST_SETTINGS, threaded_sandbox
from tests.terminal.pseudo_terminal import PseudoTerminal
from tests.terminal.tmux import PROGRAM, TMUX_CONFIG, Tmux, make_environ, needs_tmux

pytestmark = [needs_tmux, pytest.mark.terminal]

TITLE_CONFIG = 'set -g set-titles on\nset -g set-titles-string "#T"\n'
WAYS = (b"\x1b]9;", b"\x1b]777;notify;eternal-tui;")
SAVED = b"Job 1 done: Astrid\x07"
FOCUS_LOST, FOCUS_GAINED = b"\x1b[O", b"\x1b[I"


@pytest.fixture
def held() -> Iterator[Sandbox]:
    """A service whose job ends when the test says so: first it is seen to run, and the terminal loses the focus."""
    with threaded_sandbox(msgspec.structs.replace(FAST_SETTINGS, image_median_seconds=1e9)) as running:
        yield running


def test_an_end_unseen_rings_notifies_and_is_in_the_title_outside_of_tmux(tmp_path: Path, held: Sandbox) -> None:
    environ = make_environ(tmp_path, {"ETERNAL_TUI_BASE_URL": held.api_url, "ETERNALAI_API_KEY": held.key})
    with Tmux(PROGRAM, environ, config=TMUX_CONFIG + TITLE_CONFIG) as inner:
        attach = ("tmux", "-S", str(inner._socket), "attach")
        with PseudoTerminal(attach, {**environ, "TERM": "xterm-256color"}, columns=80, rows=24) as outer:

            def wait_for(wanted: bytes) -> None:
                outer.wait_for(wanted, keep=True)

            wait_for(b"No jobs yet")
            outer.send(FOCUS_GAINED + b"\x0e")
            wait_for(b"opens the list")
            outer.send(b"6870\tIn a red coat")
            wait_for(b"In a red coat")
            outer.send(b"\x13")
            inner.wait_for("1 running")
            wait_for(b"\x1b]0;1 running \xc2\xb7 0 done\x07")
            outer.send(FOCUS_LOST)
            inner.wait_for(lambda screen: "▌In a red coat" not in screen)
            held.finish()
            for way in WAYS:
                wait_for(way + SAVED)
            wait_for(b"\x1b]0;0 running \xc2\xb7 1 done\x07")
            assert [outer.written.count(way) for way in WAYS] == [1, 1], "told once in each way"

            outer.send(FOCUS_GAINED + b"\x1b")
            inner.wait_for("2 Jobs")
            outer.send(b"yt")
            wait_for(base64.b64encode(b"In a red coat"))
            assert b"\x1b]52;" in outer.written
            outer.send(b"\x11")
            wait_for(b"modes restored")
