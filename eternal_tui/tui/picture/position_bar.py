"""The position of a clip: a bar, its time and its length."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
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
    """One line under a clip."""

    DEFAULT_CSS = "PositionBar { height: 1; color: $text-muted; text-align: center; text-wrap: nowrap; }"
    _position = (0.0, 0.0, False, False)

    def set_position(self, position: float, duration: float, *, playing: bool, seeking: bool = False) -> None:
        """Show this moment of a clip of `duration`, nothing where it has no length."""
        self._position = (position, duration, playing, seeking)
        self.refresh()

    def render(self) -> Content:
        position, duration, playing, seeking = self._position
        if duration <= 0:
            return Content("")
        words = position_text(position, duration, playing=playing, seeking=seeking)
        room = min(MAX_BAR_COLUMNS, self.size.width - cell_len(words) - 3)
        if room < MIN_BAR_COLUMNS:
            return Content(words)
        played, rest = split_bar(position, duration, room)
        return Content.assemble((played, "$accent"), (rest, "$text-disabled"), f" {words}")
