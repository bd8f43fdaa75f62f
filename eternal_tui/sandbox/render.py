"""Files of drawings, JPEG images and videos of H.264 and AAC in an MP4, rendered off the event loop."""

from __future__ import annotations

import asyncio
import io
import math
from array import array
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from threading import Event
from typing import TYPE_CHECKING, Any

from eternal_tui.sandbox.settings import SandboxSettings, seeded_rng
from eternal_tui.sandbox.validation import ParsedRequest

if TYPE_CHECKING:
    from PIL.Image import Image

_SAMPLE_RATE_HZ = 44100
_AUDIO_FRAME_SAMPLES = 1024
# A minor pentatonic scale over A2, in Hz: any two of its notes sound calm together.
_SCALE_HZ = (110.0, 130.81, 146.83, 164.81, 196.0, 220.0, 261.63, 293.66)


class RenderCancelled(Exception):
    """The drawing was given up."""


class MediaRenderer:
    """Draws each file once at a time and remembers up to ``cache_bytes`` of them.

    A file is that of a request, the same bytes for the same request and seed, or the portrait of a character's ID.
    """

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="renderer")
        self._stop_event = Event()
        self._cache: dict[ParsedRequest | int, bytes] = {}
        self._tasks: dict[ParsedRequest | int, asyncio.Task[bytes]] = {}
        self.render_count = 0

    async def render(self, subject: ParsedRequest | int) -> bytes:
        """Return the file of `subject`; raises RenderCancelled."""
        if subject in self._cache:
            # The most recently used is last.
            self._cache[subject] = self._cache.pop(subject)
            return self._cache[subject]
        return await asyncio.shield(self._start(subject))

    def prerender(self, request: ParsedRequest) -> None:
        """Start to draw a result that will be fetched soon."""
        if request not in self._cache and not self._stop_event.is_set():
            # Errors are raised to the request for the file.
            self._start(request).add_done_callback(lambda task: task.exception())

    def cancel(self) -> None:
        """Give up what is being drawn: those who wait for it get RenderCancelled."""
        self._stop_event.set()

    async def close(self) -> None:
        """Stop drawing; waits for the current frame."""
        self.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._pool.shutdown(wait=True)

    def _start(self, subject: ParsedRequest | int) -> asyncio.Task[bytes]:
        if subject not in self._tasks:
            self._tasks[subject] = asyncio.create_task(self._render_in_thread(subject))
        return self._tasks[subject]

    async def _render_in_thread(self, subject: ParsedRequest | int) -> bytes:
        try:
            drawn = await asyncio.get_running_loop().run_in_executor(self._pool, self._draw, subject)
        finally:
            del self._tasks[subject]
        self.render_count += 1
        self._cache[subject] = drawn
        while len(self._cache) > 1 and sum(map(len, self._cache.values())) > self._settings.cache_bytes:
            del self._cache[next(iter(self._cache))]
        return drawn

    def _draw(self, subject: ParsedRequest | int) -> bytes:
        from eternal_tui.sandbox.scene import Stage, draw_portrait

        settings = self._settings
        if self._stop_event.is_set():
            raise RenderCancelled
        if isinstance(subject, int):
            return _encode_jpeg(draw_portrait(str(subject), settings.avatar_size))
        seed = f"{settings.seed or 0}:{subject.character}:{subject.prompt}"
        if subject.kind == "image":
            width, height = settings.image_size
            size = (width * 3 // 2, height * 3 // 2) if subject.quality == "high" else (width, height)
            return _encode_jpeg(Stage(subject.prompt, subject.character, seed, size, seconds=0).frame(0.0))
        stage = Stage(subject.prompt, subject.character, seed, settings.video_size, seconds=subject.duration)
        frames = (stage.frame(index / settings.video_fps) for index in range(subject.duration * settings.video_fps))
        sound = _tone_samples(subject.duration, seed) if subject.audio else array("f")
        return _encode_video(frames, settings, sound, self._stop_event)


def _encode_jpeg(image: Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=88)
    return out.getvalue()


def _encode_video(frames: Iterator[Image], settings: SandboxSettings, sound: array[float], stop_event: Event) -> bytes:
    import av

    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        video: Any = container.add_stream("libx264", rate=settings.video_fps)
        video.width, video.height = settings.video_size
        video.pix_fmt = "yuv420p"
        video.time_base = Fraction(1, settings.video_fps)
        video.options = {"preset": "ultrafast", "crf": "24", "threads": "1"}
        audio: Any = container.add_stream("aac", rate=_SAMPLE_RATE_HZ, layout="mono") if sound else None
        for index, image in enumerate(frames):
            if stop_event.is_set():
                raise RenderCancelled
            picture: Any = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]
            picture.pts = index
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        for start in range(0, len(sound), _AUDIO_FRAME_SAMPLES):
            block = sound[start : start + _AUDIO_FRAME_SAMPLES]
            frame = av.AudioFrame(format="fltp", layout="mono", samples=len(block))
            frame.planes[0].update(bytes(block).ljust(frame.planes[0].buffer_size, b"\0"))
            frame.sample_rate = _SAMPLE_RATE_HZ
            frame.pts = start
            container.mux(audio.encode(frame))
        if sound:
            container.mux(audio.encode(None))
    return out.getvalue()


def _tone_samples(seconds: int, seed: str) -> array[float]:
    """A soft chord that swells once: mono samples from -1 to 1."""
    notes = seeded_rng(f"tone:{seed}").sample(_SCALE_HZ, 3)
    # One period of the sum repeats exactly, so whole seconds are copies of the first.
    second = [
        0.22 * sum(math.sin(2 * math.pi * round(note) * index / _SAMPLE_RATE_HZ) for note in notes) / 3
        for index in range(_SAMPLE_RATE_HZ)
    ]
    samples = array("f", second) * seconds
    fade = _SAMPLE_RATE_HZ // 2
    for index in range(fade):
        gain = 0.5 - 0.5 * math.cos(math.pi * index / fade)
        samples[index] *= gain
        samples[-1 - index] *= gain
    return samples
