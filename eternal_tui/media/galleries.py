"""Results as one self-contained page without network or script, and as a contact sheet: many images in one."""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

import msgspec

from eternal_tui.core.sanitize import SafeText
from eternal_tui.media.decode.filetype import HEAD_BYTES, VIDEO_SUFFIXES, detect_file_type
from eternal_tui.media.decode.frame import Canvas, Frame
from eternal_tui.media.decode.images import image_frame
from eternal_tui.media.decode.video import poster
from eternal_tui.media.errors import ResultError

if TYPE_CHECKING:
    from PIL import ImageDraw, ImageFont

    Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

BASE64_CHUNK_BYTES = 3 * 256 * 1024
"""Bytes put into base64 at a time: a multiple of three, so that the pieces join."""

POSTER_BOX_PIXELS = (640, 640)
"""The box in pixels into which a clip's first frame is fitted: it is shown until the clip plays, and in print."""

_MIME_BY_SUFFIX = {
    "jpg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "avif": "image/avif",
    "gif": "image/gif",
    "bmp": "image/bmp",
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
}

STYLESHEET = """
:root { color-scheme: light dark;
  --ground: #fafaf8; --raised: #fff; --ink: #22262d; --muted: #565d68; --line: #d8dbdf; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14161b; --raised: #1b1e25; --ink: #d9dce3; --muted: #98a0ae; --line: #333945; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem; max-width: 90rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; font-weight: 600; margin: 0; }
header p { margin: .25rem 0 2rem; color: var(--muted); }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(18rem, 1fr)); gap: 1.25rem; align-items: start; }
article { background: var(--raised); border: 1px solid var(--line); border-radius: .5rem; overflow: hidden; }
img, video { display: block; width: 100%; height: auto; background: #000; }
.words { padding: .75rem 1rem 1rem; }
.prompt { margin: 0 0 .75rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.missing { margin: 0; padding: 3rem 1rem; color: var(--muted); text-align: center; }
dl { display: grid; grid-template-columns: auto 1fr; gap: 0 .75rem; margin: 0; color: var(--muted);
  font-size: .875rem; }
dd { margin: 0; overflow-wrap: anywhere; }
@media print {
  :root { --ground: #fff; --raised: #fff; --ink: #000; --muted: #333; --line: #bbb; }
  body { max-width: none; padding: 0; }
  main { grid-template-columns: 1fr 1fr; }
  article { break-inside: avoid; }
}
"""


class GalleryItem(msgspec.Struct, frozen=True, kw_only=True):
    """One result of the page: its verified file, what was asked for, and labelled facts. All text is gated."""

    path: Path
    title: SafeText
    prompt: SafeText
    details: tuple[tuple[SafeText, SafeText], ...] = ()


def write_gallery(
    items: Iterable[GalleryItem], file: TextIO, *, title: SafeText, subtitle: SafeText, max_bytes: int
) -> tuple[int, int]:
    """Write the page. Files go into it while they are together no larger than `max_bytes` bytes; raises OSError.

    Returns the results shown, and those described only because the page would have grown too large.
    """
    file.write(_page_header(title, subtitle))
    count = beyond = held = 0
    for item in items:
        size = 0
        with suppress(OSError):
            size = item.path.stat().st_size
        fits = held + size <= max_bytes
        held += size if fits else 0
        beyond += not fits
        count += fits
        file.write("<article>\n")
        if fits:
            _write_media(item, file)
        else:
            file.write('<p class="missing">left out: the page would have grown beyond its limit</p>\n')
        facts = "".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in item.details)
        file.write(
            f'<div class="words"><p class="prompt" dir="auto">{escape(item.prompt)}</p>\n<dl>{facts}</dl></div>\n'
            "</article>\n"
        )
    file.write("</main>\n</body>\n</html>\n")
    return count, beyond


def _page_header(title: SafeText, subtitle: SafeText) -> str:
    digest = base64.b64encode(hashlib.sha256(STYLESHEET.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; media-src data:; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLESHEET}</style>\n</head>\n<body>\n"
        f"<header><h1>{escape(title)}</h1><p>{escape(subtitle)}</p></header>\n<main>\n"
    )


def _write_media(item: GalleryItem, file: TextIO) -> None:
    try:
        source = item.path.open("rb")
    except OSError:
        file.write('<p class="missing">the file is no longer there</p>\n')
        return
    with source:
        found = detect_file_type(source.read(HEAD_BYTES))
        source.seek(0)
        if found is None or found.suffix not in _MIME_BY_SUFFIX:
            file.write('<p class="missing">browsers do not show a file of this type</p>\n')
            return
        mime, title = _MIME_BY_SUFFIX[found.suffix], escape(item.title)
        start, end = f'<img alt="{title}" loading="lazy"', '">\n'
        if found.kind == "video":
            how = 'controls loop playsinline preload="metadata"'
            start, end = f'<video {how} title="{title}"{_poster_attribute(item)}', '"></video>\n'
        file.write(f'{start} src="data:{mime};base64,')
        while chunk := source.read(BASE64_CHUNK_BYTES):
            file.write(base64.b64encode(chunk).decode("ascii"))
        file.write(end)


def _poster_attribute(item: GalleryItem) -> str:
    from PIL import Image

    try:
        frame = poster(item.path, Canvas(*POSTER_BOX_PIXELS, cell_size=(1, 1)))
    except ResultError:
        return ""
    stream = BytesIO()
    Image.frombytes("RGB", (frame.width, frame.height), frame.rgb).save(stream, "JPEG", quality=80)
    return f' poster="data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode("ascii")}"'


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
"""Fonts for many scripts on Linux distributions and macOS. Pillow's own has Latin letters alone."""

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
