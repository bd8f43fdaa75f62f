"""Leaving without a key: signals, a terminal that is gone, a dropped line. Gone within two seconds, nothing lost."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.terminal.tmux import PROGRAM, TIMEOUT_SECONDS, make_environ

EXIT_DEADLINE_SECONDS = 2.0
"""Seconds that are promised."""

TRIALS = 2
TRIALS_LONG = 200
TRIALS_LONG_BUSY = 50


class PtyProgram:
    """The program on a pseudo-terminal of which this process holds the other end."""

    def __init__(self, environ: Mapping[str, str], *arguments: str, command: Sequence[str] = PROGRAM) -> None:
        self.master, slave = os.openpty()
        subprocess.run(["stty", "rows", "24", "cols", "80"], stdin=slave, check=True)
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SESSION_LEADER_SCRIPT, *command, *arguments],
            stdin=slave, stdout=slave, stderr=slave, env={**environ, "TERM": "xterm-256color"}, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self.written = b""

    def wait_for(self, wanted: bytes, within: float = TIMEOUT_SECONDS) -> None:
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
        """Return the child processes but the terminal's guard, which ends a moment after the program."""
        threads = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        children = [int(child) for thread in threads for child in thread.read_text().split()]
        return [child for child in children if b"?1049l" not in Path(f"/proc/{child}/cmdline").read_bytes()]

    def wait_exit(self, seconds: float) -> float:
        """Return how long the program took to end, reading what it writes as a terminal does."""
        begun = time.monotonic()
        while self.process.poll() is None:
            assert time.monotonic() - begun < seconds, f"still there after {seconds:.1f} s"
            if self.master >= 0:
                self.read(0.01)
            else:
                wait_process_exit(self.process.pid, 0.1)
        return time.monotonic() - begun

    def close_terminal(self) -> None:
        os.close(self.master)
        self.master = -1

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.master >= 0:
            os.close(self.master)


_SESSION_LEADER_SCRIPT = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
)
"""Makes the pseudo-terminal the controlling one, as a login does: only then does closing it send SIGHUP."""


def _send_sigterm(app: PtyProgram) -> None:
    app.process.send_signal(signal.SIGTERM)


def _send_sighup(app: PtyProgram) -> None:
    app.process.send_signal(signal.SIGHUP)


def _close_terminal(app: PtyProgram) -> None:
    app.close_terminal()


EXIT_METHODS: dict[str, Callable[[PtyProgram], None]] = {
    "SIGTERM": _send_sigterm,
    "SIGHUP": _send_sighup,
    "closed": _close_terminal,
}


def exit_app(method: str, home: Path, app: PtyProgram) -> float:
    """Send the app away and return the seconds it took; whatever is wrong with that is told with all that is known."""
    children = app.children()
    assert children, "the demo's service is a child"
    EXIT_METHODS[method](app)
    begun = time.monotonic()
    try:
        app.wait_exit(EXIT_DEADLINE_SECONDS)
        took = time.monotonic() - begun
        assert app.process.returncode == 128 + (signal.SIGTERM if method == "SIGTERM" else signal.SIGHUP)
        # It is killed before the app ends, and needs its share of the processor to be gone.
        over = [wait_process_exit(child, begun + EXIT_DEADLINE_SECONDS - time.monotonic()) for child in children]
        assert all(over), "the demo's service lives on"
        assert list(home.glob("eternal-tui-demo-*")) == [], "the demo's files are left"
        if method == "SIGTERM":
            app.read(0.1)
            assert b"\x1b[?1049l" in app.written
            assert b"\x1b[?25h" in app.written
    except AssertionError as error:
        raise AssertionError(
            f"{method}: {error}\n{failure_report(app, children, home, time.monotonic() - begun)}"
        ) from None
    return took


def failure_report(app: PtyProgram, children: Sequence[int], home: Path, seconds: float) -> str:
    """Return what is known of an end that went wrong: who still runs and where it stands, last words, the log."""
    lines = [f"after {seconds:.2f} s; exit code {app.process.poll()}; load {os.getloadavg()[0]:.1f}"]
    for pid in (app.process.pid, *children):
        lines += [f"  process {pid}: {state}" for state in thread_states(pid)]
    lines.append(f"  last words: {app.written[-300:]!r}")
    for log in home.rglob("eternal-tui.log"):
        lines += [f"  log: {line}" for line in log.read_text().splitlines()[-8:]]
    lines += [f"  left: {path.relative_to(home)}" for path in home.rglob("eternal-tui-demo-*/*")]
    return "\n".join(lines)


def thread_states(pid: int) -> Iterator[str]:
    """Yield each thread of a process: its state, its processor time in ticks, and what of the kernel it waits in."""
    for thread in Path(f"/proc/{pid}/task").glob("*"):
        try:
            fields = (thread / "stat").read_text().rpartition(")")[2].split()
            waits = (thread / "wchan").read_text()
        except OSError:
            continue
        yield f"thread {thread.name} {fields[0]} ticks {fields[11]}+{fields[12]} in {waits}"


