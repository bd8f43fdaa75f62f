"""The widget that shows a result: a picture, a clip that plays in place, or words."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual import events
from textual.message import Message
from textual.timer import Timer

from eternal_tui.core.sanitize import SafeText, split_safe_lines
from eternal_tui.media.decode.filetype import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from eternal_tui.media.decode.frame import (
    WHOLE_VIEWPORT,
    Canvas,
    Viewport,
    pan_viewport,
    visible_crop,
    zoom_viewport,
)
from eternal_tui.media.decode.images import FrameCache, image_size, is_animated
from eternal_tui.media.errors import ResultError, UnsupportedFile
from eternal_tui.media.limits import DecodeLimits
from eternal_tui.tui.graphics.base import Drawing, GraphicsBackend
from eternal_tui.tui.graphics.pacing import DECODE_DELAY_SECONDS, FrameBudget
from eternal_tui.tui.picture.player import VideoPlayer

if TYPE_CHECKING:
    from eternal_tui.media.decode.video import AsyncVideo


class ZoomState:
    """The part in view of one picture; its size in pixels is learned later than its first keys may come."""

    def __init__(self) -> None:
        self.viewport = WHOLE_VIEWPORT
        self.source_size = (0, 0)
        self._pending_pans: list[tuple[int, int]] = []

    def reset(self) -> None:
        """Look at the whole of another picture, whose size is not known yet."""
        self.viewport, self.source_size = WHOLE_VIEWPORT, (0, 0)
        self._pending_pans.clear()

    def set_source_size(self, source_size: tuple[int, int], canvas: Canvas) -> None:
        """Take the picture's size in pixels; pans that came before it count from now."""
        self.source_size = source_size
        for right, down in self._pending_pans:
            self._apply_pan(right, down, canvas)
        self._pending_pans.clear()

    def zoom_by(self, steps: int) -> None:
        """Look closer by steps, less close where negative, at the whole for 0."""
        self.viewport = WHOLE_VIEWPORT if steps == 0 else zoom_viewport(self.viewport, steps)

    def pan(self, right: int, down: int, canvas: Canvas) -> None:
        """Move the part in view by steps; the whole of a picture cannot be moved."""
        if self.viewport.is_whole:
            return
        if all(self.source_size):
            self._apply_pan(right, down, canvas)
        else:
            self._pending_pans.append((right, down))

    def _apply_pan(self, right: int, down: int, canvas: Canvas) -> None:
        seen = visible_crop(self.source_size, canvas._replace(viewport=self.viewport))
        self.viewport = pan_viewport(self.viewport, seen, self.source_size, right, down)


LINGER_SECONDS = 0.15
"""Seconds the picture before stays while its successor is on its way: what comes sooner comes without a blink."""

_VIEWPORT_GROUP = "picture-parts"


