"""What the app needs to know of the terminal it runs in."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from eternal_tui.media.decode.images import FrameCache
from eternal_tui.tui.graphics.base import GraphicsBackend
from eternal_tui.tui.graphics.pacing import FrameBudget
from eternal_tui.tui.terminal.glyphs import Glyphs


class TerminalContext(msgspec.Struct, frozen=True):
    """The terminal as found: signs and pictures it can show, whether it is remote, and how to write to it.

    `refresh_seconds` and `clock_step_seconds` are seconds between two draws and between two steps of a running clock.
    `write_sequence` puts a control sequence of our own on the terminal, between two frames. `frame_budget` is how fast
    clips may play on this line, `frame_cache` holds what was decoded for any of the screens.
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
