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

from eternal_tui.core.sanitize import Shown, lines_of
from eternal_tui.media.decode.images import FrameCache, still_size
from eternal_tui.media.errors import ResultError
from eternal_tui.media.limits import DecodeLimits
from eternal_tui.tui.graphics.base import Drawing, Graphics
from eternal_tui.tui.graphics.pacing import Pace
from eternal_tui.tui.picture.player import ClipPlayer
from eternal_tui.tui.picture.zoom import Closer, Room

if TYPE_CHECKING:
    from eternal_tui.media.decode.video import AsyncClip
    from eternal_tui.media.decode.viewport import View

SETTLE = 0.03
"""Seconds a choice must stand before it is decoded: `j` held down repeats about every 30 ms."""

HOLD = 0.15
"""Seconds the picture before stays while its successor is on its way: what comes sooner comes without a blink."""

CLIPS = frozenset({".mp4", ".mov", ".webm"})
_PARTS = "picture-parts"


class Picture(ClipPlayer):
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
        super().__init__(graphics, pace=pace, loop=loop, clock=clock, name=name, id=id, classes=classes)
        self._cache = cache or FrameCache()
        self._limits = limits or DecodeLimits()
        self._settle = settle
        self._hold_for = hold
        self._hold: Timer | None = None
        self._closer = Closer()

    # What it shows

    def show(self, path: Path | None, words: Shown = Shown("")) -> None:  # noqa: B008 - a NewType, not a call
        """Show `path`, or nothing but `words` if it is None; a newer call overtakes an older one."""
        self.pause()
        self.path = path
        self._closer.forget()
        self._stop_looking()
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

    def _reload(self, path: Path | None) -> None:
        self._start(lambda: self._load(path), "picture")

    async def _load(self, path: Path | None) -> None:
        await self._close_clip()
        if path is None or not any(self.graphics.cell) or not self.size.area:
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
        from eternal_tui.media.decode.video import AsyncClip

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
            self.look_again()

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

    # Drawing

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
