"""Pictures: opened under limits and scaled to frames."""

from __future__ import annotations

import os
import threading
import time
import warnings
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from eternal_tui.media.decode.filetype import ANIMATED_SUFFIXES, MediaInfo, webp_canvas
from eternal_tui.media.decode.frame import ONE_CELL, Canvas, Crop, Frame, visible_crop
from eternal_tui.media.decode.large_images import check_memory, draft_for, reduce_box
from eternal_tui.media.errors import BrokenFile, UnsupportedFile, translate_decode_errors
from eternal_tui.media.limits import DecodeLimits

if TYPE_CHECKING:
    from PIL import Image

IMAGE_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""AVIF last: a Pillow built without it knows no such format, and must not stumble before it found the others."""
BLACK = (0, 0, 0)

_EXIF_ORIENTATION_TAG = 0x0112
_JPEG_OVERSAMPLING = 5
"""Times the drawn size from which a JPEG is decoded: its own scaling to just above the drawn size was 4 to 14 levels
off on text and lines, so it is 1 to 2, for 1.1 times the time."""

_OVERSAMPLING = 3
"""Times the drawn size to which whole pixels are averaged first: what is left to scale is then as good as exact."""

_MAX_FACTOR = 16
"""Pixels averaged to one at most: a strip is that high."""

_MAX_PIXELS_PER_BYTE = 10_000
"""Above the compression of any format: an image that claims more has a false size."""

_LARGE_PIXELS = 12 << 20
"""Pixels above which WebP and AVIF go through libav, which needs a third of the memory or less."""

_MAX_LIBAV_PIXELS = 20 << 20
"""Pixels up to which it does so within the limit; a lossy WebP takes a quarter as much, whatever its size."""

_MAX_PIXELS_BY_FORMAT = {"JP2": 6 << 20, "PPM": 12 << 20, "QOI": 12 << 20}
"""The same for formats that need more: coefficients of four bytes each, or the whole file besides its pixels."""

_LARGE_DEMUXERS = {"WEBP": "webp_pipe", "AVIF": "mov"}
_ONLY_DEMUXERS = {"HEIC": "mov", "JP2": "j2k_pipe", "QOI": "qoi_pipe", "PPM": "ppm_pipe"}
"""By format, libav's demuxer: of those read by it where they are large, and of those that Pillow does not read, or not
within the limits of time and memory."""
_END_OF_JPEG = b"\xff\xd9"
_ANIMATION_SECONDS = 2.0
"""Seconds spent on learning how long an animated image plays."""


def open_image(file: BinaryIO, limits: DecodeLimits, formats: tuple[str, ...] = IMAGE_FORMATS) -> Image.Image:
    """Open an image without decoding it; the caller closes the file once the image is done with.

    Raises BrokenFile for other formats, UnsupportedFile for more pixels than the limit.
    """
    from PIL import Image

    # Pillow warns of odd metadata and of many pixels on stderr, where the app draws its screen; the size is checked
    # here. For good and not for the moment: other threads decode too.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    with translate_decode_errors():
        try:
            image = Image.open(_with_end_marker(file), formats=formats)
        except Image.DecompressionBombError as error:
            raise BrokenFile("it claims more pixels than can be") from error
        _check_pixels(image.size, file, limits)
        return image


def _check_pixels(size: tuple[int, int], file: BinaryIO, limits: DecodeLimits) -> None:
    pixels, at = size[0] * size[1], file.tell()
    if not pixels or pixels > max(file.seek(0, os.SEEK_END) * _MAX_PIXELS_PER_BYTE, limits.image_pixels):
        raise BrokenFile(f"it claims {size[0]} × {size[1]} pixels, beyond the limit")
    if pixels > limits.image_pixels:
        raise UnsupportedFile(f"it has {size[0]} × {size[1]} pixels, more than are opened here")
    file.seek(at)


def _with_end_marker(file: BinaryIO) -> BinaryIO:
    """Return a JPEG that lacks its last marker with it: otherwise all of it would count as cut."""
    file.seek(0)
    is_cut = file.read(3) == b"\xff\xd8\xff" and not _has_end_marker(file)
    file.seek(0)
    return BytesIO(file.read() + _END_OF_JPEG) if is_cut else file


def _has_end_marker(file: BinaryIO) -> bool:
    file.seek(-2, os.SEEK_END)
    return file.read(2) == _END_OF_JPEG


def _has_whole_scan(file: BinaryIO, limits: DecodeLimits) -> bool:
    """Whether a JPEG has all its pixels, so that bytes behind them do not matter."""
    if _has_end_marker(file):
        return True
    file.seek(0)
    data = file.read()
    shown = []
    for behind in (b"", b"\x55" * 4096):
        with open_image(BytesIO(data + behind + _END_OF_JPEG), limits, ("JPEG",)) as image:
            draft_for(image, image.width // 8, image.height // 8)
            shown.append(image.tobytes())
    return shown[0] == shown[1]


def image_info(file: BinaryIO, decoder: str, limits: DecodeLimits) -> MediaInfo:
    """Decode all of the first frame of `file` as format `decoder`, return its facts; raises ResultError."""
    if (large := _libav_size(file, decoder, limits)) is not None:
        _libav_frame(file, decoder, ONE_CELL, BLACK, limits)
        return MediaInfo(*large, codec=decoder.lower())
    with translate_decode_errors():
        image = open_image(file, limits, (decoder,))
        width, height = upright_size_of(image)
        check_memory(image)
        # An eighth of the size reads every byte of a JPEG just the same, in a fraction of time and memory.
        draft_for(image, image.width // 8, image.height // 8)
        reduce_box(image, file, (0, 0, *image.size), min(_MAX_FACTOR, max(1, min(image.size) // 8)), BLACK)
        seconds = sum(frame_durations(image))
        if decoder == "JPEG" and not _has_whole_scan(file, limits):
            raise BrokenFile("it ends before its data does")
    return MediaInfo(width, height, seconds, decoder.lower())


def frame_durations(image: Image.Image) -> list[float]:
    """Return how many seconds each frame of an opened image is shown, an empty list for a still.

    Those that are not read within `_ANIMATION_SECONDS` are taken to be like the others on average.
    """
    # A TIFF, or a JPEG with others behind it, has pages, not moments.
    if f".{str(image.format).lower()}" not in ANIMATED_SUFFIXES or not getattr(image, "is_animated", False):
        return []
    deadline, found = time.monotonic() + _ANIMATION_SECONDS, list[float]()
    count = getattr(image, "n_frames", 1)
    for number in range(count):
        image.seek(number)
        if image.format in _LARGE_DEMUXERS:
            # WebP and AVIF give the duration only of a decoded frame.
            image.load()
        milliseconds = float(image.info.get("duration") or 0)
        # As in browsers: shorter durations are mistakes.
        found.append(milliseconds / 1000 if milliseconds >= 20 else 0.1)
        if time.monotonic() > deadline:
            break
    return found + [sum(found) / len(found)] * (count - len(found))


def upright_size_of(image: Image.Image) -> tuple[int, int]:
    """Return an opened image's width and height as it is seen."""
    return _turned(image.size, _exif_orientation(image))


