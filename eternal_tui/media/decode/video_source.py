"""Sources of the frames of a clip: libav for videos, Pillow for animated images."""

from __future__ import annotations

import gc
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import msgspec

from eternal_tui.media.decode.filetype import DECODERS, MediaInfo
from eternal_tui.media.decode.frame import Crop, Frame
from eternal_tui.media.decode.images import frame_durations, open_image, render_image, upright_size_of
from eternal_tui.media.decode.large_images import check_memory
from eternal_tui.media.decode.video_scaling import orientation_of, render_crop
from eternal_tui.media.errors import BrokenFile, UnsupportedFile
from eternal_tui.media.limits import DecodeLimits

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_UNINDEXED_DEMUXERS = frozenset({"mpegts", "mpeg"})
"""Formats whose length libav only estimates."""
_SOON = 1e-6
_LARGE_PIXELS = 8 << 20
_FALLBACK_FRAME_RATE = 24.0
_MICROSECONDS_PER_SECOND = 1_000_000
_MAX_PIXEL_ASPECT = 16
"""Times a pixel may be wider than high, or the other way round: what claims more is drawn as it is stored."""

_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Decoders that read the transparency of WebM, which libav's own ignore."""


class SourceFrame(NamedTuple):
    """One frame not yet scaled: its time in seconds from the clip's start, and what its source knows it by."""

    seconds: float
    data: Any


def still_size(file: BinaryIO, demuxer: str, limits: DecodeLimits) -> tuple[int, int]:
    """Return the size of an image from its header; raises UnsupportedFile for one made of several, as telephones do."""
    with _open_container(file, demuxer, limits) as container:
        stream = _video_stream(container)
        if len(container.streams.video) > 1:
            raise UnsupportedFile("it is made of tiles")
        return stream.codec_context.width, stream.codec_context.height


