"""Files made to harm a decoder: too large, too deep, cut short, or with false headers."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from tests.media.files import encode_image, make_image, write_audio_only, write_video


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes, bits: int = 8, colour: int = 2) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + png_chunk(b"IEND", b"")


def jpeg_claiming_size(width: int, height: int) -> bytes:
    """Return a small JPEG whose header claims another size."""
    whole = encode_image(make_image(), "JPEG")
    at = whole.index(b"\xff\xc0") + 5
    return whole[:at] + struct.pack(">HH", height, width) + whole[at + 4 :]


def gif(width: int, height: int, frames: int) -> bytes:
    tiny = encode_image(Image.new("P", (1, 1)), "GIF")
    screen = tiny[:6] + struct.pack("<HH", width, height) + tiny[10:-1]
    frame = tiny[tiny.index(b"\x2c") : -1]
    return screen + frame * frames + b"\x3b"


def webp_claiming_size(width: int, height: int) -> bytes:
    """Return an extended WebP that claims a canvas of this size."""
    canvas = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + canvas
    return b"RIFF" + struct.pack("<I", len(body)) + body


def broken_images() -> Iterator[tuple[str, bytes]]:
    """Yield names and bytes of pictures that must all be refused."""
    whole = encode_image(make_image(), "JPEG")
    for share in (2, 10, 25, 50, 75, 95):
        yield f"jpeg-{share}%", whole[: len(whole) * share // 100]
    yield "jpeg-zeros", whole[:200] + bytes(len(whole) - 200)
    yield "jpeg-65535", jpeg_claiming_size(65_535, 65_535)
    yield "jpeg-wide", jpeg_claiming_size(65_535, 2_000)
    yield "jpeg-no-size", jpeg_claiming_size(0, 0)
    dot = encode_image(make_image(), "PNG")
    for share in (20, 50, 90):
        yield f"png-{share}%", dot[: len(dot) * share // 100]
    yield "png-2^31", png(2**31 - 1, 2**31 - 1)
    yield "png-89MP", png(9_400, 9_500)
    yield "png-100MP", png(10_000, 10_000, png_chunk(b"IDAT", zlib.compress(bytes(1000))))
    yield "png-200MP", png(20_000, 10_000)
    yield "png-no-size", png(0, 0)
    yield "png-short-data", png(4_000, 4_000, png_chunk(b"IDAT", zlib.compress(bytes(100))))
    yield "png-no-data", png(100, 100)
    yield "png-text-bomb", png(8, 8, png_chunk(b"zTXt", b"a\x00\x00" + zlib.compress(bytes(80_000_000), 9)))
    yield "png-profile-bomb", png(8, 8, png_chunk(b"iCCP", b"a\x00\x00" + zlib.compress(bytes(80_000_000), 9)))
    yield "png-bad-depth", png(8, 8, bits=77)
    yield "png-bad-crc", dot[:40] + b"\x00\x00" + dot[42:]
    yield "gif-65535", gif(65_535, 65_535, 1)
    yield "gif-cut", gif(100, 100, 1)[:20]
    yield "webp-16383", webp_claiming_size(16_384, 16_384)
    yield "webp-empty", b"RIFF\x0c\x00\x00\x00WEBPVP8 \x00\x00\x00\x00"
    avif = encode_image(make_image(), "AVIF")
    yield "avif-cut", avif[: len(avif) // 2]
    yield "avif-size", avif.replace(b"ispe" + bytes(4) + struct.pack(">II", 96, 64), b"ispe" + bytes(4) + b"\x7f" * 8)
    lossless = encode_image(make_image(), "WEBP", lossless=True)
    yield "webp-cut", lossless[: len(lossless) // 2]
    yield "webp-lossless-size", lossless[:21] + b"\xff\xff\xff\x0f" + lossless[25:60]


def patch_box(data: bytes, name: bytes, replacement: bytes, offset: int = 0) -> bytes:
    """Return an MP4 with `replacement` written at an offset into its first box of that name."""
    start = data.index(name) + 4 + offset
    return data[:start] + replacement + data[start + len(replacement) :]


def broken_videos(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield names and bytes of clips that must all be refused."""
    whole = write_video(folder / "whole.mp4", frames=8).read_bytes()
    for share in (2, 10, 50, 95):
        yield f"mp4-{share}%", whole[: len(whole) * share // 100]
    yield "mp4-head-only", whole[:32]
    yield "mp4-zeros", whole[:64] + bytes(len(whole) - 64)
    yield "mp4-no-pictures", write_audio_only(folder / "sound.mp4").read_bytes()
    quick = write_video(folder / "quick.mp4", frames=24, options={"movflags": "faststart"}).read_bytes()
    for share in (60, 80, 98):
        yield f"mp4-index-first-{share}%", quick[: len(quick) * share // 100]
    yield "mp4-unknown-codec", patch_box(whole, b"avc1\x00\x00\x00\x00\x00\x00", b"zzzz", offset=-4)
    yield "mp4-broken-codec", patch_box(whole, b"avcC", b"\xff" * 20)
    yield "mp4-no-samples", patch_box(whole, b"stsz", struct.pack(">III", 0, 0, 0))
    yield "mp4-endless-samples", patch_box(whole, b"stsz", struct.pack(">III", 0, 1, 2**32 - 1))
    yield "mp4-samples-elsewhere", patch_box(whole, b"stco", struct.pack(">III", 0, 1, 2**31))
    yield "mp4-box-of-4G", whole[:32] + struct.pack(">I", 2**32 - 1) + whole[36:]
    yield "mp4-boxes-nested", whole[:32] + b"".join(struct.pack(">I", 8 * (5_000 - n)) + b"moov" for n in range(5_000))
    yield "mp4-noise-in-pictures", patch_box(whole, b"mdat", bytes(range(256)) * 8)
    yield "mp4-an-hour-long", patch_box(whole, b"mdhd", struct.pack(">I", 1), offset=12)
    yield "webm-head-only", b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm" + bytes(40)
    yield "webm-endless", b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm" + b"\x18S\x80g\x01" + b"\xff" * 200
    yield "playlist-as-mp4", b"\x00\x00\x00\x18ftypisom" + b"\n#EXTM3U\n/etc/passwd\n" * 9


def valid_edge_cases() -> Iterator[tuple[str, bytes]]:
    """Yield pictures that look like bombs but must open: only their first frame is ever decoded."""
    yield "gif-20000-frames", gif(8, 8, 20_000)
    yield "png-60MP", encode_image(Image.new("1", (10_000, 6_000)), "PNG")
    stream = io.BytesIO()
    make_image().save(stream, "PNG")
    yield "png-trailing-junk", stream.getvalue() + b"PK\x03\x04" + bytes(1000)