def image_size(path: Path, limits: DecodeLimits) -> tuple[int, int]:
    """Return an image's upright width and height from its header; raises ResultError. Blocks."""
    with translate_decode_errors(), path.open("rb") as file:
        return _libav_size(file, _format_of(path), limits) or upright_size_of(open_image(file, limits))


def is_animated(path: Path, limits: DecodeLimits) -> bool:
    """Tell whether an image file has several frames; raises ResultError. Blocks."""
    if path.suffix.lower() not in ANIMATED_SUFFIXES:
        return False
    with translate_decode_errors(), path.open("rb") as file:
        if _libav_size(file, _format_of(path), limits) is not None:
            return False
        return bool(getattr(open_image(file, limits), "is_animated", False))


def image_frame(
    path: Path, canvas: Canvas, *, background: tuple[int, int, int] = BLACK, limits: DecodeLimits | None = None
) -> Frame:
    """Decode `path` to the largest upright frame on `canvas`, transparency over `background`.

    Raises ResultError. Blocks.
    """
    limits = limits or DecodeLimits()
    with translate_decode_errors(), path.open("rb") as file:
        if _libav_size(file, _format_of(path), limits) is not None:
            return _libav_frame(file, _format_of(path), canvas, background, limits)
        image = open_image(file, limits)
        check_memory(image)
        upright = upright_size_of(image)
        return render_image(image, file, visible_crop(upright, canvas), upright, background)


