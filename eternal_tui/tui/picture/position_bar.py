"""The position of a clip: a bar, its time and its length."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from eternal_tui.core.formatting import format_duration
from eternal_tui.core.sanitize import SafeText, format_safe

MAX_BAR_COLUMNS = 40
"""Cells of the bar at most: longer ones are no easier to read."""

MIN_BAR_COLUMNS = 6
"""Cells below which there is no bar, only the words."""


def position_text(position: float, duration: float, *, playing: bool, seeking: bool = False) -> SafeText:
    """Return the position, the length and whether the clip plays, as text."""
    state = SafeText("seeking" if seeking else "playing" if playing else "paused")
    return format_safe(
        "{at} / {length} {state}", at=format_duration(int(position)), length=format_duration(duration), state=state
    )


def split_bar(position: float, duration: float, width: int) -> tuple[str, str]:
    """Return the part of the bar that is played and the part that is left, `width` cells together."""
    share = min(max(position / duration, 0.0), 1.0) if duration > 0 else 0.0
    played = round(share * width)
    return "━" * played, "╌" * (width - played)


class PositionBar(Widget):
    """One line under a clip. It is set to the clip's position, and repaints only when that changes it."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"position-line--played", "position-line--rest"}
    DEFAULT_CSS = """
    PositionBar {
        height: 1; background: transparent; color: $text-muted;
        & > .position-line--played { color: $accent; background: transparent; }
        & > .position-line--rest { color: $text-disabled; background: transparent; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._position: tuple[float, float, bool, bool] | None = None
        self._drawn_parts: tuple[str, str, str] | None = None

    def set_position(self, position: float, duration: float, *, playing: bool, seeking: bool = False) -> None:
        """Show this moment of a clip of `duration`, nothing where it has no length."""
        self._position = (position, duration, playing, seeking) if duration > 0 else None
        if self._parts() != self._drawn_parts:
            self.refresh()

    def _parts(self) -> tuple[str, str, str]:
        if self._position is None:
            return "", "", ""
        position, seconds, playing, seeking = self._position
        words = position_text(position, seconds, playing=playing, seeking=seeking)
        room = min(MAX_BAR_COLUMNS, self.size.width - cell_len(words) - 3)
        played, rest = split_bar(position, seconds, room) if room >= MIN_BAR_COLUMNS else ("", "")
        return played, rest, words

    def render_line(self, y: int) -> Strip:
        """Return the one line, centred."""
        style, width = self.rich_style, self.size.width
        if y:
            return Strip.blank(width, style)
        self._drawn_parts = played, rest, words = self._parts()
        gap = " " if played or rest else ""
        length = cell_len(played + rest + gap + words)
        segments = [
            Segment(" " * max(0, (width - length) // 2), style),
            Segment(played, self.get_component_rich_style("position-line--played")),
            Segment(rest, self.get_component_rich_style("position-line--rest")),
            Segment(gap + words, style),
        ]
        return Strip(segments).adjust_cell_length(width, style)
