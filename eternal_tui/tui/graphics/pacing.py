"""How fast frames may follow each other on this line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from textual.strip import Strip

from eternal_tui.tui.graphics.probe import is_remote

LOCAL_FRAME_RATE = 24.0
REMOTE_FRAME_RATE = 4.0
REMOTE_BYTES_PER_SECOND = 200_000
"""Bytes a second a clip may take of an SSH line unless the user says otherwise."""

DECODE_DELAY_SECONDS = 0.03
"""Seconds without another choice after which a file is decoded: `j` held down repeats about every 30 ms."""

_STYLE_BYTES_PER_SEGMENT = 42
"""About the bytes of one segment's colours and its reset, `ESC [ 38;2;…;48;2;… m` and `ESC [ 0 m`."""


class FrameBudget(NamedTuple):
    """Most frames a second, and most bytes a second; None means that bytes do not count."""

    frame_rate: float = LOCAL_FRAME_RATE
    bytes_per_second: float | None = None

    def frame_seconds(self, frame_bytes: int) -> float:
        """Return how long a frame of `frame_bytes` bytes is to be shown."""
        least = 1.0 / self.frame_rate
        return least if self.bytes_per_second is None else max(least, frame_bytes / self.bytes_per_second)

    def is_exceeded_by(self, frame_bytes: int) -> bool:
        """Tell whether such frames cost more than the line gives at the wanted rate."""
        return self.bytes_per_second is not None and frame_bytes * self.frame_rate > self.bytes_per_second


def frame_budget_for(
    environ: Mapping[str, str], bytes_per_second: float | None = None, frame_rate: float = LOCAL_FRAME_RATE
) -> FrameBudget:
    """Return the pace for this terminal: full locally, thinned over SSH; the user's figures hold for both."""
    if is_remote(environ):
        return FrameBudget(min(frame_rate, REMOTE_FRAME_RATE), bytes_per_second or REMOTE_BYTES_PER_SECOND)
    return FrameBudget(frame_rate, bytes_per_second)


def estimate_bytes(strips: Iterable[Strip]) -> int:
    """Return about how many bytes these rows take on the line."""
    return sum(len(segment.text.encode()) + _STYLE_BYTES_PER_SEGMENT for strip in strips for segment in strip)
