"""Files of drawings: JPEG images, and videos of H.264 and AAC in an MP4."""

from __future__ import annotations

import io
import math
from array import array
from collections.abc import Iterator
from fractions import Fraction
from threading import Event
from typing import TYPE_CHECKING, Any

import msgspec

from eternal_tui.sandbox.settings import seeded_rng

if TYPE_CHECKING:
    from PIL.Image import Image


_SAMPLE_RATE_HZ = 44100
_AUDIO_FRAME_SAMPLES = 1024
# A minor pentatonic scale over A2, in Hz: any two of its notes sound calm together.
_SCALE_HZ = (110.0, 130.81, 146.83, 164.81, 196.0, 220.0, 261.63, 293.66)


class VideoSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What to film; ``size`` in pixels, both even."""

    prompt: str
    character: str
    seed: str
    size: tuple[int, int]
    fps: int
    seconds: int
    audio: bool


class RenderCancelled(Exception):
    """The clip was given up half way."""


def _render_frames(spec: VideoSpec) -> Iterator[Image]:
    from eternal_tui.sandbox.art.stage import Stage

    stage = Stage(spec.prompt, spec.character, spec.seed, spec.size, seconds=spec.seconds)
    count = spec.seconds * spec.fps
    for index in range(count):
        yield stage.frame(index / spec.fps)


def _tone_samples(spec: VideoSpec) -> array[float]:
    """A soft chord that swells once: mono samples from -1 to 1."""
    rng = seeded_rng(f"tone:{spec.seed}")
    notes = rng.sample(_SCALE_HZ, 3)
    total = spec.seconds * _SAMPLE_RATE_HZ
    # One period of the sum repeats exactly, so whole seconds are copies of the first.
    second = [
        sum(math.sin(2 * math.pi * round(note) * index / _SAMPLE_RATE_HZ) for note in notes) / 3
        for index in range(_SAMPLE_RATE_HZ)
    ]
    samples = array("f", second) * spec.seconds
    fade = _SAMPLE_RATE_HZ // 2
    for index in range(fade):
        gain = 0.5 - 0.5 * math.cos(math.pi * index / fade)
        samples[index] *= gain
        samples[total - 1 - index] *= gain
    return array("f", (0.22 * sample for sample in samples))


def _write_audio(container: Any, stream: Any, samples: array[float]) -> None:
    import av

    for start in range(0, len(samples), _AUDIO_FRAME_SAMPLES):
        block = samples[start : start + _AUDIO_FRAME_SAMPLES]
        frame = av.AudioFrame(format="fltp", layout="mono", samples=len(block))
        frame.planes[0].update(bytes(block).ljust(frame.planes[0].buffer_size, b"\0"))
        frame.sample_rate = _SAMPLE_RATE_HZ
        frame.pts = start
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _write_video(container: Any, stream: Any, spec: VideoSpec, stop_event: Event) -> None:
    import av

    for index, image in enumerate(_render_frames(spec)):
        if stop_event.is_set():
            raise RenderCancelled
        frame: Any = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]
        frame.pts = index
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def render_video(spec: VideoSpec, stop_event: Event) -> bytes:
    """The MP4 of a clip; raises RenderCancelled when asked to give up."""
    import av

    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        video: Any = container.add_stream("libx264", rate=spec.fps)
        video.width, video.height = spec.size
        video.pix_fmt = "yuv420p"
        video.time_base = Fraction(1, spec.fps)
        video.options = {"preset": "ultrafast", "crf": "24", "threads": "1"}
        audio: Any = container.add_stream("aac", rate=_SAMPLE_RATE_HZ, layout="mono") if spec.audio else None
        _write_video(container, video, spec, stop_event)
        if audio is not None:
            _write_audio(container, audio, _tone_samples(spec))
    return out.getvalue()


def _encode_jpeg(image: Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=88)
    return out.getvalue()


def render_image(prompt: str, character: str, seed: str, size: tuple[int, int]) -> bytes:
    """The JPEG of a prompt and a character; ``seed`` decides what the prompt leaves open."""
    from eternal_tui.sandbox.art.stage import Stage

    return _encode_jpeg(Stage(prompt, character, seed, size, seconds=0).frame(0.0))


def render_avatar(character: str, size: tuple[int, int]) -> bytes:
    """The JPEG portrait of a character."""
    from eternal_tui.sandbox.art.stage import draw_portrait

    return _encode_jpeg(draw_portrait(character, size))
