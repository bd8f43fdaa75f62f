"""User-perceived characters: where the cursor may stand in a text (the common rules of UAX #29).

Not known are conjoining Hangul letters and Indic conjuncts, which terminals do not draw as one either.
"""

from __future__ import annotations

import unicodedata
from itertools import pairwise

ZERO_WIDTH_JOINER = "\u200d"


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


def _extends(character: str) -> bool:
    """Tell whether it belongs to what stands before it: marks, variation and skin tone selectors, tags, the joiner."""
    return (
        character == ZERO_WIDTH_JOINER
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or "\U000e0020" <= character <= "\U000e007f"
        or unicodedata.category(character) in ("Mn", "Me", "Mc")
    )


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
