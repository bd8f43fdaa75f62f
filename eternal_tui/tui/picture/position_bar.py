"""Where a clip stands: a quiet bar, and its time of its length."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from eternal_tui.core.sanitize import Shown, say
from eternal_tui.tui.detail.text import span
from eternal_tui.tui.terminal.glyphs import UNICODE, Glyphs

MOST_BAR = 40
"""Cells of the bar at most: longer ones are no easier to read."""

LEAST_BAR = 6
"""Cells below which there is no bar, only the words."""


def time_words(position: float, seconds: float, *, playing: bool) -> Shown:
    """Return the moment and the length as a person says them, and whether the clip moves."""
    state = Shown("playing") if playing else Shown("paused")
    return say("{at} / {length} {state}", at=span(int(position)), length=span(seconds), state=state)


def bar(position: float, seconds: float, width: int, glyphs: Glyphs = UNICODE) -> tuple[str, str]:
    """Return the part of the bar that is played and the part that is left, `width` cells together."""
    share = min(max(position / seconds, 0.0), 1.0) if seconds > 0 else 0.0
    played = round(share * width)
    return glyphs.bar_full * played, glyphs.bar_rest * (width - played)


class PositionLine(Widget):
    """One line under a clip. It is told where the clip stands, and repaints only when that shows."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"position-line--played", "position-line--rest"}
    DEFAULT_CSS = """
    PositionLine {
        height: 1; background: transparent; color: $text-muted;
        & > .position-line--played { color: $accent; background: transparent; }
        & > .position-line--rest { color: $text-disabled; background: transparent; }
    }
    """

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._state: tuple[float, float, bool] | None = None
        self._drawn: tuple[str, str, str] | None = None

    def show(self, position: float, seconds: float, *, playing: bool) -> None:
        """Show this moment of a clip of `seconds`, nothing where it has no length."""
        self._state = (position, seconds, playing) if seconds > 0 else None
        if self._parts() != self._drawn:
            self.refresh()

    def _parts(self) -> tuple[str, str, str]:
        if self._state is None:
            return "", "", ""
        position, seconds, playing = self._state
        words = time_words(position, seconds, playing=playing)
        room = min(MOST_BAR, self.size.width - cell_len(words) - 3)
        played, rest = bar(position, seconds, room, self._glyphs) if room >= LEAST_BAR else ("", "")
        return played, rest, words

    def render_line(self, y: int) -> Strip:
        """Return the one line, centred."""
        style, width = self.rich_style, self.size.width
        if y:
            return Strip.blank(width, style)
        self._drawn = played, rest, words = self._parts()
        gap = " " if played or rest else ""
        length = cell_len(played + rest + gap + words)
        segments = [
            Segment(" " * max(0, (width - length) // 2), style),
            Segment(played, self.get_component_rich_style("position-line--played")),
            Segment(rest, self.get_component_rich_style("position-line--rest")),
            Segment(gap + words, style),
        ]
        return Strip(segments).adjust_cell_length(width, style)
