"""What stands over the screen: that is dimmed below, but for pictures that would vanish with another colour."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import TypeVar

from rich.console import RenderableType
from rich.segment import Segment
from textual.color import Color
from textual.renderables.background_screen import BackgroundScreen
from textual.screen import ModalScreen

from eternal_tui.tui.graphics.kitty import PLACEHOLDER
from eternal_tui.tui.terminal.toast_room import on_toast_rows

Result = TypeVar("Result")


class OverScreen(ModalScreen[Result]):
    """A small screen over another one, which leaves nothing behind."""

    def on_mount(self) -> None:
        """Have nothing cover what it asks."""
        on_toast_rows(self, self.make_room)

    def make_room(self, rows: int) -> None:
        """Move up from the last rows, as far as something of this stands there."""
        boxes = [each for each in self.children if each.display and not each.has_class("-textual-system")]
        height = self.outer_size.height
        if rows and max((box.region.bottom for box in boxes), default=0) <= height - rows:
            return
        for box in boxes:
            box.styles.margin = (0, 0, rows, 0)
            box.styles.max_height = height - rows

    def render(self) -> RenderableType:
        """Draw the screen below, dimmed."""
        found = super().render()
        return Dimmed(found.screen, found.color) if isinstance(found, BackgroundScreen) else found


class Dimmed(BackgroundScreen):
    """Textual's dimming, which keeps its hands off cells of kitty's pictures: their colour is the picture's number."""

    @classmethod
    def process_segments(cls, segments: Iterable[Segment], color: Color) -> Iterable[Segment]:
        """Yield the segments in darker colours."""
        for is_picture, run in groupby(segments, lambda segment: segment.text.startswith(PLACEHOLDER)):
            same = list(run)
            yield from same if is_picture else super().process_segments(same, color)
