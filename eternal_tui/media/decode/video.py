"""Clips: facts, poster, and a reader that seeks, steps and skips."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self

import msgspec

from eternal_tui.media.decode.frame import BLOCK_CELL, Frame
from eternal_tui.media.decode.video_scaling import pixels_in_view, quarter_turns
from eternal_tui.media.decode.viewport import WHOLE, View, crop
from eternal_tui.media.errors import BrokenFile, decoding
from eternal_tui.media.limits import DecodeLimits

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_DEMUXERS = {".mp4": "mp4", ".mov": "mov", ".webm": "webm"}
_SEEK_AHEAD = 2.0
"""Seconds ahead beyond which a seek to a keyframe is cheaper than decoding all between."""
_FALLBACK_RATE = 24.0
_MICROSECONDS = 1_000_000


class ClipFacts(msgspec.Struct, frozen=True):
    """A clip's pixels as it is seen, length in seconds (None where it is not said), frames a second, codec, sound."""

    width: int
    height: int
    seconds: float | None
    rate: float
    codec: str
    has_sound: bool


class ClipFrame(msgspec.Struct, frozen=True):
    """One decoded frame, its time in the clip in seconds, and whether the clip ends with it."""

    frame: Frame
    seconds: float
    last: bool


class ClipReader:
    """One open clip whose frames come scaled into columns × rows cells.

    Calls from several threads wait for each other. Every call blocks: the event loop uses `AsyncClip`.
    Raises BrokenFile from the constructor and from every read.
    """

    def __init__(
        self,
        source: Path | BinaryIO,
        columns: int = 1,
        rows: int = 1,
        *,
        cell: tuple[float, float] = BLOCK_CELL,
        limits: DecodeLimits | None = None,
        decoder: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits or DecodeLimits()
        self._clock = clock
        self._lock = threading.Lock()
        self._current: VideoFrame | None = None
        self._ahead: VideoFrame | None = None
        with decoding():
            self._container = _open(source, decoder, self._limits)
        try:
            with decoding():
                self._stream = _video_stream(self._container)
                self.facts = _facts(self._container, self._stream, self._limits)
                self._zero = float((self._stream.start_time or 0) * (self._stream.time_base or 0))
                self._frames: Iterator[VideoFrame] = self._decode()
                self._turns = quarter_turns(self._peek())
        except BaseException:
            self._container.close()
            raise
        if self._turns % 2:
            self.facts = msgspec.structs.replace(self.facts, width=self.facts.height, height=self.facts.width)
        self.resize(columns, rows, cell)

    def resize(self, columns: int, rows: int, cell: tuple[float, float] = BLOCK_CELL, view: View = WHOLE) -> None:
        """Scale the part `view` of the frames read from now on into columns × rows cells."""
        self._upright = (self.facts.width, self.facts.height)
        self._part = crop(self._upright, columns, rows, view, cell)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file and the decoder; closing twice is fine."""
        with self._lock:
            self._current = self._ahead = None
            self._frames = iter(())
            self._container.close()

    def frame_at(self, seconds: float) -> ClipFrame:
        """Return the frame shown at `seconds` into the clip, the last one beyond its end."""
        with self._lock, decoding():
            target = min(max(0.0, seconds), self.facts.seconds or self._limits.clip_seconds)
            # Before anything was shown, the first frame lies ready: how a clip is turned stands with its frames.
            at = self._current or self._ahead
            here = None if at is None else self._starts(at)
            if here is None or not here <= target <= here + _SEEK_AHEAD:
                self._seek(target)
            return self._read(target)

    def step(self, frames: int) -> ClipFrame:
        """Return the frame `frames` after the one read last (before it, if negative)."""
        if frames == 1 and self._current is not None:
            with self._lock, decoding():
                following = self._peek()
                return self._read(0.0 if following is None else self._starts(following))
        here = 0.0 if self._current is None else self._starts(self._current)
        return self.frame_at(here + (frames + 0.5) / self.facts.rate)

    def check_whole(self) -> None:
        """Read every packet, decoding none; raises BrokenFile where the file ends before its data does.

        A clip whose index comes first plays its beginning well however much of its end is missing.
        """
        deadline = self._clock() + self._limits.seconds_per_read
        with self._lock, decoding():
            self._seek(0.0)
            for packet in self._container.demux(self._stream):
                if packet.is_corrupt:
                    raise BrokenFile("it ends before its last picture")
                if self._clock() > deadline:
                    break
            self._seek(0.0)

    def _seek(self, seconds: float) -> None:
        self._current = self._ahead = None
        offset = round((seconds + self._zero) * _MICROSECONDS)
        self._container.seek(offset, backward=True)
        self._frames = self._decode()

    def _decode(self) -> Iterator[VideoFrame]:
        """Yield the frames from here on; a long stretch of packets without any counts as damage."""
        barren = 0
        for packet in self._container.demux(self._stream):
            barren += 1
            for frame in packet.decode():
                barren = 0
                yield frame
            if barren > self._limits.packets_per_read:
                raise BrokenFile("it has data but no pictures")

    def _peek(self) -> VideoFrame | None:
        """Return the frame after the current one, None at the end."""
        if self._ahead is None:
            self._ahead = next(self._frames, None)
        return self._ahead

    def _read(self, target: float) -> ClipFrame:
        """Decode until the next frame lies beyond `target`, within the limits, and return the current one."""
        deadline = self._clock() + self._limits.seconds_per_read
        for _ in range(self._limits.frames_per_read):
            following = self._peek()
            if following is None or (self._current is not None and self._starts(following) > target):
                break
            self._current, self._ahead = following, None
            if self._clock() > deadline:
                break
        if self._current is None:
            raise BrokenFile("it holds no picture")
        return ClipFrame(self._scaled(self._current), self._starts(self._current), self._peek() is None)

    def _starts(self, frame: VideoFrame) -> float:
        return max(0.0, float(frame.time or 0.0) - self._zero)

    def _scaled(self, frame: VideoFrame) -> Frame:
        if frame.width * frame.height > self._limits.clip_pixels:
            raise BrokenFile("a frame is beyond the limit")
        return pixels_in_view(frame, self._part, self._upright, self._turns)


def _open(source: Path | BinaryIO, decoder: str | None, limits: DecodeLimits) -> InputContainer:
    # One named demuxer: libav would else also open playlists, which name other files and hosts.
    name = decoder or (_DEMUXERS.get(source.suffix) if isinstance(source, Path) else None)
    if name is None:
        raise BrokenFile("it is no clip this program opens")
    if isinstance(source, Path):
        # A file that is gone is no reason to load libraries of 19 MB.
        source.stat()
    import av

    options = {"max_pixels": str(limits.clip_pixels), "protocol_whitelist": "file", "threads": "1"}
    return av.open(str(source) if isinstance(source, Path) else source, "r", format=name, options=options)


def _video_stream(container: InputContainer) -> VideoStream:
    streams = container.streams.video
    if not streams:
        raise BrokenFile("it has no picture track")
    stream = streams[0]
    stream.thread_type = "SLICE"
    # What is asked of the container is not passed on: a decoder would start two threads a processor for small frames.
    stream.codec_context.thread_count = 1
    return stream


def _facts(container: InputContainer, stream: VideoStream, limits: DecodeLimits) -> ClipFacts:
    width, height = stream.codec_context.width, stream.codec_context.height
    if width < 1 or height < 1 or width * height > limits.clip_pixels:
        raise BrokenFile(f"it claims {width} × {height} pixels, beyond the limit")
    seconds = container.duration / _MICROSECONDS if container.duration else None
    if seconds is not None and not 0 < seconds <= limits.clip_seconds:
        raise BrokenFile("it claims a length that cannot be")
    rate = float(stream.average_rate or 0) or _FALLBACK_RATE
    return ClipFacts(
        width=width,
        height=height,
        seconds=seconds,
        rate=rate if 0 < rate <= 1000 else _FALLBACK_RATE,
        codec=stream.codec_context.name,
        has_sound=bool(container.streams.audio),
    )


def check_clip(file: BinaryIO, decoder: str, limits: DecodeLimits) -> ClipFacts:
    """Decode a clip's first frame, read it to its end, and return its facts; raises BrokenFile. Blocks."""
    with ClipReader(file, limits=limits, decoder=decoder) as reader:
        reader.frame_at(0.0)
        reader.check_whole()
        return reader.facts


def clip_facts(path: Path, limits: DecodeLimits | None = None) -> ClipFacts:
    """Return a clip's facts from its header; raises BrokenFile. Blocks."""
    with ClipReader(path, limits=limits) as reader:
        return reader.facts


def poster(
    path: Path,
    columns: int,
    rows: int,
    *,
    cell: tuple[float, float] = BLOCK_CELL,
    limits: DecodeLimits | None = None,
) -> Frame:
    """Return a clip's first frame within columns × rows cells; raises BrokenFile. Blocks."""
    with ClipReader(path, columns, rows, cell=cell, limits=limits) as reader:
        return reader.frame_at(0.0).frame


class AsyncClip:
    """A clip read in a thread of its own, so that the event loop never decodes.

    Only the newest request counts: one overtaken while it waited returns None. Close it when done.
    """

    def __init__(self, reader: ClipReader, threads: ThreadPoolExecutor) -> None:
        self._reader = reader
        self._threads = threads
        self._newest = 0
        self._closed = False
        self.facts = reader.facts

    @classmethod
    async def open(
        cls,
        path: Path,
        columns: int,
        rows: int,
        *,
        cell: tuple[float, float] = BLOCK_CELL,
        limits: DecodeLimits | None = None,
    ) -> Self:
        """Open `path` in the clip's own thread; raises BrokenFile."""
        threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="clip")
        opening = threads.submit(ClipReader, path, columns, rows, cell=cell, limits=limits)
        try:
            return cls(await asyncio.wrap_future(opening), threads)
        except BaseException:
            # Whoever asked may be gone before the thread has opened the file.
            opening.add_done_callback(_close_opened)
            threads.shutdown(wait=False)
            raise

    async def frame_at(self, seconds: float) -> ClipFrame | None:
        """Return the frame shown at `seconds`; raises BrokenFile."""
        return await self._newest_only(lambda: self._reader.frame_at(seconds))

    async def step(self, frames: int) -> ClipFrame | None:
        """Return the frame `frames` away from the one read last; raises BrokenFile."""
        return await self._newest_only(lambda: self._reader.step(frames))

    def resize(self, columns: int, rows: int, cell: tuple[float, float] = BLOCK_CELL, view: View = WHOLE) -> None:
        """Scale the part `view` of the frames read from now on into columns × rows cells."""
        self._reader.resize(columns, rows, cell, view)

    async def close(self) -> None:
        """Let go of the file once the frame under way is done."""
        if self._closed:
            return
        self._closed = True
        self._newest += 1
        closing = self._threads.submit(self._reader.close)
        self._threads.shutdown(wait=False)
        await asyncio.wrap_future(closing)

    async def _newest_only(self, read: Callable[[], ClipFrame]) -> ClipFrame | None:
        if self._closed:
            return None
        self._newest += 1
        mine = self._newest
        work = self._threads.submit(lambda: read() if mine == self._newest else None)
        return await asyncio.wrap_future(work)


def _close_opened(opening: Future[ClipReader]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
