"""Kitty's graphics protocol with Unicode placeholders: sharp pictures that move like text.

The terminal is sent the pixels once, under a number; the cells contain an ordinary character whose
colour is that number and whose combining marks say which part of the picture it shows. So scrolling, cropping
and tmux treat a picture as text. See https://sw.kovidgoyal.net/kitty/graphics-protocol/#unicode-placeholders
"""

from __future__ import annotations

import base64
import itertools
import secrets
import zlib
from math import ceil

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from eternal_tui.media.decode.frame import Frame
from eternal_tui.tui.graphics.base import PLACEHOLDER, Drawing, GraphicsBackend, GraphicsName
from eternal_tui.tui.graphics.half_blocks import quantization_table

_DIACRITIC_RANGES = """
    305 30D-30E 310 312 33D-33F 346 34A-34C 350-352 357 35B 363-36F 483-487 592-595 597-599 59C-5A1
    5A8-5A9 5AB-5AC 5AF 5C4 610-617 657-65B 65D-65E 6D6-6DC 6DF-6E2 6E4 6E7-6E8 6EB-6EC 730 732-733
    735-736 73A 73D 73F-741 743 745 747 749-74A 7EB-7F1 7F3 816-819 81B-823 825-827 829-82D 951 953-954
    F82-F83 F86-F87 135D-135F 17DD 193A 1A17 1A75-1A7C 1B6B 1B6D-1B73 1CD0-1CD2 1CDA-1CDB 1CE0 1DC0-1DC1
    1DC3-1DC9 1DCB-1DCC 1DD1-1DE6 1DFE 20D0-20D1 20D4-20D7 20DB-20DC 20E1 20E7 20E9 20F0 2CEF-2CF1
    2DE0-2DFF A66F A67C-A67D A6F0-A6F1 A8E0-A8F1 AAB0 AAB2-AAB3 AAB7-AAB8 AABE-AABF AAC1 FE20-FE26 10A0F
    10A38 1D185-1D189 1D1AA-1D1AD 1D242-1D244
"""


def _expand_ranges(ranges: str) -> str:
    marks: list[str] = []
    for run in ranges.split():
        first, _, last = run.partition("-")
        marks.extend(chr(code) for code in range(int(first, 16), int(last or first, 16) + 1))
    return "".join(marks)


DIACRITICS = _expand_ranges(_DIACRITIC_RANGES)
"""Mark number n means row or column n."""


MAX_CHUNK_CHARS = 4096
"""Most base64 characters one escape sequence may carry."""

_GREY_STEP = 43
"""Step between the greys among the numbers, first and last included; a grey would be sent as one of the grey ramp."""

_COLOUR_CUBE_LEVELS = (0, 95, 135, 175, 215, 255)
"""Levels of the 256-colour cube, where number 16 is black and 231 white."""


_REMOTE_LEVELS = quantization_table(5)
"""Colours of 15 bits, as half-blocks have them over SSH: the eye hardly tells, and a third of the bytes is left."""


