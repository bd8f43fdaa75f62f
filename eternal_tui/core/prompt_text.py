"""What may stand in a prompt: all writing there is, and nothing that only a terminal would understand."""

from __future__ import annotations

import re
import unicodedata

from eternal_tui.core.sanitize import COMBINING_LIMIT, SUBSTITUTE, shown

JOINERS = frozenset("\u200c\u200d")
"""With the selectors: no picture of their own, and part of writing, as of emoji sequences, Persian, Hindi."""

SELECTORS = frozenset(map(chr, range(0xFE00, 0xFE10)))
_BREAKS = re.compile("\r\n|[\r\u2028\u2029\x85\x0b\x0c]")
_WIDE_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_JOINED = frozenset({"So", "Sk", "Lo", "Mn", "Mc"})
"""Categories of what a joiner may stand behind: emoji, skin tones and their selectors, letters without case, marks."""


def prompt_text(text: str) -> str:
    """Return `text` less control, direction and invisible characters; every kind of line break becomes a newline.

    What is left is both shown and sent, so that nobody pays for characters they could not see: joiners and selectors
    stay where writing needs them, and marks as many as are shown on one letter.
    """
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    text = _BREAKS.sub("\n", text).replace("\t", "    ")
    kept: list[str] = []
    marks = 0
    for one in text:
        if not _stays(one, kept[-1] if kept else ""):
            continue
        marks = marks + 1 if unicodedata.category(one)[0] == "M" and one not in SELECTORS else 0
        if marks <= COMBINING_LIMIT:
            kept.append(one)
    return "".join(kept)


def _stays(one: str, before: str) -> bool:
    if one in JOINERS:
        return before != "" and unicodedata.category(before) in _JOINED
    if one in SELECTORS:
        return before not in ("", "\n") and before not in JOINERS and before not in SELECTORS
    if one == "\n" or _WIDE_SPACES.match(one) or one == SUBSTITUTE:
        return True
    if one < " " or one == "\x7f":
        return False
    # The gate answers with its substitute for every character that must not be seen.
    return shown(one) != SUBSTITUTE
