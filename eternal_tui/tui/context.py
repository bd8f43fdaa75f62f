"""TerminalContext: the properties of the terminal that screens and widgets need."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from eternal_tui.media.decode.images import FrameCache
from eternal_tui.tui.graphics.base import GraphicsBackend
from eternal_tui.tui.graphics.pacing import FrameBudget
from eternal_tui.tui.terminal.glyphs import Glyphs


class TerminalContext(msgspec.Struct, frozen=True):
    """Glyphs and graphics that the terminal can show, and how to write to it.

    `refresh_seconds` and `clock_step_seconds` are the intervals of refreshes and of steps of running clocks.
    `write_sequence` writes an escape sequence between two frames. `frame_budget` limits video playback, `frame_cache`
    is shared by all screens.
    """

    environ: Mapping[str, str]
    glyphs: Glyphs
    graphics: GraphicsBackend
    graphics_reason: str
    is_remote: bool
    refresh_seconds: float
    clock_step_seconds: float
    write_sequence: Callable[[str], None]
    frame_budget: FrameBudget = msgspec.field(default_factory=FrameBudget)
    frame_cache: FrameCache = msgspec.field(default_factory=FrameCache)
