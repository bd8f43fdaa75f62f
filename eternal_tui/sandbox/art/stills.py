"""Pictures as JPEG files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from eternal_tui.sandbox.art.stage import Stage, draw_portrait

if TYPE_CHECKING:
    from PIL.Image import Image


def _jpeg(image: Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=88)
    return out.getvalue()


def draw_still(prompt: str, character: str, name: str, size: tuple[int, int]) -> bytes:
    """The JPEG of a prompt and a character; ``name`` decides what the prompt leaves open."""
    return _jpeg(Stage(prompt, character, name, size, seconds=0).frame(0.0))


def draw_avatar(character: str, size: tuple[int, int]) -> bytes:
    """The JPEG portrait of a character."""
    return _jpeg(draw_portrait(character, size))
