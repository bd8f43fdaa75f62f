"""How much may be on its way to the terminal, learned from how soon it arrives. Arithmetic over a clock.

What is on its way cannot be called back: a picture of 80 KB that has left for a line of 256 kbit/s holds up the answer
to a key for 2.6 seconds. So no more leaves than such a line carries in a fraction of a second, and what is left is
drawn as it stands then. A pty takes what it is given only where the terminal is near; behind SSH it is buffers that
take it, megabytes of them, and whether it has arrived only the terminal can tell: it is asked where its cursor stands,
which every terminal answers.
"""

from __future__ import annotations

import itertools
import re
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

MAX_WINDOW_CHARS = 64 * 1024
"""Characters from which on there is no limit but this one, however soon they arrive."""

MIN_WINDOW_CHARS = 4 * 1024
"""Characters that are let go at any rate: one line of a picture."""

INITIAL_REMOTE_WINDOW_CHARS = 8 * 1024
"""Characters with which a line that may be slow begins: a quarter of a second at 256 kbit/s."""

MAX_QUEUE_DELAY_SECONDS = 0.15
"""Seconds by which what is on its way may hold up what comes after it, on top of the way itself."""

LOCAL_WRITE_TIMEOUT_SECONDS = 0.1
"""Seconds for which a write to a terminal nearby may be under way before its line counts as behind."""

REPLY_TIMEOUT_SECONDS = 1.5
"""Seconds after which an answer is taken for lost, and a terminal that never gave one for one that gives none."""

PROBE_INTERVAL_CHARS = 1024
"""Characters after which the terminal is asked: keys and clocks are too short to be worth it."""

CHUNK_CHARS = 2 * 1024
"""Characters after which the terminal is asked within one write: were a picture one piece, the line would stand idle
from its end until the answer is back, nearly half of the time at 256 kbit/s and 150 ms."""

PROBE_COLUMNS = range(2, 40)
"""Columns of the first line at which the cursor stands when the terminal is asked: so its answers say to which question
they belong. Every terminal is that wide."""


def cursor_query(column: int) -> str:
    """Return what asks the terminal where its cursor stands, at a column that is `column`, and puts it back."""
    return f"\x1b7\x1b[1;{column}H\x1b[6n\x1b8"


_CURSOR_MOVE_PATTERN = re.compile(r"\x1b\[\d+;\d+H")
"""Puts the cursor somewhere: what comes before is whole, and what comes after needs nothing of it."""


def split_chunks(text: str) -> list[str]:
    """Return what is to be written in pieces of PIECE characters or a little more, each whole by itself.

    Graphics, whose data runs on, and whatever else moves no cursor stay in one piece.
    """
    if len(text) < 2 * CHUNK_CHARS or "\x1bP" in text or "\x1b_" in text:
        return [text]
    pieces, begun = [], 0
    for move in _CURSOR_MOVE_PATTERN.finditer(text):
        if move.start() - begun >= CHUNK_CHARS:
            pieces.append(text[begun : move.start()])
            begun = move.start()
    return [*pieces, text[begun:]]


class _Probe(NamedTuple):
    column: int
    sent_total: int
    in_flight: int
    sent_at: float


class FlowController:
    """Counts characters on their way to a terminal that is `remote`, behind a line that may be slow, or near."""

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
        """Characters that have been sent and are not known to have arrived."""
        return self._sent - self._arrived

    @property
    def min_round_trip(self) -> float:
        """The shortest time a reply took so far, in seconds; 0 before the first."""
        return self._min_round_trip if self._has_reply else 0.0

    @property
    def is_awaiting_reply(self) -> bool:
        """Whether answers of the terminal are still to come."""
        return self.uses_probes and self._has_reply and bool(self._probes)

    @property
    def unwritten(self) -> int:
        """Characters that have not left yet."""
        return self._sent - self._written

    def record_send(self, count: int) -> int:
        """Note characters that are to be written; return the number by which to ask the terminal for them, or 0."""
        asks = self.uses_probes and self._sent + count - self._probed >= PROBE_INTERVAL_CHARS
        number = next(self._columns) if asks else 0
        if asks:
            self._probed = self._sent + count
        if asks or not self.uses_probes:
            self._probes.append(_Probe(number, self._sent + count, self.in_flight + count, self._clock()))
        self._sent += count
        return number

    def record_write(self, count: int) -> None:
        """Note that characters have left."""
        self._written += count
        if not self.uses_probes:
            self._complete_oldest_probe()

    def record_reply(self, column: int) -> None:
        """Note an answer of the terminal."""
        if any(mark.column == column for mark in self._probes):
            self._has_reply = True
            while self._probes and self._complete_oldest_probe() != column:
                pass

    def available(self) -> int:
        """Return how many characters may be sent now; MOST is no limit, 0 that the line is behind."""
        if self._probes:
            stood = self._clock() - self._probes[0].sent_at
            if self.uses_probes and stood > REPLY_TIMEOUT_SECONDS:
                self._disable_probes()
            elif not self.uses_probes and stood > LOCAL_WRITE_TIMEOUT_SECONDS:
                return 0
        left = self._window - self.in_flight
        if self._window == MAX_WINDOW_CHARS and left > 0:
            return MAX_WINDOW_CHARS
        return left if left >= min(MIN_WINDOW_CHARS, self._window) // 4 else 0

    def reset(self) -> None:
        """Expect no answers any more: somebody else has the terminal."""
        self._probes.clear()
        self._arrived = self._written = self._probed = self._sent

    def _disable_probes(self) -> None:
        self.uses_probes = self._has_reply
        self._probes.clear()
        self._arrived = self._probed = self._written
        self._window = min(self._window, INITIAL_REMOTE_WINDOW_CHARS)

    def _complete_oldest_probe(self) -> int:
        """Take note of the oldest mark's arrival and return its number."""
        if not self._probes:
            return 0
        mark = self._probes.popleft()
        self._arrived = max(self._arrived, mark.sent_total)
        took = self._clock() - mark.sent_at
        self._min_round_trip = min(self._min_round_trip, took)
        self._adjust_window(mark, took)
        return mark.column

    def _adjust_window(self, probe: _Probe, round_trip: float) -> None:
        late = round_trip - self._min_round_trip
        if late <= MAX_QUEUE_DELAY_SECONDS:
            # By what this much took, never by `late` alone: while a busy machine has heard no answer in time yet, the
            # shortest is as long as all the others, and a slow line looks like a fast one.
            carried = round(probe.in_flight * (self._min_round_trip + MAX_QUEUE_DELAY_SECONDS) / max(round_trip, 1e-6))
            self._window = max(self._window, min(MAX_WINDOW_CHARS, self._window * 2, carried))
        elif probe.sent_at >= self._shrunk_at:
            # Once for all that was on its way: the others tell of the same moment.
            self._shrunk_at = self._clock()
            self._window = max(
                MIN_WINDOW_CHARS,
                round(self._window * max(0.5, (self._min_round_trip + MAX_QUEUE_DELAY_SECONDS) / round_trip)),
            )
