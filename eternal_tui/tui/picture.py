"""The widget that shows a result: a picture, a clip that plays in place, or words."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import events
from textual.message import Message
from textual.timer import Timer
from textual.worker import Worker, WorkerState

from eternal_tui.media.errors import ResultError
from eternal_tui.media.limits import DecodeLimits
from eternal_tui.media.stills import FrameCache, still_size
from eternal_tui.tui.canvas import Canvas
from eternal_tui.tui.closer import Closer, Room
from eternal_tui.tui.compositor import CellScreen
from eternal_tui.tui.graphics.pace import Pace
from eternal_tui.tui.graphics.protocol import Drawing, Graphics
from eternal_tui.tui.playhead import Playhead
from eternal_tui.untrusted import Shown, lines_of

if TYPE_CHECKING:
    from eternal_tui.media.clips import AsyncClip, ClipFrame
    from eternal_tui.media.view import View

    _Read = Callable[[], Awaitable[ClipFrame | None]]

SETTLE = 0.03
"""Seconds a choice must stand before it is decoded: `j` held down repeats about every 30 ms."""

HOLD = 0.15
"""Seconds the picture before stays while its successor is on its way: what comes sooner comes without a blink."""

CLIPS = frozenset({".mp4", ".mov", ".webm"})
_PARTS = "picture-parts"


class Picture(Canvas):
    """Shows one file, centred, its aspect kept, as large as the widget is.

    `in_motion` are the graphics of a playing clip: those of a still one, with fewer colours where the line is slow.
    Decodes off the event loop and only what still stands after `settle` seconds; the picture before stays for up to
    `hold` seconds, so that a quick successor comes without a blink. Nothing runs while a still is shown. `words` stand
    in its place where there is nothing to draw with, nothing to draw, or a broken file.
    """

    DEFAULT_CSS = "Picture { width: 1fr; height: 1fr; }"

    @dataclass
    class Loaded(Message):
        """The file is on the screen; `seconds` is a clip's length, 0 for a still."""

        picture: Picture
        path: Path
        seconds: float

    @dataclass
    class Failed(Message):
        """The file cannot be shown, for the reason `sentence`."""

        picture: Picture
        path: Path
        sentence: str

    @dataclass
    class Moved(Message):
        """A clip began or stopped playing, or was moved to another moment by hand."""

        picture: Picture
        playing: bool
        seconds: float

    def __init__(
        self,
        graphics: Graphics,
        *,
        pace: Pace | None = None,
        cache: FrameCache | None = None,
        limits: DecodeLimits | None = None,
        loop: bool = False,
        settle: float = SETTLE,
        hold: float = HOLD,
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
        self._cache = cache or FrameCache()
        self._limits = limits or DecodeLimits()
        self._loop = loop
        self._settle = settle
        self._hold_for = hold
        self._head = Playhead(self._pace, clock)
        self._clip: AsyncClip | None = None
        self._hold: Timer | None = None
        self._closer = Closer()

    # What it shows

    def show(self, path: Path | None, words: Shown = Shown("")) -> None:  # noqa: B008 - a NewType, not a call
        """Show `path`, or nothing but `words` if it is None; a newer call overtakes an older one."""
        self.pause()
        self.path = path
        self._closer.forget()
        self._words = lines_of(words)
        self.position = self.seconds = 0.0
        if path is None or not self.draws:
            self._wipe()
        elif self._hold is None:
            # Counted from the first change: a key held down does not keep a picture that has long been left.
            self._hold = self.set_timer(self._hold_for, self._wipe)
        self._reload(path)

    def on_resize(self, event: events.Resize) -> None:
        """Draw anew for the new size."""
        clip = self._clip
        if clip is None:
            if self.path is not None and event.size.area:
                self._reload(self.path)
        elif event.size.area:
            self._look_at_part_of(clip)

    async def on_unmount(self) -> None:
        """Let the terminal and the decoder forget."""
        self._leave()
        await self._close_clip()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Say so where loading or playing ended in an error nobody foresaw."""
        event.stop()
        if event.state is WorkerState.ERROR and self.path is not None:
            kind = type(event.worker.error).__name__
            self.post_message(self.Failed(self, self.path, f"The file could not be shown ({kind})."))

    def _reload(self, path: Path | None) -> None:
        self._start(lambda: self._load(path), "picture")

    def _start(self, work: Callable[[], Awaitable[None]], group: str) -> Worker[None]:
        """Run `work` in place of what runs in `group`."""

        # A function, not a coroutine: one overtaken before it began would complain of never being awaited.
        async def run() -> None:
            await work()

        return self.run_worker(run, group=group, exclusive=True, exit_on_error=False)

    async def _load(self, path: Path | None) -> None:
        await self._close_clip()
        if path is None or self.graphics.cell == (0, 0) or not self.size.area:
            return
        await asyncio.sleep(self._settle)
        try:
            if path.suffix.lower() in CLIPS:
                await self._load_clip(path)
            else:
                await self._load_still(path)
        except ResultError as error:
            self._fail(path, error)
            return
        self.post_message(self.Loaded(self, path, self.seconds))

    def _fail(self, path: Path, error: ResultError) -> None:
        self._wipe()
        self.post_message(self.Failed(self, path, error.sentence))

    async def _load_still(self, path: Path) -> None:
        columns, rows = self.size
        ground = self.background_colors[1].rgb
        graphics, cache, limits, view = self.graphics, self._cache, self._limits, self._closer.view

        def draw() -> Drawing:
            cell = graphics.cell
            frame = cache.still(path, columns, rows, cell=cell, background=ground, limits=limits, view=view)
            return graphics.render(frame)

        self.seconds = self.position = 0.0
        self._put(await asyncio.to_thread(draw))

    async def _load_clip(self, path: Path) -> None:
        from eternal_tui.media.clips import AsyncClip

        clip = self._clip = await AsyncClip.open(path, 1, 1, limits=self._limits)
        self._closer.learn((clip.facts.width, clip.facts.height), self._room(clip_cell=True))
        clip.resize(*self._room(clip_cell=True), self._closer.view)
        self.seconds = clip.facts.seconds or 0.0
        self._head.rate = clip.facts.rate
        found = await clip.frame_at(self.position)
        if found is not None:
            await self._put_frame(found)

    async def _close_clip(self) -> None:
        clip, self._clip = self._clip, None
        if clip is not None:
            await clip.close()

    # Looking closer

    @property
    def zoom(self) -> float:
        """How many times larger than fitted it is drawn."""
        return self._closer.view.zoom

    def look_closer(self, steps: int) -> None:
        """Draw it larger by steps, smaller where negative, whole again for 0; a clip goes on playing if it plays."""
        before = self._closer.view
        self._closer.zoom(steps)
        self._look_at_part(before)

    def pan(self, right: int, down: int) -> None:
        """Move the part of a zoomed picture that is in view, by steps to the right and down."""
        before = self._closer.view
        self._closer.pan(right, down, self._room(clip_cell=self._clip is not None))
        self._look_at_part(before)

    def _room(self, *, clip_cell: bool = False) -> Room:
        return Room(*self.size, self.graphics.clip_cell if clip_cell else self.graphics.cell)

    def _look_at_part(self, before: View) -> None:
        path = self.path
        if path is None or self._closer.view == before or not self.draws:
            return
        if self._clip is not None:
            self._look_at_part_of(self._clip)
        elif path.suffix.lower() not in CLIPS and not self._draws_parts():
            self._start(lambda: self._draw_parts(path), _PARTS)

    def _look_at_part_of(self, clip: AsyncClip) -> None:
        clip.resize(*self._room(clip_cell=True), self._closer.view)
        if not self.playing:
            target = self.position
            self._look(lambda: clip.frame_at(target))

    def _draws_parts(self) -> bool:
        return any(worker.group == _PARTS and worker.node is self and worker.is_running for worker in self.workers)

    async def _draw_parts(self, path: Path) -> None:
        """Draw the part in view until no other is wanted: a key held down is never more than one drawing ahead."""
        drawn: View | None = None
        try:
            if not all(self._closer.source):
                size = await asyncio.to_thread(still_size, path, self._limits)
                if self.path != path:
                    return
                self._closer.learn(size, self._room())
            while self.path == path and self._closer.view != drawn:
                drawn = self._closer.view
                await self._load_still(path)
        except ResultError as error:
            self._fail(path, error)

    # Playing

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
        self._head.stand_at(self.position)
        self.post_message(self.Moved(self, playing=self.playing, seconds=self.position))
        self._start(lambda: self._play(clip), "picture-play")

    def pause(self) -> None:
        """Stop at the frame that stands on the screen."""
        if self.playing:
            self.playing = False
            self.post_message(self.Moved(self, playing=self.playing, seconds=self.position))

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
        clip = self._clip
        if clip is None:
            return
        self.position = min(max(0.0, seconds), self.seconds)
        self._head.stand_at(self.position)
        if not self.playing:
            target = self.position
            self._look(lambda: clip.frame_at(target))

    def step(self, frames: int) -> None:
        """Pause and move by that many frames."""
        clip = self._clip
        if clip is not None:
            self.pause()
            self._look(lambda: clip.step(frames))

    def _look(self, read: _Read) -> None:
        self._start(lambda: self._look_at(read), "picture-play")

    async def _look_at(self, read: _Read) -> None:
        found = await self._read(read)
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

    # Drawing

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

    def _put(self, drawing: Drawing) -> int:
        """Show `drawing` in place of what was held until it came."""
        self._stop_holding()
        return super()._put(drawing)

    def _stop_holding(self) -> None:
        if self._hold is not None:
            self._hold.stop()
            self._hold = None

    def _wipe(self) -> None:
        self._stop_holding()
        self.position = self.seconds = 0.0
        super()._wipe()
