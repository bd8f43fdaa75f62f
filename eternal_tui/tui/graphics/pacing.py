"""How fast frames may follow each other on this line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from textual.strip import Strip

from eternal_tui.tui.graphics.select import is_remote

LOCAL_RATE = 24.0
REMOTE_RATE = 4.0
REMOTE_BYTES = 200_000
"""Bytes a second a clip may take of an SSH line unless the user says otherwise."""

_SEQUENCE = 42
"""About the bytes of one segment's colours and its reset, `ESC [ 38;2;…;48;2;… m` and `ESC [ 0 m`."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Most frames a second, and most bytes a second; None means that bytes do not count."""

    frame_rate: float = LOCAL_RATE
    bytes_per_second: float | None = None

    def seconds_for(self, written: int) -> float:
        """Return how long a frame of `written` bytes has to stand."""
        least = 1.0 / self.frame_rate
        return least if self.bytes_per_second is None else max(least, written / self.bytes_per_second)

    def is_overspent(self, written: int) -> bool:
        """Tell whether such frames cost more than the line gives at the wanted rate."""
        return self.bytes_per_second is not None and written * self.frame_rate > self.bytes_per_second


def pace_for(environ: Mapping[str, str], bytes_per_second: float | None = None, frame_rate: float = LOCAL_RATE) -> Pace:
    """Return the pace for this terminal: full locally, thinned over SSH; the user's figures are kept to on both."""
    if is_remote(environ):
        return Pace(min(frame_rate, REMOTE_RATE), bytes_per_second or REMOTE_BYTES)
    return Pace(frame_rate, bytes_per_second)


def cost(strips: Iterable[Strip]) -> int:
    """Return about how many bytes these rows take on the line."""
    return sum(len(segment.text.encode()) + _SEQUENCE for strip in strips for segment in strip)
