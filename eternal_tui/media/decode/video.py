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

from eternal_tui.media.decode.frame import HALF_BLOCK_CELL, Frame
from eternal_tui.media.decode.video_scaling import render_crop, rotation_of
from eternal_tui.media.decode.viewport import WHOLE_VIEWPORT, Viewport, visible_crop
from eternal_tui.media.errors import BrokenFile, translate_decode_errors
from eternal_tui.media.limits import DecodeLimits

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_DEMUXER_BY_SUFFIX = {".mp4": "mp4", ".mov": "mov", ".webm": "webm"}
_SEEK_AHEAD_SECONDS = 2.0
"""Seconds ahead beyond which a seek to a keyframe is cheaper than decoding all between."""
_FALLBACK_FRAME_RATE = 24.0
_MICROSECONDS_PER_SECOND = 1_000_000


class VideoInfo(msgspec.Struct, frozen=True):
    """A clip's pixels as it is seen, length in seconds (None where it is not said), frames a second, codec, sound."""

    width: int
    height: int
    seconds: float | None
    frame_rate: float
    codec: str
    has_sound: bool


class TimedFrame(msgspec.Struct, frozen=True):
    """One decoded frame, its time in the clip in seconds, and whether the clip ends with it."""

    frame: Frame
    seconds: float
    is_last: bool


