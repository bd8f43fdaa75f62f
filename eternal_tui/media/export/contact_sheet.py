"""A contact sheet: many results as one picture, each over a line of words."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from eternal_tui.media.decode.filetype import VIDEO_SUFFIXES
from eternal_tui.media.decode.frame import Canvas, Frame
from eternal_tui.media.decode.images import image_frame
from eternal_tui.media.decode.video import poster
from eternal_tui.media.errors import ResultError
from eternal_tui.media.export.html_gallery import GalleryItem

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont


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


MAX_ITEMS = 200
"""Results on one sheet: more make a picture that nothing opens comfortably."""

MAX_COLUMNS = 5
IMAGE_SIDE_PIXELS = 256
"""Pixels of the square a result is fitted into."""

MARGIN_PIXELS, CAPTION_PIXELS, FONT_PIXELS = 16, 40, 13
"""Pixels between results, of the two lines under each, and of their letters."""

BACKGROUND_COLOUR, TEXT_COLOUR, MUTED_COLOUR = (250, 250, 248), (34, 38, 45), (86, 93, 104)
MAX_CAPTION_CHARS = 120
"""Characters of a line that are read: more than fit under a picture."""


class ContactSheetResult(msgspec.Struct, frozen=True):
    """What became of a sheet: results on it, and characters of their words that no font of this machine has."""

    included_count: int
    substituted_count: int


def write_contact_sheet(
    items: Sequence[GalleryItem], file: BinaryIO, font_stack: FontStack | None = None
) -> ContactSheetResult:
    """Write the first `MAX_ITEMS` results as a PNG; raises OSError."""
    from PIL import Image, ImageDraw

    chosen = items[:MAX_ITEMS]
    across = min(MAX_COLUMNS, max(1, len(chosen)))
    down = max(1, -(-len(chosen) // across))
    pitch = (IMAGE_SIDE_PIXELS + MARGIN_PIXELS, IMAGE_SIDE_PIXELS + CAPTION_PIXELS + MARGIN_PIXELS)
    sheet = Image.new("RGB", (across * pitch[0] + MARGIN_PIXELS, down * pitch[1] + MARGIN_PIXELS), BACKGROUND_COLOUR)
    pen, letters = ImageDraw.Draw(sheet), font_stack or FontStack(FONT_PIXELS)
    for place, exhibit in enumerate(chosen):
        row, column = divmod(place, across)
        _draw_item(sheet, pen, letters, exhibit, MARGIN_PIXELS + column * pitch[0], MARGIN_PIXELS + row * pitch[1])
    sheet.save(file, "PNG")
    return ContactSheetResult(len(chosen), letters.substituted_count)


def _draw_item(
    sheet: Image.Image,
    pen: ImageDraw.ImageDraw,
    font_stack: FontStack,
    item: GalleryItem,
    x: int,
    y: int,
) -> None:
    from PIL import Image

    frame = _load_frame(item)
    if frame is None:
        pen.text(
            (x, y + IMAGE_SIDE_PIXELS // 2),
            "the file cannot be drawn",
            fill=MUTED_COLOUR,
            font=font_stack.choose_font("")[0],
        )
    else:
        picture = Image.frombytes("RGB", (frame.width, frame.height), frame.rgb)
        sheet.paste(picture, (x + (IMAGE_SIDE_PIXELS - frame.width) // 2, y + (IMAGE_SIDE_PIXELS - frame.height) // 2))
    for line, (text, ink) in enumerate(((item.title, TEXT_COLOUR), (item.prompt.replace("\n", " "), MUTED_COLOUR))):
        font, drawable = font_stack.choose_font(text[:MAX_CAPTION_CHARS])
        pen.text(
            (x, y + IMAGE_SIDE_PIXELS + 4 + line * (FONT_PIXELS + 4)),
            _truncate_to_image_width(pen, font, drawable),
            fill=ink,
            font=font,
        )


def _load_frame(item: GalleryItem) -> Frame | None:
    read = poster if item.path.suffix.lower() in VIDEO_SUFFIXES else image_frame
    try:
        canvas = Canvas(IMAGE_SIDE_PIXELS, IMAGE_SIDE_PIXELS, cell_size=(1, 1))
        return read(item.path, canvas, background=BACKGROUND_COLOUR)
    except ResultError:
        return None


def _truncate_to_image_width(
    pen: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, text: str
) -> str:
    """Return the beginning of `text` that is no wider than a picture."""
    if pen.textlength(text, font=font) <= IMAGE_SIDE_PIXELS:
        return text

    def fits(count: int) -> bool:
        return pen.textlength(f"{text[:count]}…", font=font) <= IMAGE_SIDE_PIXELS

    room = bisect_left(range(1, len(text)), True, key=lambda count: not fits(count))
    return f"{text[:room]}…"
