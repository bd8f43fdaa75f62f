"""When which frame of a playing clip is due: pure arithmetic over a clock."""

from __future__ import annotations

from collections.abc import Callable

from eternal_tui.tui.graphics.pacing import Pace

ROUNDING = 0.25
"""Share of a frame by which it may begin later than it is due: WebM rounds its times to milliseconds."""


class Playhead:
    """Where a clip of `rate` frames a second stands while it plays, at `pace`; times are seconds into the clip.

    Frames are due on a grid that begins where playing began, so that no delay adds up: a clip no faster than the pace
    shows each of its frames. Of moments gone by the last is taken, and its frame shown at once.
    """

    def __init__(self, pace: Pace, clock: Callable[[], float]) -> None:
        self.pace = pace
        self.rate = pace.frame_rate
        self._clock = clock
        self._began = self._due = 0.0

    def stand_at(self, seconds: float) -> None:
        """Go on from this moment."""
        self._began, self._due = self._clock() - seconds, seconds

    def start_over(self, length: float) -> None:
        """Go on from the beginning once the clip, of `length` seconds, has been seen to its end."""
        self._began += length
        self._due -= length

    @property
    def wanted(self) -> float:
        """The moment whose frame is to be shown now."""
        return max(self._due, self._moment) + ROUNDING / self.rate

    def advance(self, written: int) -> float:
        """Go on from a frame that took `written` bytes; return the seconds until the next is due."""
        step = max(1.0 / self.rate, self.pace.seconds_for(written))
        self._due += step * max(1, int((self._moment - self._due) / step))
        return max(0.0, self._due - self._moment)

    @property
    def _moment(self) -> float:
        return self._clock() - self._began
