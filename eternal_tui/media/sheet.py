"""A contact sheet: many results as one picture, each over a line of words."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO

from eternal_tui.media.clips import poster
from eternal_tui.media.errors import ResultError
from eternal_tui.media.frame import Frame
from eternal_tui.media.page import Exhibit
from eternal_tui.media.stills import still_frame

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
_CLIPS = frozenset({".mp4", ".mov", ".webm"})


def write_sheet(exhibits: Sequence[Exhibit], file: BinaryIO) -> int:
    """Write the first `MOST` results as a PNG and return how many that were; raises OSError."""
    from PIL import Image, ImageDraw, ImageFont

    chosen = exhibits[:MOST]
    across = min(ACROSS, max(1, len(chosen)))
    down = max(1, -(-len(chosen) // across))
    pitch = (SIDE + MARGIN, SIDE + CAPTION + MARGIN)
    sheet = Image.new("RGB", (across * pitch[0] + MARGIN, down * pitch[1] + MARGIN), GROUND)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(SIZE)
    for place, exhibit in enumerate(chosen):
        row, column = divmod(place, across)
        _place(sheet, pen, font, exhibit, MARGIN + column * pitch[0], MARGIN + row * pitch[1])
    sheet.save(file, "PNG")
    return len(chosen)


def _place(
    sheet: Image.Image,
    pen: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    exhibit: Exhibit,
    x: int,
    y: int,
) -> None:
    from PIL import Image

    frame = _frame(exhibit)
    if frame is None:
        pen.text((x, y + SIDE // 2), "the file cannot be drawn", fill=MUTED, font=font)
    else:
        picture = Image.frombytes("RGB", (frame.width, frame.height), frame.rgb)
        sheet.paste(picture, (x + (SIDE - frame.width) // 2, y + (SIDE - frame.height) // 2))
    for line, (text, ink) in enumerate(((exhibit.title, INK), (exhibit.prompt.replace("\n", " "), MUTED))):
        pen.text((x, y + SIDE + 4 + line * (SIZE + 4)), _cut(pen, font, text), fill=ink, font=font)


def _frame(exhibit: Exhibit) -> Frame | None:
    read = poster if exhibit.path.suffix.lower() in _CLIPS else still_frame
    try:
        return read(exhibit.path, SIDE, SIDE, cell=(1, 1))
    except ResultError:
        return None


def _cut(pen: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, text: str) -> str:
    """Return the beginning of `text` that is no wider than a picture."""
    text = text[:120]
    if pen.textlength(text, font=font) <= SIDE:
        return text

    def fits(count: int) -> bool:
        return pen.textlength(f"{text[:count]}…", font=font) <= SIDE

    room = bisect_left(range(1, len(text)), True, key=lambda count: not fits(count))
    return f"{text[:room]}…"
