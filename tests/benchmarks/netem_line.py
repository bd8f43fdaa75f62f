"""The app over a real ssh on a real slow line: a network namespace behind 256 kbit/s and 150 ms there and back.

Needs root, iproute2 and OpenSSH; where one is missing there are no rows, and those of the throttled terminal stand
alone. A kernel without netem limits the rate and delays nothing, which the rows say. Whoever types is in the namespace,
the app on this side of the line.
"""

from __future__ import annotations

import os
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.benchmarks.row import Row, row
from tests.benchmarks.shown_lines import ShownLines
from tests.benchmarks.slow_line import PICTURE, QUIET, picture_of
from tests.terminal.pseudo_terminal import ROOT, PseudoTerminal
from tests.terminal.ssh_server import SSHD, ServerUnavailable, ssh_server
from tests.terminal.stage import make_environ

SHAPERS = {
    "256 kbit/s, 75 ms each way": ("netem", "delay", "75ms", "rate", "256kbit"),
    "256 kbit/s, no delay": ("tbf", "rate", "256kbit", "burst", "3kb", "latency", "2s"),
}
"""What the line is like, and what tc is told; the first that the kernel has."""

HERE, THERE = "10.213.77.1", "10.213.77.2"
STARTS, ECHOES = 3, 15


@contextmanager
def shaped_line(shaper: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Make the line and yield what a command begins with that is to run at its far end; raises CalledProcessError."""
    space = f"eternal-{os.getpid()}"
    near, far = f"et{os.getpid()}a", f"et{os.getpid()}b"
    inside = ("ip", "netns", "exec", space)
    try:
        for words in (
            ("ip", "netns", "add", space),
            ("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", space),
            ("ip", "addr", "add", f"{HERE}/30", "dev", near),
            ("ip", "link", "set", near, "up"),
            (*inside, "ip", "addr", "add", f"{THERE}/30", "dev", far),
            (*inside, "ip", "link", "set", far, "up"),
            ("tc", "qdisc", "add", "dev", near, "root", *shaper),
            (*inside, "tc", "qdisc", "add", "dev", far, "root", *shaper),
        ):
            subprocess.run(words, check=True, capture_output=True)
        yield (str(shutil.which("ip")), *inside[1:])
    finally:
        for words in (("ip", "link", "del", near), ("ip", "netns", "del", space)):
            subprocess.run(words, check=False, capture_output=True)


def netem_line(folder: Path) -> Iterator[Row]:
    """Start, echo of a key, a picture, and back out of one that is still coming."""
    if os.getuid() or SSHD is None or not all(map(shutil.which, ("ip", "tc", "ssh", "ssh-keygen"))):
        return
    home, login = folder / "200", folder / "login"
    login.mkdir()
    results = home / "data" / "results"
    results.mkdir(parents=True, exist_ok=True)
    (results / PICTURE).write_bytes(picture_of(199))
    for name, shaper in SHAPERS.items():
        with suppress(subprocess.CalledProcessError, ServerUnavailable):
            with shaped_line(shaper) as inside, ssh_server(login, HERE) as ssh:
                yield from _rows(
                    f"ssh, {name}: ",
                    (*inside, *ssh),
                    make_environ(home),
                    make_environ(login, ETERNAL_TUI_IMAGES="blocks"),
                )
            return


def _rows(what: str, line: tuple[str, ...], remote: Mapping[str, str], local: Mapping[str, str]) -> Iterator[Row]:
    words = " ".join(f"{name}={shlex.quote(value)}" for name, value in remote.items())
    begin = f"cd {shlex.quote(str(ROOT))} && exec env {words} "
    logins, starts = [], []
    for _ in range(STARTS):
        with PseudoTerminal((*line, "echo in there"), local) as terminal:
            logins.append(terminal.wait_for("in there", 60))
        with PseudoTerminal((*line, begin + shlex.join((sys.executable, "-m", "eternal_tui"))), local) as terminal:
            starts.append(terminal.wait_for("Take 200", 60))
    login, start = statistics.median(logins), statistics.median(starts)
    yield row(what + "first rows", "", seconds=round(start, 2), of_which_login=round(login, 2))
    with PseudoTerminal((*line, begin + shlex.join((sys.executable, "-m", "eternal_tui"))), local) as terminal:
        terminal.wait_for("Take 200", 60, keep=True)
        terminal.read_until_quiet(3.0)
        yield row(what + "the whole start", "", bytes=len(terminal.written))
        echoes = [_shown(terminal, b"j", f"Take {number}") for number in range(199, 199 - ECHOES, -1)]
        yield row(what + "key echo", "", median_ms=round(statistics.median(echoes)), most_ms=round(max(echoes)))
        terminal.send(b"g")
        terminal.read_until_quiet(2.0)
        for where, key in (("a picture beside the list", b"j"), ("a picture on the whole screen", b"\r")):
            first, last, size = _drawn(terminal, key)
            yield row(what + where, "", first_ms=round(first), all_ms=round(last), bytes=size)
        terminal.send(b"\x1b")
        terminal.read_until_quiet(2.0)
        terminal.written.clear()
        terminal.send(b"\r")
        terminal.wait_for("▀")
        took = _came(terminal, b"\x1b", "Take 199")
        yield row(what + "back out of a picture that is still coming", "", ms=round(took))


def _shown(terminal: PseudoTerminal, key: bytes, text: str) -> float:
    """Press a key; return the milliseconds until `text` stands in the line with the cursor."""
    lines = ShownLines()
    lines.feed(bytes(terminal.written))
    begun = time.perf_counter()
    terminal.send(key)
    while text not in lines.with_sign("▌") and time.perf_counter() - begun < 10.0:
        lines.feed(terminal.read(1.0))
    took = (time.perf_counter() - begun) * 1000
    terminal.read_until_quiet(0.8)
    return took


def _came(terminal: PseudoTerminal, key: bytes, text: str) -> float:
    terminal.written.clear()
    begun = time.perf_counter()
    terminal.send(key)
    terminal.wait_for(text)
    return (time.perf_counter() - begun) * 1000


def _drawn(terminal: PseudoTerminal, key: bytes) -> tuple[float, float, int]:
    """Press a key; return the milliseconds until anything came and until all had come, and the bytes."""
    begun = time.perf_counter()
    terminal.send(key)
    size = len(terminal.read(10.0))
    first = last = time.perf_counter()
    while got := terminal.read(QUIET):
        size, last = size + len(got), time.perf_counter()
    return (first - begun) * 1000, (last - begun) * 1000, size
