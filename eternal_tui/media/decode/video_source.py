"""Where the frames of a clip come from: libav for videos, Pillow for animated images."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

import msgspec

from eternal_tui.media.decode.filetype import ANIMATED_SUFFIXES
from eternal_tui.media.decode.frame import Frame
from eternal_tui.media.decode.images import frame_durations, open_image, render_image, upright_size_of
from eternal_tui.media.decode.large_images import check_memory
from eternal_tui.media.decode.video_scaling import orientation_of, render_crop
from eternal_tui.media.decode.viewport import Crop
from eternal_tui.media.errors import BrokenFile, UnsupportedFile, translate_decode_errors
from eternal_tui.media.limits import DecodeLimits

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from PIL import Image

_DEMUXER_BY_SUFFIX = {
    ".mp4": "mp4", ".mov": "mov", ".webm": "webm", ".mkv": "matroska", ".avi": "avi", ".ts": "mpegts",
}  # fmt: skip
_FALLBACK_FRAME_RATE = 24.0
_MICROSECONDS_PER_SECOND = 1_000_000
_MAX_PIXEL_ASPECT = 16
"""Times a pixel may be wider than high, or the other way round: what claims more is drawn as it is stored."""

_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""What reads the transparency that WebM keeps beside the picture: libav's own decoders pass it over."""


class VideoInfo(msgspec.Struct, frozen=True):
    """A clip's pixels as it is seen, length in seconds (None where it is not known), frames a second, codec, sound."""

    width: int
    height: int
    seconds: float | None
    frame_rate: float
    codec: str
    has_sound: bool


class SourceFrame(msgspec.Struct, frozen=True):
    """One frame not yet scaled: its time in seconds from the clip's start, and what its source knows it by."""

    seconds: float
    data: object


class FrameSource(Protocol):
    """One open clip whose frames are read in order. Every call blocks and may raise whatever the decoder raises."""

    info: VideoInfo
    key_seconds: list[float]
    """When those frames begin that can be decoded without another, as far as that is known."""

    def scan(self, deadline: float) -> None:
        """Learn the length from the packets, until `deadline` by the source's clock; raises BrokenFile for a cut."""

    def seek(self, seconds: float) -> None:
        """Go on with the last frame at or before `seconds` that can be decoded by itself."""

    def read(self) -> SourceFrame | None:
        """Return the next frame, None at the end."""

    def render(self, frame: SourceFrame, crop: Crop, background: tuple[int, int, int]) -> Frame:
        """Return the part `crop` of a frame at the size it is drawn."""

    def close(self) -> None:
        """Let go of the file."""


def open_source(
    source: Path | BinaryIO, decoder: str | None, limits: DecodeLimits, clock: Callable[[], float] = time.monotonic
) -> FrameSource:
    """Open a video or an animated image; raises ResultError."""
    with translate_decode_errors():
        if decoder is None and isinstance(source, Path) and source.suffix.lower() in ANIMATED_SUFFIXES:
            return AnimationSource(source, limits)
        return LibavSource(source, decoder, limits, clock)


class AnimationSource:
    """An animated GIF, WebP, PNG or AVIF."""

    def __init__(self, path: Path, limits: DecodeLimits) -> None:
        self._path, self._limits = path, limits
        self._image: Image.Image = open_image(path, limits)
        try:
            check_memory(self._image)
            durations = frame_durations(self._image)
            self._starts = [sum(durations[:number]) for number in range(len(durations))]
            self._next = 0
            self._size = upright_size_of(self._image)
            total = sum(durations)
            self.info = VideoInfo(
                *self._size,
                seconds=total,
                frame_rate=len(durations) / total,
                codec=(self._image.format or "").lower(),
                has_sound=False,
            )
        except BaseException:
            self._image.close()
            raise
        self.key_seconds = self._starts

    def scan(self, deadline: float) -> None:
        """Return: the length is known already."""

    def seek(self, seconds: float) -> None:
        """Go on with the frame shown at `seconds`."""
        self._next = max(0, bisect_right(self._starts, seconds) - 1)

    def read(self) -> SourceFrame | None:
        """Return the next frame, which is decoded only when it is rendered."""
        number = self._next
        if number >= len(self._starts):
            return None
        self._next += 1
        return SourceFrame(self._starts[number], number)

    def render(self, frame: SourceFrame, crop: Crop, background: tuple[int, int, int]) -> Frame:
        """Return the part `crop` of a frame at the size it is drawn."""
        number: int = frame.data  # type: ignore[assignment]
        if number < self._image.tell():
            # Pillow 13 finds "sequence errors" in an animated PNG that is rewound.
            self._image.close()
            self._image = open_image(self._path, self._limits)
        self._image.seek(number)
        return render_image(self._image, None, crop, self._size, background)

    def close(self) -> None:
        """Let go of the file."""
        self._image.close()


