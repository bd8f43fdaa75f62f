"""Letters for pictures: of the fonts on this machine the one that has them, and visible signs for those no font has."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import ImageFont

    Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

PLACES = (
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

ABSENT = "?"
_NOWHERE = "\U0010ffff"
"""No character: what a font draws for it, it draws for every letter it lacks."""


class Lettering:
    """The fonts found, in one size in pixels; `substituted` counts the characters that none of them has."""

    def __init__(self, size: int, places: Iterable[str] = PLACES) -> None:
        from PIL import ImageFont

        found: list[Font] = [ImageFont.truetype(place, size) for place in places if Path(place).is_file()]
        self._fonts: list[Font] = [*found, ImageFont.load_default(size)]
        self._has: dict[tuple[int, str], bool] = {}
        self.substituted = 0

    def fitted(self, text: str) -> tuple[Font, str]:
        """Return the font that has most of `text`, and the text as it can be drawn in it."""
        lacking = [sum(not self._drawn(place, letter) for letter in text) for place in range(len(self._fonts))]
        best = lacking.index(min(lacking))
        return self._fonts[best], "".join(self._substitute(best, letter) for letter in text)

    def _substitute(self, place: int, letter: str) -> str:
        if self._drawn(place, letter):
            return letter
        # A letter without its accent is still the word; what has no such letter is shown to be missing.
        base = unicodedata.normalize("NFKD", letter)[0]
        if base != letter and self._drawn(place, base):
            return base
        self.substituted += 1
        return ABSENT

    def _drawn(self, place: int, letter: str) -> bool:
        known = self._has.get((place, letter))
        if known is None:
            known = letter.isspace() or self._pixels(place, letter) != self._pixels(place, _NOWHERE)
            self._has[place, letter] = known
        return known

    def _pixels(self, place: int, letter: str) -> tuple[tuple[int, int], bytes]:
        mask = self._fonts[place].getmask(letter)
        return mask.size, bytes(mask)
