"""Refresh timer and debouncer on a fake clock."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eternal_tui.tui.graphics.probe import is_remote
from eternal_tui.tui.refresh import BURST_DELAY_SECONDS, SINGLE_DELAY_SECONDS, Cancel, Debouncer, RefreshTimer
from tests.tui.screens.stage import terminal_context


class FakeScheduler:
    """A clock that moves by `advance`, which runs what is due."""

    def __init__(self) -> None:
        self.now = 100.0
        self.due: dict[int, tuple[float, Callable[[], None]]] = {}
        self._count = 0

    def schedule(self, delay: float, callback: Callable[[], None]) -> Cancel:
        self._count += 1
        number = self._count
        self.due[number] = (self.now + delay, callback)

        def cancel() -> None:
            self.due.pop(number, None)

        return cancel

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [(at, number) for number, (at, _) in self.due.items() if at <= end]:
            self.now, number = min(due)
            self.due.pop(number)[1]()
        self.now = end


class RefreshHarness(FakeScheduler):
    """A refresh timer whose calls are recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.needs_clock = False
        self.calls: list[tuple[float, frozenset[int]]] = []
        self.timer = RefreshTimer(
            lambda ids: self.calls.append((self.now, ids)),
            interval_seconds=0.25,
            needs_clock=lambda: self.needs_clock,
            monotonic=lambda: self.now,
            schedule=self.schedule,
        )


def test_a_first_change_is_drawn_at_once_and_many_more_at_most_four_times_a_second() -> None:
    harness = RefreshHarness()
    for number in range(100):
        harness.timer.mark_changed([number])
        harness.advance(0.02)
    harness.advance(1)
    assert harness.calls[0][0] == 100.0
    assert frozenset().union(*(ids for _, ids in harness.calls)) == set(range(100))
    gaps = [later - earlier for (earlier, _), (later, _) in zip(harness.calls, harness.calls[1:], strict=False)]
    assert min(gaps) >= 0.25 - 1e-9
    assert len(harness.calls) <= 10
    assert not harness.due, "without clocks there is no timer"


def test_clocks_are_redrawn_once_a_second_while_there_are_any() -> None:
    harness = RefreshHarness()
    harness.needs_clock = True
    harness.timer.mark_changed()
    harness.advance(10)
    assert len(harness.calls) == 11
    harness.needs_clock = False
    harness.advance(10)
    assert len(harness.calls) == 12
    harness.timer.mark_changed([1])
    harness.timer.stop()
    harness.advance(10)
    assert len(harness.calls) == 12


@pytest.mark.parametrize(
    ("environ", "interval", "step"),
    [({}, 0.25, 1.0), ({"SSH_TTY": "/dev/pts/3"}, 1.0, 5.0), ({"SSH_CONNECTION": "10.0.0.1 2 10.0.0.2 22"}, 1.0, 5.0)],
)
def test_refreshes_are_rarer_over_ssh(environ: dict[str, str], interval: float, step: float) -> None:
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
