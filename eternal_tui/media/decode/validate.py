"""The check of a result: whole by its container's own lengths, and read by a decoder or known to have none here.

A decoder plays the first half of a cut file without an error, so the lengths are checked first.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from typing import BinaryIO

import msgspec

from eternal_tui.media.decode.filetype import (
    HEAD_BYTES,
    MAX_ELEMENTS,
    FileType,
    MediaInfo,
    MediaKind,
    detect_file_type,
    iso_boxes,
    looks_like_text,
)
from eternal_tui.media.decode.images import image_info
from eternal_tui.media.decode.video import check_video
from eternal_tui.media.errors import BrokenFile, UnsupportedFile
from eternal_tui.media.limits import DecodeLimits

CUT = "it ends before its data does"
_BAD_CHECKSUM = "its checksums do not match"
_BLOCK_BYTES = 1 << 20

_ISO_BOXES = frozenset({b"mdat", b"moof", b"moov", b"mfra", b"meta", b"free", b"skip", b"sidx", b"wide", b"ftyp"})
_EBML_SEGMENT, _EBML_CLUSTER = 0x18538067, 0x1F43B675


def find_damage(file: BinaryIO, file_type: FileType) -> str | None:
    """Return what is wrong with a file's structure, or None. Blocks; reads at most once through the file."""
    walk = _WALKS.get(file_type.suffix)
    return walk(file, file.seek(0, os.SEEK_END)) if walk is not None else None


def _iso_damage(file: BinaryIO, size: int) -> str | None:
    for kind, end in iso_boxes(file):
        if end > size:
            return CUT if kind in _ISO_BOXES else None
    return None


def _ebml_damage(file: BinaryIO, size: int) -> str | None:
    at = 0
    for _ in range(MAX_ELEMENTS):
        if at >= size:
            return None
        file.seek(at)
        head = file.read(12)
        id_length = 9 - head[0].bit_length()
        if id_length > 4:
            return None
        length_head = head[id_length:]
        if not length_head:
            return CUT
        length_bytes = 9 - length_head[0].bit_length()
        if length_bytes > 8 or len(length_head) < length_bytes:
            return CUT
        element = int.from_bytes(head[:id_length], "big")
        bits = 7 * length_bytes
        length = int.from_bytes(length_head[:length_bytes], "big") & ((1 << bits) - 1)
        at += id_length + length_bytes
        if length == (1 << bits) - 1:
            # Of unknown length, as a live recorder writes: continue with its contents.
            continue
        if element == _EBML_SEGMENT and at + length <= size:
            return None
        at += length
        if at > size:
            return CUT
    return None


def _png_damage(file: BinaryIO, size: int) -> str | None:
    at = 8
    for _ in range(MAX_ELEMENTS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return CUT
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        at += 12 + length
        if at > size:
            return CUT
        checksum = zlib.crc32(kind)
        while length:
            block = file.read(min(length, _BLOCK_BYTES))
            length -= len(block)
            checksum = zlib.crc32(block, checksum)
        # Of a chunk that may be left out the checksum does not count, as for every decoder.
        if kind[0] < ord("a") and checksum != int.from_bytes(file.read(4), "big"):
            return _BAD_CHECKSUM
        if kind == b"IEND":
            return None
    return None


def _gif_damage(file: BinaryIO, size: int) -> str | None:
    file.seek(0)
    data = file.read()
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0) if size > 13 else size + 1
    while at < size and data[at] in b"\x21\x2c":
        if data[at] == 0x21:
            at += 2
        else:
            flags = data[at + 9] if at + 9 < size else 0
            at += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
        while at < size and data[at]:
            at += 1 + data[at]
        at += 1
    # A file that ends with a whole block shows all its frames, with or without the trailer.
    return CUT if at > size else None


def _riff_damage(file: BinaryIO, size: int) -> str | None:
    file.seek(4)
    return CUT if int.from_bytes(file.read(4), "little") + 8 > size + 1 else None


def _ts_damage(file: BinaryIO, size: int) -> str | None:
    file.seek(0)
    return CUT if size % (188 if file.read(1) == b"G" else 192) else None


_WALKS: dict[str, Callable[[BinaryIO, int], str | None]] = {
    **dict.fromkeys(("mp4", "mov", "avif", "heic"), _iso_damage),
    **dict.fromkeys(("webm", "mkv"), _ebml_damage),
    **dict.fromkeys(("webp", "avi"), _riff_damage),
    "png": _png_damage,
    "gif": _gif_damage,
    "ts": _ts_damage,
}


_KIND_NAMES = {None: "", "image": "an image", "video": "a video"}


def check_magic(head: bytes) -> FileType:
    """Return the type the first bytes show; raises BrokenFile for what is of no known type."""
    found = detect_file_type(head[:HEAD_BYTES])
    if found is not None:
        return found
    if not head:
        raise BrokenFile("it is empty")
    if looks_like_text(head):
        raise BrokenFile("the link led to a web page or a message instead of a file")
    raise BrokenFile("it is of no kind this program knows")


def check_decodes(
    file: BinaryIO, file_type: FileType, limits: DecodeLimits, expect: MediaKind | None = None
) -> MediaInfo:
    """Decode the image, or the first frame of the video and read its rest; raises BrokenFile where it is damaged.

    A whole file that cannot be opened here has a `note` with the reason. Blocks.
    """
    if (damage := find_damage(file, file_type)) is not None:
        raise BrokenFile(damage)
    file.seek(0)
    article, wanted = file_type.name[0].upper() + file_type.name[1:], f"where {_KIND_NAMES[expect]} was asked for"
    is_expected = expect in (None, file_type.kind)
    try:
        found = _decode(file, file_type, limits)
    except UnsupportedFile as error:
        came = f"{article} came" if is_expected else f"{article} came, {wanted}"
        return MediaInfo(note=f"{came}. It is kept unopened: {error.reason}.")
    if is_expected or (expect == "video" and found.seconds):
        return found
    return msgspec.structs.replace(found, note=f"{article} came {wanted}.")


def _decode(file: BinaryIO, file_type: FileType, limits: DecodeLimits) -> MediaInfo:
    if not file_type.decoder:
        raise UnsupportedFile("this program does not open such files")
    if file_type.kind == "image":
        return image_info(file, file_type.decoder, limits)
    return check_video(file, file_type.decoder, limits)
