"""Leaving without a key: signals, a terminal that is gone, a dropped line. Gone within two seconds, nothing lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from tests.terminal.tmux import PROGRAM, environ_for

WITHIN = 2.0
"""Seconds that are promised."""

TRIALS = 2
MANY = 200


class Bare:
    """The program on a pseudo-terminal of which this process holds the other end."""

    def __init__(self, environ: Mapping[str, str], *arguments: str, command: Sequence[str] = PROGRAM) -> None:
        self.master, slave = os.openpty()
        subprocess.run(["stty", "rows", "24", "cols", "80"], stdin=slave, check=True)
        self.process = subprocess.Popen(
            [sys.executable, "-c", _LEADER, *command, *arguments],
            stdin=slave, stdout=slave, stderr=slave, env={**environ, "TERM": "xterm-256color"}, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self.written = b""

    def until(self, wanted: bytes, within: float = 30.0) -> None:
        latest = time.monotonic() + within
        while wanted not in self.written:
            assert time.monotonic() < latest, self.written[-500:]
            self.read(0.1)

    def read(self, within: float) -> bytes:
        import select

        if not select.select([self.master], [], [], within)[0]:
            return b""
        try:
            fresh = os.read(self.master, 1 << 16)
        except OSError:
            return b""
        self.written += fresh
        return fresh

    def children(self) -> list[int]:
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def gone_within(self, seconds: float) -> float:
        """Return how long the program took to end, reading what it writes as a terminal does."""
        begun = time.monotonic()
        while self.process.poll() is None:
            assert time.monotonic() - begun < seconds, "still there"
            if self.master >= 0:
                self.read(0.01)
            else:
                time.sleep(0.01)
        return time.monotonic() - begun

    def hang_up(self) -> None:
        os.close(self.master)
        self.master = -1

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.master >= 0:
            os.close(self.master)


_LEADER = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
"""Makes the pseudo-terminal the controlling one, as a login does: only then does closing it send SIGHUP."""


def _term(app: Bare) -> None:
    app.process.send_signal(signal.SIGTERM)


def _hup(app: Bare) -> None:
    app.process.send_signal(signal.SIGHUP)


def _closed(app: Bare) -> None:
    app.hang_up()


WAYS: dict[str, Callable[[Bare], None]] = {"SIGTERM": _term, "SIGHUP": _hup, "closed": _closed}


def leave(way: str, environ: Mapping[str, str]) -> float:
    app = Bare(environ, "--demo")
    try:
        app.until(b"Nothing here yet")
        children = app.children()
        assert children, "the demo's service is a child"
        WAYS[way](app)
        took = app.gone_within(WITHIN)
        assert app.process.returncode == 128 + (signal.SIGTERM if way == "SIGTERM" else signal.SIGHUP)
        for child in children:
            ended(child)
        if way == "SIGTERM":
            app.read(0.1)
            assert b"\x1b[?1049l" in app.written
            assert b"\x1b[?25h" in app.written
        return took
    finally:
        app.close()


def ended(pid: int) -> None:
    """Wait until a process that is not ours to wait for has ended."""
    latest = time.monotonic() + WITHIN
    while True:
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except (ProcessLookupError, FileNotFoundError):
            return
        assert time.monotonic() < latest, f"the demo's service {pid} lives on"
        time.sleep(0.02)


@pytest.mark.parametrize("way", WAYS)
def test_gone_within_two_seconds(way: str, tmp_path: Path) -> None:
    """Seen to fail without handlers for the signals, and with a demo that outlives its app."""
    for _ in range(TRIALS):
        leave(way, environ_for(tmp_path))


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS)
def test_gone_within_two_seconds_every_time(way: str, tmp_path: Path) -> None:
    took = sorted(leave(way, environ_for(tmp_path)) for _ in range(MANY))
    print(f"{way}: half {took[MANY // 2]:.2f} s, all {took[-1]:.2f} s")


def test_a_job_sent_before_the_line_dropped_is_there_after(tmp_path: Path, service: dict[str, str]) -> None:
    """Seen to fail with a history folded only at an ordinary end: this one has no such end."""
    environ = environ_for(tmp_path, service)
    app = Bare(environ)
    try:
        app.until(b"Nothing here yet")
        os.write(app.master, b"\x0e")
        app.until(b"opens the list")
        os.write(app.master, b"6870\tIn a red coat\x13")
        app.until(b"1 running")
        app.hang_up()
        app.gone_within(WITHIN)
    finally:
        app.close()
    again = Bare(environ)
    try:
        again.until(b"In a red coat")
        again.until(b"1 done today")
        os.write(again.master, b"\x11")
        again.gone_within(WITHIN + 3)
        assert again.process.returncode == 0
    finally:
        again.close()
