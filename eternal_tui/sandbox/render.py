"""Renders results off the event loop and keeps the latest."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from eternal_tui.sandbox.art.encode import RenderCancelled, VideoSpec, render_avatar, render_image, render_video
from eternal_tui.sandbox.settings import SandboxSettings
from eternal_tui.sandbox.validation import ParsedRequest


class MediaRenderer:
    """Draws each file once at a time and remembers up to ``cache_bytes`` of them."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._pool: ThreadPoolExecutor | None = None
        self._stop_event = Event()
        self._cache: OrderedDict[object, bytes] = OrderedDict()
        self._tasks: dict[object, asyncio.Task[bytes]] = {}
        self.render_count = 0

    async def render_result(self, request: ParsedRequest) -> bytes:
        """Return the JPEG or MP4 of a request, the same bytes for the same request and seed; raises RenderCancelled."""
        return await self._render_cached(request, lambda: self._render_request(request))

    def prerender(self, request: ParsedRequest) -> None:
        """Start to draw a result that will be fetched soon."""
        if request not in self._cache and not self._stop_event.is_set():
            # Errors are raised to the request for the file.
            self._render_task(request, lambda: self._render_request(request)).add_done_callback(
                lambda task: task.exception()
            )

    async def render_avatar(self, character_id: int) -> bytes:
        """The small JPEG portrait of a character; raises RenderCancelled."""
        return await self._render_cached(("avatar", character_id), lambda: self._render_avatar(character_id))

    def cancel(self) -> None:
        """Give up what is being drawn: those who wait for it get RenderCancelled."""
        self._stop_event.set()

    async def close(self) -> None:
        """Stop drawing; waits for the current frame."""
        self.cancel()
        if self._tasks:
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        if self._pool is not None:
            self._pool.shutdown(wait=True)
            self._pool = None

    async def _render_cached(self, key: object, draw: Callable[[], bytes]) -> bytes:
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        return await asyncio.shield(self._render_task(key, draw))

    def _render_task(self, key: object, draw: Callable[[], bytes]) -> asyncio.Task[bytes]:
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.create_task(self._run_render(key, draw))
            self._tasks[key] = task
        return task

    async def _run_render(self, key: object, draw: Callable[[], bytes]) -> bytes:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="renderer")
        try:
            drawn = await asyncio.get_running_loop().run_in_executor(self._pool, draw)
        finally:
            del self._tasks[key]
        self.render_count += 1
        self._cache[key] = drawn
        while len(self._cache) > 1 and sum(map(len, self._cache.values())) > self._settings.cache_bytes:
            self._cache.popitem(last=False)
        return drawn

    def _render_request(self, request: ParsedRequest) -> bytes:
        if self._stop_event.is_set():
            raise RenderCancelled
        settings = self._settings
        name = f"{settings.seed or 0}:{request.character}:{request.prompt}"
        if request.kind == "image":
            size = settings.high_quality_image_size if request.quality == "high" else settings.image_size
            return render_image(request.prompt, request.character, name, size)
        clip = VideoSpec(
            prompt=request.prompt,
            character=request.character,
            seed=name,
            size=settings.video_size,
            fps=settings.video_fps,
            seconds=request.duration,
            audio=request.audio,
        )
        return render_video(clip, self._stop_event)

    def _render_avatar(self, character_id: int) -> bytes:
        if self._stop_event.is_set():
            raise RenderCancelled
        return render_avatar(str(character_id), self._settings.avatar_size)
