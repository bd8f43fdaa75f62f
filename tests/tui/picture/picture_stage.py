"""A running app with one picture, which notes what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from textual.app import App, ComposeResult
from textual.containers import Container
from textual.message import Message
from textual.screen import Screen

from eternal_tui.tui.graphics.base import GraphicsBackend
from eternal_tui.tui.graphics.half_blocks import HalfBlocks
from eternal_tui.tui.picture.picture import MediaView
from eternal_tui.tui.terminal.compositor import DiffScreen


class MediaViewApp(App[None]):
    """An app with one picture, which notes every message of it."""

    def __init__(self, graphics: GraphicsBackend | None = None, **options: object) -> None:
        super().__init__()
        self.media_view = MediaView(graphics or HalfBlocks(), **({"decode_delay_seconds": 0.0} | options))  # type: ignore[arg-type]
        self.messages: asyncio.Queue[Message] = asyncio.Queue()

    def get_default_screen(self) -> Screen[None]:
        return DiffScreen()

    def compose(self) -> ComposeResult:
        with Container():
            yield self.media_view

    def on_media_view_loaded(self, message: MediaView.Loaded) -> None:
        self.messages.put_nowait(message)

    def on_media_view_failed(self, message: MediaView.Failed) -> None:
        self.messages.put_nowait(message)

    def on_media_view_playback_changed(self, message: MediaView.PlaybackChanged) -> None:
        self.messages.put_nowait(message)

    async def wait_for_message(self, kind: type[Message], where: Callable[[Message], bool] = lambda _: True) -> Message:
        async with asyncio.timeout(60):
            while True:
                message = await self.messages.get()
                if isinstance(message, kind) and where(message):
                    return message


def rendered_rows(picture: MediaView) -> list[str]:
    return [picture.render_line(y).text for y in range(picture.size.height)]
