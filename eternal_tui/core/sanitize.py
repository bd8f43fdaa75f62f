"""Text from outside, made safe to show: the one gate between strangers and the terminal.

Every string that a service, a file, a clipboard or an environment hands us is `Untrusted`. Only `Shown` text may
reach a screen, a log or a pipe, and only this module turns one into the other, so that forgetting is a type error.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NewType

Untrusted = NewType("Untrusted", str)
"""Text as it came from outside. It may hold anything at all."""

Shown = NewType("Shown", str)
"""Text a terminal can be given: no control, format, private or unassigned character, bounded in length."""

LINE_LIMIT = 2_000
"""Characters kept of a single line: wider than any terminal, short enough to measure on every repaint."""

BLOCK_LIMIT = 20_000
"""Characters kept of a multi-line text: several times the longest prompt a person writes."""

COMBINING_LIMIT = 4
"""Marks kept on one base character: Vietnamese and Hebrew need two or three, stacks of dozens are an attack."""

SUBSTITUTE = "\N{REPLACEMENT CHARACTER}"

# Letters and symbols by category, but blank or of no width: a name made of them looks like nothing at all.
_BLANK = frozenset("\u115f\u17b4\u17b5\u3164\uffa0\u034f\u2800")
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MARK_CATEGORIES = frozenset({"Mn", "Me", "Mc"})
_NEWLINES = re.compile("\r\n|[\n\r\u2028\u2029\x85]")
_JOINER = "\u200d"


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) in _MARK_CATEGORIES and not _is_variation(ord(character))


def _is_variation(code: int) -> bool:
    return 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF or 0x180B <= code <= 0x180F


def _is_loose_jamo(code: int) -> bool:
    # Vowels and final consonants that no syllable took in: letters of no width of their own.
    return 0x1160 <= code <= 0x11FF or 0xD7B0 <= code <= 0xD7FF


@lru_cache(maxsize=4096)
def _substitute(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\N{SYMBOL FOR DELETE}"
    category = unicodedata.category(character)
    if category in _UNSAFE_CATEGORIES or character in _BLANK or _is_loose_jamo(code):
        return SUBSTITUTE
    if 0x1F1E6 <= code <= 0x1F1FF:
        # Terminals disagree about the width of flags, and none about that of the letters they stand for.
        return chr(ord("A") + code - 0x1F1E6)
    return " " if category == "Zs" else character


def _dressing(text: str, at: int, before: str) -> bool:
    """Tell whether the character at `at` only dresses up the emoji or letter `before` it, and may go unseen.

    Variation selectors, skin tones and the joiners inside an emoji: without them every terminal and every table
    of widths agrees how wide the rest is.
    """
    code = ord(text[at])
    if _is_variation(code):
        return before != ""
    if before == "" or unicodedata.category(before) != "So" or before == SUBSTITUTE:
        return False
    if text[at] == _JOINER:
        return at + 1 < len(text) and unicodedata.category(text[at + 1]) == "So"
    return 0x1F3FB <= code <= 0x1F3FF


def _visible(text: str) -> str:
    kept: list[str] = []
    for at, character in enumerate(text):
        if _dressing(text, at, kept[-1] if kept else ""):
            continue
        lone = _is_variation(ord(character)) or 0x1F3FB <= ord(character) <= 0x1F3FF
        kept.append(SUBSTITUTE if lone else _substitute(character))
    return "".join(kept)


def _without_stacks(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if _is_mark(character) else 0
        if marks <= COMBINING_LIMIT:
            kept.append(character)
    return "".join(kept)


def _safe_line(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    # Stacks go first: putting thousands of marks in canonical order takes quadratic time.
    composed = unicodedata.normalize("NFC", _without_stacks(text.replace("\t", " ")))
    line = _without_stacks(unicodedata.normalize("NFC", _visible(composed)))
    return "\N{DOTTED CIRCLE}" + line if line and _is_mark(line[0]) else line


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: max(0, limit - 1)] + "…"


def shown(text: str, *, limit: int = LINE_LIMIT) -> Shown:
    """Return `text` as one displayable line of at most `limit` characters.

    Control characters become their visible pictures, direction and zero-width characters a replacement sign, line
    breaks a single return sign; over-long text ends in an ellipsis.
    """
    # Cut before the walk, so that a hundred megabytes cost no more than a line.
    head = _cut(text, limit)
    if "\n" in head or "\r" in head or not head.isascii():
        head = _NEWLINES.sub("⏎", head)
    return Shown(_cut(_safe_line(head), limit))


def shown_block(text: str, *, limit: int = BLOCK_LIMIT) -> Shown:
    """Return `text` as displayable lines joined by newlines, at most `limit` characters in all."""
    lines = _NEWLINES.split(_cut(text, limit))
    return Shown(_cut("\n".join(_safe_line(line.replace("\t", "    ")) for line in lines), limit))


def say(template: str, /, **fields: object) -> Shown:
    """Fill `template`, a sentence of our own, with fields that each pass the gate.

    The template is the program's; a field is anybody's. Fields are filled once, so that braces inside them stay
    literal.
    """
    return Shown(template.format(**{name: shown(str(value)) for name, value in fields.items()}))


def join(separator: str, *parts: Shown) -> Shown:
    """Return displayable parts joined by `separator`, which is the program's own."""
    return Shown(separator.join(parts))


def lines_of(block: Shown) -> tuple[Shown, ...]:
    """Return the lines of a displayable block."""
    return tuple(Shown(line) for line in block.split("\n"))


def head_of(text: Shown, length: int) -> Shown:
    """Return the first `length` characters of displayable text, counted as Python counts them."""
    return Shown(text[: max(0, length)])


def trimmed(text: Shown) -> Shown:
    """Return displayable text without the space at its end."""
    return Shown(text.rstrip())


def padded(text: Shown, spaces: int) -> Shown:
    """Return displayable text with that many spaces after it."""
    return Shown(text + " " * spaces)


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
