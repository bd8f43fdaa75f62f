"""What a file is, by its first bytes alone."""

from __future__ import annotations

from typing import Literal

import msgspec

MediaKind = Literal["image", "video"]

HEAD_BYTES = 400
"""Enough for every signature below: an MPEG transport stream shows itself by its third packet."""


class FileType(msgspec.Struct, frozen=True):
    """A file type: its kind, our suffix, its name in a sentence, and its decoder: Pillow's or libav's, "" for none."""

    kind: Literal["image", "video", "other"]
    suffix: str
    name: str
    decoder: str = ""


JPEG = FileType("image", "jpg", "a JPEG image", "JPEG")
PNG = FileType("image", "png", "a PNG image", "PNG")
WEBP = FileType("image", "webp", "a WebP image", "WEBP")
GIF = FileType("image", "gif", "a GIF image", "GIF")
AVIF = FileType("image", "avif", "an AVIF image", "AVIF")
BMP = FileType("image", "bmp", "a BMP image", "BMP")
TIFF = FileType("image", "tiff", "a TIFF image", "TIFF")
HEIC = FileType("image", "heic", "a HEIC image")
JXL = FileType("image", "jxl", "a JPEG XL image")
MP4 = FileType("video", "mp4", "an MP4 video", "mp4")
MOV = FileType("video", "mov", "a QuickTime video", "mov")
WEBM = FileType("video", "webm", "a WebM video", "webm")
MKV = FileType("video", "mkv", "a Matroska video", "matroska")
AVI = FileType("video", "avi", "an AVI video", "avi")
TS = FileType("video", "ts", "an MPEG-TS video", "mpegts")
M4A = FileType("other", "m4a", "a sound file")
_OTHERS = {
    b"FLV\x01": FileType("video", "flv", "a Flash video"),
    b"OggS": FileType("other", "ogg", "an Ogg file"),
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": FileType("video", "wmv", "a Windows Media video"),
    b"\x00\x00\x01\xba": FileType("video", "mpg", "an MPEG video"),
    b"ID3": FileType("other", "mp3", "a sound file"),
    b"fLaC": FileType("other", "flac", "a sound file"),
    b"PK\x03\x04": FileType("other", "zip", "a zip archive"),
    b"\x1f\x8b": FileType("other", "gz", "a gzip-packed file"),
    b"%PDF": FileType("other", "pdf", "a PDF document"),
    b"8BPS": FileType("image", "psd", "a Photoshop image"),
    b"glTF": FileType("other", "glb", "a 3D model"),
}
_SIGNATURES = {
    b"\xff\xd8\xff": JPEG,
    b"\x89PNG\r\n\x1a\n": PNG,
    b"GIF87a": GIF,
    b"GIF89a": GIF,
    b"II*\x00": TIFF,
    b"MM\x00*": TIFF,
    b"\xff\x0a": JXL,
    b"\x00\x00\x00\x0cJXL ": JXL,
    **_OTHERS,
}
_RIFF_FORMS = {b"WEBP": WEBP, b"AVI ": AVI, b"WAVE": FileType("other", "wav", "a sound file")}
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), AVIF),
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1", b"crx "), HEIC),
    **dict.fromkeys((b"M4A ", b"M4B ", b"M4P "), M4A),
    b"qt  ": MOV,
}
_TS_PACKETS = ((188, 0), (192, 4))
"""Length of a packet, and where in it the sync byte stands: broadcast, and with a time stamp before each (M2TS)."""

IMAGE_SUFFIXES = frozenset({".jpg", ".png", ".webp", ".gif", ".avif", ".bmp", ".tiff"})
VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".webm", ".mkv", ".avi", ".ts"})
ANIMATED_SUFFIXES = frozenset({".gif", ".webp", ".png", ".avif"})
"""Image files that may hold more than one frame."""

RESULT_SUFFIXES = frozenset(
    {
        *(suffix[1:] for suffix in IMAGE_SUFFIXES | VIDEO_SUFFIXES),
        *(found.suffix for found in (*_OTHERS.values(), HEIC, JXL, M4A, *_RIFF_FORMS.values())),
        "bin",
    }
)
"""What the name of a saved result may end in, without the dot; `bin` is an encrypted one."""


def detect_file_type(head: bytes) -> FileType | None:
    """Return the type whose signature `head` bears, or None; `head` is the first `HEAD_BYTES` of the file."""
    for signature, found in _SIGNATURES.items():
        if head.startswith(signature):
            return found
    if head[:4] == b"RIFF":
        return _RIFF_FORMS.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _type_by_brands(head)
    if head.startswith(b"\x1aE\xdf\xa3"):
        return WEBM if b"webm" in head[:64] else MKV
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return BMP
    if any(head[at::length][:2] == b"GG" for length, at in _TS_PACKETS):
        return TS
    return None


def _type_by_brands(head: bytes) -> FileType:
    """Return the type of an ISO base media file: its major brand decides, unless a compatible one says AVIF."""
    major, size = head[8:12], min(int.from_bytes(head[:4], "big"), len(head))
    compatible = {head[at : at + 4] for at in range(16, size - 3, 4)}
    found = _BRANDS.get(major, MP4)
    return AVIF if found is HEIC and compatible & {b"avif", b"avis"} else found


def looks_like_text(head: bytes) -> bool:
    """Tell a web page, XML or JSON answer from a file: the usual form of a storage's refusal."""
    return head.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n")[:1] in (b"<", b"{", b"[")
