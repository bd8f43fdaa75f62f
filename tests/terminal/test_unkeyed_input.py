"""Input that is no key, keys in one read, odd streams, and the end of the app, on a pseudo-terminal."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import Program, a_job, threaded_sandbox
from tests.terminal.pseudo_terminal import PseudoTerminal
from tests.terminal.replies import REPLIES
from tests.terminal.stage import APP_COMMAND, make_environ, start_app
from tests.terminal.tmux import PROGRAM, Tmux, needs_tmux
from tests.terminal.tmux import make_environ as make_tmux_environ

SCREENS = {
    "list": b"", "form": b"n", "filter": b"/", "help": b"?", "palette": b"\x10", "characters": b"C",
    "statistics": b"\x10statistics\r",
}  # fmt: skip


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with threaded_sandbox() as running:
        yield running


def wait_until_restored(terminal: PseudoTerminal) -> None:
    terminal.wait_for(b"\x1b[?1049l", keep=True)
    terminal.wait_for(b"\x1b[?25h", keep=True)


@pytest.mark.parametrize("pause", [0.0, pytest.param(0.4, marks=pytest.mark.long)])
@pytest.mark.parametrize("screen", SCREENS)
def test_replies_press_no_keys(tmp_path: Path, sandbox: Sandbox, screen: str, pause: float) -> None:
    """A failed job is under the cursor: a `t` among the replies would run it again, and be paid."""
    program = Program(tmp_path, sandbox.api_url, sandbox.key)
    program.add_jobs(a_job(state="failed", error="fault", name="Astrid"))
    before = program.records()
    environ = make_environ(tmp_path, sandbox.api_url, sandbox.key)
    with start_app(tmp_path, environ) as terminal:
        terminal.wait_for("At sea")
        terminal.send(SCREENS[screen])
        terminal.read_until_quiet(0.3)
        for reply in REPLIES:
            for at in (2, len(reply) // 2, len(reply) - 1):
                for part in (reply[:at], reply[at:]):
                    terminal.send(part)
                    terminal.read(0.005)
                    time.sleep(pause)
        terminal.send(b"\x1b[27u")
        terminal.read_until_quiet(0.3)
        terminal.send(b"q")
        assert terminal.wait_for_end() == 0
    assert not sandbox.posts
    assert program.records() == before


def test_bytes_that_are_no_text_do_not_end_the_app(tmp_path: Path) -> None:
    chance = random.Random(5)
    with start_app(tmp_path) as terminal:
        terminal.wait_for("No jobs yet")
        terminal.send(b"n")
        terminal.wait_for("send")
        terminal.send(b"\t\xe9t\xe9 \xff\x1b[M \xe0\xe1\x1b[<9999999999;1;1M\x1b[1114112u")
        terminal.wait_for("\ufffdt\ufffd \ufffd")
        for _ in range(300):
            # No ctrl key that leaves, and nothing that is left unfinished.
            terminal.send(bytes(byte for byte in chance.randbytes(40) if byte not in b"\x11\x13\x1b\x05\x1a") + b"\x18")
            terminal.read(0.005)
        terminal.send(b"\x18\x1b[27u\x11")
        assert terminal.wait_for_end() == 0


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGKILL, -9), (signal.SIGABRT, -6), (signal.SIGSEGV, -11), (signal.SIGQUIT, 131), (signal.SIGINT, 130)],
)
def test_signals_leave_the_terminal_as_it_was(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """SIGKILL and a crash are seen to by a process of its own."""
    with start_app(tmp_path) as terminal:
        before = terminal.modes
        terminal.wait_for("No jobs yet")
        assert terminal.modes != before
        os.kill(terminal.pid, number)
        wait_until_restored(terminal)
        assert terminal.modes == before
        assert terminal.wait_for_end() == code


def test_interrupt_during_the_start_is_no_traceback(tmp_path: Path) -> None:
    # Blocked until the first line of the program runs: before that a signal meets the interpreter's own start.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
        "signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})\n"
        "from eternal_tui.__main__ import run; run()"
    )
    chance = random.Random(3)
    for _ in range(8):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            started = start_app(tmp_path, command=(sys.executable, "-c", code))
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        with started as terminal:
            terminal.read_for(chance.uniform(0.06, 0.6))
            os.kill(terminal.pid, signal.SIGINT)
            assert terminal.wait_for_end() in (130, -signal.SIGINT)
            assert b"Traceback" not in terminal.written
            assert b"defect" not in terminal.written


def test_app_draws_on_standard_output(tmp_path: Path) -> None:
    command = ("/bin/sh", "-c", 'exec "$0" "$@" 2>/dev/null', *APP_COMMAND)
    with start_app(tmp_path, command=command) as terminal:
        terminal.wait_for("No jobs yet")


def test_app_has_the_size_of_the_terminal(tmp_path: Path) -> None:
    environ = make_environ(tmp_path, COLUMNS="61", LINES="21")
    with start_app(tmp_path, environ, columns=120, rows=40) as terminal:
        terminal.wait_for(b"\x1b[40;", keep=True)
        terminal.resize(90, 30)
        terminal.written.clear()
        terminal.wait_for(b"\x1b[30;")
        assert b"\x1b[40;" not in terminal.written


def test_reading_keys_fails_with_a_report(tmp_path: Path) -> None:
    """An app that goes on without its keys could not be left."""
    start = (
        "import os\nread = os.read\n"
        "def fail_on_keys(handle, size):\n"
        "    data = read(handle, size)\n"
        "    if handle == 0 and b'j' in data: raise MemoryError\n"
        "    return data\n"
        "os.read = fail_on_keys\n"
        "from eternal_tui.__main__ import run\nrun()"
    )
    with start_app(tmp_path, command=(sys.executable, "-c", start)) as terminal:
        terminal.wait_for("No jobs yet")
        terminal.send(b"j")
        wait_until_restored(terminal)
        assert terminal.wait_for_end() == 70
        assert b"logs/crash-" in terminal.written
    (report,) = (tmp_path / "data" / "logs").glob("crash-*.txt")
    assert "MemoryError" in report.read_text()


def test_saving_a_copy_in_a_deleted_folder(tmp_path: Path, sandbox: Sandbox) -> None:
    gone = tmp_path / "gone"
    script = f'mkdir {gone} && cd {gone} && rmdir {gone} && exec "$0" "$@"'
    environ = make_environ(tmp_path, sandbox.api_url, sandbox.key)
    program = Program(tmp_path, sandbox.api_url, sandbox.key)
    ran = program.run_process("generate", "--character", "6870", "--prompt", "At sea", "--wait")
    assert ran.code == 0, ran.err
    with start_app(tmp_path, environ, command=("/bin/sh", "-c", script, *APP_COMMAND)) as terminal:
        terminal.wait_for("At sea")
        terminal.send(b"s")
        terminal.wait_for("Save job")
        terminal.send(b"\x15$HOME/wrong.png\r")
        terminal.wait_for("Its content is JPG")
    assert (tmp_path / "wrong.png").read_bytes().startswith(b"\xff\xd8")


@needs_tmux
@pytest.mark.terminal
def test_typed_ahead(tmp_path: Path) -> None:
    with Tmux([*PROGRAM, "--demo", "--empty"], make_tmux_environ(tmp_path)) as demo:
        demo.wait_for("No jobs yet")
        demo.press("C-n")
        demo.wait_for("opens the list")
        demo.press("Enter")
        demo.wait_for("6873  Elara")
        demo.type("\rIn a red coat\x13")
        demo.wait_for(lambda screen: "1 running" in screen or "1 done" in screen)
        demo.press("Escape")
        demo.wait_for("1 done today")
        demo.type("/red")
        screen = demo.wait_for("/ red")
        assert "2 running" not in screen
        assert "1 done today" in demo.wait_for("1 of 1")
        demo.press("C-q")
        demo.wait_for("gone: 0")
