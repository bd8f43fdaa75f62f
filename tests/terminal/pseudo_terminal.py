"""A program in a pseudo-terminal, seen from the other end: what it writes and when, and keys for it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
READ_AT_ONCE = 65_536
ASKED = b"\x1b[c"
ANSWER = b"\x1b[?62;22c"
"""What a plain terminal answers to DA1."""


class PseudoTerminal:
    """Runs `command` in a terminal of `columns` × `rows`; `answers` says whether it answers DA1 as terminals do."""

    def __init__(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        *,
        columns: int = 120,
        rows: int = 40,
        answers: bool = True,
    ) -> None:
        self.begun = time.perf_counter()
        self.written = bytearray()
        self.ended = False
        self.read_at_once = READ_AT_ONCE
        self._answers = answers
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
                os.chdir(ROOT)
                os.execve(command[0], list(command), dict(environ))
            finally:
                os._exit(127)

    def __enter__(self) -> Self:
        """Return the terminal."""
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """End the program if it still runs."""
        self.close()

    def read(self, seconds: float) -> bytes:
        """Return what is written next, waiting for it at most that long; empty when nothing came."""
        ready, _, _ = select.select([self._descriptor], [], [], max(0.0, seconds))
        if not ready:
            return b""
        try:
            data = os.read(self._descriptor, self.read_at_once)
        except OSError:
            data = b""
        self.ended = not data
        self.written += data
        if self._answers and ASKED in data:
            self.send(ANSWER)
        return data

    def wait_for(self, text: str | bytes, within: float = 20.0, *, keep: bool = False) -> float:
        """Read until `text` has been written since the last wait; return the seconds since the program began.

        What was read until then is dropped from `written` unless it is to be kept.
        """
        wanted = text.encode() if isinstance(text, str) else text
        end = time.perf_counter() + within
        while wanted not in self.written:
            left = end - time.perf_counter()
            if left <= 0 or self.ended:
                raise TimeoutError(f"{wanted!r} did not come; last was {bytes(self.written[-500:])!r}")
            self.read(left)
        took = time.perf_counter() - self.begun
        if not keep:
            self.written.clear()
        return took

    def read_for(self, seconds: float) -> bytes:
        """Return everything written in so many seconds."""
        end = time.perf_counter() + seconds
        parts = []
        while (left := end - time.perf_counter()) > 0 and not self.ended:
            parts.append(self.read(left))
        return b"".join(parts)

    def read_until_quiet(self, quiet: float = 0.5, within: float = 20.0) -> bytes:
        """Return everything written until nothing came for `quiet` seconds."""
        end = time.perf_counter() + within
        parts = []
        while time.perf_counter() < end and (data := self.read(quiet)):
            parts.append(data)
        return b"".join(parts)

    def send(self, keys: bytes) -> None:
        """Type these bytes."""
        os.write(self._descriptor, keys)

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size, of which the program is told by SIGWINCH."""
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def status(self, field: str) -> str:
        """Return a field of the program's /proc status, such as VmHWM."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return line.partition(":")[2].strip()
        raise KeyError(field)

    def cpu_seconds(self) -> float:
        """Return the processor time the program has used, in seconds."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self, within: float = 5.0) -> int:
        """End the program, by SIGTERM and if need be by SIGKILL, and return its wait status."""
        if self._descriptor < 0:
            return 0
        end = time.perf_counter() + within
        os.kill(self.pid, signal.SIGTERM)
        while not self.ended and (left := end - time.perf_counter()) > 0:
            self.read(left)
        if not self.ended:
            os.kill(self.pid, signal.SIGKILL)
        os.close(self._descriptor)
        self._descriptor = -1
        return os.waitpid(self.pid, 0)[1]