def render_image(
    image: Image.Image, file: BinaryIO | None, crop: Crop, upright: tuple[int, int], background: tuple[int, int, int]
) -> Frame:
    """Return the part `crop` of an opened image, upright and at its final size."""
    from PIL import Image

    orientation = _exif_orientation(image)
    box = stored_box((crop.left, crop.top, crop.right, crop.bottom), orientation, upright)
    width, height = _turned((crop.width, crop.height), orientation)
    before = image.size
    # The scale of the part is that of the whole: a JPEG is decoded no finer than it will be drawn.
    across, down = width / (box[2] - box[0]), height / (box[3] - box[1])
    draft_for(
        image, *(round(_JPEG_OVERSAMPLING * side * scale) for side, scale in zip(before, (across, down), strict=True))
    )
    drafted = image.width / before[0], image.height / before[1]
    box = (box[0] * drafted[0], box[1] * drafted[1], box[2] * drafted[0], box[3] * drafted[1])
    factor = int(min((box[2] - box[0]) / width, (box[3] - box[1]) / height) / _OVERSAMPLING)
    factor = min(_MAX_FACTOR, max(1, factor))
    margin = 2 * factor
    left, top = (max(0, int(edge) - margin) // factor * factor for edge in box[:2])
    right, bottom = (min(int(edge) + 1 + margin, side) for edge, side in zip(box[2:], image.size, strict=True))
    pixels = reduce_box(image, file, (left, top, right, bottom), factor, background)
    smaller = width <= box[2] - box[0] and height <= box[3] - box[1]
    part = tuple(
        min(max(0.0, (edge - start) / factor), float(side))
        for edge, start, side in zip(box, (left, top, left, top), pixels.size * 2, strict=True)
    )
    filter_used = Image.Resampling.BOX if smaller else Image.Resampling.BILINEAR
    scaled = pixels.resize((width, height), filter_used, box=(part[0], part[1], part[2], part[3]))
    return Frame(crop.width, crop.height, apply_orientation(scaled, orientation).tobytes())


def stored_box(
    box: tuple[float, float, float, float], orientation: int, upright: tuple[int, int]
) -> tuple[float, float, float, float]:
    """Return where the part `box` of an upright picture lies in the picture as it is stored."""
    width, height = upright
    corners = []
    for x, y in (box[:2], box[2:]):
        across = x if orientation in (1, 4, 5, 8) else width - x
        down = y if orientation in (1, 2, 5, 6) else height - y
        corners.append((down, across) if orientation >= 5 else (across, down))
    (left, right), (top, bottom) = (sorted(edges) for edges in zip(*corners, strict=True))
    return left, top, right, bottom


def _turned(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    return (size[1], size[0]) if orientation >= 5 else size


def _format_of(path: Path) -> str:
    return path.suffix[1:].upper()


def _libav_size(file: BinaryIO, image_format: str, limits: DecodeLimits) -> tuple[int, int] | None:
    """Return the upright size of an image that libav decodes: some formats always, a WebP or AVIF if it is large."""
    if image_format in _ONLY_DEMUXERS:
        return _libav_only_size(file, image_format, limits)
    if image_format not in _LARGE_DEMUXERS:
        return None
    file.seek(0)
    head = file.read(1 << 16)
    size = _avif_size(head) if image_format == "AVIF" else (webp_canvas(head[12:30]) or (0, 0))[:2]
    if size[0] * size[1] <= _LARGE_PIXELS:
        return None
    _check_pixels(size, file, limits)
    if size[0] * size[1] > _MAX_LIBAV_PIXELS and b"VP8 " not in head:
        raise UnsupportedFile(f"it has {size[0]} × {size[1]} pixels, more than are opened of its kind")
    return size


def _avif_size(head: bytes) -> tuple[int, int]:
    at = head.find(b"ispe") + 8
    size = int.from_bytes(head[at : at + 4], "big"), int.from_bytes(head[at + 4 : at + 8], "big")
    return size if at > 8 else (0, 0)


def _libav_only_size(file: BinaryIO, image_format: str, limits: DecodeLimits) -> tuple[int, int]:
    from eternal_tui.media.decode.video import VideoReader
    from eternal_tui.media.decode.video_source import still_size

    demuxer = _ONLY_DEMUXERS[image_format]
    try:
        with translate_decode_errors():
            size = still_size(file, demuxer, limits)
    except BrokenFile as error:
        # Of HEIC libav knows a part: what is whole by its boxes may be of another.
        raise UnsupportedFile("it cannot be decoded here") if image_format == "HEIC" else error from error
    _check_pixels(size, file, limits)
    if size[0] * size[1] > _MAX_PIXELS_BY_FORMAT.get(image_format, _MAX_LIBAV_PIXELS):
        raise UnsupportedFile(f"it has {size[0]} × {size[1]} pixels, more than are opened of its kind")
    if image_format == "HEIC":
        with VideoReader(file, limits=limits, decoder=demuxer) as reader:
            return reader.info.width, reader.info.height
    return size


def _libav_frame(
    file: BinaryIO, image_format: str, canvas: Canvas, background: tuple[int, int, int], limits: DecodeLimits
) -> Frame:
    from eternal_tui.media.decode.video import VideoReader

    demuxer = (_LARGE_DEMUXERS | _ONLY_DEMUXERS)[image_format]
    room = msgspec.structs.replace(limits, video_pixels=limits.image_pixels)
    try:
        with VideoReader(file, canvas, limits=room, decoder=demuxer, background=background) as reader:
            return reader.frame_at(0.0).frame
    except BrokenFile as error:
        if image_format in _MAX_PIXELS_BY_FORMAT:
            raise
        raise UnsupportedFile("it is too large for what can open it here") from error


def _exif_orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 where there is none; unreadable EXIF spoils no picture."""
    from PIL import Image

    if image.format == "TIFF":
        # Pillow rotates it itself, and reports the size after that.
        return 1
    try:
        # PNG's own method decodes the whole file first, in case the EXIF comes last.
        exif = Image.Image.getexif(image) if image.format == "PNG" else image.getexif()
        found = exif.get(_EXIF_ORIENTATION_TAG, 1)
    except Exception:  # noqa: BLE001 - any parser error on hostile EXIF means: upright
        return 1
    return found if found in range(1, 9) else 1


def apply_orientation(image: Image.Image, orientation: int) -> Image.Image:
    """Return an image as it is seen, by the EXIF number of how it is stored."""
    from PIL.Image import Transpose

    names = ["FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90"]
    return image if orientation == 1 else image.transpose(Transpose[names[orientation - 2]])


class FrameCache:
    """Frames already scaled, by version of the file and size asked for; the oldest go above `max_bytes` bytes."""

    def __init__(self, max_bytes: int = 32 * 1024 * 1024) -> None:
        self._max_bytes = max_bytes
        self._frames: dict[tuple[object, ...], Frame] = {}
        self._lock = threading.Lock()

    def load_image(
        self,
        path: Path,
        canvas: Canvas,
        *,
        background: tuple[int, int, int] = BLACK,
        limits: DecodeLimits | None = None,
    ) -> Frame:
        """Return `image_frame` of these arguments, decoded once per version of the file."""
        try:
            found = path.stat()
        except OSError as error:
            raise BrokenFile("the file is no longer there") from error
        key = (path, found.st_mtime_ns, found.st_size, canvas, background)
        # The most recently used is last.
        frame = self._frames.pop(key, None) or image_frame(path, canvas, background=background, limits=limits)
        with self._lock:
            self._frames[key] = frame
            while sum(len(each.rgb) for each in self._frames.values()) > self._max_bytes and len(self._frames) > 1:
                self._frames.pop(next(iter(self._frames)))
        return frame