class LibavSource:
    """A video in one of the containers that libav opens here."""

    def __init__(
        self, source: Path | BinaryIO, decoder: str | None, limits: DecodeLimits, clock: Callable[[], float]
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._container = _open_container(source, decoder, limits)
        self.key_seconds: list[float] = []
        try:
            self._stream = _video_stream(self._container)
            self._alpha_decoder = _alpha_decoder(self._stream)
            self._start_seconds = float((self._stream.start_time or 0) * (self._stream.time_base or 0))
            info = _read_info(self._container, self._stream, limits)
            self._frames: Iterator[VideoFrame] = self._decode()
            # How a clip is turned, and how wide its pixels are, stands with its frames.
            first = next(self._frames, None)
            self._pushed_back = first
            self._orientation = orientation_of(first)
            self.info = _as_seen(info, self._stream, turned=self._orientation >= 5)
        except BaseException:
            self._container.close()
            raise

    def close(self) -> None:
        """Let go of the file and the decoder."""
        self._frames, self._pushed_back = iter(()), None
        self._container.close()

    def scan(self, deadline: float) -> None:
        """Learn the picture track's length from its packets; raises BrokenFile where the file ends before its data."""
        self._container.seek(0)
        ends: dict[int, float] = {}
        step = 1 / self.info.frame_rate
        keys, last = [], 0.0
        for packet in self._container.demux():
            if packet.is_corrupt:
                raise BrokenFile("it ends before its last picture")
            if packet.pts is not None and packet.time_base is not None:
                at = float(packet.pts * packet.time_base) - self._start_seconds
                length = float((packet.duration or 0) * packet.time_base)
                if packet.stream.index == self._stream.index:
                    step = length or (at - last if 0 < at - last < 1 else step)
                    last, length = at, length or step
                    if packet.is_keyframe:
                        keys.append(at)
                ends[packet.stream.index] = max(ends.get(packet.stream.index, 0.0), at + length)
            if self._clock() > deadline:
                break
        else:
            self._check_end(max(ends.values(), default=0.0))
            self.key_seconds = sorted(keys)
            seconds = ends.get(self._stream.index)
            if seconds is not None and 0 < seconds <= self._limits.video_seconds:
                self.info = msgspec.structs.replace(self.info, seconds=seconds)
        self.seek(0.0)

    def _check_end(self, end: float) -> None:
        declared = (self._container.duration or 0) / _MICROSECONDS_PER_SECOND
        if end < declared - max(1.0, 0.1 * declared):
            raise BrokenFile("it ends before its last picture")

    def seek(self, seconds: float) -> None:
        """Go on with the last key frame at or before `seconds`."""
        self._pushed_back = None
        if self._alpha_decoder is not None:
            self._alpha_decoder.flush_buffers()
        self._container.seek(round((seconds + self._start_seconds) * _MICROSECONDS_PER_SECOND), backward=True)
        self._frames = self._decode()

    def read(self) -> SourceFrame | None:
        """Decode the next frame."""
        frame, self._pushed_back = self._pushed_back or next(self._frames, None), None
        if frame is None:
            return None
        return SourceFrame(max(0.0, float(frame.time or 0.0) - self._start_seconds), frame)

    def render(self, frame: SourceFrame, crop: Crop, background: tuple[int, int, int]) -> Frame:
        """Return the part `crop` of a frame at the size it is drawn."""
        picture: VideoFrame = frame.data  # type: ignore[assignment]
        if picture.width * picture.height > self._limits.video_pixels:
            raise BrokenFile("a frame is beyond the limit")
        return render_crop(picture, crop, (self.info.width, self.info.height), self._orientation, background)

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


def _open_container(source: Path | BinaryIO, decoder: str | None, limits: DecodeLimits) -> InputContainer:
    # One named demuxer: libav would else also open playlists, which name other files and hosts.
    name = decoder or (_DEMUXER_BY_SUFFIX.get(source.suffix.lower()) if isinstance(source, Path) else None)
    if name is None:
        raise UnsupportedFile("this program does not open such files")
    if isinstance(source, Path):
        # A file that is gone is no reason to load libraries of 19 MB.
        source.stat()
    import av

    options = {"max_pixels": str(limits.video_pixels), "protocol_whitelist": "file", "threads": "1"}
    return av.open(str(source) if isinstance(source, Path) else source, "r", format=name, options=options)


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


def _read_info(container: InputContainer, stream: VideoStream, limits: DecodeLimits) -> VideoInfo:
    width, height = stream.codec_context.width, stream.codec_context.height
    if width < 1 or height < 1:
        raise BrokenFile("it has no size")
    if width * height > limits.video_pixels:
        raise UnsupportedFile(f"it has {width} × {height} pixels, more than are opened here")
    own = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None
    seconds = own or (container.duration / _MICROSECONDS_PER_SECOND if container.duration else None)
    if seconds is not None and not 0 < seconds <= limits.video_seconds:
        raise BrokenFile("it claims a length that cannot be")
    rate = float(stream.average_rate or 0)
    return VideoInfo(
        width=width,
        height=height,
        seconds=seconds,
        frame_rate=rate if 0 < rate <= 1000 else _FALLBACK_FRAME_RATE,
        codec=stream.codec_context.codec.canonical_name,
        has_sound=bool(container.streams.audio),
    )


def _as_seen(info: VideoInfo, stream: VideoStream, *, turned: bool) -> VideoInfo:
    """Return the facts with the pixels made square, the shorter side made longer, and the clip turned."""
    aspect = float(stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1)
    width, height = info.width, info.height
    if 1 < aspect <= _MAX_PIXEL_ASPECT:
        width = round(width * aspect)
    elif 1 / _MAX_PIXEL_ASPECT <= aspect < 1:
        height = round(height / aspect)
    return msgspec.structs.replace(info, width=height if turned else width, height=width if turned else height)