class KittyPlaceholders(GraphicsBackend):
    """Sends pixels once and fills cells with placeholders.

    `cell_size` is the size of one cell in pixels. In `tmux` every sequence is wrapped to pass through. Without
    `truecolor` a picture's number must fit the 256-colour cube, for it travels as a colour. `supports_animation` says
    that the terminal knows animations: the next frame of a clip is then a change of the picture on the screen, made at
    once. Sent as a picture under the same number it would be shown as nothing while it is coming (kitty 0.32). A
    terminal that is `remote` gets a quarter of the pixels in fewer colours, packed hard: 39 KB where it would be 450.
    """

    name: GraphicsName = "kitty"

    def __init__(
        self,
        cell_size: tuple[int, int] = (10, 20),
        *,
        tmux: bool = False,
        truecolor: bool = True,
        supports_animation: bool = False,
        remote: bool = False,
    ) -> None:
        # Not in whole pixels, for the terminal keeps the aspect of what it is sent, and half of 15 is not 7.
        self.cell_size: tuple[float, float] = (cell_size[0] / 2, cell_size[1] / 2) if remote else cell_size
        self._remote = remote
        # A quarter of the pixels for clips: the terminal scales them up, and frames come in time.
        self.video_cell_size = (self.cell_size[0] / 2, self.cell_size[1] / 2)
        self._tmux = tmux
        self._truecolor = truecolor
        self._supports_animation = supports_animation
        self._image_ids = range(1, 1 << 24) if truecolor else [16 + n for n in range(216) if n % _GREY_STEP]
        # Numbers are shared with every program in the terminal, so this one starts anywhere.
        self._count = itertools.count(secrets.randbelow(len(self._image_ids)))

    def render(self, frame: Frame, *, handle: int = 0, animated: bool = False) -> Drawing:
        """Draw `frame`; with the `handle` of an earlier drawing its cells show the new pixels in place."""
        cell = self.video_cell_size if animated else self.cell_size
        columns = min(ceil(frame.width / cell[0]), len(DIACRITICS))
        rows = min(ceil(frame.height / cell[1]), len(DIACRITICS))
        number = handle or self._image_ids[next(self._count) % len(self._image_ids)]
        payload = _encode_pixels(frame, remote=self._remote)
        pixels = f"t=d,f=24,o=z,i={number},s={frame.width},v={frame.height}"
        transmit = self._chunked_commands(f"a=T,U=1,{pixels},c={columns},r={rows},", "", payload)
        # Later chunks must name the frame too, or kitty adds another one.
        change = (
            self._chunked_commands(f"a=f,r=1,{pixels},", f"a=f,r=1,i={number},", payload)
            if self._supports_animation and animated
            else ""
        )
        style = Style.from_color(self._image_id_colour(number))
        strips = tuple(_placeholder_strip(row, columns, style) for row in range(rows))
        return Drawing(
            strips, columns, transmit, number, is_transparent=True, update=change, pixels=(frame.width, frame.height)
        )

    def release(self, handle: int) -> str:
        """Return what makes the terminal forget a picture and its pixels."""
        return self._command(f"a=d,d=I,i={handle},q=2") if handle else ""

    def _image_id_colour(self, image_id: int) -> Color:
        if self._truecolor:
            return Color.from_rgb(*image_id.to_bytes(3))
        # Exact cube levels are converted back to this very number on output.
        return Color.from_rgb(*(_COLOUR_CUBE_LEVELS[(image_id - 16) // step % 6] for step in (36, 6, 1)))

    def _chunked_commands(self, first_control: str, next_control: str, payload: str) -> str:
        """Return the sequences that send a payload, with the keys of the first chunk and of each further one."""
        starts = range(0, len(payload), MAX_CHUNK_CHARS)
        return "".join(
            self._command(
                f"{next_control if start else first_control}q=2,m={int(start != starts[-1])};"
                + payload[start : start + MAX_CHUNK_CHARS]
            )
            for start in starts
        )

    def _command(self, content: str) -> str:
        command = f"\x1b_G{content}\x1b\\"
        return "\x1bPtmux;" + command.replace("\x1b", "\x1b\x1b") + "\x1b\\" if self._tmux else command


def _encode_pixels(frame: Frame, *, remote: bool) -> str:
    packed = zlib.compress(frame.rgb.translate(_REMOTE_LEVELS), 9) if remote else zlib.compress(frame.rgb, 1)
    return base64.standard_b64encode(packed).decode("ascii")


def _placeholder_strip(row: int, columns: int, style: Style) -> Strip:
    # Every cell names its row and column: one that is drawn alone, after a neighbour covered it, still knows.
    text = "".join(f"{PLACEHOLDER}{DIACRITICS[row]}{DIACRITICS[column]}" for column in range(columns))
    return Strip([Segment(text, style)], columns)
