"""A program in a pseudo-terminal, seen from the other end: what it writes and when, and keys for it."""

from __future__ import annotations

import fcntl
import math
import os
import pty
import re
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
READ_CHUNK_BYTES = 65_536
DA1_REPLY = b"\x1b[?62;22c"
"""What a plain terminal answers when it is asked what it is."""


_QUERY_PATTERN = re.compile(rb"\x1b\[c|\x1b\[1;(\d+)H\x1b\[6n")
"""What it is, and where its cursor stands after it was put somewhere in the first line."""
_MAX_QUERY_BYTES = 12


class PseudoTerminal:
    """Runs `command` in a terminal of `columns` × `rows`; `replies` says whether it answers what terminals are asked.

    `reply_delay_seconds` is how many seconds an answer takes; it is sent while something is read.
    `link_bytes_per_second` is how many bytes a second a line would carry: each answer is as late as the bytes before
    its question are on such a line, so that a busy machine makes it later, and never sooner. `link_free_at` is when all
    that was read so far has come over that line, on the clock of `time.perf_counter`.
    """

    def __init__(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        *,
        columns: int = 120,
        rows: int = 40,
        replies: bool = True,
    ) -> None:
        self.started_at = time.perf_counter()
        self.written = bytearray()
        self.has_ended = self._is_over = False
        self.read_chunk_bytes = READ_CHUNK_BYTES
        self.reply_delay_seconds = 0.0
        self.link_bytes_per_second = math.inf
        self.link_free_at = 0.0
        self._replies = replies
        self._partial_query = b""
        self._due_replies: list[tuple[float, bytes]] = []
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
                os.chdir(ROOT)
                os.execvpe(command[0], list(command), dict(environ))
            finally:
                os._exit(127)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def modes(self) -> list[object]:
        return termios.tcgetattr(self._descriptor)

    def hang_up(self) -> None:
        """Close the terminal under the program, as a line does that drops."""
        os.close(self._descriptor)
        self._descriptor = -1

    def children(self) -> list[int]:
        """Return the child processes but the terminal's guard, which ends a moment after the program."""
        threads = Path(f"/proc/{self.pid}/task").glob("*/children")
        children = [int(child) for thread in threads for child in thread.read_text().split()]
        return [child for child in children if b"?1049l" not in Path(f"/proc/{child}/cmdline").read_bytes()]

    def wait_for_end(self, within: float = 20.0) -> int:
        """Read to the end and return the exit code, negative for a signal."""
        end = time.perf_counter() + within
        while self._descriptor >= 0 and not self.has_ended and (left := end - time.perf_counter()) > 0:
            self.read(left)
        if not wait_process_exit(self.pid, end - time.perf_counter()):
            raise TimeoutError(f"still there after {within:.1f} s; last was {bytes(self.written[-300:])!r}")
        self._is_over = True
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def read(self, seconds: float) -> bytes:
        """Return what is written next, waiting for it at most that long; empty when nothing came."""
        end = time.perf_counter() + seconds
        while not select.select([self._descriptor], [], [], self._send_due_replies(end))[0]:
            if time.perf_counter() >= end:
                return b""
        try:
            data = os.read(self._descriptor, self.read_chunk_bytes)
        except OSError:
            data = b""
        self.has_ended = not data
        self.written += data
        if self._replies:
            self._collect_queries(data)
            self._send_due_replies()
        return data

    def _collect_queries(self, data: bytes) -> None:
        """Note what is asked, also where a question comes in two parts."""
        heard, before, end = self._partial_query + data, len(self._partial_query), 0
        begun = max(self.link_free_at, time.perf_counter())
        self.link_free_at = begun + len(data) / self.link_bytes_per_second
        for match in _QUERY_PATTERN.finditer(heard):
            end = match.end()
            due = begun + (end - before) / self.link_bytes_per_second + self.reply_delay_seconds
            self._due_replies.append((due, b"\x1b[1;%bR" % match[1] if match[1] else DA1_REPLY))
        self._partial_query = heard[max(end, len(heard) - _MAX_QUERY_BYTES) :]

    def _send_due_replies(self, until: float = 0.0) -> float:
        """Send the answers that are due; return the seconds until the next one or `until`, whichever comes first."""
        while self._due_replies and self._due_replies[0][0] <= time.perf_counter() and not self.has_ended:
            self.send(self._due_replies.pop(0)[1])
        soonest = min(until, self._due_replies[0][0]) if self._due_replies else until
        return max(0.0, soonest - time.perf_counter())

    def wait_for(self, text: str | bytes, within: float = 60.0, *, keep: bool = False) -> float:
        """Read until `text` has been written since the last wait; return the seconds since the program began.

        What was read until then is dropped from `written` unless it is to be kept.
        """
        wanted = text.encode() if isinstance(text, str) else text
        end = time.perf_counter() + within
        while wanted not in self.written:
            left = end - time.perf_counter()
            if left <= 0 or self.has_ended:
                raise TimeoutError(f"{wanted!r} did not come; last was {bytes(self.written[-500:])!r}")
            self.read(left)
        took = time.perf_counter() - self.started_at
        if not keep:
            self.written.clear()
        return took

    def read_for(self, seconds: float) -> bytes:
        end = time.perf_counter() + seconds
        parts = []
        while (left := end - time.perf_counter()) > 0 and not self.has_ended:
            parts.append(self.read(left))
        return b"".join(parts)

    def read_until_quiet(self, quiet: float = 0.5, within: float = 60.0) -> bytes:
        """Return everything written until nothing came for `quiet` seconds."""
        end = time.perf_counter() + within
        parts = []
        while time.perf_counter() < end and (data := self.read(quiet)):
            parts.append(data)
        return b"".join(parts)

    def becomes_idle(self, seconds: float, within: float = 60.0) -> bool:
        """Tell whether nothing is written for so long, however late a busy machine draws what is to be drawn first.

        What moves by itself at least that often never comes to rest.
        """
        end = time.perf_counter() + within
        while time.perf_counter() < end:
            if not self.read(seconds):
                return not self.has_ended
        return False

    def send(self, keys: bytes) -> None:
        os.write(self._descriptor, keys)

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size, of which the program is told by SIGWINCH."""
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read_proc_status(self, field: str) -> str:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return line.partition(":")[2].strip()
        raise KeyError(field)

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self, within: float = 5.0) -> int:
        """End the program, by SIGTERM and if need be by SIGKILL, and return its exit code."""
        code = 0
        if not self._is_over:
            os.kill(self.pid, signal.SIGTERM)
            try:
                code = self.wait_for_end(within)
            except TimeoutError:
                os.kill(self.pid, signal.SIGKILL)
                code = self.wait_for_end()
        if self._descriptor >= 0:
            self.hang_up()
        return code


def wait_process_exit(pid: int, seconds: float) -> bool:
    """Wait so long at most for any process; tell whether it is over."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], max(0.0, seconds))[0])
    finally:
        os.close(handle)
