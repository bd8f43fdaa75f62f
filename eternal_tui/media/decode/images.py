"""Pictures: opened under limits and scaled to frames."""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from eternal_tui.media.decode.frame import HALF_BLOCK_CELL, Frame
from eternal_tui.media.decode.viewport import WHOLE_VIEWPORT, Crop, Viewport, visible_crop
from eternal_tui.media.errors import BrokenFile, translate_decode_errors
from eternal_tui.media.limits import DecodeLimits

if TYPE_CHECKING:
    from PIL import Image

IMAGE_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF")
"""AVIF last: a Pillow built without it knows no such format, and must not stumble before it found the others."""
BLACK = (0, 0, 0)

_EXIF_ORIENTATION_TAG = 0x0112
_SIDEWAYS_ORIENTATIONS = frozenset({5, 6, 7, 8})
"""EXIF orientations that swap width and height."""


class ImageInfo(msgspec.Struct, frozen=True):
    """A picture's size in pixels, upright, and its format's name."""

    width: int
    height: int
    codec: str


def open_image(source: Path | BinaryIO, limits: DecodeLimits, formats: tuple[str, ...] = IMAGE_FORMATS) -> Image.Image:
    """Open a picture without decoding it; raises BrokenFile for other formats and for too many pixels.

    The caller closes it.
    """
    from PIL import Image

    # Pillow complains of odd metadata on stderr, where the app draws its screen. Of too many pixels it warns
    # between its limit and twice that, and only then raises: both are refusals here.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    with translate_decode_errors():
        image = Image.open(source, formats=formats)
        width, height = image.size
        if width < 1 or height < 1 or width * height > limits.image_pixels:
            image.close()
            raise BrokenFile(f"it claims {width} × {height} pixels, beyond the limit")
    return image


