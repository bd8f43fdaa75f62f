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
from eternal_tui.tui.graphics.base import Graphics
from eternal_tui.tui.graphics.pacing import Pace
from eternal_tui.tui.picture.canvas import Canvas
from eternal_tui.tui.terminal.compositor import CellScreen

if TYPE_CHECKING:
    from eternal_tui.media.decode.video import AsyncClip, ClipFrame

    _Read = Callable[[], Awaitable[ClipFrame | None]]


ROUNDING = 0.25
"""Share of a frame by which it may begin later than it is due: WebM rounds its times to milliseconds."""


class Playhead:
    """Where a clip of `rate` frames a second stands while it plays, at `pace`; times are seconds into the clip.

    Frames are due on a grid that begins where playing began, so that no delay adds up: a clip no faster than the pace
    shows each of its frames. Of moments gone by the last is taken, and its frame shown at once.
    """

    def __init__(self, pace: Pace, clock: Callable[[], float]) -> None:
        self.pace = pace
        self.rate = pace.frame_rate
        self._clock = clock
        self._began = self._due = 0.0

    def stand_at(self, seconds: float) -> None:
        """Go on from this moment."""
        self._began, self._due = self._clock() - seconds, seconds

    def start_over(self, length: float) -> None:
        """Go on from the beginning once the clip, of `length` seconds, has been seen to its end."""
        self._began += length
        self._due -= length

    @property
    def wanted(self) -> float:
        """The moment whose frame is to be shown now."""
        return max(self._due, self._moment) + ROUNDING / self.rate

    def advance(self, written: int) -> float:
        """Go on from a frame that took `written` bytes; return the seconds until the next is due."""
        step = max(1.0 / self.rate, self.pace.seconds_for(written))
        self._due += step * max(1, int((self._moment - self._due) / step))
        return max(0.0, self._due - self._moment)

    @property
    def _moment(self) -> float:
        return self._clock() - self._began


