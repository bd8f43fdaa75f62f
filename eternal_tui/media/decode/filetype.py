"""What a file is, by its first bytes alone."""

from __future__ import annotations

from typing import Literal

import msgspec

MediaKind = Literal["image", "video"]

HEAD_BYTES = 64
"""Enough for every signature below; WebM names itself within its first 64 bytes."""

_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_UNSUPPORTED_IMAGE_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"mif1", b"msf1", b"crx "})
_AUDIO_BRANDS = frozenset({b"M4A ", b"M4B ", b"M4P "})


class FileType(msgspec.Struct, frozen=True):
    """A file type: picture or clip, our suffix for it, and the decoder allowed to open it."""

    kind: MediaKind
    suffix: str
    decoder: str


JPEG = FileType("image", "jpg", "JPEG")
PNG = FileType("image", "png", "PNG")
WEBP = FileType("image", "webp", "WEBP")
GIF = FileType("image", "gif", "GIF")
AVIF = FileType("image", "avif", "AVIF")
MP4 = FileType("video", "mp4", "mp4")
MOV = FileType("video", "mov", "mov")
WEBM = FileType("video", "webm", "webm")

_SIGNATURES = {b"\xff\xd8\xff": JPEG, b"\x89PNG\r\n\x1a\n": PNG, b"GIF87a": GIF, b"GIF89a": GIF}


_UNSUPPORTED_SIGNATURES = {
    b"\x1f\x8b": "a gzip-packed file",
    b"PK\x03\x04": "a zip archive",
    b"BM": "a BMP picture",
    b"II*\x00": "a TIFF picture",
    b"MM\x00*": "a TIFF picture",
    b"%PDF": "a PDF document",
    b"OggS": "an Ogg file",
    b"RIFF": "a RIFF file",
    b"\x1aE\xdf\xa3": "a Matroska clip",
    b"FLV\x01": "a Flash clip",
}


def detect_file_type(head: bytes) -> FileType | None:
    """Return the type whose signature `head` bears, or None; `head` is the first `HEAD_BYTES` of the file."""
    for signature, found in _SIGNATURES.items():
        if head.startswith(signature):
            return found
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head[4:8] == b"ftyp":
        return _type_by_brand(head[8:12])
    if head.startswith(b"\x1aE\xdf\xa3") and b"webm" in head[:HEAD_BYTES]:
        return WEBM
    return None


def unsupported_type_name(head: bytes) -> str | None:
    """Return what a file is that is not taken, in words, or None where that is not known either."""
    if head[4:8] == b"ftyp":
        return "a HEIC picture" if head[8:12] in _UNSUPPORTED_IMAGE_BRANDS else "a sound file"
    return next((name for signature, name in _UNSUPPORTED_SIGNATURES.items() if head.startswith(signature)), None)


def _type_by_brand(brand: bytes) -> FileType | None:
    if brand in _AVIF_BRANDS:
        return AVIF
    if brand in _UNSUPPORTED_IMAGE_BRANDS or brand in _AUDIO_BRANDS:
        return None
    return MOV if brand == b"qt  " else MP4


def looks_like_text(head: bytes) -> bool:
    """Tell a web page, XML or JSON answer from a file: the usual form of a storage's refusal."""
    return head.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n")[:1] in (b"<", b"{", b"[")
