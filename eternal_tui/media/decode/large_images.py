"""Large images in little memory: decoded in strips, each made smaller before the next is read."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO

from eternal_tui.media.decode.filetype import png_chunk
from eternal_tui.media.errors import BrokenFile, UnsupportedFile

if TYPE_CHECKING:
    from PIL import Image

Box = tuple[int, int, int, int]

STRIP_PIXELS = 1 << 20
"""Pixels converted at a time: of a large image no second copy is ever made."""

_DIRECT_PIXELS = 4096 * 4096
"""Pixels that Pillow decodes at once: 64 MB, four bytes each."""

_MAX_DECODED_BYTES = 128 << 20
"""Bytes that decoding may use by `_decoder_bytes`; with the rest of the program that is below 250 MB."""

_PNG_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""PNG colour types by bytes a pixel, with 8 bits a channel."""

_COLOUR_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def check_memory(image: Image.Image) -> None:
    """Raise UnsupportedFile where decoding the opened `image` would take too much memory."""
    if _decoder_bytes(image) > _MAX_DECODED_BYTES:
        raise UnsupportedFile(f"it has {image.width} × {image.height} pixels, more than are opened of its kind")


def _decoder_bytes(image: Image.Image) -> int:
    pixels = image.width * image.height
    match image.format:
        case "JPEG" if image.info.get("progressive"):
            # libjpeg keeps the coefficients of the whole, two bytes each, whatever the scale.
            layers: list[tuple[int, int, int, int]] = getattr(image, "layer", [])
            widest = max((layer[1] for layer in layers), default=1) * max((layer[2] for layer in layers), default=1)
            return 2 * pixels * sum(layer[1] * layer[2] for layer in layers) // widest
        case "JPEG":
            return 0
        case "PNG" if is_streamed(image):
            return 0
        case "WEBP" | "AVIF":
            # Planes, canvas and two copies of the colours on their way to Pillow.
            return 12 * pixels
        case _:
            return pixels * (1 if image.mode in ("1", "L", "P") else 4)


def is_streamed(image: Image.Image) -> bool:
    """Tell whether the image is a PNG so large that it is read in strips."""
    if image.format != "PNG" or image.width * image.height <= _DIRECT_PIXELS or image.info.get("interlace"):
        return False
    return _raw_mode(image) not in ("RGB;16B", "RGBA;16B")


def _raw_mode(image: Image.Image) -> str:
    """Return Pillow's name for how a PNG's pixels are packed."""
    tile: Any = image.tile[0]  # type: ignore[attr-defined]
    return str(tile.args if isinstance(tile.args, str) else tile.args[0])


def draft_for(image: Image.Image, width: int, height: int) -> None:
    """Have a JPEG decoded no smaller than width × height, unless that takes more than `_DIRECT_PIXELS` pixels."""
    while width * height > _DIRECT_PIXELS:
        width, height = width // 2, height // 2
    scale = 2 if image.width * image.height > _DIRECT_PIXELS else 1
    image.draft("RGB", (max(1, min(width, image.width // scale)), max(1, min(height, image.height // scale))))


def reduce_box(
    image: Image.Image, file: BinaryIO | None, box: Box, factor: int, background: tuple[int, int, int]
) -> Image.Image:
    """Return the part `box` in RGB, each `factor` × `factor` pixels averaged to one, transparency over `background`.

    `file` is what `image` was opened from; the box begins at multiples of `factor`.
    """
    from PIL import Image

    left, top, right, bottom = box
    if not is_streamed(image):
        image.load()
        if image.mode == "RGB" and not image.has_transparency_data:
            whole = box == (0, 0, *image.size)
            return image if factor == 1 and whole else image.reduce(factor, box) if factor > 1 else image.crop(box)
    reduced = Image.new("RGB", (-(-(right - left) // factor), -(-(bottom - top) // factor)))
    rows = max(1, STRIP_PIXELS // image.width // factor) * factor
    if is_streamed(image) and file is not None:
        strips = _png_strips(image, file, rows)
    else:
        strips = (
            (y, image.crop((0, y, image.width, min(y + rows, image.height)))) for y in range(0, image.height, rows)
        )
    for start, strip in strips:
        first, last = max(top, start), min(bottom, start + strip.height)
        if first >= last:
            continue
        part = to_rgb(strip.crop((left, first - start, right, last - start)), background)
        reduced.paste(part.reduce(factor) if factor > 1 else part, (0, (first - top) // factor))
    return reduced


def to_rgb(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    """Convert any of Pillow's modes to RGB."""
    from PIL import Image

    if image.mode.startswith("I"):
        # Sixteen bits a channel: Pillow's own conversion would clip everything above 255 to white.
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if image.has_transparency_data:
        pixels = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", pixels.size, (*background, 255)), pixels).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _png_strips(image: Image.Image, file: BinaryIO, rows: int) -> Iterator[tuple[int, Image.Image]]:
    """Yield an image's rows, `rows` at a time, each with where it begins.

    Every strip becomes a small PNG of its own, whose first row is the last of the strip before: the filters of
    a row refer to it. So Pillow's decoder undoes them.
    """
    from PIL import Image

    header, data = _png_data(file)
    bits = header[8] * _COLOUR_CHANNELS[header[9]]
    stride, unit = (image.width * bits + 7) // 8, max(1, bits // 8)
    before = bytes(stride)
    for start in range(0, image.height, rows):
        count = min(rows, image.height - start)
        filtered = data(count * (stride + 1))
        size = stride // unit, count + 1
        with Image.open(
            BytesIO(_wrap_png(size, _PNG_COLOUR_TYPES[unit], b"\0" + before + filtered)), formats=("PNG",)
        ) as png:
            plain = png.tobytes()[stride:]
        before = plain[-stride:]
        strip = Image.frombytes(image.mode, (image.width, count), plain, "raw", _raw_mode(image))
        if image.palette is not None:
            strip.putpalette(image.palette)
        if (transparency := image.info.get("transparency")) is not None:
            strip.info["transparency"] = transparency
        yield start, strip


def _png_data(file: BinaryIO) -> tuple[bytes, Callable[[int], bytes]]:
    """Return the header's data and a function that reads a number of bytes of the unpacked pixels."""
    file.seek(8)
    length = int.from_bytes(file.read(4), "big")
    header = file.read(4 + length)[4:]
    file.seek(4, 1)
    unpacker, packed = zlib.decompressobj(), b""

    def read(count: int) -> bytes:
        nonlocal packed
        parts, missing = [], count
        while missing:
            packed = packed or _next_pixel_chunk(file)
            part = unpacker.decompress(packed, missing)
            packed = unpacker.unconsumed_tail
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    return header, read


def _next_pixel_chunk(file: BinaryIO) -> bytes:
    while len(head := file.read(8)) == 8:
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind == b"IDAT":
            data = file.read(length)
            file.seek(4, 1)
            if data:
                return data
        else:
            file.seek(length + 4, 1)
    raise BrokenFile("it ends before its data does")


def _wrap_png(size: tuple[int, int], colour: int, rows: bytes) -> bytes:
    header = b"".join(side.to_bytes(4, "big") for side in size) + bytes((8, colour, 0, 0, 0))
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 0)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, data) for kind, data in chunks)
