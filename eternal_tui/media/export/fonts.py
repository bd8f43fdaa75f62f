"""Letters for pictures: of the fonts on this machine the one that has them, and visible signs for those no font has."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import ImageFont

    Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

FONT_PATHS = (
    "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf",
    "/usr/share/fonts/noto/NotoSans-Regular.ttf",
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",
    "/usr/share/fonts/TTF/DejaVuSans.ttf",
    "/System/Library/Fonts/Supplemental/Arial Unicode.ttf",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
)
"""Where Linux distributions and macOS keep fonts for many scripts. The one that Pillow brings has English alone."""

MISSING_GLYPH = "?"
_NONCHARACTER = "\U0010ffff"
"""No character: what a font draws for it, it draws for every letter it lacks."""


class FontStack:
    """The fonts found, in one size in pixels; `substituted_count` counts the characters that none of them has."""

    def __init__(self, size: int, font_paths: Iterable[str] = FONT_PATHS) -> None:
        from PIL import ImageFont

        found: list[Font] = [ImageFont.truetype(place, size) for place in font_paths if Path(place).is_file()]
        self._fonts: list[Font] = [*found, ImageFont.load_default(size)]
        self._glyph_cache: dict[tuple[int, str], bool] = {}
        self.substituted_count = 0

    def choose_font(self, text: str) -> tuple[Font, str]:
        """Return the font that has most of `text`, and the text as it can be drawn in it."""
        lacking = [sum(not self._has_glyph(place, letter) for letter in text) for place in range(len(self._fonts))]
        best = lacking.index(min(lacking))
        return self._fonts[best], "".join(self._drawable_character(best, letter) for letter in text)

    def _drawable_character(self, font_index: int, character: str) -> str:
        if self._has_glyph(font_index, character):
            return character
        # A letter without its accent is still the word; what has no such letter is shown to be missing.
        base = unicodedata.normalize("NFKD", character)[0]
        if base != character and self._has_glyph(font_index, base):
            return base
        self.substituted_count += 1
        return MISSING_GLYPH

    def _has_glyph(self, font_index: int, character: str) -> bool:
        known = self._glyph_cache.get((font_index, character))
        if known is None:
            known = character.isspace() or self._glyph_bitmap(font_index, character) != self._glyph_bitmap(
                font_index, _NONCHARACTER
            )
            self._glyph_cache[font_index, character] = known
        return known

    def _glyph_bitmap(self, font_index: int, character: str) -> tuple[tuple[int, int], bytes]:
        mask = self._fonts[font_index].getmask(character)
        return mask.size, bytes(mask)
