"""Characters in flight to a terminal, with a simulated line and clock."""

from __future__ import annotations

import sys

import pytest

from eternal_tui.tui.terminal.flow_control import (
    CHUNK_CHARS,
    INITIAL_REMOTE_WINDOW_CHARS,
    MAX_WINDOW_CHARS,
    MIN_WINDOW_CHARS,
    REPLY_TIMEOUT_SECONDS,
    FlowController,
    split_chunks,
)


class SimulatedLink:
    """A line of so many characters a second and so long there and back, with a flow at its near end."""

    def __init__(self, rate: float, round_trip: float, *, replies: bool = True) -> None:
        self.now = 0.0
        self.flow = FlowController(lambda: self.now, remote=True)
        self._rate, self._way, self._answers = rate, round_trip, replies
        self._free = 0.0
        self._due: list[tuple[float, int]] = []

    @property
    def queue_delay(self) -> float:
        """Seconds what is sent now waits for what was sent before."""
        return max(0.0, self._free - self.now)

    def send(self, count: int) -> None:
        """Send characters, which buffers without end take at once."""
        number = self.flow.record_send(count)
        self.flow.record_write(count)
        self._free = max(self._free, self.now) + count / self._rate
        if number and self._answers:
            self._due.append((self._free + self._way, number))

    def wait(self, seconds: float) -> None:
        """Let time pass; answers arrive when they are due."""
        end = self.now + seconds
        while self._due and self._due[0][0] <= end:
            self.now, number = self._due.pop(0)
            self.flow.record_reply(number)
        self.now = end

    def send_frames(self, seconds: float) -> tuple[int, float]:
        """Send lines of a picture as there is room for so long; return the characters and the longest hold-up."""
        sent, longest, end = 0, 0.0, self.now + seconds
        while self.now < end:
            while room := self.flow.available():
                for piece in split_chunks(frame_text(min(room, MAX_WINDOW_CHARS))):
                    self.send(len(piece))
                    sent += len(piece)
                longest = max(longest, self.queue_delay)
            self.wait(0.01)
        return sent, longest


def frame_text(min_chars: int) -> str:
    """Return lines of a picture, at least as many characters as there is room for."""
    line = "\x1b[7;20H" + "▀" * 400
    return line * -(-min_chars // len(line))


def test_a_slow_line_is_kept_busy_and_holds_up_a_key_by_less_than_half_a_second() -> None:
    line = SimulatedLink(32_000, 0.15)
    line.send_frames(1.0)
    sent, longest = line.send_frames(10.0)
    assert longest < 0.5
    assert sent > 0.8 * 320_000


def test_a_picture_is_cut_between_its_lines_alone() -> None:
    text = frame_text(20_000)
    pieces = split_chunks(text)
    assert "".join(pieces) == text
    assert len(pieces) >= 8
    assert all(piece.startswith("\x1b[7;20H") for piece in pieces)
    assert all(len(piece) < 1.5 * CHUNK_CHARS for piece in pieces)


@pytest.mark.parametrize("opening", ["\x1bPtmux;", "\x1b_Ga=T;"])
def test_graphics_stay_whole(opening: str) -> None:
    text = f"{opening}{frame_text(20_000)}\x1b\\"
    assert split_chunks(text) == [text]


def test_a_fast_line_is_soon_without_a_limit() -> None:
    line = SimulatedLink(10_000_000, 0.02)
    line.send_frames(0.3)
    line.wait(0.1)
    assert line.flow.available() == sys.maxsize


@pytest.mark.parametrize("rate", [16_000, 100_000])
def test_a_line_that_becomes_slow_is_noticed(rate: int) -> None:
    line = SimulatedLink(10_000_000, 0.02)
    line.send_frames(0.5)
    line._rate = rate
    line.send_frames(10.0)
    _, longest = line.send_frames(5.0)
    assert longest < 0.4


def test_a_terminal_that_does_not_answer_is_not_waited_for() -> None:
    line = SimulatedLink(10_000_000, 0.02, replies=False)
    line.send(INITIAL_REMOTE_WINDOW_CHARS)
    assert line.flow.available() == 0
    line.wait(REPLY_TIMEOUT_SECONDS + 0.01)
    assert line.flow.available() > 0
    assert not line.flow.uses_probes
    line.send(MIN_WINDOW_CHARS)
    assert line.flow.in_flight == 0


def test_an_answer_that_is_lost_holds_up_nothing_for_good() -> None:
    line = SimulatedLink(10_000_000, 0.02)
    line.send_frames(0.1)
    line.wait(0.1)
    line._answers = False
    while line.flow.available():
        line.send(MIN_WINDOW_CHARS)
    line.wait(REPLY_TIMEOUT_SECONDS + 0.01)
    line._answers = True
    assert line.flow.available() > 0
    assert line.flow.uses_probes


def test_a_terminal_nearby_that_is_not_read_is_behind() -> None:
    now = [0.0]
    flow = FlowController(lambda: now[0])
    assert flow.record_send(10) == 0
    assert flow.available() == sys.maxsize
    now[0] = 0.2
    assert flow.available() == 0
    flow.record_write(10)
    assert flow.available() == sys.maxsize


@pytest.mark.parametrize("far", [True, False])
def test_whoever_gets_the_terminal_next_gets_no_answers_of_ours(far: bool) -> None:
    flow = FlowController(lambda: 0.0, remote=far)
    flow.record_send(20_000)
    flow.reset()
    assert (flow.in_flight, flow.unwritten, flow.is_awaiting_reply) == (0, 0, False)
    assert flow.available() >= MIN_WINDOW_CHARS


def test_a_slow_line_is_told_from_a_fast_one_while_the_machine_is_busy() -> None:
    """The first answers are all heard late, so none of them is the shortest way there and back."""
    line = SimulatedLink(32_000, 0.6)
    line.send_frames(3.0)
    line._way = 0.15
    line.wait(2.0)
    sent, before = line.flow.available(), line.flow.in_flight
    assert before == 0
    assert sent < 20_000
