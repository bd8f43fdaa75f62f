"""Text in terminal columns: how wide it is, cut and padded to fit."""

from __future__ import annotations

import unicodedata

from eternal_tui.core.sanitize import Shown, head_of, join, padded, trimmed


def width(text: str) -> int:
    """Return how many columns gated text takes: two for wide characters, none for marks."""
    if text.isascii():
        return len(text)
    return sum(_cells(character) for character in text)


def cut(text: Shown, columns: int) -> Shown:
    """Return the text in at most `columns`, with an ellipsis where something was left out."""
    if width(text) <= columns:
        return text
    kept, used = 0, 0
    for character in text:
        used += _cells(character)
        if used > columns - 1:
            break
        kept += 1
    return join("", trimmed(head_of(text, kept)), Shown("…")) if columns > 0 else Shown("")


def fit(text: Shown, columns: int) -> Shown:
    """Return the text in exactly `columns`."""
    short = cut(text, columns)
    return padded(short, columns - width(short))


def _cells(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
