"""Renders results off the event loop and keeps the latest."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from eternal_tui.sandbox.art.clips import Clip, Stopped, draw_clip
from eternal_tui.sandbox.settings import SandboxSettings
from eternal_tui.sandbox.validation import Order


class Studio:
    """Draws each file once at a time and remembers up to ``cache_bytes`` of them."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._pool: ThreadPoolExecutor | None = None
        self._stopping = Event()
        self._kept: OrderedDict[object, bytes] = OrderedDict()
        self._under_way: dict[object, asyncio.Task[bytes]] = {}
        self.renders = 0

    async def result(self, order: Order) -> bytes:
        """The JPEG or MP4 of an order, the same bytes for the same order and seed; raises Stopped."""
        return await self._once(order, lambda: self._draw(order))

    def prepare(self, order: Order) -> None:
        """Start to draw an order that will be asked for soon."""
        if order not in self._kept and not self._stopping.is_set():
            # Whoever asks for the file hears what went wrong; an order nobody asks for may fail in silence.
            self._drawing(order, lambda: self._draw(order)).add_done_callback(lambda task: task.exception())

    async def avatar(self, identity: int) -> bytes:
        """The small JPEG portrait of a character; raises Stopped."""
        return await self._once(("avatar", identity), lambda: self._draw_avatar(identity))

    def stop(self) -> None:
        """Give up what is being drawn: those who wait for it get Stopped."""
        self._stopping.set()

    async def close(self) -> None:
        """Stop drawing; waits for the frame in hand."""
        self.stop()
        if self._under_way:
            await asyncio.gather(*self._under_way.values(), return_exceptions=True)
        if self._pool is not None:
            self._pool.shutdown(wait=True)
            self._pool = None

    async def _once(self, name: object, draw: Callable[[], bytes]) -> bytes:
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        return await asyncio.shield(self._drawing(name, draw))

    def _drawing(self, name: object, draw: Callable[[], bytes]) -> asyncio.Task[bytes]:
        task = self._under_way.get(name)
        if task is None:
            task = asyncio.create_task(self._render(name, draw))
            self._under_way[name] = task
        return task

    async def _render(self, name: object, draw: Callable[[], bytes]) -> bytes:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="studio")
        try:
            drawn = await asyncio.get_running_loop().run_in_executor(self._pool, draw)
        finally:
            del self._under_way[name]
        self.renders += 1
        self._kept[name] = drawn
        while len(self._kept) > 1 and sum(map(len, self._kept.values())) > self._settings.cache_bytes:
            self._kept.popitem(last=False)
        return drawn

    def _draw(self, order: Order) -> bytes:
        if self._stopping.is_set():
            raise Stopped
        settings = self._settings
        name = f"{settings.seed or 0}:{order.character}:{order.prompt}"
        if order.kind == "image":
            from eternal_tui.sandbox.art.stills import draw_still

            size = settings.still_high_size if order.quality == "high" else settings.still_size
            return draw_still(order.prompt, order.character, name, size)
        clip = Clip(
            prompt=order.prompt,
            character=order.character,
            name=name,
            size=settings.clip_size,
            fps=settings.clip_fps,
            seconds=order.duration,
            audio=order.audio,
        )
        return draw_clip(clip, self._stopping)

    def _draw_avatar(self, identity: int) -> bytes:
        if self._stopping.is_set():
            raise Stopped
        from eternal_tui.sandbox.art.stills import draw_avatar

        return draw_avatar(str(identity), self._settings.avatar_size)
