"""No pictures: every fact stays in words."""

from __future__ import annotations

from eternal_tui.media.decode.frame import Frame
from eternal_tui.tui.graphics.base import Drawing, GraphicsName


class NoGraphics:
    """Draws nothing; what shows pictures then shows its words."""

    name: GraphicsName = "off"
    cell = (0, 0)
    clip_cell = (0, 0)

    @property
    def for_many(self) -> NoGraphics:
        """Itself."""
        return self

    def render(self, frame: Frame, *, handle: int = 0, moving: bool = False) -> Drawing:  # noqa: ARG002
        """Return an empty drawing."""
        return Drawing((), 0)

    def thinned(self) -> None:
        """Return nothing: there is nothing to save."""

    def release(self, handle: int) -> str:  # noqa: ARG002
        """Return nothing: nothing is held."""
        return ""