def image_info(file: BinaryIO, decoder: str, limits: DecodeLimits) -> ImageInfo:
    """Decode all of the first picture of `file` as format `decoder`, return its facts; raises BrokenFile."""
    with open_image(file, limits, (decoder,)) as image, translate_decode_errors():
        width, height = image.size
        if _exif_orientation(image) in _SIDEWAYS_ORIENTATIONS:
            width, height = height, width
        codec = (image.format or decoder).lower()
        # An eighth of the size reads every byte of a JPEG just the same, in a fraction of time and memory.
        image.draft("RGB", (max(1, image.width // 8), max(1, image.height // 8)))
        image.load()
    return ImageInfo(width, height, codec)


def image_size(path: Path, limits: DecodeLimits) -> tuple[int, int]:
    """Return a picture's upright width and height from its header; raises BrokenFile. Blocks."""
    with open_image(path, limits) as image:
        width, height = image.size
        return (height, width) if _exif_orientation(image) in _SIDEWAYS_ORIENTATIONS else (width, height)


def image_frame(
    path: Path,
    columns: int,
    rows: int,
    *,
    cell_size: tuple[float, float] = HALF_BLOCK_CELL,
    background: tuple[int, int, int] = BLACK,
    limits: DecodeLimits | None = None,
    viewport: Viewport = WHOLE_VIEWPORT,
) -> Frame:
    """Decode `path` to the largest upright frame within columns × rows cells; raises BrokenFile.

    `cell_size` is the frame's pixels per cell; transparency is laid over `background`; `viewport` is which part of the
    picture is wanted. Blocks.
    """
    from PIL import Image

    with open_image(path, limits or DecodeLimits()) as image, translate_decode_errors():
        orientation = _exif_orientation(image)
        sideways = orientation in _SIDEWAYS_ORIENTATIONS
        upright = (image.height, image.width) if sideways else image.size
        part = visible_crop(upright, columns, rows, viewport, cell_size)
        pixels = _scale_crop(image, part, upright, orientation, sideways=sideways)
        if pixels.mode == "RGBA":
            ground = Image.new("RGBA", pixels.size, (*background, 255))
            pixels = Image.alpha_composite(ground, pixels).convert("RGB")
        return Frame(part.width, part.height, pixels.tobytes())


def _scale_crop(
    image: Image.Image, crop_box: Crop, upright_size: tuple[int, int], orientation: int, *, sideways: bool
) -> Image.Image:
    """Return the part of an opened picture, upright and in its final size."""
    from PIL import Image

    # The scale of the part is that of the whole: a JPEG is decoded no finer than it will be drawn.
    whole = crop_box.uncropped_size(upright_size)
    image.draft("RGB", (whole[1], whole[0]) if sideways else whole)
    pixels = _to_eight_bit(image)
    here = (pixels.height, pixels.width) if sideways else pixels.size
    smaller = whole[0] <= here[0] and whole[1] <= here[1]
    scale = Image.Resampling.BOX if smaller else Image.Resampling.BILINEAR
    if whole == (crop_box.width, crop_box.height):
        # Scaled before it is turned: turning few pixels is cheap.
        stored = (whole[1], whole[0]) if sideways else whole
        return _apply_orientation(pixels.resize(stored, scale), orientation)
    across, down = here[0] / upright_size[0], here[1] / upright_size[1]
    box = (crop_box.left * across, crop_box.top * down, crop_box.right * across, crop_box.bottom * down)
    return _apply_orientation(pixels, orientation).resize((crop_box.width, crop_box.height), scale, box=box)


def _exif_orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 where there is none; unreadable EXIF spoils no picture."""
    try:
        found = image.getexif().get(_EXIF_ORIENTATION_TAG, 1)
    except Exception:  # noqa: BLE001 - any parser error on hostile EXIF means: upright
        return 1
    return found if found in range(1, 9) else 1


def _apply_orientation(image: Image.Image, orientation: int) -> Image.Image:
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    turn = turns.get(orientation)
    return image if turn is None else image.transpose(turn)


def _to_eight_bit(image: Image.Image) -> Image.Image:
    """Convert any of Pillow's modes to RGB, or to RGBA where the picture has transparency."""
    if image.mode.startswith("I"):
        # Sixteen bits a channel: Pillow's own conversion would clip everything above 255 to white.
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image if image.mode == "RGB" else image.convert("RGB")


class FrameCache:
    """Frames already scaled, by version of the file and size asked for; the oldest go above `max_bytes` bytes."""

    def __init__(self, max_bytes: int = 32 * 1024 * 1024) -> None:
        self._max_bytes = max_bytes
        self._cached_bytes = 0
        self._frames: OrderedDict[tuple[object, ...], Frame] = OrderedDict()
        self._lock = threading.Lock()

    def load_image(
        self,
        path: Path,
        columns: int,
        rows: int,
        *,
        cell_size: tuple[float, float] = HALF_BLOCK_CELL,
        background: tuple[int, int, int] = BLACK,
        limits: DecodeLimits | None = None,
        viewport: Viewport = WHOLE_VIEWPORT,
    ) -> Frame:
        """Return `image_frame` of these arguments, decoded once per version of the file."""
        key = ("still", *file_version(path), columns, rows, cell_size, background, viewport)
        found = self.get(key)
        if found is None:
            found = image_frame(
                path, columns, rows, cell_size=cell_size, background=background, limits=limits, viewport=viewport
            )
            self.put(key, found)
        return found

    def get(self, key: tuple[object, ...]) -> Frame | None:
        """Return the frame under `key`, or None."""
        with self._lock:
            found = self._frames.get(key)
            if found is not None:
                self._frames.move_to_end(key)
            return found

    def put(self, key: tuple[object, ...], frame: Frame) -> None:
        """Keep `frame` under `key`."""
        with self._lock:
            replaced = self._frames.pop(key, None)
            self._cached_bytes += len(frame.rgb) - (len(replaced.rgb) if replaced else 0)
            self._frames[key] = frame
            while self._cached_bytes > self._max_bytes and len(self._frames) > 1:
                _, dropped = self._frames.popitem(last=False)
                self._cached_bytes -= len(dropped.rgb)


def file_version(path: Path) -> tuple[str, int, int]:
    """Return what changes with the file: path, modification time (ns) and size; raises BrokenFile."""
    try:
        found = path.stat()
    except OSError as error:
        raise BrokenFile("the file is no longer there") from error
    return str(path), found.st_mtime_ns, found.st_size
