"""A single move acts in a moment; moves in a hurry act once, when they are over."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eternal_tui.tui.refresh import HURRY, SETTLE, AtRest


class Hand:
    def __init__(self) -> None:
        self.now = 100.0
        self.acted: list[float] = []
        self.due: tuple[float, Callable[[], None]] | None = None
        self.rest = AtRest(lambda: self.acted.append(self.now), lambda: self.now, self.schedule)

    def schedule(self, delay: float, act: Callable[[], None]) -> Callable[[], None]:
        self.due = (self.now + delay, act)
        return lambda: setattr(self, "due", None)

    def moves(self, after: float) -> None:
        self.now += after
        self.rest.moved()

    def waits(self) -> None:
        assert self.due is not None
        self.now, act = self.due
        act()


def test_a_single_move_acts_in_a_moment() -> None:
    hand = Hand()
    for _ in range(2):
        hand.moves(1.0)
        assert hand.rest.hurried
        hand.waits()
    assert hand.acted == pytest.approx([101.0 + SETTLE, 102.0 + 2 * SETTLE])
    assert not hand.rest.hurried


def test_the_first_move_of_a_hurry_does_not_act() -> None:
    """Seen to fail with a single move acted on at once: the second key of a hurry then waited for the detail."""
    hand = Hand()
    hand.moves(1.0)
    hand.moves(0.03)
    hand.waits()
    assert hand.acted == pytest.approx([101.03 + HURRY])


def test_a_held_key_acts_at_its_end() -> None:
    """Seen to fail without `stop` in `moved`, and with the time of the first move kept."""
    hand = Hand()
    for _ in range(20):
        hand.moves(0.03)
    assert not hand.acted
    assert hand.rest.hurried
    hand.waits()
    assert hand.acted == [hand.now]
    assert hand.now < 100.0 + 20 * 0.03 + HURRY + 0.001
    assert not hand.rest.hurried
