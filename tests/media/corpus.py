"""Files as services really send them, one of a kind, made by code."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from PIL import Image

from eternal_tui.media.decode.filetype import MediaInfo
from eternal_tui.media.decode.video import VideoReader
from tests.media.files import encode_image, make_image, rotate_video, to_video_frame

SIZE = (96, 64)


def clip_facts(path: Path) -> MediaInfo:
    """Return what a clip's packets say of it."""
    with VideoReader(path) as reader:
        return reader.scan()


def grey_frames(count: int) -> list[Image.Image]:
    """Return frames whose grey is 20 and ten times their number."""
    return [Image.new("RGB", SIZE, (20 + 10 * number,) * 3) for number in range(count)]


def write_clip(
    path: Path,
    images: Sequence[Image.Image],
    *,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    container: str | None = None,
    options: dict[str, str] | None = None,
    codec_options: dict[str, str] | None = None,
    times: Sequence[int] | None = None,
    rate: int = 10,
    sound_seconds: float = 0.0,
    setup: Callable[[Any], None] = lambda _: None,
) -> Path:
    """Write images as a clip of `rate` frames a second; `times` are those of the frames in milliseconds."""
    with av.open(str(path), "w", format=container, options=options or {}) as out:
        video: Any = out.add_stream(codec, rate=rate)
        video.width, video.height, video.pix_fmt = images[0].width, images[0].height, pixel_format
        video.options = {"crf": "4", **(codec_options or {})}
        if codec == "libx264":
            video.options = {"preset": "ultrafast", "crf": "4", "g": "5", "bf": "0", **(codec_options or {})}
        video.codec_context.time_base = Fraction(1, 1000)
        setup(video)
        sound: Any = (
            out.add_stream("libopus" if "webm" in path.suffix else "aac", rate=48_000) if sound_seconds else None
        )
        for number, image in enumerate(images):
            frame = to_video_frame(image)
            frame.pts, frame.time_base = (
                (times or range(0, 1000 * len(images) // rate, 1000 // rate))[number],
                Fraction(1, 1000),
            )
            if pixel_format != "yuv420p":
                frame = frame.reformat(format=pixel_format)
            out.mux(video.encode(frame))
        out.mux(video.encode())
        for number in range(round(sound_seconds * 48_000 / 960)) if sound is not None else ():
            silence = av.AudioFrame(format="fltp", layout="mono", samples=960)
            for plane in silence.planes:
                plane.update(bytes(plane.buffer_size))
            silence.sample_rate, silence.pts, silence.time_base = 48_000, number * 960, Fraction(1, 48_000)
            out.mux(sound.encode(silence))
        if sound is not None:
            out.mux(sound.encode())
    return path


def set_rate_of_tv(stream: Any) -> None:
    """Give a clip the only kind of time that MPEG-2 knows."""
    stream.codec_context.time_base = Fraction(1, 25)


def set_aspect(aspect: Fraction) -> Callable[[Any], None]:
    """Return what gives a clip pixels of another shape."""

    def setup(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = aspect

    return setup


def set_colours(transfer: int) -> Callable[[Any], None]:
    """Return what marks a clip as HDR: BT.2020 with this transfer."""

    def setup(stream: Any) -> None:
        context = stream.codec_context
        context.color_trc, context.color_primaries, context.colorspace = transfer, 9, 9

    return setup


def mirror_video(path: Path) -> Path:
    """Write into an MP4 that it is to be seen in a mirror, as telephones do."""
    rotate_video(path, 0)
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    data[at : at + 4] = struct.pack(">i", -1 << 16)
    path.write_bytes(data)
    return path


def animation(kind: str, frames: int = 4, milliseconds: int = 200) -> bytes:
    """Return grey frames as an animated image."""
    first, *rest = grey_frames(frames)
    options = {"lossless": True} if kind == "WEBP" else {}
    return encode_image(first, kind, save_all=True, append_images=rest, duration=milliseconds, loop=0, **options)


def avif_of_other_brand(_folder: Path) -> bytes:
    data = encode_image(make_image(), "AVIF")
    return data[:8] + b"mif1" + data[12:]


Maker = Callable[[Path], bytes]


def clip(name: str, **options: Any) -> Maker:
    """Return what makes a clip of ten grey frames in a folder and returns its bytes."""
    return lambda folder: write_clip(folder / name, grey_frames(10), **options).read_bytes()


def still(kind: str) -> Maker:
    return lambda _: encode_image(make_image(), kind)


def pages(kind: str) -> Maker:
    return lambda _: encode_image(make_image(), kind, save_all=True, append_images=[make_image()])


VP9: dict[str, Any] = {"codec": "libvpx-vp9", "codec_options": {"deadline": "realtime", "cpu-used": "8"}}
LIVE: dict[str, Any] = {**VP9, "container": "webm", "options": {"live": "1"}}
MJPEG: dict[str, Any] = {"codec": "mjpeg", "pixel_format": "yuvj420p"}
MPEG2: dict[str, Any] = {"codec": "mpeg2video", "rate": 25, "setup": set_rate_of_tv}
FRAGMENTED: dict[str, Any] = {"options": {"movflags": "frag_keyframe+empty_moov"}}
B_FRAMES: dict[str, Any] = {"codec_options": {"bf": "2"}}
WHOLE: dict[str, tuple[Maker, str, str, float]] = {
    # name: (bytes, what was asked for, the suffix, seconds)
    "webm-live": (clip("a.webm", **LIVE), "video", "webm", 1.0),
    "mp4-fragmented": (clip("a.mp4", **FRAGMENTED), "video", "mp4", 1.0),
    "mp4-longer-sound": (clip("a.mp4", sound_seconds=1.5), "video", "mp4", 1.0),
    "matroska": (clip("a.mkv"), "video", "mkv", 1.0),
    "avi": (clip("a.avi", **MJPEG), "video", "avi", 1.0),
    "avi-b-frames": (clip("a.avi", **B_FRAMES), "video", "avi", 1.0),
    "transport-with-sound": (clip("a.ts", sound_seconds=1.5), "video", "ts", 1.0),
    "flash": (clip("a.flv", **B_FRAMES), "video", "flv", 1.0),
    "mpeg": (clip("a.mpg", **MPEG2), "video", "mpg", 0.4),
    "windows-media": (clip("a.wmv", codec="wmv2"), "video", "wmv", 1.0),
    "gif": (lambda _: animation("GIF"), "video", "gif", 0.8),
    "webp": (lambda _: animation("WEBP"), "video", "webp", 0.8),
    "apng": (lambda _: animation("PNG"), "video", "png", 0.8),
    "still-gif": (still("GIF"), "image", "gif", 0.0),
    "jpeg-no-eoi": (lambda _: encode_image(make_image(), "JPEG")[:-2], "image", "jpg", 0.0),
    "jpeg-mpo": (pages("MPO"), "image", "jpg", 0.0),
    "avif-mif1": (avif_of_other_brand, "image", "avif", 0.0),
    "bmp": (still("BMP"), "image", "bmp", 0.0),
    "tiff-pages": (pages("TIFF"), "image", "tiff", 0.0),
    "jpeg-2000": (still("JPEG2000"), "image", "jp2", 0.0),
    "ppm": (still("PPM"), "image", "ppm", 0.0),
}
CUT: dict[str, Maker] = {
    "webm": clip("c.webm", **VP9),
    "webm-live": clip("c.webm", **LIVE),
    "mp4-fragmented": clip("c.mp4", **FRAGMENTED),
    "mkv": clip("c.mkv"),
    "avi": clip("c.avi", **MJPEG),
    "gif": lambda _: animation("GIF"),
    "webp": lambda _: animation("WEBP"),
    "apng": lambda _: animation("PNG"),
    "jpeg": still("JPEG"),
}
"""Files whose first half must be found damaged."""


def noisy_page(side: int = 1600) -> Image.Image:
    """Return text and thin lines on a photo-like ground."""
    from PIL import ImageDraw

    image = make_image(side, side)
    pen = ImageDraw.Draw(image)
    for number in range(120):
        at = number * 13 % side
        pen.line((at, 0, side - at, side), fill=(number * 2, 255 - number, 40), width=1 + number % 3)
        pen.text((number * 37 % side, number * 71 % side), "The quick brown fox 0123", fill=(255, 255, 255))
    return image


def write_transparent_clip(
    path: Path, image: Image.Image, *, codec: str, pixel_format: str, codec_options: dict[str, str] | None = None
) -> Path:
    """Write an RGBA image as a clip of three frames that keep its transparency."""
    with av.open(str(path), "w") as out:
        video: Any = out.add_stream(codec, rate=10)
        video.width, video.height, video.pix_fmt = *image.size, pixel_format
        video.options = codec_options or {}
        for _ in range(3):
            frame = av.VideoFrame(*image.size, "rgba")
            plane = frame.planes[0]
            rows = (image.crop((0, y, image.width, y + 1)).tobytes() for y in range(image.height))
            plane.update(b"".join(row.ljust(plane.line_size, b"\0") for row in rows))
            out.mux(video.encode(frame.reformat(format=pixel_format)))
        out.mux(video.encode())
    return path
