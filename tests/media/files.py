"""Small real pictures and clips, made on the spot."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import av
from PIL import Image, ImageChops, ImageDraw, ImageStat

from eternal_tui.media.decode.frame import Frame


def make_image(width: int = 96, height: int = 64) -> Image.Image:
    """Return a picture whose four corners differ, so that turns and flips show."""
    image = Image.merge(
        "RGB",
        (
            Image.linear_gradient("L").resize((width, height)),
            Image.linear_gradient("L").rotate(90).resize((width, height)),
            Image.radial_gradient("L").resize((width, height)),
        ),
    )
    ImageDraw.Draw(image).rectangle((0, 0, width // 4, height // 4), fill=(255, 0, 0))
    return image


def encode_image(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return `image` as the bytes of a file of that format."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def write_video(
    path: Path,
    *,
    width: int = 96,
    height: int = 64,
    frames: int = 24,
    rate: int = 24,
    options: dict[str, str] | None = None,
) -> Path:
    """Write an H.264 clip whose frame number n is a grey of 8·n: frames can be told apart after scaling."""
    with av.open(str(path), "w", options=options or {}) as container:
        video = container.add_stream("libx264", rate=rate)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.options = {"preset": "ultrafast", "crf": "10", "g": "8"}
        for number in range(frames):
            grey = (number * 8) % 256
            image = Image.new("RGB", (width, height), (grey, grey, grey))
            container.mux(video.encode(to_video_frame(image)))
        container.mux(video.encode())
    return path


def rotate_video(path: Path, quarters: int) -> Path:
    """Write into an MP4 that it is to be shown turned clockwise by that many quarters, as telephones do."""
    cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarters]
    data = bytearray(path.read_bytes())
    # The track header: version and flags, five words, eight bytes kept free, four half words; then the matrix.
    at = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    data[at : at + 36] = struct.pack(">9i", cos << 16, sin << 16, 0, -sin << 16, cos << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def write_scene_video(path: Path, *, width: int = 480, height: int = 720, frames: int = 96, rate: int = 24) -> Path:
    """Write a clip as a camera would: a still ground with something moving across a third of it."""
    ground = make_image(width, height)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=rate)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.options = {"preset": "ultrafast"}
        for number in range(frames):
            image = ground.copy()
            left = number * (width - width // 3) // frames
            ImageDraw.Draw(image).ellipse((left, height // 3, left + width // 3, height * 2 // 3), fill=(240, 200, 60))
            container.mux(video.encode(to_video_frame(image)))
        container.mux(video.encode())
    return path


def to_video_frame(image: Image.Image) -> av.VideoFrame:
    frame: av.VideoFrame = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]
    return frame


def write_audio_only(path: Path) -> Path:
    """Write an MP4 that holds nothing to see."""
    frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
    frame.sample_rate = 16_000
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    with av.open(str(path), "w") as container:
        voice = container.add_stream("aac", rate=16_000)
        container.mux(voice.encode(frame))
        container.mux(voice.encode())
    return path


def as_image(frame: Frame) -> Image.Image:
    return Image.frombytes("RGB", (frame.width, frame.height), frame.rgb)


def mean_difference(one: Image.Image, other: Image.Image) -> float:
    """Return by how many levels of 256 two images differ on average, in the channel where they do most."""
    return max(ImageStat.Stat(ImageChops.difference(one, other)).mean)
