"""Interface of the graphics backends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
from rich.style import Style
from textual.strip import Strip

from eternal_tui.media.decode.frame import Frame

GraphicsName = Literal["kitty", "sixel", "iterm2", "symbols", "blocks", "off"]


class Drawing(msgspec.Struct, frozen=True):
    """A drawn frame: one strip a row, and what the terminal must be sent before they are shown.

    `width` is in cells. `handle` is the number of the picture in the terminal, 0 if none, for
    `GraphicsBackend.release`. `overlay` is written with the cursor on the top left cell once the strips are drawn, if
    cells still have `overlay_cell` pixels; (0, 0) if the terminal scales it. `is_transparent` says that the strips have
    no background of their own, and that a part of their cells may show it. `update`, where there is one, may be sent
    instead of `transmit` if the terminal holds a drawing of the same `handle` and `pixels`.
    """

    strips: tuple[Strip, ...]
    width: int
    transmit: str = ""
    handle: int = 0
    overlay: str = ""
    overlay_cell: tuple[int, int] = (0, 0)
    is_transparent: bool = False
    update: str = ""
    pixels: tuple[int, int] = (0, 0)

    def data_after(self, previous: Drawing) -> str:
        """Return what to send to a terminal that holds the drawing `previous`."""
        same = self.handle == previous.handle and self.pixels == previous.pixels
        return self.update if same and self.update else self.transmit

    def row(self, y: int, background: Style) -> Strip:
        """Return one strip over a background."""
        return self.strips[y].apply_style(background) if self.is_transparent else self.strips[y]


EMPTY_DRAWING = Drawing((), 0)


class GraphicsBackend:
    """One way of drawing frames in terminal cells. Safe to call from any thread. This one draws nothing.

    `name` is the word for it in `--images`. `cell_size` is how many pixels of a frame, across and down, one cell shows,
    (0, 0) if it draws none; `video_cell_size` the same for frames of a clip, which may be coarser so that they come in
    time.
    """

    name: GraphicsName = "off"
    cell_size: tuple[float, float] = (0, 0)
    video_cell_size: tuple[float, float] = (0, 0)

    @property
    def for_thumbnails(self) -> GraphicsBackend:
        """The way to draw a screen full of thumbnails."""
        return self

    def render(self, frame: Frame, *, handle: int = 0, animated: bool = False) -> Drawing:  # noqa: ARG002
        """Draw `frame`, made for `video_cell_size` if it is `animated`, else for `cell_size`.

        `handle` is that of an earlier drawing of the same size which this one takes the place of.
        """
        return EMPTY_DRAWING

    def lower_quality(self) -> GraphicsBackend | None:
        """Return the same with fewer colours and so fewer bytes, or None where nothing is left to save."""
        return None

    def release(self, handle: int) -> str:  # noqa: ARG002
        """Return what to send so that the terminal forgets a drawing."""
        return ""


class NullGraphics(GraphicsBackend):
    """Draws nothing; what shows pictures then shows its words."""


class FaceSource(NamedTuple):
    """The backend, and a function that returns the file behind a URL, None where there is none."""

    graphics: GraphicsBackend
    find: Callable[[str], Awaitable[Path | None]]


async def _find_nothing(_url: str) -> None:
    return None


NO_FACES = FaceSource(NullGraphics(), _find_nothing)


PLACEHOLDER = "\U0010eeee"
