"""A running app with one picture, which notes what it says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from textual.app import App, ComposeResult
from textual.containers import Container
from textual.message import Message
from textual.pilot import Pilot
from textual.screen import Screen

from eternal_tui.tui.graphics.base import GraphicsBackend
from eternal_tui.tui.graphics.half_blocks import HalfBlocks
from eternal_tui.tui.picture.picture import MediaView
from eternal_tui.tui.terminal.compositor import DiffScreen

M = TypeVar("M", bound=Message)


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

    async def wait_for_message(self, kind: type[M], where: Callable[[M], bool] = lambda _: True) -> M:
        async with asyncio.timeout(60):
            while True:
                message = await self.messages.get()
                if isinstance(message, kind) and where(message):
                    return message

    async def wait_for_playback(self, *, playing: bool) -> MediaView.PlaybackChanged:
        return await self.wait_for_message(MediaView.PlaybackChanged, lambda message: message.playing is playing)


@asynccontextmanager
async def showing(
    path: Path, graphics: GraphicsBackend | None = None, *, size: tuple[int, int] = (40, 12), **options: object
) -> AsyncIterator[tuple[MediaViewApp, Pilot[None]]]:
    app = MediaViewApp(graphics, **options)
    async with app.run_test(size=size) as pilot:
        app.media_view.set_file(path)
        await app.wait_for_message(MediaView.Loaded)
        yield app, pilot


def rendered_rows(picture: MediaView) -> list[str]:
    return [picture.render_line(y).text for y in range(picture.size.height)]