class AnimationSource:
    """An animated GIF, WebP, PNG or AVIF. Every call blocks and may raise whatever the decoder raises."""

    def __init__(self, path: Path, limits: DecodeLimits) -> None:
        self._limits = limits
        with ExitStack() as stack:
            self._file = stack.enter_context(path.open("rb"))
            self._image = open_image(self._file, limits)
            check_memory(self._image)
            durations = frame_durations(self._image)
            total, size = sum(durations), upright_size_of(self._image)
            self.info = MediaInfo(*size, total, (self._image.format or "").lower(), frame_rate=len(durations) / total)
            self.key_seconds = [sum(durations[:number]) for number in range(len(durations))]
            self._next = 0
            stack.pop_all()

    def scan(self, deadline: float) -> None:
        """Return: the length is known already."""

    def seek(self, seconds: float) -> None:
        """Seek to the frame shown at `seconds`."""
        self._next = max(0, bisect_right(self.key_seconds, seconds) - 1)

    def read(self) -> SourceFrame | None:
        """Return the next frame, which is decoded only when it is rendered."""
        if self._next >= len(self.key_seconds):
            return None
        self._next += 1
        return SourceFrame(self.key_seconds[self._next - 1], self._next - 1)

    def render(self, frame: SourceFrame, crop: Crop, background: tuple[int, int, int]) -> Frame:
        """Return the part `crop` of a frame at the size it is drawn."""
        if frame.data < self._image.tell():
            # Pillow 13 finds "sequence errors" in an animated PNG that is rewound.
            self._image = open_image(self._file, self._limits)
        self._image.seek(frame.data)
        return render_image(self._image, None, crop, (self.info.width, self.info.height), background)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class LibavSource:
    """A video in one of the containers that libav opens here. Calls block as those of `AnimationSource` do."""

    def __init__(
        self, source: Path | BinaryIO, decoder: str | None, limits: DecodeLimits, clock: Callable[[], float]
    ) -> None:
        self._file, self._demuxer, self._limits, self._clock = source, _demuxer_of(source, decoder), limits, clock
        self.key_seconds: list[float] = []
        """When those frames begin that can be decoded without another, as far as that is known."""
        # Seconds of the first packet and of the first frame, by the file's own clock.
        self._start_seconds = self._first_frame_seconds = self._last_frame_seconds = 0.0
        self._open()
        with ExitStack() as stack:
            stack.callback(self._container.close)
            self.info = _read_info(self._container, self._stream, limits)
            # Rotation and pixel aspect of a clip are known from its frames.
            first = self._peek()
            if first is not None:
                self._first_frame_seconds = self._seconds_of(first)
                if self._demuxer != "avi":
                    self._start_seconds = self._first_frame_seconds
            self._orientation = orientation_of(first)
            width, height = _square_pixels(self.info, self._stream)
            width, height = (height, width) if self._orientation >= 5 else (width, height)
            self.info = msgspec.structs.replace(self.info, width=width, height=height)
            stack.pop_all()

    def _open(self) -> None:
        with ExitStack() as stack:
            self._container = stack.enter_context(_open_container(self._file, self._demuxer, self._limits))
            self._stream = _video_stream(self._container)
            self._alpha_decoder = _alpha_decoder(self._stream)
            stack.pop_all()
        self._frames: Iterator[VideoFrame] = self._decode()

    def _peek(self) -> VideoFrame | None:
        """Return the next frame and leave it to be read."""
        frame = next(self._frames, None)
        self._frames = self._frames if frame is None else chain((frame,), self._frames)
        return frame

    def _seconds_of(self, frame: VideoFrame) -> float:
        # AVI has decoding order alone: the presentation times that libav derives jump back and forth.
        stamp = frame.dts if self._demuxer == "avi" else frame.pts
        if stamp is None:
            return self._last_frame_seconds + 1 / self.info.frame_rate
        return float(stamp * (frame.time_base or 0))

    def close(self) -> None:
        """Let go of the file and the decoder."""
        self._frames = iter(())
        self._container.close()
        if self._stream.codec_context.width * self._stream.codec_context.height > _LARGE_PIXELS:
            # libav's objects refer to each other: a hundred megabytes would wait for the next collection.
            gc.collect()

    def scan(self, deadline: float) -> None:
        """Learn the picture track's length from its packets; raises BrokenFile where the file ends before its data."""
        self._seek_start()
        end = 0.0
        frames: list[tuple[float, float]] = []
        keys: list[float] = []
        is_cut = is_late = False
        for packet in self._container.demux():
            # In a transport stream it may also be where two recordings meet.
            is_cut = packet.is_corrupt
            if is_cut and self._demuxer != "mpegts":
                break
            stamp = packet.dts if self._demuxer == "avi" else packet.pts
            if stamp is not None and packet.time_base is not None:
                at = float(stamp * packet.time_base) - self._start_seconds
                length = float((packet.duration or 0) * packet.time_base)
                end = max(end, at + length)
                if packet.stream.index == self._stream.index:
                    frames.append((at, length))
                    if packet.is_keyframe:
                        keys.append(at)
            if is_late := self._clock() > deadline:
                break
        if is_cut:
            raise BrokenFile("it ends before its last picture")
        if frames and not is_late:
            seconds = self._end_of(frames)
            self._check_end(max(end, seconds))
            self.key_seconds = sorted(keys)
            if 0 < seconds <= self._limits.video_seconds:
                self.info = msgspec.structs.replace(self.info, seconds=seconds)
        self.seek(0.0)

    def _end_of(self, frames: list[tuple[float, float]]) -> float:
        """Return when the last of these ends, each a time and a length; a length of 0 is not known."""
        frames.sort()
        (before, _), (last, length) = [(0.0, 0.0)] * (2 - len(frames)) + frames[-2:]
        return last + (length or (last - before if 0 < last - before < 1 else 1 / self.info.frame_rate))

    def _check_end(self, end: float) -> None:
        declared = (self._container.duration or 0) / _MICROSECONDS_PER_SECOND
        if self._demuxer not in _UNINDEXED_DEMUXERS and end < declared - max(1.0, 0.1 * declared):
            raise BrokenFile("it ends before its last picture")

    def seek(self, seconds: float) -> None:
        """Seek to the last key frame at or before `seconds`."""
        back = 0.0
        while seconds > back:
            if self._alpha_decoder is not None:
                self._alpha_decoder.flush_buffers()
            self._container.seek(
                round((seconds - back + self._start_seconds) * _MICROSECONDS_PER_SECOND), backward=True
            )
            self._frames = self._decode()
            first = self._peek()
            if first is not None and self._seconds_of(first) - self._first_frame_seconds <= seconds + _SOON:
                return
            # Without an index what is found may come later, or be nothing.
            back = max(1.0, 2 * back)
        self._seek_start()

    def _seek_start(self) -> None:
        self._container.close()
        self._open()

    def read(self) -> SourceFrame | None:
        """Decode the next frame."""
        frame = next(self._frames, None)
        if frame is None:
            return None
        self._last_frame_seconds = self._seconds_of(frame)
        return SourceFrame(max(0.0, self._last_frame_seconds - self._first_frame_seconds), frame)

    def render(self, frame: SourceFrame, crop: Crop, background: tuple[int, int, int]) -> Frame:
        """Return the part `crop` of a frame at the size it is drawn."""
        if frame.data.width * frame.data.height > self._limits.video_pixels:
            raise BrokenFile("a frame is beyond the limit")
        return render_crop(frame.data, crop, (self.info.width, self.info.height), self._orientation, background)

    def _decode(self) -> Iterator[VideoFrame]:
        """Yield the frames from here on; a long stretch of packets without any counts as damage."""
        barren = 0
        for packet in self._container.demux(self._stream):
            barren += 1
            for frame in self._decode_packet(packet):
                barren = 0
                yield frame
            if barren > self._limits.packets_per_read:
                raise BrokenFile("it has data but no pictures")

    def _decode_packet(self, packet: Packet[VideoStream]) -> list[VideoFrame]:
        return packet.decode() if self._alpha_decoder is None else self._alpha_decoder.decode(packet)


