"""Flow control: how many characters may be in flight to the terminal, learned from round trips.

Output in flight cannot be recalled: an 80 KB picture on a link of 256 kbit/s delays the echo of a key by 2.6 seconds.
A local pty blocks when the terminal is slow. Behind SSH megabytes of buffers take the output, so the terminal is sent
cursor position queries, which every terminal answers.
"""

from __future__ import annotations

import itertools
import re
import sys
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

MAX_WINDOW_CHARS = 64 * 1024
"""Window from which on there is no limit."""

MIN_WINDOW_CHARS = 4 * 1024
"""Smallest window: one line of a picture."""

INITIAL_REMOTE_WINDOW_CHARS = 8 * 1024
"""First window of a remote terminal: a quarter of a second at 256 kbit/s."""

MAX_QUEUE_DELAY_SECONDS = 0.15
"""Delay beyond the shortest round trip that output in flight may cause."""

LOCAL_WRITE_TIMEOUT_SECONDS = 0.1
"""Duration of a write from which on a local terminal is congested."""

REPLY_TIMEOUT_SECONDS = 1.5
"""Age of a query from which on its reply counts as lost, and a terminal without any reply as giving none."""

PROBE_INTERVAL_CHARS = 1024
"""Characters between two queries: echoes of keys and clocks need none."""

CHUNK_CHARS = 2 * 1024
"""Characters between two queries within one write: with one query for a picture the link would be idle from its end
until the reply, nearly half of the time at 256 kbit/s and 150 ms."""

PROBE_COLUMNS = range(2, 40)
"""Columns of the first line to which queries move the cursor, so that a reply tells which query it answers."""


def cursor_query(column: int) -> str:
    """Return a cursor position query at column `column`, which restores the cursor."""
    return f"\x1b7\x1b[1;{column}H\x1b[6n\x1b8"


_CURSOR_MOVE_PATTERN = re.compile(r"\x1b\[\d+;\d+H")
"""An absolute cursor move, before which output can be split."""


def split_chunks(text: str) -> list[str]:
    """Split output at cursor moves into chunks of about CHUNK_CHARS; output with graphics stays whole."""
    if len(text) < 2 * CHUNK_CHARS or "\x1bP" in text or "\x1b_" in text:
        return [text]
    chunks, start = [], 0
    for move in _CURSOR_MOVE_PATTERN.finditer(text):
        if move.start() - start >= CHUNK_CHARS:
            chunks.append(text[start : move.start()])
            start = move.start()
    return [*chunks, text[start:]]


class _Probe(NamedTuple):
    column: int
    sent_total: int
    in_flight: int
    sent_at: float


class FlowController:
    """Window over the characters in flight to a terminal, which is queried if `remote`."""

    def __init__(self, clock: Callable[[], float], *, remote: bool = False) -> None:
        self.uses_probes = remote
        self._clock = clock
        self._window = INITIAL_REMOTE_WINDOW_CHARS if remote else MAX_WINDOW_CHARS
        self._sent = self._written = self._arrived = self._probed = 0
        self._probes: deque[_Probe] = deque()
        self._min_round_trip = float("inf")
        self._shrunk_at = float("-inf")
        self._columns = itertools.cycle(PROBE_COLUMNS)
        self._has_reply = False

    @property
    def in_flight(self) -> int:
        """Characters sent that are not known to have arrived."""
        return self._sent - self._arrived

    @property
    def min_round_trip(self) -> float:
        """The shortest round trip so far in seconds, 0 before the first reply."""
        return self._min_round_trip if self._has_reply else 0.0

    @property
    def is_awaiting_reply(self) -> bool:
        """Whether replies are pending."""
        return self.uses_probes and self._has_reply and bool(self._probes)

    @property
    def unwritten(self) -> int:
        """Characters that are still queued."""
        return self._sent - self._written

    def record_send(self, count: int) -> int:
        """Record characters that are queued; return the column of the query to send behind them, 0 for none."""
        is_due = self.uses_probes and self._sent + count - self._probed >= PROBE_INTERVAL_CHARS
        column = next(self._columns) if is_due else 0
        if is_due:
            self._probed = self._sent + count
        if is_due or not self.uses_probes:
            self._probes.append(_Probe(column, self._sent + count, self.in_flight + count, self._clock()))
        self._sent += count
        return column

    def record_write(self, count: int) -> None:
        """Record characters that were written."""
        self._written += count
        if not self.uses_probes:
            self._complete_oldest_probe()

    def record_reply(self, column: int) -> None:
        if any(probe.column == column for probe in self._probes):
            self._has_reply = True
            while self._probes and self._complete_oldest_probe() != column:
                pass

    def available(self) -> int:
        """Return how many characters may be sent now: sys.maxsize for no limit, 0 if congested."""
        if self._probes:
            age = self._clock() - self._probes[0].sent_at
            if self.uses_probes and age > REPLY_TIMEOUT_SECONDS:
                self._disable_probes()
            elif not self.uses_probes and age > LOCAL_WRITE_TIMEOUT_SECONDS:
                return 0
        left = self._window - self.in_flight
        if self._window == MAX_WINDOW_CHARS and left > 0:
            return sys.maxsize
        return left if left >= min(MIN_WINDOW_CHARS, self._window) // 4 else 0

    def reset(self) -> None:
        """Expect no more replies: another program has the terminal."""
        self._probes.clear()
        self._arrived = self._written = self._probed = self._sent

    def _disable_probes(self) -> None:
        self.uses_probes = self._has_reply
        self._probes.clear()
        self._arrived = self._probed = self._written
        self._window = min(self._window, INITIAL_REMOTE_WINDOW_CHARS)

    def _complete_oldest_probe(self) -> int:
        """Record the arrival of the oldest probe and return its column."""
        if not self._probes:
            return 0
        probe = self._probes.popleft()
        self._arrived = max(self._arrived, probe.sent_total)
        round_trip = self._clock() - probe.sent_at
        self._min_round_trip = min(self._min_round_trip, round_trip)
        self._adjust_window(probe, round_trip)
        return probe.column

    def _adjust_window(self, probe: _Probe, round_trip: float) -> None:
        late = round_trip - self._min_round_trip
        if late <= MAX_QUEUE_DELAY_SECONDS:
            # Not by `late` alone: on a busy machine all round trips are long before the first timely reply, and a
            # slow link looks like a fast one.
            carried = round(probe.in_flight * (self._min_round_trip + MAX_QUEUE_DELAY_SECONDS) / max(round_trip, 1e-6))
            self._window = max(self._window, min(MAX_WINDOW_CHARS, self._window * 2, carried))
        elif probe.sent_at >= self._shrunk_at:
            # Once for everything in flight.
            self._shrunk_at = self._clock()
            self._window = max(
                MIN_WINDOW_CHARS,
                round(self._window * max(0.5, (self._min_round_trip + MAX_QUEUE_DELAY_SECONDS) / round_trip)),
            )
