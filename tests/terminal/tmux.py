"""A real terminal for the real program: tmux draws, keys go in, the screen and every byte written come out."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

import pytest

from tests.terminal.pseudo_terminal import ROOT, wait_process_exit

TIMEOUT_SECONDS = 60.0
"""Seconds the screen has to show what is waited for: it only ends what hangs, however busy the machine is."""

TMUX_CONFIG = """\
set -g default-terminal "tmux-256color"
set -g status off
set -g focus-events on
set -sg escape-time 5
set -g allow-passthrough on
set -s set-clipboard on
set -g history-limit 200
"""

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed: apt install tmux")

PROGRAM = (sys.executable, "-m", "eternal_tui")


def make_environ(home: Path, changes: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """Return an environment without keys, settings, terminal or session; None removes a variable."""
    merged: dict[str, str | None] = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "LANG": "C.UTF-8",
        "SHELL": "/bin/sh",
        **(changes or {}),
    }
    return {name: value for name, value in merged.items() if value is not None}


def count_picture_cells(screen: str) -> int:
    """Return how many cells of a screen show block symbols, as text pictures are drawn with by default."""
    return sum(screen.count(symbol) for symbol in "▐▗▄▝▞▖▟▀")


class Tmux:
    """One tmux of its own with one pane that runs one program. `written` is what the program wrote to its terminal."""

    def __init__(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        *,
        columns: int = 80,
        rows: int = 24,
        config: str = TMUX_CONFIG,
        term: str | None = None,
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="et-"))
        self._socket = self._folder / "s"
        (self._folder / "conf").write_text(config)
        fifo = self._folder / "bytes"
        os.mkfifo(fifo, 0o600)
        self._bytes = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
        self.written = b""
        self._environ = dict(environ)
        named = [f"TERM={term}"] if term is not None else []
        gate = self._folder / "gate"
        os.mkfifo(gate, 0o600)
        # The program waits until its bytes are written down, so that none is missed. A shell around it tells its end:
        # tmux itself now and then misses that a pane's own process has ended.
        script = (
            f'before=$(stty -g); read -r _ < "{gate}"; "$@"; code=$?; echo "gone: $code"; '
            '[ "$(stty -g)" = "$before" ] && echo "modes restored"; read -r _'
        )
        self.tmux("-f", str(self._folder / "conf"), "new-session", "-d", "-x", str(columns), "-y", str(rows),
                  "-c", str(ROOT), "env", *named, "/bin/sh", "-c", script, "sh", *command)  # fmt: skip
        self.tmux("pipe-pane", "-O", f"exec cat > {fifo}")
        gate.write_text("go\n")

    def tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self._socket), *arguments],
            env=self._environ, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (arguments, done.stderr.decode())
        return done.stdout.decode()

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def press_escape(self) -> None:
        """Press Esc, and wait: another key within a tenth of a second would be taken for alt and that key."""
        self.press("Escape")
        self.wait_until_quiet()

    def type(self, text: str) -> None:
        self.tmux("send-keys", "-l", text)

    def resize(self, columns: int, rows: int) -> None:
        self.tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def screen(self, *, styled: bool = False) -> str:
        """Return what stands on the screen; with `styled`, its colours too."""
        return self.tmux("capture-pane", "-p", *(["-e"] if styled else []))

    def program_ids(self) -> list[int]:
        """Return the program's process; none once it has ended."""
        shell = int(self.tmux("display-message", "-p", "#{pane_pid}"))
        return [int(pid) for pid in Path(f"/proc/{shell}/task/{shell}/children").read_text().split()]

    def kill(self) -> None:
        """Kill the program; its guard gives the terminal back, over what the shell prints meanwhile."""
        (pid,) = self.program_ids()
        os.kill(pid, signal.SIGKILL)
        assert wait_process_exit(pid, TIMEOUT_SECONDS)

    def read(self, within: float = 0.0) -> bytes:
        """Take in what the program wrote, waiting up to so many seconds for something, and return it."""
        fresh = b""
        while select.select([self._bytes], [], [], within)[0]:
            fresh += os.read(self._bytes, 1 << 16)
            within = 0.0
        self.written += fresh
        return fresh

    def wait_until_quiet(self) -> None:
        """Wait until nothing was written for longer than Esc and another key count as one."""
        while self.read(within=0.3):
            pass

    def wait_for(self, wanted: str | Callable[[str], bool], within: float = TIMEOUT_SECONDS) -> str:
        """Wait until the screen shows a text, or fits a test, and return it."""
        fits = (lambda screen: wanted in screen) if isinstance(wanted, str) else wanted
        latest = time.monotonic() + within
        while True:
            screen = self.screen()
            if fits(screen):
                return screen
            assert time.monotonic() < latest, f"waited for {wanted!r}:\n{screen}"
            # Nothing written is nothing drawn; the time is for what tmux has not drawn yet.
            self.read(within=0.1)

    def close(self) -> None:
        """End tmux and everything in it; the program still tidies up when its terminal is gone."""
        programs = self.program_ids()
        self.tmux("kill-server")
        assert all(wait_process_exit(pid, TIMEOUT_SECONDS) for pid in programs)
        os.close(self._bytes)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