def _demuxer_of(source: Path | BinaryIO, decoder: str | None) -> str:
    # One named demuxer: libav would else also open playlists, which name other files and hosts.
    name = decoder or (DECODERS.get(source.suffix.lower()) if isinstance(source, Path) else None)
    if name is None:
        raise UnsupportedFile("this program does not open such files")
    return name


def _open_container(source: Path | BinaryIO, demuxer: str, limits: DecodeLimits) -> InputContainer:
    if isinstance(source, Path):
        # A missing file must not load libraries of 19 MB.
        source.stat()
    else:
        source.seek(0)
    import av

    options = {"max_pixels": str(limits.video_pixels), "protocol_whitelist": "file", "threads": "1"}
    return av.open(str(source) if isinstance(source, Path) else source, "r", format=demuxer, options=options)


def _video_stream(container: InputContainer) -> VideoStream:
    streams = container.streams.video
    if not streams:
        raise UnsupportedFile("it holds no picture")
    stream = streams[0]
    if stream.codec_context is None:
        raise UnsupportedFile("its codec is not known here")
    stream.thread_type = "NONE"
    return stream


def _alpha_decoder(stream: VideoStream) -> VideoCodecContext | None:
    name = _ALPHA_DECODERS.get(stream.codec_context.codec.canonical_name)
    if name is None or stream.metadata.get("alpha_mode", stream.metadata.get("ALPHA_MODE")) != "1":
        return None
    from av.codec import Codec, CodecContext
    from av.error import FFmpegError

    try:
        return CodecContext.create(Codec(name, "r"), "r")  # type: ignore[return-value]
    except (FFmpegError, ValueError):
        return None


def _read_info(container: InputContainer, stream: VideoStream, limits: DecodeLimits) -> MediaInfo:
    width, height = stream.codec_context.width, stream.codec_context.height
    if width < 1 or height < 1:
        raise BrokenFile("it has no size")
    if width * height > limits.video_pixels:
        raise UnsupportedFile(f"it has {width} × {height} pixels, more than are opened here")
    own = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
    seconds = own or (container.duration or 0) / _MICROSECONDS_PER_SECOND
    if not 0 <= seconds <= limits.video_seconds:
        raise BrokenFile("it claims a length that cannot be")
    rate = float(stream.average_rate or 0)
    codec, has_sound = stream.codec_context.codec.canonical_name, bool(container.streams.audio)
    frame_rate = rate if 0 < rate <= 1000 else _FALLBACK_FRAME_RATE
    return MediaInfo(width, height, seconds, codec, has_sound, frame_rate=frame_rate)


def _square_pixels(info: MediaInfo, stream: VideoStream) -> tuple[int, int]:
    """Return the size with the pixels made square, the shorter side made longer."""
    aspect = float(stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1)
    if 1 < aspect <= _MAX_PIXEL_ASPECT:
        return round(info.width * aspect), info.height
    if 1 / _MAX_PIXEL_ASPECT <= aspect < 1:
        return info.width, round(info.height / aspect)
    return info.width, info.height
