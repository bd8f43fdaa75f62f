"""Pictures: opened under limits and scaled to frames."""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from eternal_tui.media.decode.frame import BLOCK_CELL, Frame
from eternal_tui.media.decode.viewport import WHOLE, Crop, View, crop
from eternal_tui.media.errors import BrokenFile, decoding
from eternal_tui.media.limits import DecodeLimits

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF")
"""AVIF last: a Pillow built without it knows no such format, and must not stumble before it found the others."""
BLACK = (0, 0, 0)

_EXIF_ORIENTATION = 0x0112
_SIDEWAYS = frozenset({5, 6, 7, 8})
"""EXIF orientations that swap width and height."""


class StillFacts(msgspec.Struct, frozen=True):
    """A picture's size in pixels, upright, and its format's name."""

    width: int
    height: int
    codec: str


def open_still(source: Path | BinaryIO, limits: DecodeLimits, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    """Open a picture without decoding it; raises BrokenFile for other formats and for too many pixels.

    The caller closes it.
    """
    from PIL import Image

    # Pillow complains of odd metadata on stderr, where the app draws its screen. Of too many pixels it warns
    # between its limit and twice that, and only then raises: both are refusals here.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    with decoding():
        image = Image.open(source, formats=formats)
        width, height = image.size
        if width < 1 or height < 1 or width * height > limits.image_pixels:
            image.close()
            raise BrokenFile(f"it claims {width} × {height} pixels, beyond the limit")
    return image


def still_facts(file: BinaryIO, decoder: str, limits: DecodeLimits) -> StillFacts:
    """Decode all of the first picture of `file` as format `decoder`, return its facts; raises BrokenFile."""
    with open_still(file, limits, (decoder,)) as image, decoding():
        width, height = image.size
        if _orientation(image) in _SIDEWAYS:
            width, height = height, width
        codec = (image.format or decoder).lower()
        # An eighth of the size reads every byte of a JPEG just the same, in a fraction of time and memory.
        image.draft("RGB", (max(1, image.width // 8), max(1, image.height // 8)))
        image.load()
    return StillFacts(width, height, codec)


def still_size(path: Path, limits: DecodeLimits) -> tuple[int, int]:
    """Return a picture's upright width and height from its header; raises BrokenFile. Blocks."""
    with open_still(path, limits) as image:
        width, height = image.size
        return (height, width) if _orientation(image) in _SIDEWAYS else (width, height)


def still_frame(
    path: Path,
    columns: int,
    rows: int,
    *,
    cell: tuple[float, float] = BLOCK_CELL,
    background: tuple[int, int, int] = BLACK,
    limits: DecodeLimits | None = None,
    view: View = WHOLE,
) -> Frame:
    """Decode `path` to the largest upright frame within columns × rows cells; raises BrokenFile.

    `cell` is the frame's pixels per cell; transparency is laid over `background`; `view` is which part of the picture
    is wanted. Blocks.
    """
    from PIL import Image

    with open_still(path, limits or DecodeLimits()) as image, decoding():
        orientation = _orientation(image)
        sideways = orientation in _SIDEWAYS
        upright = (image.height, image.width) if sideways else image.size
        part = crop(upright, columns, rows, view, cell)
        pixels = _scaled(image, part, upright, orientation, sideways=sideways)
        if pixels.mode == "RGBA":
            ground = Image.new("RGBA", pixels.size, (*background, 255))
            pixels = Image.alpha_composite(ground, pixels).convert("RGB")
        return Frame(part.width, part.height, pixels.tobytes())


def _scaled(
    image: Image.Image, part: Crop, upright: tuple[int, int], orientation: int, *, sideways: bool
) -> Image.Image:
    """Return the part of an opened picture, upright and in its final size."""
    from PIL import Image

    # The scale of the part is that of the whole: a JPEG is decoded no finer than it will be drawn.
    whole = part.whole(upright)
    image.draft("RGB", (whole[1], whole[0]) if sideways else whole)
    pixels = _eight_bit(image)
    here = (pixels.height, pixels.width) if sideways else pixels.size
    smaller = whole[0] <= here[0] and whole[1] <= here[1]
    scale = Image.Resampling.BOX if smaller else Image.Resampling.BILINEAR
    if whole == (part.width, part.height):
        # Scaled before it is turned: turning few pixels is cheap.
        stored = (whole[1], whole[0]) if sideways else whole
        return _upright(pixels.resize(stored, scale), orientation)
    across, down = here[0] / upright[0], here[1] / upright[1]
    box = (part.left * across, part.top * down, part.right * across, part.bottom * down)
    return _upright(pixels, orientation).resize((part.width, part.height), scale, box=box)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 where there is none; unreadable EXIF spoils no picture."""
    try:
        found = image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - any parser error on hostile EXIF means: upright
        return 1
    return found if found in range(1, 9) else 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
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


def _eight_bit(image: Image.Image) -> Image.Image:
    """Convert any of Pillow's modes to RGB, or to RGBA where the picture has transparency."""
    if image.mode.startswith("I"):
        # Sixteen bits a channel: Pillow's own conversion would clip everything above 255 to white.
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image if image.mode == "RGB" else image.convert("RGB")


class FrameCache:
    """Frames already scaled, by version of the file and size asked for; the oldest go above `limit` bytes."""

    def __init__(self, limit: int = 32 * 1024 * 1024) -> None:
        self._limit = limit
        self._held = 0
        self._frames: OrderedDict[tuple[object, ...], Frame] = OrderedDict()
        self._lock = threading.Lock()

    def still(
        self,
        path: Path,
        columns: int,
        rows: int,
        *,
        cell: tuple[float, float] = BLOCK_CELL,
        background: tuple[int, int, int] = BLACK,
        limits: DecodeLimits | None = None,
        view: View = WHOLE,
    ) -> Frame:
        """Return `still_frame` of these arguments, decoded once per version of the file."""
        key = ("still", *version_of(path), columns, rows, cell, background, view)
        found = self.get(key)
        if found is None:
            found = still_frame(path, columns, rows, cell=cell, background=background, limits=limits, view=view)
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
            self._held += len(frame.rgb) - (len(replaced.rgb) if replaced else 0)
            self._frames[key] = frame
            while self._held > self._limit and len(self._frames) > 1:
                _, dropped = self._frames.popitem(last=False)
                self._held -= len(dropped.rgb)


def version_of(path: Path) -> tuple[str, int, int]:
    """Return what changes with the file: path, modification time (ns) and size; raises BrokenFile."""
    try:
        found = path.stat()
    except OSError as error:
        raise BrokenFile("the file is no longer there") from error
    return str(path), found.st_mtime_ns, found.st_size
