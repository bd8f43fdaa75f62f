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

MOST = 64 * 1024
"""Characters from which on there is no limit but this one, however soon they arrive."""

LEAST = 4 * 1024
"""Characters that are let go at any rate: one line of a picture."""

FIRST_FAR = 8 * 1024
"""Characters with which a line that may be slow begins: a quarter of a second at 256 kbit/s."""

DELAY = 0.15
"""Seconds by which what is on its way may hold up what comes after it, on top of the way itself."""

PATIENCE = 0.1
"""Seconds for which a write to a terminal nearby may be under way before its line counts as behind."""

ANSWER_WITHIN = 1.5
"""Seconds after which an answer is taken for lost, and a terminal that never gave one for one that gives none."""

ASK_EVERY = 1024
"""Characters after which the terminal is asked: keys and clocks are too short to be worth it."""

PIECE = 2 * 1024
"""Characters after which the terminal is asked within one write: were a picture one piece, the line would stand idle
from its end until the answer is back, nearly half of the time at 256 kbit/s and 150 ms."""

NUMBERS = range(2, 40)
"""Columns of the first line at which the cursor stands when the terminal is asked: so its answers say to which question
they belong. Every terminal is that wide."""


def ask(number: int) -> str:
    """Return what asks the terminal where its cursor stands, at a column that is `number`, and puts it back."""
    return f"\x1b7\x1b[1;{number}H\x1b[6n\x1b8"


_MOVES = re.compile(r"\x1b\[\d+;\d+H")
"""Puts the cursor somewhere: what comes before is whole, and what comes after needs nothing of it."""


def in_pieces(text: str) -> list[str]:
    """Return what is to be written in pieces of PIECE characters or a little more, each whole by itself.

    Graphics, whose data runs on, and whatever else moves no cursor stay in one piece.
    """
    if len(text) < 2 * PIECE or "\x1bP" in text or "\x1b_" in text:
        return [text]
    pieces, begun = [], 0
    for move in _MOVES.finditer(text):
        if move.start() - begun >= PIECE:
            pieces.append(text[begun : move.start()])
            begun = move.start()
    return [*pieces, text[begun:]]


class _Mark(NamedTuple):
    number: int
    total: int
    under_way: int
    since: float


class Flow:
    """Counts characters on their way to a terminal that is `far`, behind a line that may be slow, or near."""

    def __init__(self, clock: Callable[[], float], *, far: bool = False) -> None:
        self.asks = far
        self._clock = clock
        self._window = FIRST_FAR if far else MOST
        self._sent = self._written = self._arrived = self._asked = 0
        self._marks: deque[_Mark] = deque()
        self._shortest = float("inf")
        self._shrunk = float("-inf")
        self._numbers = itertools.cycle(NUMBERS)
        self._answered = False

    @property
    def under_way(self) -> int:
        """Characters that have been sent and are not known to have arrived."""
        return self._sent - self._arrived

    @property
    def expects(self) -> bool:
        """Whether answers of the terminal are still to come."""
        return self.asks and self._answered and bool(self._marks)

    @property
    def waiting(self) -> int:
        """Characters that have not left yet."""
        return self._sent - self._written

    def send(self, count: int) -> int:
        """Note characters that are to be written; return the number by which to ask the terminal for them, or 0."""
        asks = self.asks and self._sent + count - self._asked >= ASK_EVERY
        number = next(self._numbers) if asks else 0
        if asks:
            self._asked = self._sent + count
        if asks or not self.asks:
            self._marks.append(_Mark(number, self._sent + count, self.under_way + count, self._clock()))
        self._sent += count
        return number

    def wrote(self, count: int) -> None:
        """Note that characters have left."""
        self._written += count
        if not self.asks:
            self._reached()

    def answered(self, number: int) -> None:
        """Note an answer of the terminal."""
        if any(mark.number == number for mark in self._marks):
            self._answered = True
            while self._marks and self._reached() != number:
                pass

    def room(self) -> int:
        """Return how many characters may be sent now; MOST is no limit, 0 that the line is behind."""
        if self._marks:
            stood = self._clock() - self._marks[0].since
            if self.asks and stood > ANSWER_WITHIN:
                self._give_up()
            elif not self.asks and stood > PATIENCE:
                return 0
        left = self._window - self.under_way
        if self._window == MOST and left > 0:
            return MOST
        return left if left >= min(LEAST, self._window) // 4 else 0

    def forget(self) -> None:
        """Expect no answers any more: somebody else has the terminal."""
        self._marks.clear()
        self._arrived = self._written = self._asked = self._sent

    def _give_up(self) -> None:
        self.asks = self._answered
        self._marks.clear()
        self._arrived = self._asked = self._written
        self._window = min(self._window, FIRST_FAR)

    def _reached(self) -> int:
        """Take note of the oldest mark's arrival and return its number."""
        if not self._marks:
            return 0
        mark = self._marks.popleft()
        self._arrived = max(self._arrived, mark.total)
        took = self._clock() - mark.since
        self._shortest = min(self._shortest, took)
        self._learn(mark, took)
        return mark.number

    def _learn(self, mark: _Mark, took: float) -> None:
        late = took - self._shortest
        if late <= DELAY:
            # By what this much took, never by `late` alone: while a busy machine has heard no answer in time yet, the
            # shortest is as long as all the others, and a slow line looks like a fast one.
            carried = round(mark.under_way * (self._shortest + DELAY) / max(took, 1e-6))
            self._window = max(self._window, min(MOST, self._window * 2, carried))
        elif mark.since >= self._shrunk:
            # Once for all that was on its way: the others tell of the same moment.
            self._shrunk = self._clock()
            self._window = max(LEAST, round(self._window * max(0.5, (self._shortest + DELAY) / took)))
