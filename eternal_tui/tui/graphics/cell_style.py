"""The style of a cell that shows two pixels, made by the thousand.

Rich builds two colours of four parts for each style and works its sequence out through a cache that hashes all of them:
13 µs a cell, 45 ms for a picture never seen before. Here a style is the six bytes of its pixels, and all else is worked
out of them when somebody asks. It stands on names that Rich and Textual keep to themselves; both are pinned.
"""

from __future__ import annotations

from rich.color import Color, ColorType
from rich.color_triplet import ColorTriplet
from rich.style import Style

_NAME = "picture"


class CellStyle(Style):
    """The colours of the upper pixel and, where `pair` has six bytes and not three, of the lower one behind it."""

    __slots__ = ("_pair",)
    _pair: bytes

    # What no cell has, said once and not for each of them.
    _attributes = _set_attributes = 0
    _link = _meta = None
    _link_id = ""
    _null = False

    @classmethod
    def of(cls, pair: bytes, *, truecolor: bool) -> CellStyle:
        """Return the style; `truecolor` promises that the terminal takes 24 bits, and so what it is told."""
        style = cls.__new__(cls)
        style._pair = pair
        style._hash = hash(pair)
        style._style_definition = None
        style._ansi = _sequence(pair) if truecolor else None
        return style

    @property
    def _color(self) -> Color | None:  # type: ignore[override]
        return _colour(self._pair[:3])

    @property
    def _bgcolor(self) -> Color | None:  # type: ignore[override]
        lower = self._pair[3:]
        return _colour(lower) if lower else None


# Numbers with what stands beside them, written once: a third of the time of writing them into each cell.
_FIRST = tuple(f"38;2;{level};" for level in range(256))
_MIDDLE = tuple(f"{level};" for level in range(256))
_BETWEEN = tuple(f"{level};48;2;" for level in range(256))
_LAST = tuple(f"{level}" for level in range(256))


def _sequence(pair: bytes) -> str:
    if len(pair) == 3:
        red, green, blue = pair
        return f"{_FIRST[red]}{_MIDDLE[green]}{_LAST[blue]}"
    red, green, blue, lower_red, lower_green, lower_blue = pair
    upper = f"{_FIRST[red]}{_MIDDLE[green]}{_BETWEEN[blue]}"
    return f"{upper}{_MIDDLE[lower_red]}{_MIDDLE[lower_green]}{_LAST[lower_blue]}"


def _colour(rgb: bytes) -> Color:
    return Color(_NAME, ColorType.TRUECOLOR, None, ColorTriplet(*rgb))
