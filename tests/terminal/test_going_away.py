"""Exits without a key press: signals, a closed terminal, a dropped connection. Two seconds at most, nothing lost."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.terminal.pseudo_terminal import PseudoTerminal, wait_process_exit
from tests.terminal.tmux import PROGRAM, make_environ

EXIT_DEADLINE_SECONDS = 2.0
"""Seconds that are promised."""

DEMO = (*PROGRAM, "--demo", "--empty")
WAYS = {"SIGTERM": signal.SIGTERM, "SIGHUP": signal.SIGHUP, "closed": signal.SIGHUP}


def make_demo_environ(home: Path) -> dict[str, str]:
    return make_environ(home, {"TMPDIR": str(home), "TERM": "xterm-256color"})


def exit_app(way: str, home: Path, terminal: PseudoTerminal) -> None:
    """Send the app away: it ends in time, with its children and their files, and gives the terminal back."""
    children = terminal.children()
    assert children, "the demo's service is a child"
    begun = time.monotonic()
    if way == "closed":
        terminal.hang_up()
    else:
        os.kill(terminal.pid, WAYS[way])
    assert terminal.wait_for_end(EXIT_DEADLINE_SECONDS) == 128 + WAYS[way]
    # It is killed before the app ends, and needs processor time to exit.
    left = EXIT_DEADLINE_SECONDS - (time.monotonic() - begun)
    assert all(wait_process_exit(child, left) for child in children), "the demo's service lives on"
    assert list(home.glob("eternal-tui-demo-*")) == [], "the demo's files are left"
    if way == "SIGTERM":
        assert b"\x1b[?1049l" in terminal.written
        assert b"\x1b[?25h" in terminal.written


def ended_children_cpu_seconds() -> float:
    """Return the seconds of a processor all processes have used that were ours and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("way", WAYS)
def test_gone_within_two_seconds(way: str, tmp_path: Path) -> None:
    with PseudoTerminal(DEMO, make_demo_environ(tmp_path)) as terminal:
        terminal.wait_for("No jobs yet")
        exit_app(way, tmp_path, terminal)


HUNG_APP_SCRIPT = """
import os, sys, time
from eternal_tui.tui.screens.main import MainScreen
MainScreen.key_f8 = lambda self: (os.write(1, b"hangs"), time.sleep(600))
from eternal_tui.__main__ import run
run()
"""


@pytest.mark.parametrize("way", ["SIGTERM", "closed"])
def test_an_app_that_hangs_is_gone_in_time_and_gives_the_terminal_back(way: str, tmp_path: Path) -> None:
    """Its event loop stands still from a key on."""
    command = (sys.executable, "-c", HUNG_APP_SCRIPT, "--demo", "--empty")
    with PseudoTerminal(command, make_demo_environ(tmp_path)) as terminal:
        usual = terminal.modes
        terminal.wait_for("No jobs yet")
        terminal.send(b"\x1b[19~")
        terminal.wait_for("hangs")
        assert terminal.modes != usual
        before = terminal.cpu_seconds() + ended_children_cpu_seconds()
        # A running service ends with its parent; a stopped one has to be ended by the app.
        for service in terminal.children():
            os.kill(service, signal.SIGSTOP)
        exit_app(way, tmp_path, terminal)
        assert ended_children_cpu_seconds() - before < 0.5, "it spins"
        if way != "closed":
            assert b"\x1b[?1003l" in terminal.written
            assert terminal.modes == usual


@pytest.mark.parametrize("way", ["SIGTERM", "ctrl+q"])
def test_a_key_command_that_waits_is_neither_waited_for_nor_left(way: str, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('api_key_command = "sleep 600"\n')
    environ = make_environ(tmp_path, {"ETERNAL_TUI_BASE_URL": "http://127.0.0.1:9", "TERM": "xterm-256color"})
    with PseudoTerminal((*PROGRAM, "--config", str(config)), environ) as terminal:
        terminal.wait_for("No jobs yet")
        end = time.monotonic() + 60
        while not (commands := terminal.children()):
            assert time.monotonic() < end
            terminal.read(0.1)
        if way == "SIGTERM":
            os.kill(terminal.pid, signal.SIGTERM)
        else:
            terminal.send(b"\x11")
        code = terminal.wait_for_end(EXIT_DEADLINE_SECONDS)
        assert code == (128 + signal.SIGTERM if way == "SIGTERM" else 0)
        assert all(wait_process_exit(command, 1.0) for command in commands)


def test_a_job_sent_before_the_line_dropped_is_there_after(tmp_path: Path, service: dict[str, str]) -> None:
    environ = make_environ(tmp_path, {**service, "TERM": "xterm-256color"})
    with PseudoTerminal(PROGRAM, environ) as terminal:
        terminal.wait_for("No jobs yet")
        terminal.send(b"\x0e")
        terminal.wait_for("opens the list")
        terminal.send(b"6870\tIn a red coat\x13")
        terminal.wait_for("1 running")
        terminal.hang_up()
        terminal.wait_for_end(EXIT_DEADLINE_SECONDS)
    with PseudoTerminal(PROGRAM, environ) as terminal:
        terminal.wait_for("In a red coat", keep=True)
        terminal.wait_for("1 done today")
        terminal.send(b"\x11")
        assert terminal.wait_for_end(EXIT_DEADLINE_SECONDS + 3) == 0
