"""Text in terminal columns and in user-perceived characters (UAX #29, without Hangul jamo and Indic conjuncts)."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

from eternal_tui.core.sanitize import SafeText, join_safe, pad_safe, rstrip_safe, truncate_safe

ZERO_WIDTH_JOINER = "\u200d"
EMOJI_PRESENTATION = "\ufe0f"


def display_width(text: str) -> int:
    """Return the columns of sanitized text: an emoji sequence takes two, a combining mark none."""
    if text.isascii():
        return len(text)
    return sum(_cluster_width(text[start:end]) for start, end in pairwise(grapheme_boundaries(text)))


def truncate_to_width(text: SafeText, columns: int) -> SafeText:
    """Return the text in at most `columns`, with an ellipsis where something was left out."""
    if display_width(text) <= columns:
        return text
    if columns <= 0:
        return SafeText("")
    length, used = 0, 0
    for start, end in pairwise(grapheme_boundaries(text)):
        used += _cluster_width(text[start:end])
        if used > columns - 1:
            break
        length = end
    return join_safe("", rstrip_safe(truncate_safe(text, length)), SafeText("…"))


def pad_to_width(text: SafeText, columns: int) -> SafeText:
    """Return the text in exactly `columns`."""
    short = truncate_to_width(text, columns)
    return pad_safe(short, columns - display_width(short))


def grapheme_boundaries(text: str) -> list[int]:
    """Return the positions between user-perceived characters, from 0 to the length of `text`."""
    if text.isascii():
        return list(range(len(text) + 1))
    boundaries, flags = [0], 0
    for at, (before, character) in enumerate(pairwise(text), 1):
        flags = flags + 1 if _is_flag_letter(before) else 0
        joined = before == ZERO_WIDTH_JOINER and unicodedata.category(character) == "So"
        if not (joined or _extends(character) or (flags % 2 and _is_flag_letter(character))):
            boundaries.append(at)
    return [*boundaries, len(text)] if text else boundaries


def grapheme_start(text: str, at: int) -> int:
    """Return the last boundary before `at`, 0 at the start."""
    return max((each for each in grapheme_boundaries(text) if each < at), default=0)


def grapheme_end(text: str, at: int) -> int:
    """Return the first boundary behind `at`, the length at the end."""
    return next((each for each in grapheme_boundaries(text) if each > at), len(text))


def _cluster_width(cluster: str) -> int:
    if EMOJI_PRESENTATION in cluster or _is_flag_letter(cluster[0]):
        return min(len(cluster), 2)
    if unicodedata.category(cluster[0]) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(cluster[0]) in ("W", "F") else 1


def _extends(character: str) -> bool:
    """Whether it belongs to the character before it: marks, variation and skin tone selectors, tags, the joiner."""
    return (
        character == ZERO_WIDTH_JOINER
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or "\U000e0020" <= character <= "\U000e007f"
        or unicodedata.category(character) in ("Mn", "Me", "Mc")
    )


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