class VideoReader:
    """One open clip whose frames come scaled into columns × rows cells.

    Calls from several threads wait for each other. Every call blocks: the event loop uses `AsyncVideo`.
    Raises BrokenFile from the constructor and from every read.
    """

    def __init__(
        self,
        source: Path | BinaryIO,
        columns: int = 1,
        rows: int = 1,
        *,
        cell_size: tuple[float, float] = HALF_BLOCK_CELL,
        limits: DecodeLimits | None = None,
        decoder: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits or DecodeLimits()
        self._clock = clock
        self._lock = threading.Lock()
        self._current_frame: VideoFrame | None = None
        self._next_frame: VideoFrame | None = None
        with translate_decode_errors():
            self._container = _open_container(source, decoder, self._limits)
        try:
            with translate_decode_errors():
                self._stream = _video_stream(self._container)
                self.info = _read_info(self._container, self._stream, self._limits)
                self._start_seconds = float((self._stream.start_time or 0) * (self._stream.time_base or 0))
                self._frames: Iterator[VideoFrame] = self._decode()
                self._rotation = rotation_of(self._peek_next())
        except BaseException:
            self._container.close()
            raise
        if self._rotation % 2:
            self.info = msgspec.structs.replace(self.info, width=self.info.height, height=self.info.width)
        self.resize(columns, rows, cell_size)

    def resize(
        self,
        columns: int,
        rows: int,
        cell_size: tuple[float, float] = HALF_BLOCK_CELL,
        viewport: Viewport = WHOLE_VIEWPORT,
    ) -> None:
        """Scale the part `viewport` of the frames read from now on into columns × rows cells."""
        self._upright_size = (self.info.width, self.info.height)
        self._crop = visible_crop(self._upright_size, columns, rows, viewport, cell_size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file and the decoder; closing twice is fine."""
        with self._lock:
            self._current_frame = self._next_frame = None
            self._frames = iter(())
            self._container.close()

    def frame_at(self, seconds: float) -> TimedFrame:
        """Return the frame shown at `seconds` into the clip, the last one beyond its end."""
        with self._lock, translate_decode_errors():
            target = min(max(0.0, seconds), self.info.seconds or self._limits.video_seconds)
            # Before anything was shown, the first frame lies ready: how a clip is turned stands with its frames.
            at = self._current_frame or self._next_frame
            here = None if at is None else self._seconds_of(at)
            if here is None or not here <= target <= here + _SEEK_AHEAD_SECONDS:
                self._seek(target)
            return self._read_until(target)

    def step(self, frames: int) -> TimedFrame:
        """Return the frame `frames` after the one read last (before it, if negative)."""
        if frames == 1 and self._current_frame is not None:
            with self._lock, translate_decode_errors():
                following = self._peek_next()
                return self._read_until(0.0 if following is None else self._seconds_of(following))
        here = 0.0 if self._current_frame is None else self._seconds_of(self._current_frame)
        return self.frame_at(here + (frames + 0.5) / self.info.frame_rate)

    def check_complete(self) -> None:
        """Read every packet, decoding none; raises BrokenFile where the file ends before its data does.

        A clip whose index comes first plays its beginning well however much of its end is missing.
        """
        deadline = self._clock() + self._limits.seconds_per_read
        with self._lock, translate_decode_errors():
            self._seek(0.0)
            for packet in self._container.demux(self._stream):
                if packet.is_corrupt:
                    raise BrokenFile("it ends before its last picture")
                if self._clock() > deadline:
                    break
            self._seek(0.0)

    def _seek(self, seconds: float) -> None:
        self._current_frame = self._next_frame = None
        offset = round((seconds + self._start_seconds) * _MICROSECONDS_PER_SECOND)
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

    def _peek_next(self) -> VideoFrame | None:
        """Return the frame after the current one, None at the end."""
        if self._next_frame is None:
            self._next_frame = next(self._frames, None)
        return self._next_frame

    def _read_until(self, target: float) -> TimedFrame:
        """Decode until the next frame lies beyond `target`, within the limits, and return the current one."""
        deadline = self._clock() + self._limits.seconds_per_read
        for _ in range(self._limits.frames_per_read):
            following = self._peek_next()
            if following is None or (self._current_frame is not None and self._seconds_of(following) > target):
                break
            self._current_frame, self._next_frame = following, None
            if self._clock() > deadline:
                break
        if self._current_frame is None:
            raise BrokenFile("it holds no picture")
        return TimedFrame(
            self._render(self._current_frame), self._seconds_of(self._current_frame), self._peek_next() is None
        )

    def _seconds_of(self, frame: VideoFrame) -> float:
        return max(0.0, float(frame.time or 0.0) - self._start_seconds)

    def _render(self, frame: VideoFrame) -> Frame:
        if frame.width * frame.height > self._limits.video_pixels:
            raise BrokenFile("a frame is beyond the limit")
        return render_crop(frame, self._crop, self._upright_size, self._rotation)


def _open_container(source: Path | BinaryIO, decoder: str | None, limits: DecodeLimits) -> InputContainer:
    # One named demuxer: libav would else also open playlists, which name other files and hosts.
    name = decoder or (_DEMUXER_BY_SUFFIX.get(source.suffix) if isinstance(source, Path) else None)
    if name is None:
        raise BrokenFile("it is no clip this program opens")
    if isinstance(source, Path):
        # A file that is gone is no reason to load libraries of 19 MB.
        source.stat()
    import av

    options = {"max_pixels": str(limits.video_pixels), "protocol_whitelist": "file", "threads": "1"}
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


def _read_info(container: InputContainer, stream: VideoStream, limits: DecodeLimits) -> VideoInfo:
    width, height = stream.codec_context.width, stream.codec_context.height
    if width < 1 or height < 1 or width * height > limits.video_pixels:
        raise BrokenFile(f"it claims {width} × {height} pixels, beyond the limit")
    seconds = container.duration / _MICROSECONDS_PER_SECOND if container.duration else None
    if seconds is not None and not 0 < seconds <= limits.video_seconds:
        raise BrokenFile("it claims a length that cannot be")
    rate = float(stream.average_rate or 0) or _FALLBACK_FRAME_RATE
    return VideoInfo(
        width=width,
        height=height,
        seconds=seconds,
        frame_rate=rate if 0 < rate <= 1000 else _FALLBACK_FRAME_RATE,
        codec=stream.codec_context.name,
        has_sound=bool(container.streams.audio),
    )


def check_video(file: BinaryIO, decoder: str, limits: DecodeLimits) -> VideoInfo:
    """Decode a clip's first frame, read it to its end, and return its facts; raises BrokenFile. Blocks."""
    with VideoReader(file, limits=limits, decoder=decoder) as reader:
        reader.frame_at(0.0)
        reader.check_complete()
        return reader.info


def clip_facts(path: Path, limits: DecodeLimits | None = None) -> VideoInfo:
    """Return a clip's facts from its header; raises BrokenFile. Blocks."""
    with VideoReader(path, limits=limits) as reader:
        return reader.info


def poster(
    path: Path,
    columns: int,
    rows: int,
    *,
    cell_size: tuple[float, float] = HALF_BLOCK_CELL,
    limits: DecodeLimits | None = None,
) -> Frame:
    """Return a clip's first frame within columns × rows cells; raises BrokenFile. Blocks."""
    with VideoReader(path, columns, rows, cell_size=cell_size, limits=limits) as reader:
        return reader.frame_at(0.0).frame


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
        columns: int,
        rows: int,
        *,
        cell_size: tuple[float, float] = HALF_BLOCK_CELL,
        limits: DecodeLimits | None = None,
    ) -> Self:
        """Open `path` in the clip's own thread; raises BrokenFile."""
        threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="clip")
        opening = threads.submit(VideoReader, path, columns, rows, cell_size=cell_size, limits=limits)
        try:
            return cls(await asyncio.wrap_future(opening), threads)
        except BaseException:
            # Whoever asked may be gone before the thread has opened the file.
            opening.add_done_callback(_close_once_opened)
            threads.shutdown(wait=False)
            raise

    async def frame_at(self, seconds: float) -> TimedFrame | None:
        """Return the frame shown at `seconds`; raises BrokenFile."""
        return await self._run_latest(lambda: self._reader.frame_at(seconds))

    async def step(self, frames: int) -> TimedFrame | None:
        """Return the frame `frames` away from the one read last; raises BrokenFile."""
        return await self._run_latest(lambda: self._reader.step(frames))

    def resize(
        self,
        columns: int,
        rows: int,
        cell_size: tuple[float, float] = HALF_BLOCK_CELL,
        viewport: Viewport = WHOLE_VIEWPORT,
    ) -> None:
        """Scale the part `viewport` of the frames read from now on into columns × rows cells."""
        self._reader.resize(columns, rows, cell_size, viewport)

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
