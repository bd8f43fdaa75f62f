"""A downloaded and verified result."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

DownloadedKind = Literal["image", "video", "other", "encrypted"]


class DownloadedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A result on disk: checked by length, type and decoding. Sizes in bytes and pixels, length in seconds.

    `note` is a sentence where the file is not what was asked for or is kept unopened, "" else.
    """

    path: Path
    kind: DownloadedKind
    bytes: int
    width: int = 0
    height: int = 0
    seconds: float = 0.0
    codec: str = ""
    has_sound: bool = False
    sha256: str = ""
    note: str = ""