def cpu_seconds(pid: int) -> float:
    """Return the seconds of a processor a running process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ended_children_cpu_seconds() -> float:
    """Return the seconds of a processor all processes have used that were ours and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def wait_process_exit(pid: int, seconds: float) -> bool:
    """Wait so long at most for a process that is not ours to wait for; tell whether it is over."""
    import select

    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], max(0.0, seconds))[0])
    finally:
        os.close(handle)


def is_running(pid: int) -> bool:
    """Tell whether a process that is not ours to wait for still runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def time_demo_exit(method: str, folder: Path, number: int = 0) -> float:
    """Start the demo in a home of its own, with its own place for temporary files, and send it away."""
    home = folder / f"{method}-{number}"
    home.mkdir()
    app = PtyProgram(make_environ(home, {"TMPDIR": str(home)}), "--demo", "--empty")
    try:
        app.wait_for(b"No jobs yet")
        return exit_app(method, home, app)
    finally:
        app.close()


@pytest.mark.parametrize("way", EXIT_METHODS)
def test_gone_within_two_seconds(way: str, tmp_path: Path) -> None:
    for number in range(TRIALS):
        time_demo_exit(way, tmp_path, number)


@contextmanager
def cpu_load(spinners: int) -> Iterator[None]:
    """Give the machine so many other processes that do nothing but count."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(spinners)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


@pytest.mark.long
@pytest.mark.parametrize("load", [0, 5], ids=["as-it-is", "five-to-a-core"])
@pytest.mark.parametrize("way", EXIT_METHODS)
def test_gone_within_two_seconds_every_time(way: str, load: int, tmp_path: Path) -> None:
    """Every trial is made, and each that fails tells all that is known of it."""
    took, wrong = [], []
    with cpu_load(load * (os.cpu_count() or 1)):
        for number in range(TRIALS_LONG if not load else TRIALS_LONG_BUSY):
            try:
                took.append(time_demo_exit(way, tmp_path, number))
            except AssertionError as error:
                wrong.append(f"{number}: {error}")
    took.sort()
    print(f"{way}, {load} to a core: {len(took)} in time, half {took[len(took) // 2]:.2f} s, all {took[-1]:.2f} s")
    assert wrong == [], "\n".join(wrong)


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
    app = PtyProgram(
        make_environ(tmp_path, {"TMPDIR": str(tmp_path)}),
        "--demo",
        "--empty",
        command=(sys.executable, "-c", HUNG_APP_SCRIPT),
    )
    services: list[int] = []
    try:
        usual = termios.tcgetattr(app.master)
        app.wait_for(b"No jobs yet")
        os.write(app.master, b"\x1b[19~")
        app.wait_for(b"hangs")
        assert termios.tcgetattr(app.master) != usual
        before = cpu_seconds(app.process.pid) + ended_children_cpu_seconds()
        # Left alone the service ends by itself, a little after its parent: it is to be ended.
        services = app.children()
        for service in services:
            os.kill(service, signal.SIGSTOP)
        exit_app(way, tmp_path, app)
        assert ended_children_cpu_seconds() - before < 0.5, "it spins"
        if way != "closed":
            app.read(0.1)
            assert b"\x1b[?1003l" in app.written
            assert termios.tcgetattr(app.master) == usual
    finally:
        app.close()
        for service in services:
            if is_running(service):
                os.kill(service, signal.SIGKILL)


@pytest.mark.parametrize("way", ["SIGTERM", "ctrl+q"])
def test_a_key_command_that_waits_is_neither_waited_for_nor_left(way: str, tmp_path: Path) -> None:
    """As one that asks for a passphrase."""
    config = tmp_path / "config.toml"
    config.write_text('api_key_command = "sleep 600"\n')
    app = PtyProgram(make_environ(tmp_path, {"ETERNAL_TUI_BASE_URL": "http://127.0.0.1:9"}), "--config", str(config))
    try:
        app.wait_for(b"No jobs yet")
        latest = time.monotonic() + TIMEOUT_SECONDS
        while not (commands := app.children()):
            assert time.monotonic() < latest, app.written[-500:]
            app.read(0.1)
        if way == "SIGTERM":
            _send_sigterm(app)
        else:
            os.write(app.master, b"\x11")
        app.wait_exit(EXIT_DEADLINE_SECONDS)
        assert app.process.returncode == (128 + signal.SIGTERM if way == "SIGTERM" else 0)
        assert not [command for command in commands if is_running(command)]
    finally:
        app.close()


def test_a_job_sent_before_the_line_dropped_is_there_after(tmp_path: Path, service: dict[str, str]) -> None:
    environ = make_environ(tmp_path, service)
    app = PtyProgram(environ)
    try:
        app.wait_for(b"No jobs yet")
        os.write(app.master, b"\x0e")
        app.wait_for(b"opens the list")
        os.write(app.master, b"6870\tIn a red coat\x13")
        app.wait_for(b"1 running")
        app.close_terminal()
        app.wait_exit(EXIT_DEADLINE_SECONDS)
    finally:
        app.close()
    again = PtyProgram(environ)
    try:
        again.wait_for(b"In a red coat")
        again.wait_for(b"1 done today")
        os.write(again.master, b"\x11")
        again.wait_exit(EXIT_DEADLINE_SECONDS + 3)
        assert again.process.returncode == 0
    finally:
        again.close()
