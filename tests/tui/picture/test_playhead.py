"""Times at which frames are due, by a clock that the test moves."""

from __future__ import annotations

import itertools

import pytest

from eternal_tui.tui.picture.pacing import FrameBudget, Playhead


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def simulate_playback(
    frames: list[float],
    rate: float,
    pace: FrameBudget,
    *,
    drawing: float,
    timer_delay: float = 0.001,
    stall: float = 0.0,
    written: int = 0,
) -> tuple[list[int], float]:
    """Play a clip whose frames begin at these seconds, `drawing` each; return the numbers shown and what it took.

    The tenth drawing takes `stall` seconds more, and every timer is `timer_delay`.
    """
    clock = Clock()
    head = Playhead(pace, clock)
    head.frame_rate = rate
    head.seek(0.0)
    began, shown = clock.now, list[int]()
    number = 0
    while number < len(frames) - 1:
        number = max(place for place, starts in enumerate(frames) if starts <= head.target_seconds)
        clock.now += drawing + (stall if len(shown) == 9 else 0.0)
        shown.append(number)
        clock.now += head.advance(written) + timer_delay
    return shown, clock.now - began


MILLISECONDS = [round(number / 24, 3) for number in range(96)]
"""As WebM rounds the times of 24 frames a second."""


@pytest.mark.parametrize("rate", [24.0, 23.976, 12.0])
@pytest.mark.parametrize("drawing", [0.004, 0.035])
def test_a_clip_no_faster_than_the_pace_shows_every_frame_once_on_time(rate: float, drawing: float) -> None:
    grids = ([number / rate for number in range(96)], MILLISECONDS if rate == 24.0 else [])
    for frames, late in itertools.product(filter(None, grids), (0.0, 0.001)):
        shown, took = simulate_playback(frames, rate, FrameBudget(24.0), drawing=drawing, timer_delay=late)
        assert shown == [*range(96)]
        assert took == pytest.approx(96 / rate, abs=0.05)


def test_a_machine_that_is_too_slow_leaves_frames_out_and_keeps_time() -> None:
    shown, took = simulate_playback([number / 24 for number in range(96)], 24.0, FrameBudget(24.0), drawing=0.1)
    assert took == pytest.approx(4.0, abs=0.2)
    assert 38 <= len(shown) <= 42
    assert shown == sorted(set(shown))


def test_after_a_stall_no_frame_is_drawn_twice() -> None:
    shown, took = simulate_playback(
        [number / 24 for number in range(96)], 24.0, FrameBudget(24.0), drawing=0.004, stall=1.0
    )
    assert shown == sorted(set(shown))
    assert took == pytest.approx(4.0, abs=0.05)


def test_four_frames_a_second_and_what_the_bytes_allow() -> None:
    frames = [number / 24 for number in range(96)]
    shown, took = simulate_playback(frames, 24.0, FrameBudget(4.0, 200_000), drawing=0.01, written=10_000)
    assert shown == [*range(0, 96, 6), 95]
    assert took == pytest.approx(4.25, abs=0.02)
    shown, _ = simulate_playback(frames, 24.0, FrameBudget(4.0, 10_000), drawing=0.01, written=10_000)
    assert shown == [0, 24, 48, 72, 95]


def test_seeking_goes_on_from_there() -> None:
    clock = Clock()
    head = Playhead(FrameBudget(24.0), clock)
    head.seek(3.0)
    clock.now += 0.02
    head.seek(1.0)
    assert head.target_seconds == pytest.approx(1.0, abs=0.02)
    assert head.advance(0) == pytest.approx(1 / 24)
