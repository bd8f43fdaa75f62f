"""A running app with one picture, which notes what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from textual.app import App, ComposeResult
from textual.containers import Container
from textual.message import Message
from textual.screen import Screen

from eternal_tui.tui.graphics.base import Graphics
from eternal_tui.tui.graphics.half_blocks import HalfBlocks
from eternal_tui.tui.picture.picture import Picture
from eternal_tui.tui.terminal.compositor import CellScreen


class Viewer(App[None]):
    """An app with one picture, which notes every message of it."""

    def __init__(self, graphics: Graphics | None = None, **options: object) -> None:
        super().__init__()
        self.picture = Picture(graphics or HalfBlocks(), **({"settle": 0.0} | options))  # type: ignore[arg-type]
        self.heard: asyncio.Queue[Message] = asyncio.Queue()

    def get_default_screen(self) -> Screen[None]:
        return CellScreen()

    def compose(self) -> ComposeResult:
        with Container():
            yield self.picture

    def on_picture_loaded(self, message: Picture.Loaded) -> None:
        self.heard.put_nowait(message)

    def on_picture_failed(self, message: Picture.Failed) -> None:
        self.heard.put_nowait(message)

    def on_picture_moved(self, message: Picture.Moved) -> None:
        self.heard.put_nowait(message)

    async def until(self, kind: type[Message], where: Callable[[Message], bool] = lambda _: True) -> Message:
        async with asyncio.timeout(60):
            while True:
                message = await self.heard.get()
                if isinstance(message, kind) and where(message):
                    return message


def rows(picture: Picture) -> list[str]:
    return [picture.render_line(y).text for y in range(picture.size.height)]
