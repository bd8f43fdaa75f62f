"""A contact sheet: many results as one picture, each over a line of words."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from eternal_tui.media.decode.frame import Frame
from eternal_tui.media.decode.images import still_frame
from eternal_tui.media.decode.video import poster
from eternal_tui.media.errors import ResultError
from eternal_tui.media.export.fonts import Lettering
from eternal_tui.media.export.html_gallery import Exhibit

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

MOST = 200
"""Results on one sheet: more make a picture that nothing opens comfortably."""

ACROSS = 5
SIDE = 256
"""Pixels of the square a result is fitted into."""

MARGIN, CAPTION, SIZE = 16, 40, 13
"""Pixels between results, of the two lines under each, and of their letters."""

GROUND, INK, MUTED = (250, 250, 248), (34, 38, 45), (86, 93, 104)
MOST_LETTERS = 120
"""Characters of a line that are looked at: more than fit under a picture."""

_CLIPS = frozenset({".mp4", ".mov", ".webm"})


class Sheet(msgspec.Struct, frozen=True):
    """What became of a sheet: results on it, and characters of their words that no font of this machine has."""

    shown: int
    substituted: int


def write_sheet(exhibits: Sequence[Exhibit], file: BinaryIO, lettering: Lettering | None = None) -> Sheet:
    """Write the first `MOST` results as a PNG; raises OSError."""
    from PIL import Image, ImageDraw

    chosen = exhibits[:MOST]
    across = min(ACROSS, max(1, len(chosen)))
    down = max(1, -(-len(chosen) // across))
    pitch = (SIDE + MARGIN, SIDE + CAPTION + MARGIN)
    sheet = Image.new("RGB", (across * pitch[0] + MARGIN, down * pitch[1] + MARGIN), GROUND)
    pen, letters = ImageDraw.Draw(sheet), lettering or Lettering(SIZE)
    for place, exhibit in enumerate(chosen):
        row, column = divmod(place, across)
        _place(sheet, pen, letters, exhibit, MARGIN + column * pitch[0], MARGIN + row * pitch[1])
    sheet.save(file, "PNG")
    return Sheet(len(chosen), letters.substituted)


def _place(
    sheet: Image.Image,
    pen: ImageDraw.ImageDraw,
    letters: Lettering,
    exhibit: Exhibit,
    x: int,
    y: int,
) -> None:
    from PIL import Image

    frame = _frame(exhibit)
    if frame is None:
        pen.text((x, y + SIDE // 2), "the file cannot be drawn", fill=MUTED, font=letters.fitted("")[0])
    else:
        picture = Image.frombytes("RGB", (frame.width, frame.height), frame.rgb)
        sheet.paste(picture, (x + (SIDE - frame.width) // 2, y + (SIDE - frame.height) // 2))
    for line, (text, ink) in enumerate(((exhibit.title, INK), (exhibit.prompt.replace("\n", " "), MUTED))):
        font, drawable = letters.fitted(text[:MOST_LETTERS])
        pen.text((x, y + SIDE + 4 + line * (SIZE + 4)), _cut(pen, font, drawable), fill=ink, font=font)


def _frame(exhibit: Exhibit) -> Frame | None:
    read = poster if exhibit.path.suffix.lower() in _CLIPS else still_frame
    try:
        return read(exhibit.path, SIDE, SIDE, cell=(1, 1))
    except ResultError:
        return None


def _cut(pen: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, text: str) -> str:
    """Return the beginning of `text` that is no wider than a picture."""
    if pen.textlength(text, font=font) <= SIDE:
        return text

    def fits(count: int) -> bool:
        return pen.textlength(f"{text[:count]}…", font=font) <= SIDE

    room = bisect_left(range(1, len(text)), True, key=lambda count: not fits(count))
    return f"{text[:room]}…"
