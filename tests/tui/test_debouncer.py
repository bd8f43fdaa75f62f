"""A single move acts in a moment; moves in a hurry act once, when they are over."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eternal_tui.tui.refresh import BURST_DELAY_SECONDS, SINGLE_DELAY_SECONDS, Debouncer


class DebounceHarness:
    def __init__(self) -> None:
        self.now = 100.0
        self.fired_at: list[float] = []
        self.due: tuple[float, Callable[[], None]] | None = None
        self.debouncer = Debouncer(lambda: self.fired_at.append(self.now), lambda: self.now, self.schedule)

    def schedule(self, delay: float, act: Callable[[], None]) -> Callable[[], None]:
        self.due = (self.now + delay, act)
        return lambda: setattr(self, "due", None)

    def trigger_after(self, after: float) -> None:
        self.now += after
        self.debouncer.trigger()

    def run_due(self) -> None:
        assert self.due is not None
        self.now, act = self.due
        act()


def test_a_single_move_acts_in_a_moment() -> None:
    hand = DebounceHarness()
    for _ in range(2):
        hand.trigger_after(1.0)
        assert hand.debouncer.is_pending
        hand.run_due()
    assert hand.fired_at == pytest.approx([101.0 + SINGLE_DELAY_SECONDS, 102.0 + 2 * SINGLE_DELAY_SECONDS])
    assert not hand.debouncer.is_pending


def test_the_first_move_of_a_hurry_does_not_act() -> None:
    """Seen to fail with a single move acted on at once: the second key of a hurry then waited for the detail."""
    hand = DebounceHarness()
    hand.trigger_after(1.0)
    hand.trigger_after(0.03)
    hand.run_due()
    assert hand.fired_at == pytest.approx([101.03 + BURST_DELAY_SECONDS])


def test_a_held_key_acts_at_its_end() -> None:
    """Seen to fail without `stop` in `moved`, and with the time of the first move kept."""
    hand = DebounceHarness()
    for _ in range(20):
        hand.trigger_after(0.03)
    assert not hand.fired_at
    assert hand.debouncer.is_pending
    hand.run_due()
    assert hand.fired_at == [hand.now]
    assert hand.now < 100.0 + 20 * 0.03 + BURST_DELAY_SECONDS + 0.001
    assert not hand.debouncer.is_pending
