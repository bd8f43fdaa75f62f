"""Clips: facts, poster, and a reader that seeks, steps and skips."""

from __future__ import annotations

import asyncio
import threading
import time
from bisect import bisect_right
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from eternal_tui.media.decode.filetype import ANIMATED_SUFFIXES, MediaInfo
from eternal_tui.media.decode.frame import ONE_CELL, Canvas, Frame, visible_crop
from eternal_tui.media.decode.images import BLACK
from eternal_tui.media.decode.video_source import AnimationSource, LibavSource, SourceFrame
from eternal_tui.media.errors import BrokenFile, translate_decode_errors
from eternal_tui.media.limits import DecodeLimits

_SEEK_AHEAD_SECONDS = 2.0
"""Seconds ahead beyond which a seek is cheaper than decoding all between, where the key frames are not known."""

_SCAN_BYTES = 64 << 20
"""Size of a file up to which its length is learned from its packets, which takes some 50 ms then."""

_SOON = 1e-6


class TimedFrame(msgspec.Struct, frozen=True):
    """One frame, when it begins and ends in the clip in seconds, and whether the clip ends with it.

    `reached` is False where the time for one read ran out on the way to the wanted moment: the next read goes on.
    """

    frame: Frame
    seconds: float
    until: float
    is_last: bool
    reached: bool = True


