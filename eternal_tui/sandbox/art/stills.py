"""Pictures as JPEG files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from eternal_tui.sandbox.art.stage import Stage, draw_portrait

if TYPE_CHECKING:
    from PIL.Image import Image


def _encode_jpeg(image: Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=88)
    return out.getvalue()


def render_image(prompt: str, character: str, seed: str, size: tuple[int, int]) -> bytes:
    """The JPEG of a prompt and a character; ``seed`` decides what the prompt leaves open."""
    return _encode_jpeg(Stage(prompt, character, seed, size, seconds=0).frame(0.0))


def render_avatar(character: str, size: tuple[int, int]) -> bytes:
    """The JPEG portrait of a character."""
    return _encode_jpeg(draw_portrait(character, size))
