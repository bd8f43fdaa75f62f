"""The last filter before a terminal without UTF-8: every line leaves in ASCII, each cell where it was."""

from __future__ import annotations

from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_SIGNS = {
    **dict.fromkeys("─━╌╸╺▁▔▂━═", "-"),
    **dict.fromkeys("│┃▌▐▎▊▍▏▕║", "|"),
    **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼╔╗╚╝", "+"),
    **dict.fromkeys("▃▄▅▆▇█▀░▒▓", "#"),
    "…": "~",
    "·": "-",
    "−": "-",
    "×": "x",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "•": "*",
    "●": "*",
    "‹": "<",
    "›": ">",
    "✓": "+",
    "✗": "x",
    "↓": "v",
    "↑": "^",
    "←": "<",
    "→": ">",
    "★": "*",
    "▸": "+",
    "▾": "-",
    "\xa0": " ",
}


@lru_cache(4_096)
def ascii_cells(text: str) -> str:
    """Return the text in ASCII, in as many cells: a sign of ours as its likeness, anything else as question marks."""
    if text.isascii():
        return text
    return "".join(sign if sign.isascii() else _SIGNS.get(sign, "?" * cell_len(sign)) for sign in text)


class AsciiLines(LineFilter):
    """Replaces what is not ASCII in every line that is drawn, whichever widget drew it."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002 - the base's signature
        """Return the segments in ASCII."""
        return [Segment(ascii_cells(text), style, control) for text, style, control in segments]
