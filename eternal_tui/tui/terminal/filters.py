"""Line filters: ASCII for terminals without UTF-8, and shades for pictures without colours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter, NoColor

from eternal_tui.tui.graphics.half_blocks import PixelStyle

_TO_ASCII = str.maketrans(
    "↑✗◐○◔✓↓▌●★▸▾━╸╌…− • × · ‹›←→╭╮╰╯┌┐└┘├┤┬┴┼─│┏┓┗┛┃▁▂▃▄▅▆▇█“”‘’╺▔▐▎▊▍▏▕▀░▒▓\xa0",
    "^x~o%+v>**+-=-.~- * x - <><>+++++++++++++-|#####..::||##\"\"''--||||||#### ",
)
"""One cell for one: states, bars, frames and the bars of charts in shapes that can be told apart."""


def draws_utf8(environ: Mapping[str, str]) -> bool:
    """Tell whether the locale is one of UTF-8: the first of LC_ALL, LC_CTYPE and LANG decides.

    Without any of them, as in a container, the terminal is taken to draw UTF-8. Python adds a LC_CTYPE of UTF-8 to a
    LANG of C (PEP 538), which says nothing about the terminal.
    """
    is_coerced = environ.get("LC_CTYPE") in ("C.UTF-8", "C.utf8", "UTF-8") and environ.get("LANG") in ("C", "POSIX")
    if is_coerced and not environ.get("LC_ALL"):
        return False
    locale = next((environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environ.get(name)), "UTF-8")
    return re.search(r"(?i)utf-?8", locale) is not None


@lru_cache(4_096)
def to_ascii(text: str) -> str:
    """Return the text in ASCII, in as many cells: our glyphs by similar ones, everything else as question marks."""
    if text.isascii():
        return text
    return "".join(sign if sign.isascii() else "?" * cell_len(sign) for sign in text.translate(_TO_ASCII))


class AsciiFilter(LineFilter):
    """Replaces what is not ASCII in every line."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002 - the base's signature
        return [Segment(to_ascii(text), style, control) for text, style, control in segments]


SHADES = " ░▒▓█"
"""From dark to light on a dark background."""


def shade_character(red: int, green: int, blue: int) -> str:
    """Return the shade of a colour, channels 0 to 255, by the weights of ITU-R BT.601."""
    light = (299 * red + 587 * green + 114 * blue) // 1000
    return SHADES[light * len(SHADES) // 256]


class GreyscaleFilter(NoColor):
    """Removes colours, and draws the cells of pictures as shades."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        shaded = [_shade_segment(segment) if isinstance(segment.style, PixelStyle) else segment for segment in segments]
        return super().apply(shaded, background)


def _shade_segment(segment: Segment) -> Segment:
    style = segment.style
    colours = [each.triplet for each in (style.color, style.bgcolor) if each and each.triplet] if style else []
    mean = [sum(channel) // len(colours) for channel in zip(*colours, strict=True)]
    return Segment(shade_character(*mean) * len(segment.text))