class VideoReader:
    """One open clip whose frames come scaled to a canvas.

    Calls from several threads wait for each other. Every call blocks: the event loop uses `AsyncVideo`.
    Raises ResultError from the constructor and from every read.
    """

    def __init__(
        self,
        source: Path | BinaryIO,
        canvas: Canvas = ONE_CELL,
        *,
        limits: DecodeLimits | None = None,
        decoder: str | None = None,
        background: tuple[int, int, int] = BLACK,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits or DecodeLimits()
        self._clock = clock
        self._background = background
        self._lock = threading.Lock()
        self._current: SourceFrame | None = None
        self._next: SourceFrame | None = None
        self._source: AnimationSource | LibavSource
        with translate_decode_errors():
            if decoder is None and isinstance(source, Path) and source.suffix.lower() in ANIMATED_SUFFIXES:
                self._source = AnimationSource(source, self._limits)
            else:
                self._source = LibavSource(source, decoder, self._limits, clock)
        self.resize(canvas)

    @property
    def info(self) -> MediaInfo:
        """The clip's facts, its length as far as it is known."""
        return self._source.info

    def resize(self, canvas: Canvas) -> None:
        """Scale the frames read from now on to `canvas`."""
        self._crop = visible_crop((self.info.width, self.info.height), canvas)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file and the decoder; closing twice is fine."""
        with self._lock:
            self._current = self._next = None
            self._source.close()

    def scan(self) -> MediaInfo:
        """Read every packet, decoding none, and return the facts with the picture track's own length.

        Raises BrokenFile where the file ends before its data does.
        """
        with self._lock, translate_decode_errors():
            self._current = self._next = None
            self._source.scan(self._clock() + self._limits.seconds_per_read)
        return self.info

    def frame_at(self, seconds: float) -> TimedFrame:
        """Return the frame shown at `seconds` into the clip, the last one beyond its end."""
        with self._lock, translate_decode_errors():
            target = min(max(0.0, seconds), self._limits.video_seconds)
            if not self._can_read_on(target):
                self._seek(target)
            return self._read_until(target, self._clock() + self._limits.seconds_per_read)

    def step(self, frames: int) -> TimedFrame:
        """Return the frame `frames` after the one read last (before it, if negative)."""
        with self._lock, translate_decode_errors():
            deadline = self._clock() + self._limits.seconds_per_read
            if self._current is None:
                self._read_until(0.0, deadline)
            if frames < 0:
                target = self._seconds_before(-frames, deadline)
                self._seek(target)
            else:
                for _ in range(frames):
                    if (following := self._peek_next()) is None or self._clock() > deadline:
                        break
                    self._current, self._next = following, None
                target = 0.0 if self._current is None else self._current.seconds
            return self._read_until(target, deadline)

    def _can_read_on(self, target: float) -> bool:
        """Tell whether decoding on from here is the shorter way to `target`."""
        at = self._current or self._next
        if at is None:
            return target < _SOON
        if target < at.seconds - _SOON:
            return False
        if keys := self._source.key_seconds:
            return keys[max(0, bisect_right(keys, target + _SOON) - 1)] <= at.seconds + _SOON
        return target <= at.seconds + _SEEK_AHEAD_SECONDS

    def _seconds_before(self, count: int, deadline: float) -> float:
        """Return when the frame begins that is `count` frames before the current one, the first at the earliest."""
        here = 0.0 if self._current is None else self._current.seconds
        back = _SOON
        while True:
            self._seek(max(0.0, here - back))
            times: list[float] = []
            while (found := self._source.read()) is not None and found.seconds < here - _SOON:
                times.append(found.seconds)
                if self._clock() > deadline:
                    return here
            if len(times) >= count:
                return times[-count]
            if back >= here:
                return times[0] if times else here
            # Too few since that key frame: from one further back.
            back = max(0.5, 2 * back, here - times[0] + _SOON if times else 0.0)

    def _seek(self, seconds: float) -> None:
        self._current = self._next = None
        self._source.seek(seconds)

    def _peek_next(self) -> SourceFrame | None:
        """Return the frame after the current one, None at the end."""
        if self._next is None:
            self._next = self._source.read()
        return self._next

    def _read_until(self, target: float, deadline: float) -> TimedFrame:
        """Decode until the next frame lies beyond `target` or time is up, and return the current one."""
        reached = True
        while (following := self._peek_next()) is not None:
            if self._current is not None and following.seconds > target + _SOON:
                break
            self._current, self._next = following, None
            if self._clock() > deadline:
                reached = (after := self._peek_next()) is None or after.seconds > target
                break
        if self._current is None:
            raise BrokenFile("it holds no picture")
        following = self._peek_next()
        at = self._current.seconds
        end = max(self.info.seconds, at + 1 / self.info.frame_rate)
        return TimedFrame(
            self._source.render(self._current, self._crop, self._background),
            at,
            end if following is None else following.seconds,
            is_last=following is None,
            reached=reached,
        )


def check_video(file: BinaryIO, decoder: str, limits: DecodeLimits) -> MediaInfo:
    """Decode a clip's first frame, read it to its end, and return its facts; raises ResultError. Blocks."""
    with VideoReader(file, limits=limits, decoder=decoder) as reader:
        reader.frame_at(0.0)
        return reader.scan()


def poster(
    path: Path, canvas: Canvas, *, background: tuple[int, int, int] = BLACK, limits: DecodeLimits | None = None
) -> Frame:
    """Return a clip's first frame on `canvas`; raises ResultError. Blocks."""
    with VideoReader(path, canvas, background=background, limits=limits) as reader:
        return reader.frame_at(0.0).frame


def _open_reader(path: Path, limits: DecodeLimits | None, background: tuple[int, int, int]) -> VideoReader:
    reader = VideoReader(path, limits=limits, background=background)
    try:
        if not reader.info.seconds or path.stat().st_size <= _SCAN_BYTES:
            reader.scan()
    except BrokenFile:
        # A clip that is cut off later is shown as far as it goes.
        reader.close()
        return VideoReader(path, limits=limits, background=background)
    return reader


class AsyncVideo:
    """A clip read in a thread of its own, so that the event loop never decodes.

    Only the newest request counts: one overtaken while it waited returns None. Close it when done.
    """

    def __init__(self, reader: VideoReader, executor: ThreadPoolExecutor) -> None:
        self._reader = reader
        self._executor = executor
        self._latest_request = 0
        self._closed = False
        self.info = reader.info

    @classmethod
    async def open(
        cls,
        path: Path,
        canvas: Canvas = ONE_CELL,
        *,
        limits: DecodeLimits | None = None,
        background: tuple[int, int, int] = BLACK,
    ) -> Self:
        """Open `path` in the clip's own thread and learn its length; raises ResultError."""
        threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="clip")
        opening = threads.submit(_open_reader, path, limits, background)
        try:
            video = cls(await asyncio.wrap_future(opening), threads)
            video.resize(canvas)
            return video
        except BaseException:
            # The caller may be cancelled before the thread has opened the file.
            opening.add_done_callback(_close_once_opened)
            threads.shutdown(wait=False)
            raise

    async def frame_at(self, seconds: float) -> TimedFrame | None:
        """Return the frame shown at `seconds`; raises ResultError."""
        return await self._run_latest(lambda: self._reader.frame_at(seconds))

    async def step(self, frames: int) -> TimedFrame | None:
        """Return the frame `frames` away from the one read last; raises ResultError."""
        return await self._run_latest(lambda: self._reader.step(frames))

    def resize(self, canvas: Canvas) -> None:
        """Scale the frames read from now on to `canvas`."""
        self._reader.resize(canvas)

    async def close(self) -> None:
        """Let go of the file once the frame under way is done."""
        if self._closed:
            return
        self._closed = True
        self._latest_request += 1
        closing = self._executor.submit(self._reader.close)
        self._executor.shutdown(wait=False)
        await asyncio.wrap_future(closing)

    async def _run_latest(self, read: Callable[[], TimedFrame]) -> TimedFrame | None:
        if self._closed:
            return None
        self._latest_request += 1
        mine = self._latest_request
        work = self._executor.submit(lambda: read() if mine == self._latest_request else None)
        return await asyncio.wrap_future(work)


def _close_once_opened(opening: Future[VideoReader]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
