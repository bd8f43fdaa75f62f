"""The widget that shows a result: a picture, a clip that plays in place, or words."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import events, work
from textual.message import Message
from textual.timer import Timer
from textual.worker import Worker, WorkerState

from eternal_tui.core.sanitize import SafeText, split_safe_lines
from eternal_tui.media.decode.filetype import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from eternal_tui.media.decode.frame import WHOLE_VIEWPORT, Canvas, Viewport, pan_viewport, visible_crop, zoom_viewport
from eternal_tui.media.decode.images import FrameCache, image_size, is_animated
from eternal_tui.media.errors import ResultError, UnsupportedFile
from eternal_tui.media.limits import DecodeLimits
from eternal_tui.tui.graphics.base import Drawing, GraphicsBackend
from eternal_tui.tui.graphics.thumbnails import DECODE_DELAY_SECONDS
from eternal_tui.tui.picture.canvas import DrawingWidget
from eternal_tui.tui.picture.pacing import FrameBudget, Playhead
from eternal_tui.tui.terminal.compositor import DiffScreen

if TYPE_CHECKING:
    from eternal_tui.media.decode.video import AsyncVideo, TimedFrame

    _ReadFrame = Callable[[], Awaitable[TimedFrame | None]]

HALF_TICK_SECONDS = 0.0005
"""Half of the finest step of time that containers keep, a millisecond."""

LONG_FRAMES, HELD_SECONDS = 1.5, 0.1
"""Frames beyond which a last frame counts as held, and seconds between checks of whether its time is over."""

LINGER_SECONDS = 0.15
"""Seconds the previous picture stays while the next is decoded: a quick one replaces it without a flicker."""

_LIMITS = DecodeLimits()


class ZoomState:
    """The part in view of one picture; its size in pixels is learned later than its first keys may come."""

    def __init__(self) -> None:
        self.viewport = WHOLE_VIEWPORT
        self.source_size = (0, 0)
        self._pending_pans: list[tuple[int, int]] = []

    def reset(self) -> None:
        """Reset to the whole of another picture, whose size is not known yet."""
        self.viewport, self.source_size = WHOLE_VIEWPORT, (0, 0)
        self._pending_pans.clear()

    def set_source_size(self, source_size: tuple[int, int], canvas: Canvas) -> None:
        """Set the picture's size in pixels and apply the pans queued before."""
        self.source_size = source_size
        for right, down in self._pending_pans:
            self._apply_pan(right, down, canvas)
        self._pending_pans.clear()

    def zoom_by(self, steps: int) -> None:
        """Zoom in by steps, out where negative, to the whole picture for 0."""
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


