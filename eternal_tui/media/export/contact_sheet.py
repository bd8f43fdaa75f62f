"""A contact sheet: many results as one picture, each over a line of words."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from eternal_tui.media.decode.filetype import VIDEO_SUFFIXES
from eternal_tui.media.decode.frame import Canvas, Frame
from eternal_tui.media.decode.images import image_frame
from eternal_tui.media.decode.video import poster
from eternal_tui.media.errors import ResultError
from eternal_tui.media.export.html_gallery import GalleryItem

if TYPE_CHECKING:
    from PIL import ImageDraw, ImageFont

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
        self._has_glyph = cache(_draws)
        self.substituted_count = 0

    def choose_font(self, text: str) -> tuple[Font, str]:
        """Return the font that has most of `text`, and the text as it can be drawn in it."""
        best = max(self._fonts, key=lambda font: sum(self._has_glyph(font, letter) for letter in text))
        return best, "".join(self._drawable_character(best, letter) for letter in text)

    def _drawable_character(self, font: Font, character: str) -> str:
        # A letter without its accent is still the word; what has no such letter is shown to be missing.
        for drawn in (character, unicodedata.normalize("NFKD", character)[0]):
            if self._has_glyph(font, drawn):
                return drawn
        self.substituted_count += 1
        return MISSING_GLYPH


def _draws(font: Font, character: str) -> bool:
    mask, missing = font.getmask(character), font.getmask(_NONCHARACTER)
    return character.isspace() or (mask.size, bytes(mask)) != (missing.size, bytes(missing))


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


def write_contact_sheet(items: Sequence[GalleryItem], file: BinaryIO) -> tuple[int, int]:
    """Write the first `MAX_ITEMS` results as a PNG; raises OSError.

    Returns how many those are, and how many characters of their texts no font of this machine has.
    """
    from PIL import Image, ImageDraw

    chosen = items[:MAX_ITEMS]
    across = min(MAX_COLUMNS, max(1, len(chosen)))
    down = max(1, -(-len(chosen) // across))
    pitch = (IMAGE_SIDE_PIXELS + MARGIN_PIXELS, IMAGE_SIDE_PIXELS + CAPTION_PIXELS + MARGIN_PIXELS)
    sheet = Image.new("RGB", (across * pitch[0] + MARGIN_PIXELS, down * pitch[1] + MARGIN_PIXELS), BACKGROUND_COLOUR)
    pen, fonts = ImageDraw.Draw(sheet), FontStack(FONT_PIXELS)
    for place, item in enumerate(chosen):
        row, column = divmod(place, across)
        x, y = MARGIN_PIXELS + column * pitch[0], MARGIN_PIXELS + row * pitch[1]
        if (frame := _load_frame(item)) is None:
            font, text = fonts.choose_font("the file cannot be drawn")
            pen.text((x, y + IMAGE_SIDE_PIXELS // 2), text, fill=MUTED_COLOUR, font=font)
        else:
            picture = Image.frombytes("RGB", (frame.width, frame.height), frame.rgb)
            left, top = (IMAGE_SIDE_PIXELS - frame.width) // 2, (IMAGE_SIDE_PIXELS - frame.height) // 2
            sheet.paste(picture, (x + left, y + top))
        for line, (text, ink) in enumerate(((item.title, TEXT_COLOUR), (item.prompt.replace("\n", " "), MUTED_COLOUR))):
            font, drawable = fonts.choose_font(text[:MAX_CAPTION_CHARS])
            caption = _truncate_to_image_width(pen, font, drawable)
            pen.text((x, y + IMAGE_SIDE_PIXELS + 4 + line * (FONT_PIXELS + 4)), caption, fill=ink, font=font)
    sheet.save(file, "PNG")
    return len(chosen), fonts.substituted_count


def _load_frame(item: GalleryItem) -> Frame | None:
    read = poster if item.path.suffix.lower() in VIDEO_SUFFIXES else image_frame
    try:
        canvas = Canvas(IMAGE_SIDE_PIXELS, IMAGE_SIDE_PIXELS, cell_size=(1, 1))
        return read(item.path, canvas, background=BACKGROUND_COLOUR)
    except ResultError:
        return None


def _truncate_to_image_width(pen: ImageDraw.ImageDraw, font: Font, text: str) -> str:
    """Return the beginning of `text` that is no wider than a picture."""
    if pen.textlength(text, font=font) <= IMAGE_SIDE_PIXELS:
        return text
    width = range(1, len(text))
    room = bisect_left(width, True, key=lambda count: pen.textlength(f"{text[:count]}…", font=font) > IMAGE_SIDE_PIXELS)
    return f"{text[:room]}…"
