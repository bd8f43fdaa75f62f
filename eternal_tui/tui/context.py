"""TerminalContext: the properties of the terminal that screens and widgets need."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from eternal_tui.media.decode.images import FrameCache
from eternal_tui.tui.graphics.base import GraphicsBackend
from eternal_tui.tui.picture.pacing import FrameBudget


class TerminalContext(msgspec.Struct, frozen=True):
    """Graphics that the terminal can show, and how to write to it.

    `write_sequence` writes an escape sequence between two frames. `frame_budget` limits video playback, `frame_cache`
    is shared by all screens.
    """

    environ: Mapping[str, str]
    graphics: GraphicsBackend
    is_remote: bool
    write_sequence: Callable[[str], None]
    frame_budget: FrameBudget = msgspec.field(default_factory=FrameBudget)
    frame_cache: FrameCache = msgspec.field(default_factory=FrameCache)

    @property
    def refresh_seconds(self) -> float:
        """Seconds between two refreshes: over SSH each costs bytes on a line that may be slow."""
        return 1.0 if self.is_remote else 0.25

    @property
    def clock_step_seconds(self) -> float:
        """Seconds by which running clocks advance."""
        return 5.0 if self.is_remote else 1.0
