"""Refresh timer and debouncer on a fake clock."""

from __future__ import annotations

import heapq
from collections.abc import Callable

import pytest

from eternal_tui.tui.graphics.probe import is_remote
from eternal_tui.tui.refresh import (
    BURST_DELAY_SECONDS,
    SINGLE_DELAY_SECONDS,
    Cancel,
    Debouncer,
    RefreshTimer,
)
from tests.tui.screens.stage import terminal_context


class FakeScheduler:
    """A clock that moves by `advance`, which runs what is due."""

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
    def pending_count(self) -> int:
        return sum(number not in self._cancelled for _, number, _ in self._due)

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while self._due and self._due[0][0] <= end:
            at, number, beat = heapq.heappop(self._due)
            if number not in self._cancelled:
                self.now = at
                beat()
        self.now = end


class RefreshHarness:
    """A refresh timer with one callback, which records its calls."""

    def __init__(self, interval: float = 0.25) -> None:
        self.scheduler = FakeScheduler()
        self.needs_clock = False
        self.calls: list[tuple[float, frozenset[int]]] = []
        self.timer = RefreshTimer(
            lambda ids: self.calls.append((self.scheduler.now, ids)),
            interval_seconds=interval,
            needs_clock=lambda: self.needs_clock,
            monotonic=lambda: self.scheduler.now,
            schedule=self.scheduler.schedule,
        )


def test_a_first_change_is_drawn_at_once_and_many_more_at_most_four_times_a_second() -> None:
    screen = RefreshHarness()
    for number in range(100):
        screen.timer.mark_changed([number])
        screen.scheduler.advance(0.02)
    screen.scheduler.advance(1)
    assert screen.calls[0][0] == 100.0
    assert frozenset().union(*(ids for _, ids in screen.calls)) == set(range(100))
    gaps = [later - earlier for (earlier, _), (later, _) in zip(screen.calls, screen.calls[1:], strict=False)]
    assert min(gaps) >= 0.25 - 1e-9
    assert len(screen.calls) <= 10


def test_with_nothing_alive_there_is_no_timer() -> None:
    screen = RefreshHarness()
    screen.timer.mark_changed([1])
    screen.scheduler.advance(10)
    assert len(screen.calls) == 1
    assert screen.scheduler.pending_count == 0


def test_clocks_beat_once_a_second_while_something_is_alive() -> None:
    screen = RefreshHarness()
    screen.needs_clock = True
    screen.timer.mark_changed()
    screen.scheduler.advance(10)
    assert len(screen.calls) == 11
    screen.needs_clock = False
    screen.scheduler.advance(10)
    assert len(screen.calls) == 12
    assert screen.scheduler.pending_count == 0


def test_stopping_cancels_what_is_due() -> None:
    screen = RefreshHarness()
    screen.timer.mark_changed([1])
    screen.timer.stop()
    screen.scheduler.advance(10)
    assert not screen.calls


@pytest.mark.parametrize(
    ("environ", "interval", "step"),
    [({}, 0.25, 1.0), ({"SSH_TTY": "/dev/pts/3"}, 1.0, 5.0), ({"SSH_CONNECTION": "10.0.0.1 2 10.0.0.2 22"}, 1.0, 5.0)],
)
def test_a_slow_line_beats_slower(environ: dict[str, str], interval: float, step: float) -> None:
    context = terminal_context([], environ, is_remote=is_remote(environ))
    assert (context.refresh_seconds, context.clock_step_seconds) == (interval, step)


@pytest.mark.parametrize(
    ("moves", "fired"),
    [
        ([1.0], [101.0 + SINGLE_DELAY_SECONDS]),
        ([1.0, 1.0], [101.0 + SINGLE_DELAY_SECONDS, 102.0 + SINGLE_DELAY_SECONDS]),
        ([1.0, 0.03], [101.03 + BURST_DELAY_SECONDS]),
        ([0.03] * 20, [100.6 + BURST_DELAY_SECONDS]),
    ],
    ids=["single", "two apart", "two together", "held key"],
)
def test_debouncer(moves: list[float], fired: list[float]) -> None:
    scheduler, fired_at = FakeScheduler(), []
    debouncer = Debouncer(lambda: fired_at.append(scheduler.now), lambda: scheduler.now, scheduler.schedule)
    for seconds in moves:
        scheduler.advance(seconds)
        debouncer.trigger()
    assert debouncer.is_pending
    scheduler.advance(1.0)
    assert fired_at == pytest.approx(fired)
    assert not debouncer.is_pending
