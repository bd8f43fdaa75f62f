"""The canvas of one clip: it plays, pauses, and is moved by moments and by frames."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual.message import Message
from textual.worker import Worker, WorkerState

from eternal_tui.media.errors import ResultError
from eternal_tui.tui.graphics.base import GraphicsBackend
from eternal_tui.tui.graphics.pacing import FrameBudget
from eternal_tui.tui.picture.canvas import DrawingWidget
from eternal_tui.tui.terminal.compositor import DiffScreen

if TYPE_CHECKING:
    from eternal_tui.media.decode.video import AsyncVideo, TimedFrame

    _ReadFrame = Callable[[], Awaitable[TimedFrame | None]]


HALF_TICK_SECONDS = 0.0005
"""Half of the finest step of time that containers keep, a millisecond."""

LONG_FRAMES, HELD_SECONDS = 1.5, 0.1
"""Frames beyond which a last frame counts as held, and seconds between checks of whether its time is over."""

ROUNDING_FRAMES = 0.25
"""Share of a frame by which it may begin later than it is due: WebM rounds its times to milliseconds."""


class Playhead:
    """The position of a clip of `frame_rate` frames a second while it plays, at `frame_budget`.

    Times are seconds into the clip.

    Frames are due on a grid that begins where playing began, so that no delay adds up: a clip no faster than the pace
    shows each of its frames. Of moments gone by the last is taken, and its frame shown at once.
    """

    def __init__(self, frame_budget: FrameBudget, clock: Callable[[], float]) -> None:
        self.frame_budget = frame_budget
        self.frame_rate = frame_budget.frame_rate
        self._clock = clock
        self._started_at = self._due_seconds = 0.0

    def seek(self, seconds: float) -> None:
        """Go on from this moment."""
        self._started_at, self._due_seconds = self._clock() - seconds, seconds

    def restart(self, duration_seconds: float) -> None:
        """Go on from the beginning once the clip, of `duration_seconds` seconds, has been seen to its end."""
        self._started_at += duration_seconds
        self._due_seconds -= duration_seconds

    @property
    def target_seconds(self) -> float:
        """The moment whose frame is to be shown now."""
        return max(self._due_seconds, self.elapsed_seconds) + ROUNDING_FRAMES / self.frame_rate

    def advance(self, frame_bytes: int) -> float:
        """Go on from a frame that took `frame_bytes` bytes; return the seconds until the next is due."""
        step = max(1.0 / self.frame_rate, self.frame_budget.frame_seconds(frame_bytes))
        self._due_seconds += step * max(1, int((self.elapsed_seconds - self._due_seconds) / step))
        return max(0.0, self._due_seconds - self.elapsed_seconds)

    @property
    def elapsed_seconds(self) -> float:
        """The moment of the clip that it is now."""
        return self._clock() - self._started_at


class VideoPlayer(DrawingWidget):
    """Plays the clip that was given to it, at `frame_budget`, and shows single frames of it while paused.

    `playback_graphics` are the graphics of a playing clip: those of a still one, with fewer colours where the line is
    slow.
    """

    @dataclass
    class Failed(Message, namespace="media_view"):
        """The file cannot be shown, for the reason `reason`."""

        media_view: VideoPlayer
        path: Path
        reason: str

    @dataclass
    class PlaybackChanged(Message, namespace="media_view"):
        """A clip began or stopped playing, or was moved to another moment by hand."""

        media_view: VideoPlayer
        playing: bool
        seconds: float

    def __init__(
        self,
        graphics: GraphicsBackend,
        *,
        frame_budget: FrameBudget | None = None,
        loop: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(graphics)
        self.path: Path | None = None
        self.playing = False
        self._position = 0.0
        self.duration_seconds = 0.0
        self.playback_graphics = graphics
        self._frame_budget = frame_budget or FrameBudget()
        self._loop = loop
        self._playhead = Playhead(self._frame_budget, clock)
        self._video: AsyncVideo | None = None
        self._shown: TimedFrame | None = None
        self._seek_target: float | None = None
        self._pending_steps = 0
        self._redraw_pending = False
        self._seek_worker: Worker[None] | None = None

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show an unexpected error of loading or playing."""
        event.stop()
        if event.state is WorkerState.ERROR and self.path is not None:
            kind = type(event.worker.error).__name__
            self.post_message(self.Failed(self, self.path, f"The file could not be shown ({kind})."))

    def _run_exclusive(self, work: Callable[[], Awaitable[None]], group: str) -> Worker[None]:
        """Run `work` in place of what runs in `group`."""

        # A function, not a coroutine: one overtaken before it began would complain of never being awaited.
        async def run() -> None:
            await work()

        return self.run_worker(run, group=group, exclusive=True, exit_on_error=False)

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
        self._run_exclusive(lambda: self._run_playback(clip), "picture-play")

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
            self._seek_worker = self._run_exclusive(self._run_seek, "picture-play")

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
                    # Time for one read ran out on the way there: show where it is, and go on.
                    self._seek_target = self.position
                await self._show_frame(found)
                self.post_message(self.PlaybackChanged(self, playing=self.playing, seconds=self.position))

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
                if found.is_last and not self._loop:
                    self._playhead.seek(self.duration_seconds)
                    break
                if found.is_last:
                    head.restart(found.until)
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
        """Tell whether anyone can see the clip: it is shown, on the current screen, in a focused terminal."""
        return self.display and self.app.app_focus and self.screen.is_active and self.is_on_screen

    async def _show_frame(self, video_frame: TimedFrame) -> int:
        self._shown = video_frame
        playing, graphics = self.playing, self.playback_graphics if self.playing else self.graphics
        moving = playing or graphics.video_cell_size != graphics.cell_size
        drawing = await asyncio.to_thread(graphics.render, video_frame.frame, handle=self._handle, animated=moving)
        written = self._show_drawing(drawing)
        if playing and isinstance(self.screen, DiffScreen):
            # At once: the usual way is a beat of its own, and frames would come unevenly.
            self.screen.paint_now(self)
        return written
