"""The decode check: a file is a result only once a decoder has read it."""

from __future__ import annotations

from typing import BinaryIO

import msgspec

from eternal_tui.media.decode.filetype import HEAD_BYTES, FileType, Kind, file_type, known_name, looks_like_text
from eternal_tui.media.decode.images import still_facts
from eternal_tui.media.decode.video import check_clip
from eternal_tui.media.errors import BrokenFile, OtherKind
from eternal_tui.media.limits import DecodeLimits

_CALLED = {"image": "a picture", "video": "a clip"}


class Facts(msgspec.Struct, frozen=True):
    """What the decoder found. Sizes in pixels; `seconds` is 0 for a picture and where a clip does not say."""

    width: int = 0
    height: int = 0
    seconds: float = 0.0
    codec: str = ""
    has_sound: bool = False


def check_head(head: bytes, expect: Kind) -> FileType:
    """Return the type the first bytes show; raises BrokenFile unless it is one of the expected kind."""
    found = file_type(head[:HEAD_BYTES])
    if found is None:
        if not head:
            raise BrokenFile("it is empty")
        if looks_like_text(head):
            raise BrokenFile("the link led to a web page or a message instead of a file")
        if (name := known_name(head)) is not None:
            raise OtherKind(f"{name}, a kind this program does not take")
        raise BrokenFile("it is of no kind this program knows")
    if found.kind != expect:
        raise OtherKind(f"{_CALLED[found.kind]} ({found.suffix}) where {_CALLED[expect]} was asked for")
    return found


def check_decodes(file: BinaryIO, found: FileType, limits: DecodeLimits) -> Facts:
    """Decode the picture, or the first frame of the clip and read its rest; raises BrokenFile. Blocks."""
    file.seek(0)
    if found.kind == "image":
        still = still_facts(file, found.decoder, limits)
        return Facts(still.width, still.height, codec=still.codec)
    clip = check_clip(file, found.decoder, limits)
    return Facts(clip.width, clip.height, clip.seconds or 0.0, clip.codec, has_sound=clip.has_sound)
