"""What the app needs to know of the terminal it runs in."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from eternal_tui.media.decode.images import FrameCache
from eternal_tui.tui.graphics.base import Graphics
from eternal_tui.tui.graphics.pacing import Pace
from eternal_tui.tui.terminal.glyphs import Glyphs


class Surroundings(msgspec.Struct, frozen=True):
    """The terminal as found: signs and pictures it can show, whether it is remote, and how to write to it.

    `interval` and `clock_step` are seconds between two draws and between two steps of a running clock. `write` puts
    a control sequence of our own on the terminal, between two frames. `pace` is how fast clips may play on this line,
    `frames` holds what was decoded for any of the screens.
    """

    environ: Mapping[str, str]
    glyphs: Glyphs
    graphics: Graphics
    graphics_why: str
    remote: bool
    interval: float
    clock_step: float
    write: Callable[[str], None]
    pace: Pace = msgspec.field(default_factory=Pace)
    frames: FrameCache = msgspec.field(default_factory=FrameCache)
