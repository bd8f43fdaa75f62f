"""The decode check: a file is a result only once a decoder has read it."""

from __future__ import annotations

from typing import BinaryIO

import msgspec

from eternal_tui.media.decode.filetype import (
    HEAD_BYTES,
    FileType,
    MediaKind,
    detect_file_type,
    looks_like_text,
    unsupported_type_name,
)
from eternal_tui.media.decode.images import image_info
from eternal_tui.media.decode.video import check_video
from eternal_tui.media.errors import BrokenFile, WrongFileType
from eternal_tui.media.limits import DecodeLimits

_KIND_LABELS = {"image": "a picture", "video": "a clip"}


class MediaInfo(msgspec.Struct, frozen=True):
    """What the decoder found. Sizes in pixels; `seconds` is 0 for a picture and where a clip does not say."""

    width: int = 0
    height: int = 0
    seconds: float = 0.0
    codec: str = ""
    has_sound: bool = False


def check_magic(head: bytes, expect: MediaKind) -> FileType:
    """Return the type the first bytes show; raises BrokenFile unless it is one of the expected kind."""
    found = detect_file_type(head[:HEAD_BYTES])
    if found is None:
        if not head:
            raise BrokenFile("it is empty")
        if looks_like_text(head):
            raise BrokenFile("the link led to a web page or a message instead of a file")
        if (name := unsupported_type_name(head)) is not None:
            raise WrongFileType(f"{name}, a kind this program does not take")
        raise BrokenFile("it is of no kind this program knows")
    if found.kind != expect:
        raise WrongFileType(f"{_KIND_LABELS[found.kind]} ({found.suffix}) where {_KIND_LABELS[expect]} was asked for")
    return found


def check_decodes(file: BinaryIO, file_type: FileType, limits: DecodeLimits) -> MediaInfo:
    """Decode the picture, or the first frame of the clip and read its rest; raises BrokenFile. Blocks."""
    file.seek(0)
    if file_type.kind == "image":
        still = image_info(file, file_type.decoder, limits)
        return MediaInfo(still.width, still.height, codec=still.codec)
    clip = check_video(file, file_type.decoder, limits)
    return MediaInfo(clip.width, clip.height, clip.seconds or 0.0, clip.codec, has_sound=clip.has_sound)
