"""The check of a result: whole by its container's own lengths, and read by a decoder or known to have none here.

A decoder plays the first half of a cut file without an error, so the lengths are checked first.
"""

from __future__ import annotations

from typing import BinaryIO

import msgspec

from eternal_tui.media.decode.filetype import (
    HEAD_BYTES,
    FileType,
    MediaInfo,
    MediaKind,
    detect_file_type,
    looks_like_text,
)
from eternal_tui.media.decode.images import image_info
from eternal_tui.media.decode.structure import find_damage
from eternal_tui.media.decode.video import check_video
from eternal_tui.media.errors import BrokenFile, UnsupportedFile
from eternal_tui.media.limits import DecodeLimits

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

    What is whole but cannot be opened here has a `note` that says why. Blocks.
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
