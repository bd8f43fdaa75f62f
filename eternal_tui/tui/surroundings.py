"""What the app needs to know of the terminal it runs in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from eternal_tui.tui.glyphs import Glyphs
from eternal_tui.tui.graphics.protocol import Graphics


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The terminal as found: signs and pictures it can show, whether it is remote, and how to write to it.

    `interval` and `clock_step` are seconds between two draws and between two steps of a running clock. `write` puts
    a control sequence of our own on the terminal, between two frames.
    """

    environ: Mapping[str, str]
    glyphs: Glyphs
    graphics: Graphics
    graphics_why: str
    remote: bool
    interval: float
    clock_step: float
    write: Callable[[str], None]