class ClipPlayer(Canvas):
    """Plays the clip that was given to it, at `pace`, and shows single frames of it while it stands.

    `in_motion` are the graphics of a playing clip: those of a still one, with fewer colours where the line is slow.
    """

    @dataclass
    class Failed(Message, namespace="picture"):
        """The file cannot be shown, for the reason `sentence`."""

        picture: ClipPlayer
        path: Path
        sentence: str

    @dataclass
    class Moved(Message, namespace="picture"):
        """A clip began or stopped playing, or was moved to another moment by hand."""

        picture: ClipPlayer
        playing: bool
        seconds: float

    def __init__(
        self,
        graphics: Graphics,
        *,
        pace: Pace | None = None,
        loop: bool = False,
        clock: Callable[[], float] = time.monotonic,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - Textual's own name for it
        classes: str | None = None,
    ) -> None:
        super().__init__(graphics, name=name, id=id, classes=classes)
        self.path: Path | None = None
        self.playing = False
        self.position = 0.0
        self.seconds = 0.0
        self.in_motion = graphics
        self._pace = pace or Pace()
        self._loop = loop
        self._head = Playhead(self._pace, clock)
        self._clip: AsyncClip | None = None
        self._target: float | None = None
        self._steps = 0
        self._stale = False
        self._looking: Worker[None] | None = None

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Say so where loading or playing ended in an error nobody foresaw."""
        event.stop()
        if event.state is WorkerState.ERROR and self.path is not None:
            kind = type(event.worker.error).__name__
            self.post_message(self.Failed(self, self.path, f"The file could not be shown ({kind})."))

    def _start(self, work: Callable[[], Awaitable[None]], group: str) -> Worker[None]:
        """Run `work` in place of what runs in `group`."""

        # A function, not a coroutine: one overtaken before it began would complain of never being awaited.
        async def run() -> None:
            await work()

        return self.run_worker(run, group=group, exclusive=True, exit_on_error=False)

    def _fail(self, path: Path, error: ResultError) -> None:
        self._wipe()
        self.post_message(self.Failed(self, path, error.sentence))

    def play(self) -> None:
        """Play the clip from where it stands, from its start if it stands at its end."""
        self.play_from(0.0 if self.at_end else self.position)

    @property
    def at_end(self) -> bool:
        """Whether the last frame of a clip stands on the screen."""
        return self._clip is not None and self.position >= self.seconds - 1.5 / self._clip.facts.rate

    def play_from(self, seconds: float) -> None:
        """Play the clip from `seconds` on; a shorter one stays at its end."""
        clip = self._clip
        if clip is None or self.playing:
            return
        self.position = min(max(0.0, seconds), self.seconds)
        self.playing = True
        self._stop_looking()
        self._head.stand_at(self.position)
        self.post_message(self.Moved(self, playing=self.playing, seconds=self.position))
        self._start(lambda: self._play(clip), "picture-play")

    def pause(self) -> None:
        """Stop at the frame that stands on the screen."""
        if self.playing:
            self.playing = False
            self.post_message(self.Moved(self, playing=self.playing, seconds=self.position))

    def _stop_looking(self) -> None:
        self._target, self._steps, self._stale, self._looking = None, 0, False, None

    def toggle(self) -> None:
        """Play if the clip stands still, pause if it plays."""
        if self.playing:
            self.pause()
        else:
            self.play()

    def scrub(self, share: float) -> None:
        """Move by a share of the clip's length, forwards or back: 0.05 is a twentieth."""
        self.seek(self.position + share * self.seconds)

    def seek(self, seconds: float) -> None:
        """Move to `seconds` into the clip; it goes on playing if it plays."""
        if self._clip is None:
            return
        self.position = min(max(0.0, seconds), self.seconds)
        self._head.stand_at(self.position)
        if not self.playing:
            self._target, self._steps = self.position, 0
            self._look()

    def step(self, frames: int) -> None:
        """Pause and move by that many frames."""
        if self._clip is not None:
            self.pause()
            self._steps += frames
            self._look()

    def look_again(self) -> None:
        """Draw the frame anew that a clip stands at, or is about to be moved to."""
        self._stale = True
        self._look()

    def _look(self) -> None:
        if self._looking is None or self._looking.is_finished:
            self._looking = self._start(self._look_at, "picture-play")

    async def _look_at(self) -> None:
        """Show what a clip that stands is to be moved to, until nothing else is wanted.

        Keys that come faster than frames are added up, and none overtakes another: of several clips moved together
        each would lose other ones.
        """
        while (clip := self._clip) is not None and (self._target is not None or self._steps or self._stale):
            target, steps = self._target, self._steps
            self._target, self._steps, self._stale = None, 0, False
            if target is None and not steps:
                target = self.position
            found = None if target is None else await self._read(partial(clip.frame_at, target))
            if steps:
                found = await self._read(partial(clip.step, steps))
            if found is not None:
                await self._put_frame(found)
                self.post_message(self.Moved(self, playing=self.playing, seconds=self.position))

    async def _play(self, clip: AsyncClip) -> None:
        """Show frame after frame; where the line does not keep up colours go first, and then frames."""
        head, behind, found = self._head, False, None
        while self.playing and self._is_watched():
            written, before = 0, behind
            behind = self._line_is_behind()
            if behind and not before:
                self._thin()
            if not behind:
                found = await self._read(partial(clip.frame_at, head.wanted))
                if found is None:
                    break
                written = await self._put_frame(found)
                if self._pace.is_overspent(written):
                    self._thin()
                if found.last and not self._loop:
                    break
                if found.last:
                    head.start_over(found.seconds + 1 / head.rate)
            await asyncio.sleep(head.advance(written))
        self.pause()
        if found is not None:
            # What stands still is looked at: in all its colours.
            await self._put_frame(found)

    def _thin(self) -> None:
        self.in_motion = self.in_motion.thinned() or self.in_motion

    async def _read(self, read: _Read) -> ClipFrame | None:
        """Return what `read` finds, None if it was overtaken or the clip turned out broken."""
        path = self.path
        try:
            return await read()
        except ResultError as error:
            if path is not None:
                self._fail(path, error)
            return None

    def _is_watched(self) -> bool:
        """Tell whether anyone can see the clip: it is shown, on the current screen, in a focused terminal."""
        return self.display and self.app.app_focus and self.screen.is_active and self.is_on_screen

    async def _put_frame(self, found: ClipFrame) -> int:
        self.position = found.seconds
        playing, graphics = self.playing, self.in_motion if self.playing else self.graphics
        moving = playing or graphics.clip_cell != graphics.cell
        drawing = await asyncio.to_thread(graphics.render, found.frame, handle=self._handle, moving=moving)
        written = self._put(drawing)
        if playing and isinstance(self.screen, CellScreen):
            # At once: the usual way is a beat of its own, and frames would come unevenly.
            self.screen.paint(self)
        return written
