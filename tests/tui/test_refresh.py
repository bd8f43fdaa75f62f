"""The tick on a fake clock: never too often, never for nothing, never forgetting a change."""

from __future__ import annotations

import heapq
from collections.abc import Callable

import pytest

from eternal_tui.tui.refresh import Cancel, Tick, clock_step_for, interval_for


class Timeline:
    """Time that moves only when told, running what falls due."""

    def __init__(self) -> None:
        self.now = 100.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._cancelled: set[int] = set()
        self._count = 0

    def schedule(self, delay: float, beat: Callable[[], None]) -> Cancel:
        self._count += 1
        number = self._count
        heapq.heappush(self._due, (self.now + delay, number, beat))
        return lambda: self._cancelled.add(number)

    @property
    def waiting(self) -> int:
        return sum(number not in self._cancelled for _, number, _ in self._due)

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while self._due and self._due[0][0] <= end:
            at, number, beat = heapq.heappop(self._due)
            if number not in self._cancelled:
                self.now = at
                beat()
        self.now = end


class Screen:
    """A tick with one drawer that writes down what it was called with."""

    def __init__(self, interval: float = 0.25) -> None:
        self.time = Timeline()
        self.alive = False
        self.beats: list[tuple[float, frozenset[int]]] = []
        self.tick = Tick(
            interval=interval,
            alive=lambda: self.alive,
            monotonic=lambda: self.time.now,
            wall=lambda: self.time.now + 1e9,
            schedule=self.time.schedule,
        )
        self.tick.add(lambda ids, now: self.beats.append((now - 1e9, ids)))


def test_a_first_change_is_drawn_at_once_and_many_more_at_most_four_times_a_second() -> None:
    """Seen to fail with `changed` planning from now instead of from the last beat."""
    screen = Screen()
    for number in range(100):
        screen.tick.changed([number])
        screen.time.advance(0.02)
    screen.time.advance(1)
    assert screen.beats[0][0] == 100.0
    assert frozenset().union(*(ids for _, ids in screen.beats)) == set(range(100))
    gaps = [later - earlier for (earlier, _), (later, _) in zip(screen.beats, screen.beats[1:], strict=False)]
    assert min(gaps) >= 0.25 - 1e-9
    assert len(screen.beats) <= 10


def test_with_nothing_alive_there_is_no_timer() -> None:
    """Seen to fail with a beat planned whether or not anything is alive."""
    screen = Screen()
    screen.tick.changed([1])
    screen.time.advance(10)
    assert len(screen.beats) == 1
    assert screen.tick.idle
    assert screen.time.waiting == 0


def test_clocks_beat_once_a_second_while_something_is_alive() -> None:
    screen = Screen()
    screen.alive = True
    screen.tick.changed()
    screen.time.advance(10)
    assert len(screen.beats) == 11
    screen.alive = False
    screen.time.advance(10)
    assert len(screen.beats) == 12
    assert screen.tick.idle


def test_stopping_cancels_what_is_due() -> None:
    screen = Screen()
    screen.tick.changed([1])
    screen.tick.stop()
    screen.time.advance(10)
    assert not screen.beats


@pytest.mark.parametrize(
    ("environ", "interval", "step"),
    [({}, 0.25, 1.0), ({"SSH_TTY": "/dev/pts/3"}, 1.0, 5.0), ({"SSH_CONNECTION": "10.0.0.1 2 10.0.0.2 22"}, 1.0, 5.0)],
)
def test_a_slow_line_beats_slower(environ: dict[str, str], interval: float, step: float) -> None:
    assert interval_for(environ) == interval
    assert clock_step_for(environ) == step