class MediaView(VideoPlayer):
    """Shows one file, centred, its aspect kept, as large as the widget is.

    `playback_graphics` are the graphics of a playing clip: those of a still one, with fewer colours where the line is
    slow. Decodes off the event loop and only what is still wanted after `decode_delay_seconds` seconds; the picture
    before stays for up to `linger_seconds` seconds, so that a quick successor comes without a blink. Nothing runs while
    a still is shown. `message` is shown instead where there is nothing to draw with, nothing to draw, or a broken file.
    """

    DEFAULT_CSS = "MediaView { width: 1fr; height: 1fr; }"

    @dataclass
    class Loaded(Message):
        """The file is on the screen; `duration_seconds` is a clip's length, 0 for a still."""

        media_view: MediaView
        path: Path
        duration_seconds: float

    def __init__(
        self,
        graphics: GraphicsBackend,
        *,
        frame_budget: FrameBudget | None = None,
        cache: FrameCache | None = None,
        limits: DecodeLimits | None = None,
        loop: bool = False,
        decode_delay_seconds: float = DECODE_DELAY_SECONDS,
        linger_seconds: float = LINGER_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(graphics, frame_budget=frame_budget, loop=loop, clock=clock)
        self._cache = cache or FrameCache()
        self._limits = limits or DecodeLimits()
        self._decode_delay_seconds = decode_delay_seconds
        self._linger_seconds = linger_seconds
        self._linger_timer: Timer | None = None
        self._is_still = False
        self._zoom_state = ZoomState()

    # What it shows

    def set_file(self, path: Path | None, message: SafeText = SafeText("")) -> None:  # noqa: B008 - a NewType, not a call
        """Show `path`, or nothing but `message` if it is None; a newer call overtakes an older one."""
        self.pause()
        self.path, self._is_still = path, False
        self._zoom_state.reset()
        self._cancel_seek()
        self._message_lines = split_safe_lines(message)
        self.position = self.duration_seconds = 0.0
        self._shown = None
        if path is None or not self.has_drawing:
            self._clear_drawing()
        elif self._linger_timer is None:
            # Counted from the first change: a key held down does not keep a picture that has long been left.
            self._linger_timer = self.set_timer(self._linger_seconds, self._clear_drawing)
        self._reload(path)

    def on_resize(self, event: events.Resize) -> None:
        """Draw again for the new size."""
        clip = self._video
        if clip is None:
            if self.path is not None and event.size.area:
                self._reload(self.path)
        elif event.size.area:
            self._redraw_video_viewport(clip)

    async def on_unmount(self) -> None:
        """Let the terminal and the decoder forget."""
        self._forget_drawing()
        await self._close_video()

    def _reload(self, path: Path | None) -> None:
        self._run_exclusive(lambda: self._load_file(path), "picture")

    async def _load_file(self, path: Path | None) -> None:
        await self._close_video()
        if path is None or not any(self.graphics.cell_size) or not self.size.area:
            return
        await asyncio.sleep(self._decode_delay_seconds)
        try:
            suffix = path.suffix.lower()
            if suffix not in VIDEO_SUFFIXES | IMAGE_SUFFIXES:
                raise UnsupportedFile("this program does not open such files")
            if suffix in VIDEO_SUFFIXES or await asyncio.to_thread(is_animated, path, self._limits):
                await self._load_video(path)
            else:
                await self._load_image(path)
        except ResultError as error:
            self._show_failure(path, error)
            return
        self.post_message(self.Loaded(self, path, self.duration_seconds))

    async def _load_image(self, path: Path) -> None:
        canvas, ground = self._canvas(), self.background_colors[1].rgb
        graphics, cache, limits = self.graphics, self._cache, self._limits

        def draw() -> Drawing:
            frame = cache.load_image(path, canvas, background=ground, limits=limits)
            return graphics.render(frame)

        self.duration_seconds = self.position = 0.0
        self._is_still = True
        self._show_drawing(await asyncio.to_thread(draw))

    async def _load_video(self, path: Path) -> None:
        from eternal_tui.media.decode.video import AsyncVideo

        ground = self.background_colors[1].rgb
        clip = self._video = await AsyncVideo.open(path, limits=self._limits, background=ground)
        self._zoom_state.set_source_size((clip.info.width, clip.info.height), self._canvas(for_video=True))
        clip.resize(self._canvas(for_video=True))
        self.duration_seconds = clip.info.seconds
        self._playhead.frame_rate = clip.info.frame_rate
        found = await clip.frame_at(self.position)
        if found is not None:
            await self._show_frame(found)

    async def _close_video(self) -> None:
        clip, self._video = self._video, None
        if clip is not None:
            await clip.close()

    # Looking closer

    @property
    def zoom_factor(self) -> float:
        """How many times larger than fitted it is drawn."""
        return self._zoom_state.viewport.zoom

    def zoom_by(self, steps: int) -> None:
        """Draw it larger by steps, smaller where negative, whole again for 0; a clip goes on playing if it plays."""
        before = self._zoom_state.viewport
        self._zoom_state.zoom_by(steps)
        self._redraw_viewport(before)

    def pan(self, right: int, down: int) -> None:
        """Move the part of a zoomed picture that is in view, by steps to the right and down."""
        before = self._zoom_state.viewport
        self._zoom_state.pan(right, down, self._canvas(for_video=self._video is not None))
        self._redraw_viewport(before)

    def _canvas(self, *, for_video: bool = False) -> Canvas:
        cell = self.graphics.video_cell_size if for_video else self.graphics.cell_size
        return Canvas(*self.size, cell, self._zoom_state.viewport)

    def _redraw_viewport(self, previous: Viewport) -> None:
        path = self.path
        if path is None or self._zoom_state.viewport == previous or not self.has_drawing:
            return
        if self._video is not None:
            self._redraw_video_viewport(self._video)
        elif self._is_still and not self._is_drawing_viewport():
            self._run_exclusive(lambda: self._draw_viewport(path), _VIEWPORT_GROUP)

    def _redraw_video_viewport(self, video: AsyncVideo) -> None:
        video.resize(self._canvas(for_video=True))
        if not self.playing:
            self.redraw()

    def _is_drawing_viewport(self) -> bool:
        return any(
            worker.group == _VIEWPORT_GROUP and worker.node is self and worker.is_running for worker in self.workers
        )

    async def _draw_viewport(self, path: Path) -> None:
        """Draw the part in view until no other is wanted: a key held down is never more than one drawing ahead."""
        drawn: Viewport | None = None
        try:
            if not all(self._zoom_state.source_size):
                size = await asyncio.to_thread(image_size, path, self._limits)
                if self.path != path:
                    return
                self._zoom_state.set_source_size(size, self._canvas())
            while self.path == path and self._zoom_state.viewport != drawn:
                drawn = self._zoom_state.viewport
                await self._load_image(path)
        except ResultError as error:
            self._show_failure(path, error)

    # Drawing

    def _show_drawing(self, drawing: Drawing) -> int:
        """Show `drawing` in place of what was held until it came."""
        self._cancel_linger()
        return super()._show_drawing(drawing)

    def _cancel_linger(self) -> None:
        if self._linger_timer is not None:
            self._linger_timer.stop()
            self._linger_timer = None

    def _clear_drawing(self) -> None:
        self._cancel_linger()
        self.position = self.duration_seconds = 0.0
        super()._clear_drawing()
