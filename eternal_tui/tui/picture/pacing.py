"""Frame rate on this connection, and which frame is due."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from eternal_tui.tui.graphics.probe import is_remote

LOCAL_FRAME_RATE = 24.0
REMOTE_FRAME_RATE = 4.0
REMOTE_BYTES_PER_SECOND = 200_000
"""Bytes per second of a clip over SSH, unless the user sets another limit."""


class FrameBudget(NamedTuple):
    """Most frames a second, and most bytes a second; None means that bytes do not count."""

    frame_rate: float = LOCAL_FRAME_RATE
    bytes_per_second: float | None = None

    def frame_seconds(self, frame_bytes: int) -> float:
        """Return how long a frame of `frame_bytes` bytes is to be shown."""
        least = 1.0 / self.frame_rate
        return least if self.bytes_per_second is None else max(least, frame_bytes / self.bytes_per_second)

    def is_exceeded_by(self, frame_bytes: int) -> bool:
        """Whether such frames need more bytes than the connection has at the wanted rate."""
        return self.bytes_per_second is not None and frame_bytes * self.frame_rate > self.bytes_per_second


def frame_budget_for(
    environ: Mapping[str, str], bytes_per_second: float | None = None, frame_rate: float = LOCAL_FRAME_RATE
) -> FrameBudget:
    """Return the pace for this terminal: full locally, thinned over SSH; the user's figures hold for both."""
    if is_remote(environ):
        return FrameBudget(min(frame_rate, REMOTE_FRAME_RATE), bytes_per_second or REMOTE_BYTES_PER_SECOND)
    return FrameBudget(frame_rate, bytes_per_second)


ROUNDING_FRAMES = 0.25
"""Share of a frame by which it may begin later than it is due: WebM rounds its times to milliseconds."""


class Playhead:
    """The position of a clip of `frame_rate` frames a second while it plays, at `frame_budget`.

    Times are seconds into the clip.

    Frames are due on a grid that begins where playing began, so that no delay adds up: a clip no faster than the pace
    shows each of its frames. Of moments gone by the last is taken, and its frame shown at once.
    """

    def __init__(self, frame_budget: FrameBudget, clock: Callable[[], float]) -> None:
        self.frame_budget = frame_budget
        self.frame_rate = frame_budget.frame_rate
        self._clock = clock
        self._started_at = self._due_seconds = 0.0

    def seek(self, seconds: float) -> None:
        """Continue from this moment."""
        self._started_at, self._due_seconds = self._clock() - seconds, seconds

    @property
    def target_seconds(self) -> float:
        """The moment whose frame is to be shown now."""
        return max(self._due_seconds, self.elapsed_seconds) + ROUNDING_FRAMES / self.frame_rate

    def advance(self, frame_bytes: int) -> float:
        """Continue after a frame of `frame_bytes` bytes; return the seconds until the next is due."""
        step = max(1.0 / self.frame_rate, self.frame_budget.frame_seconds(frame_bytes))
        self._due_seconds += step * max(1, int((self.elapsed_seconds - self._due_seconds) / step))
        return max(0.0, self._due_seconds - self.elapsed_seconds)

    @property
    def elapsed_seconds(self) -> float:
        """The moment of the clip that it is now."""
        return self._clock() - self._started_at