class MediaView(DrawingWidget):
    """Shows one file, centred, its aspect kept, as large as the widget is.

    Decodes off the event loop and only what is still wanted after `decode_delay_seconds` seconds; the picture before
    stays for up to `linger_seconds` seconds, so that a quick successor comes without a blink. Nothing runs while a
    still is shown. A clip plays at `frame_budget`, and shows single frames while paused. `message` is shown instead
    where there is nothing to draw with, nothing to draw, or a broken file.
    """

    DEFAULT_CSS = "MediaView { width: 1fr; height: 1fr; content-align: center middle; text-align: center; }"

    @dataclass
    class Loaded(Message):
        """The file is on the screen; `duration_seconds` is a clip's length, 0 for a still."""

        media_view: MediaView
        path: Path
        duration_seconds: float

    @dataclass
    class Failed(Message):
        """The file cannot be shown, for the reason `reason`."""

        media_view: MediaView
        path: Path
        reason: str

    @dataclass
    class PlaybackChanged(Message):
        """A clip began or stopped playing, or was moved to another moment by hand."""

        media_view: MediaView
        playing: bool
        seconds: float

    def __init__(
        self,
        graphics: GraphicsBackend,
        *,
        frame_budget: FrameBudget | None = None,
        cache: FrameCache | None = None,
        decode_delay_seconds: float = DECODE_DELAY_SECONDS,
        linger_seconds: float = LINGER_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(graphics)
        self.path: Path | None = None
        self.playing = False
        self.duration_seconds = 0.0
        # Those of a playing clip: fewer colours where the line is slow.
        self.playback_graphics = graphics
        self._frame_budget = frame_budget or FrameBudget()
        self._cache = cache or FrameCache()
        self._decode_delay_seconds = decode_delay_seconds
        self._linger_seconds = linger_seconds
        self._linger_timer: Timer | None = None
        self._zoom_state = ZoomState()
        self._viewport_worker: Worker[None] | None = None
        self._position = 0.0
        self._playhead = Playhead(self._frame_budget, clock)
        self._video: AsyncVideo | None = None
        self._shown: TimedFrame | None = None
        self._seek_target: float | None = None
        self._pending_steps = 0
        self._redraw_pending = False
        self._seek_worker: Worker[None] | None = None

    # Content

    def set_file(self, path: Path | None, message: SafeText = SafeText("")) -> None:  # noqa: B008 - a NewType, not a call
        """Show `path`, or nothing but `message` if it is None; a newer call overtakes an older one."""
        self.pause()
        self.path = path
        self._zoom_state.reset()
        self._cancel_seek()
        self._message_lines = split_safe_lines(message)
        self.position = self.duration_seconds = 0.0
        self._shown = None
        if path is None or not self.has_drawing:
            self._clear_drawing()
        elif self._linger_timer is None:
            # Counted from the first change: a held key must not keep an old picture on the screen.
            self._linger_timer = self.set_timer(self._linger_seconds, self._clear_drawing)
        self._load_file(path)

    def on_resize(self, event: events.Resize) -> None:
        """Draw again for the new size."""
        clip = self._video
        if clip is None:
            if self.path is not None and event.size.area:
                self._load_file(self.path)
        elif event.size.area:
            self._redraw_video_viewport(clip)

    async def on_unmount(self) -> None:
        """Let the terminal and the decoder forget."""
        self._forget_drawing()
        await self._close_video()

    @work(group="picture", exclusive=True, exit_on_error=False)
    async def _load_file(self, path: Path | None) -> None:
        await self._close_video()
        if path is None or not any(self.graphics.cell_size) or not self.size.area:
            return
        await asyncio.sleep(self._decode_delay_seconds)
        try:
            suffix = path.suffix.lower()
            if suffix not in VIDEO_SUFFIXES | IMAGE_SUFFIXES:
                raise UnsupportedFile("this program does not open such files")
            if suffix in VIDEO_SUFFIXES or await asyncio.to_thread(is_animated, path, _LIMITS):
                await self._load_video(path)
            else:
                await self._load_image(path)
        except ResultError as error:
            self._show_failure(path, error)
            return
        self.post_message(self.Loaded(self, path, self.duration_seconds))

    async def _load_image(self, path: Path) -> None:
        canvas, ground = self._canvas(), self.background_colors[1].rgb
        graphics, cache = self.graphics, self._cache

        def draw() -> Drawing:
            frame = cache.load_image(path, canvas, background=ground, limits=_LIMITS)
            return graphics.render(frame)

        self.duration_seconds = self.position = 0.0
        self._show_drawing(await asyncio.to_thread(draw))

    async def _load_video(self, path: Path) -> None:
        from eternal_tui.media.decode.video import AsyncVideo

        ground = self.background_colors[1].rgb
        clip = self._video = await AsyncVideo.open(path, limits=_LIMITS, background=ground)
        self._zoom_state.set_source_size((clip.info.width, clip.info.height), self._canvas())
        clip.resize(self._canvas())
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
        """Scale relative to the fitted picture."""
        return self._zoom_state.viewport.zoom

    def zoom_by(self, steps: int) -> None:
        """Zoom in by steps, out where negative, to the whole picture for 0; a clip keeps playing."""
        before = self._zoom_state.viewport
        self._zoom_state.zoom_by(steps)
        self._redraw_viewport(before)

    def pan(self, right: int, down: int) -> None:
        """Move the part of a zoomed picture that is in view, by steps to the right and down."""
        before = self._zoom_state.viewport
        self._zoom_state.pan(right, down, self._canvas())
        self._redraw_viewport(before)

    def _canvas(self) -> Canvas:
        cell = self.graphics.cell_size if self._video is None else self.graphics.video_cell_size
        return Canvas(*self.size, cell, self._zoom_state.viewport)

    def _redraw_viewport(self, previous: Viewport) -> None:
        path = self.path
        if path is None or self._zoom_state.viewport == previous or not self.has_drawing:
            return
        if self._video is not None:
            self._redraw_video_viewport(self._video)
        elif self._linger_timer is None and (self._viewport_worker is None or self._viewport_worker.is_finished):
            self._viewport_worker = self._draw_viewport(path)

    def _redraw_video_viewport(self, video: AsyncVideo) -> None:
        video.resize(self._canvas())
        if not self.playing:
            self.redraw()

    @work(group="picture-parts", exclusive=True, exit_on_error=False)
    async def _draw_viewport(self, path: Path) -> None:
        """Draw the part in view until no other is wanted: a key held down is never more than one drawing ahead."""
        drawn: Viewport | None = None
        try:
            if not all(self._zoom_state.source_size):
                size = await asyncio.to_thread(image_size, path, _LIMITS)
                if self.path != path:
                    return
                self._zoom_state.set_source_size(size, self._canvas())
            while self.path == path and self._zoom_state.viewport != drawn:
                drawn = self._zoom_state.viewport
                await self._load_image(path)
        except ResultError as error:
            self._show_failure(path, error)

    # Playing

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show an unexpected error of loading or playing."""
        event.stop()
        if event.state is WorkerState.ERROR and self.path is not None:
            kind = type(event.worker.error).__name__
            self.post_message(self.Failed(self, self.path, f"The file could not be shown ({kind})."))

    def _show_failure(self, path: Path, error: ResultError) -> None:
        self._clear_drawing()
        self.post_message(self.Failed(self, path, error.message))

    def play(self) -> None:
        """Play the clip from its position, from its start if it is at its end."""
        self.play_from(0.0 if self.is_at_end else self.position)

    @property
    def position(self) -> float:
        """The wanted moment in seconds: while playing the clock's, else where it was moved to.

        The frame on the screen may have begun long before it.
        """
        if self.playing:
            return min(self._playhead.elapsed_seconds, self.duration_seconds)
        return self._position

    @position.setter
    def position(self, seconds: float) -> None:
        self._position = seconds

    @property
    def is_at_end(self) -> bool:
        """Whether the last frame of a clip is on the screen."""
        return self._shown is not None and self._shown.is_last

    @property
    def is_seeking(self) -> bool:
        """Whether the frame on the screen is one on the way to the wanted moment."""
        return self._shown is not None and not self._shown.reached

    def play_from(self, seconds: float) -> None:
        """Play the clip from `seconds` on; a shorter one stays at its end."""
        clip = self._video
        if clip is None or self.playing:
            return
        self.position = min(max(0.0, seconds), self.duration_seconds)
        self._cancel_seek()
        self._playhead.seek(self.position)
        self.playing = True
        self.post_message(self.PlaybackChanged(self, playing=True, seconds=self._position))
        self._run_playback(clip)

    def pause(self) -> None:
        """Stop at the frame that is on the screen."""
        if self.playing:
            at, shown = self.position, self._shown
            self.playing = False
            # Within the frame on the screen, though the clock may be past it on a slow line.
            if shown is not None and not shown.is_last:
                at = max(shown.seconds, min(at, shown.until - HALF_TICK_SECONDS))
            self.position = at
            self.post_message(self.PlaybackChanged(self, playing=self.playing, seconds=self.position))

    def _cancel_seek(self) -> None:
        self._seek_target, self._pending_steps, self._redraw_pending, self._seek_worker = None, 0, False, None

    def toggle_playback(self) -> None:
        """Play if the clip is paused, else pause."""
        if self.playing:
            self.pause()
        else:
            self.play()

    def scrub(self, share: float) -> None:
        """Move by a share of the clip's length, forwards or back: 0.05 is a twentieth."""
        self.seek(self.position + share * self.duration_seconds)

    def seek(self, seconds: float) -> None:
        """Move to `seconds` into the clip; it goes on playing if it plays."""
        if self._video is None:
            return
        self.position = min(max(0.0, seconds), self.duration_seconds)
        self._playhead.seek(self._position)
        if not self.playing:
            self._seek_target, self._pending_steps = self.position, 0
            self._start_seek()

    def step(self, frames: int) -> None:
        """Pause and move by that many frames."""
        if self._video is not None:
            self.pause()
            self._pending_steps += frames
            self._start_seek()

    def redraw(self) -> None:
        """Draw the clip's current frame again, or the one it is about to be moved to."""
        self._redraw_pending = True
        self._start_seek()

    def _start_seek(self) -> None:
        if self._seek_worker is None or self._seek_worker.is_finished:
            self._seek_worker = self._run_seek()

    @work(group="picture-play", exclusive=True, exit_on_error=False)
    async def _run_seek(self) -> None:
        """Show the frame a paused clip is moved to, until no other is wanted.

        Keys that come faster than frames are added up, and none overtakes another: of several clips moved together
        each would lose other ones.
        """
        while (clip := self._video) is not None and (
            self._seek_target is not None or self._pending_steps or self._redraw_pending
        ):
            target, steps = self._seek_target, self._pending_steps
            self._seek_target, self._pending_steps, self._redraw_pending = None, 0, False
            if target is None and not steps:
                target = self.position
            found = None if target is None else await self._read_frame(partial(clip.frame_at, target))
            if steps:
                found = await self._read_frame(partial(clip.step, steps))
                self.position = self.position if found is None else found.seconds
            if found is not None:
                if not found.reached and not self._pending_steps:
                    # The time for one read ran out on the way: show the current frame, and continue.
                    self._seek_target = self.position
                await self._show_frame(found)
                self.post_message(self.PlaybackChanged(self, playing=self.playing, seconds=self.position))

    @work(group="picture-play", exclusive=True, exit_on_error=False)
    async def _run_playback(self, video: AsyncVideo) -> None:
        """Show frame after frame; where the line does not keep up colours go first, and then frames."""
        head, behind, found = self._playhead, False, None
        while self.playing and self._is_seen():
            written, before = 0, behind
            behind = self._is_link_congested()
            if behind and not before:
                self._reduce_quality()
            if not behind:
                found = await self._read_frame(partial(video.frame_at, head.target_seconds))
                if found is None:
                    break
                written = await self._show_frame(found)
                if self._frame_budget.is_exceeded_by(written):
                    self._reduce_quality()
                if found.is_last and (left := found.until - head.elapsed_seconds) > LONG_FRAMES / head.frame_rate:
                    # A last frame that is held: the clip is over when its time is.
                    await asyncio.sleep(min(left, HELD_SECONDS))
                    continue
                if found.is_last:
                    head.seek(self.duration_seconds)
                    break
            await asyncio.sleep(head.advance(written))
        self.pause()
        if found is not None:
            # A paused frame is shown in all its colours.
            await self._show_frame(found)

    def _reduce_quality(self) -> None:
        self.playback_graphics = self.playback_graphics.lower_quality() or self.playback_graphics

    async def _read_frame(self, read_frame: _ReadFrame) -> TimedFrame | None:
        """Return what `read_frame` finds, None if it was overtaken or the clip turned out broken."""
        path = self.path
        try:
            return await read_frame()
        except ResultError as error:
            if path is not None:
                self._show_failure(path, error)
            return None

    def _is_seen(self) -> bool:
        """Whether the clip can be seen: displayed, on the current screen, in a focused terminal."""
        return self.display and self.app.app_focus and self.screen.is_active and self.is_on_screen

    async def _show_frame(self, video_frame: TimedFrame) -> int:
        self._shown = video_frame
        playing, graphics = self.playing, self.playback_graphics if self.playing else self.graphics
        moving = playing or graphics.video_cell_size != graphics.cell_size
        drawing = await asyncio.to_thread(graphics.render, video_frame.frame, handle=self._handle, animated=moving)
        written = self._show_drawing(drawing)
        if playing and isinstance(self.screen, DiffScreen):
            # At once: a regular refresh has its own rhythm, and frames would be uneven.
            self.screen.paint_now(self)
        return written

    # Drawing

    def _show_drawing(self, drawing: Drawing) -> int:
        """Show `drawing` in place of the previous picture."""
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
