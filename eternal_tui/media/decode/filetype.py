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
HEIC = FileType("image", "heic", "a HEIC image", "HEIC")
JP2 = FileType("image", "jp2", "a JPEG 2000 image", "JP2")
JXL = FileType("image", "jxl", "a JPEG XL image")
MP4 = FileType("video", "mp4", "an MP4 video", "mp4")
MOV = FileType("video", "mov", "a QuickTime video", "mov")
WEBM = FileType("video", "webm", "a WebM video", "webm")
MKV = FileType("video", "mkv", "a Matroska video", "matroska")
AVI = FileType("video", "avi", "an AVI video", "avi")
TS = FileType("video", "ts", "an MPEG-TS video", "mpegts")
OGV = FileType("video", "ogv", "an Ogg video", "ogg")
M4A = FileType("other", "m4a", "a sound file")
_OTHERS = {
    b"FLV\x01": FileType("video", "flv", "a Flash video", "flv"),
    b"OggS": FileType("other", "ogg", "an Ogg file"),
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": FileType("video", "wmv", "a Windows Media video", "asf"),
    b"\x00\x00\x01\xba": FileType("video", "mpg", "an MPEG video", "mpeg"),
    b"ID3": FileType("other", "mp3", "a sound file"),
    b"fLaC": FileType("other", "flac", "a sound file"),
    b"PK\x03\x04": FileType("other", "zip", "a zip archive"),
    b"\x1f\x8b": FileType("other", "gz", "a gzip-packed file"),
    b"%PDF": FileType("other", "pdf", "a PDF document"),
    b"8BPS": FileType("image", "psd", "a Photoshop image"),
    b"glTF": FileType("other", "glb", "a 3D model"),
    b"qoif": FileType("image", "qoi", "a QOI image", "QOI"),
    **{b"P%d%c" % (kind, end): FileType("image", "ppm", "a PPM image", "PPM") for kind in (5, 6) for end in b" \n"},
    b"DDS ": FileType("image", "dds", "a DDS image"),
    b"\x00\x00\x01\x00": FileType("image", "ico", "an icon"),
    b"\x76\x2f\x31\x01": FileType("image", "exr", "an OpenEXR image"),
    b"#?RADIANCE": FileType("image", "hdr", "a Radiance image"),
    b"gimp xcf": FileType("image", "xcf", "a GIMP image"),
    b"\x06\x0e\x2b\x34": FileType("video", "mxf", "an MXF video"),
    b"DKIF": FileType("video", "ivf", "an IVF video"),
    b"YUV4MPEG2": FileType("video", "y4m", "a raw video"),
    b"7z\xbc\xaf\x27\x1c": FileType("other", "7z", "a 7-Zip archive"),
    b"Rar!": FileType("other", "rar", "a RAR archive"),
    b"\x28\xb5\x2f\xfd": FileType("other", "zst", "a zstd-packed file"),
    b"BZh": FileType("other", "bz2", "a bzip2-packed file"),
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
    b"\x00\x00\x00\x0cjP  ": JP2,
    b"\xff\x4f\xff\x51": JP2,
    **_OTHERS,
}
_RIFF_FORMS = {b"WEBP": WEBP, b"AVI ": AVI, b"WAVE": FileType("other", "wav", "a sound file")}
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), AVIF),
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1", b"crx "), HEIC),
    **dict.fromkeys((b"M4A ", b"M4B ", b"M4P "), M4A),
    b"qt  ": MOV,
}
_OGG_VIDEO_CODECS = (b"\x80theora", b"OVP80", b"fishead")
"""What the first page of an Ogg file says where there is a picture, or a table of contents."""

_TS_PACKETS = ((188, 0), (192, 4))
"""Length of a packet, and the offset of its sync byte: broadcast, and with a time stamp before each (M2TS)."""

IMAGE_SUFFIXES = frozenset({
    ".jpg", ".png", ".webp", ".gif", ".avif", ".bmp", ".tiff", ".heic", ".jp2", ".qoi", ".ppm",
})  # fmt: skip
VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".webm", ".mkv", ".avi", ".ts", ".mpg", ".flv", ".wmv", ".ogv"})
ANIMATED_SUFFIXES = frozenset({".gif", ".webp", ".png", ".avif"})
"""Image files that may hold more than one frame."""

RESULT_SUFFIXES = frozenset(
    {
        *(suffix[1:] for suffix in IMAGE_SUFFIXES | VIDEO_SUFFIXES),
        *(found.suffix for found in (*_OTHERS.values(), JXL, M4A, *_RIFF_FORMS.values())),
        "bin",
    }
)
"""What the name of a saved result may end in, without the dot; `bin` is an encrypted one."""


def detect_file_type(head: bytes) -> FileType | None:
    """Return the type whose signature `head` bears, or None; `head` is the first `HEAD_BYTES` of the file."""
    if head.startswith(b"OggS") and any(codec in head for codec in _OGG_VIDEO_CODECS):
        return OGV
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
