"""File types by their bytes alone, the outermost parts of a file, and the facts of a decoded or saved one."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

MediaKind = Literal["image", "video"]

MAX_ELEMENTS = 2_000_000
"""Boxes or blocks walked at most: a fragmented hour has some hundred thousand."""
HEAD_BYTES = 400
"""Enough for every signature below: an MPEG transport stream shows itself by its third packet."""


class FileType(msgspec.Struct, frozen=True):
    """A file type: its kind, our suffix, its name in a sentence, and its decoder: Pillow's or libav's, "" for none."""

    kind: Literal["image", "video", "other"]
    suffix: str
    name: str
    decoder: str = ""


class MediaInfo(msgspec.Struct, frozen=True):
    """Result of decoding. Sizes in pixels as displayed; `seconds` is 0 for a still, or where it is unknown.

    `note` is a sentence where the file is not what was asked for or is not opened here, "" else.
    """

    width: int = 0
    height: int = 0
    seconds: float = 0.0
    codec: str = ""
    has_sound: bool = False
    note: str = ""
    frame_rate: float = 0.0


class DownloadedFile(MediaInfo, frozen=True, kw_only=True):
    """A result on disk: checked by length, type and decoding; `bytes` is its size."""

    path: Path
    kind: Literal["image", "video", "other", "encrypted"]
    bytes: int
    sha256: str = ""


_TYPES: dict[Literal["image", "video", "other"], tuple[tuple[str, ...], ...]] = {
    "image": (
        ("jpg", "a JPEG image", "JPEG"), ("png", "a PNG image", "PNG"), ("webp", "a WebP image", "WEBP"),
        ("gif", "a GIF image", "GIF"), ("bmp", "a BMP image", "BMP"), ("tiff", "a TIFF image", "TIFF"),
        ("avif", "an AVIF image", "AVIF"), ("heic", "a HEIC image", "HEIC"), ("jp2", "a JPEG 2000 image", "JP2"),
        ("qoi", "a QOI image", "QOI"), ("ppm", "a PPM image", "PPM"), ("jxl", "a JPEG XL image"),
        ("psd", "a Photoshop image"), ("dds", "a DDS image"), ("ico", "an icon"), ("exr", "an OpenEXR image"),
        ("hdr", "a Radiance image"), ("xcf", "a GIMP image"),
    ),
    "video": (
        ("mp4", "an MP4 video", "mp4"), ("mov", "a QuickTime video", "mov"), ("webm", "a WebM video", "webm"),
        ("mkv", "a Matroska video", "matroska"), ("avi", "an AVI video", "avi"), ("ts", "an MPEG-TS video", "mpegts"),
        ("mpg", "an MPEG video", "mpeg"), ("flv", "a Flash video", "flv"), ("wmv", "a Windows Media video", "asf"),
        ("ogv", "an Ogg video", "ogg"), ("mxf", "an MXF video"), ("ivf", "an IVF video"), ("y4m", "a raw video"),
    ),
    "other": (
        ("ogg", "an Ogg file"), ("m4a", "a sound file"), ("mp3", "a sound file"), ("flac", "a sound file"),
        ("wav", "a sound file"), ("zip", "a zip archive"), ("7z", "a 7-Zip archive"), ("rar", "a RAR archive"),
        ("gz", "a gzip-packed file"), ("zst", "a zstd-packed file"), ("bz2", "a bzip2-packed file"),
        ("pdf", "a PDF document"), ("glb", "a 3D model"),
    ),
}  # fmt: skip
"""By kind: suffix, name, and decoder."""
FILE_TYPES = {row[0]: FileType(kind, *row) for kind, rows in _TYPES.items() for row in rows}

_SIGNATURES = {
    b"\xff\xd8\xff": "jpg", b"\x89PNG\r\n\x1a\n": "png", b"GIF87a": "gif", b"GIF89a": "gif",
    b"II*\x00": "tiff", b"MM\x00*": "tiff", b"\xff\x0a": "jxl", b"\x00\x00\x00\x0cJXL ": "jxl",
    b"\x00\x00\x00\x0cjP  ": "jp2", b"\xff\x4f\xff\x51": "jp2", b"qoif": "qoi",
    b"P5 ": "ppm", b"P5\n": "ppm", b"P6 ": "ppm", b"P6\n": "ppm", b"8BPS": "psd", b"DDS ": "dds",
    b"\x00\x00\x01\x00": "ico", b"\x76\x2f\x31\x01": "exr", b"#?RADIANCE": "hdr", b"gimp xcf": "xcf",
    b"FLV\x01": "flv", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "wmv", b"\x00\x00\x01\xba": "mpg",
    b"\x06\x0e\x2b\x34": "mxf", b"DKIF": "ivf", b"YUV4MPEG2": "y4m", b"OggS": "ogg", b"ID3": "mp3",
    b"fLaC": "flac", b"PK\x03\x04": "zip", b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!": "rar", b"\x1f\x8b": "gz",
    b"\x28\xb5\x2f\xfd": "zst", b"BZh": "bz2", b"%PDF": "pdf", b"glTF": "glb",
}  # fmt: skip
_RIFF_FORMS = {b"WEBP": "webp", b"AVI ": "avi", b"WAVE": "wav"}
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "avif"),
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1", b"crx "), "heic"),
    **dict.fromkeys((b"M4A ", b"M4B ", b"M4P "), "m4a"),
    b"qt  ": "mov",
}
_OGG_VIDEO_CODECS = (b"\x80theora", b"OVP80", b"fishead")
"""Codec marks in the first page of an Ogg file with video, or with a table of contents."""
_TS_PACKETS = ((188, 0), (192, 4))
"""Length of a packet, and the offset of its sync byte: broadcast, and with a time stamp before each (M2TS)."""

DECODERS = {f".{each.suffix}": each.decoder for each in FILE_TYPES.values() if each.decoder}
IMAGE_SUFFIXES = frozenset(suffix for suffix in DECODERS if FILE_TYPES[suffix[1:]].kind == "image")
VIDEO_SUFFIXES = frozenset(DECODERS) - IMAGE_SUFFIXES
ANIMATED_SUFFIXES = frozenset({".gif", ".webp", ".png", ".avif"})
"""Image files that may hold more than one frame."""
RESULT_SUFFIXES = frozenset({*FILE_TYPES, "bin"})
"""Suffixes of saved results, without the dot; `bin` is an encrypted one."""


def detect_file_type(head: bytes) -> FileType | None:
    """Return the type whose signature `head` bears, or None; `head` is the first `HEAD_BYTES` of the file."""
    return FILE_TYPES.get(_suffix_by_signature(head))


def _suffix_by_signature(head: bytes) -> str:
    if head.startswith(b"OggS") and any(codec in head for codec in _OGG_VIDEO_CODECS):
        return "ogv"
    if signature := next(filter(head.startswith, _SIGNATURES), None):
        return _SIGNATURES[signature]
    if head[:4] == b"RIFF":
        return _RIFF_FORMS.get(head[8:12], "")
    if head[4:8] == b"ftyp":
        return _suffix_by_brands(head)
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "webm" if b"webm" in head[:64] else "mkv"
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return "bmp"
    return "ts" if any(head[at::length][:2] == b"GG" for length, at in _TS_PACKETS) else ""


def _suffix_by_brands(head: bytes) -> str:
    """Return the suffix of an ISO base media file: its major brand decides, unless a compatible one says AVIF."""
    size = min(int.from_bytes(head[:4], "big"), len(head))
    compatible = {head[at : at + 4] for at in range(16, size - 3, 4)}
    found = _BRANDS.get(head[8:12], "mp4")
    return "avif" if found == "heic" and compatible & {b"avif", b"avis"} else found


def looks_like_text(head: bytes) -> bool:
    """Whether the bytes are a web page, XML or JSON, as storage hosts send when they refuse."""
    return head.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n")[:1] in (b"<", b"{", b"[")


def webp_canvas(header: bytes) -> tuple[int, int, bool] | None:
    """Return width, height and whether it has alpha, by the 18 bytes that follow a WebP's own name."""
    if header[:4] == b"VP8X" and len(header) == 18:
        width, height = (int.from_bytes(header[at : at + 3], "little") + 1 for at in (12, 15))
        return width, height, bool(header[8] & 0x10)
    if header[:4] == b"VP8 " and header[11:14] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", header[14:18])
        return width & 0x3FFF, height & 0x3FFF, False
    if header[:4] == b"VP8L" and header[8:9] == b"\x2f":
        bits = int.from_bytes(header[9:13], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1)
    return None


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk with its length and checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def iso_boxes(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield the name and the end of each outermost box of an ISO base media file, up to what is no box of a length."""
    at = 0
    for _ in range(MAX_ELEMENTS):
        file.seek(at)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if len(head) < 8 or length < 8:
            # 0 is a box that reaches to the end, the rest is padding.
            return
        at += length
        yield head[4:8], at
