"""Text in terminal columns: how wide it is, cut and padded to fit."""

from __future__ import annotations

import unicodedata

from eternal_tui.core.sanitize import SafeText, join_safe, pad_safe, rstrip_safe, truncate_safe


def display_width(text: str) -> int:
    """Return how many columns gated text takes: two for wide characters, none for marks."""
    if text.isascii():
        return len(text)
    return sum(_character_width(character) for character in text)


def truncate_to_width(text: SafeText, columns: int) -> SafeText:
    """Return the text in at most `columns`, with an ellipsis where something was left out."""
    if display_width(text) <= columns:
        return text
    kept, used = 0, 0
    for character in text:
        used += _character_width(character)
        if used > columns - 1:
            break
        kept += 1
    return join_safe("", rstrip_safe(truncate_safe(text, kept)), SafeText("…")) if columns > 0 else SafeText("")


def pad_to_width(text: SafeText, columns: int) -> SafeText:
    """Return the text in exactly `columns`."""
    short = truncate_to_width(text, columns)
    return pad_safe(short, columns - display_width(short))


def _character_width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
