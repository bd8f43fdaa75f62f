"""Text from outside, made safe to show: the one gate between untrusted input and the terminal.

Every string from a service, a file, a clipboard or the environment is `UntrustedText`. Only `SafeText` text may
reach a screen, a log or a pipe, and only this module turns one into the other, so that forgetting is a type error.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NewType

UntrustedText = NewType("UntrustedText", str)
"""Text from outside, unchanged. It may contain any character."""

SafeText = NewType("SafeText", str)
"""Text a terminal can be given: no control, format, private or unassigned character, bounded in length."""

MAX_LINE_CHARS = 2_000
"""Maximum characters of a single line: wider than any terminal, short enough to measure on every repaint."""

MAX_BLOCK_CHARS = 20_000
"""Maximum characters of a multi-line text: several times the longest prompt."""

MAX_COMBINING_MARKS = 4
"""Maximum marks on one base character: Vietnamese and Hebrew need two or three, stacks of dozens are an attack."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

# Letters and symbols by category, but blank or of no width: a name made of them is invisible.
_BLANK_CHARACTERS = frozenset("\u115f\u17b4\u17b5\u3164\uffa0\u034f\u2800")
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MARK_CATEGORIES = frozenset({"Mn", "Me", "Mc"})
_NEWLINES = re.compile("\r\n|[\n\r\u2028\u2029\x85]")
_ZERO_WIDTH_JOINER = "\u200d"


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) in _MARK_CATEGORIES and not _is_variation_selector(ord(character))


def _is_variation_selector(code: int) -> bool:
    return 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF or 0x180B <= code <= 0x180F


def _is_unattached_jamo(code: int) -> bool:
    # Vowels and final consonants that no syllable took in: letters of no width of their own.
    return 0x1160 <= code <= 0x11FF or 0xD7B0 <= code <= 0xD7FF


@lru_cache(maxsize=4096)
def _replacement_for(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\N{SYMBOL FOR DELETE}"
    category = unicodedata.category(character)
    if category in _UNSAFE_CATEGORIES or character in _BLANK_CHARACTERS or _is_unattached_jamo(code):
        return REPLACEMENT
    if 0x1F1E6 <= code <= 0x1F1FF:
        # Terminals disagree about the width of flags; letters are one column everywhere.
        return chr(ord("A") + code - 0x1F1E6)
    return " " if category == "Zs" else character


def _is_emoji_modifier(text: str, index: int, previous: str) -> bool:
    """Whether the character at `index` only modifies `previous`, an emoji or a letter, and may go unseen.

    Variation selectors, skin tones and the joiners inside an emoji: without them every terminal and every table
    of widths agrees how wide the rest is.
    """
    code = ord(text[index])
    if _is_variation_selector(code):
        return previous != ""
    if previous == "" or unicodedata.category(previous) != "So" or previous == REPLACEMENT:
        return False
    if text[index] == _ZERO_WIDTH_JOINER:
        return index + 1 < len(text) and unicodedata.category(text[index + 1]) == "So"
    return 0x1F3FB <= code <= 0x1F3FF


def _replace_invisible(text: str) -> str:
    kept: list[str] = []
    for at, character in enumerate(text):
        if _is_emoji_modifier(text, at, kept[-1] if kept else ""):
            continue
        lone = _is_variation_selector(ord(character)) or 0x1F3FB <= ord(character) <= 0x1F3FF
        kept.append(REPLACEMENT if lone else _replacement_for(character))
    return "".join(kept)


def _limit_combining_marks(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if _is_mark(character) else 0
        if marks <= MAX_COMBINING_MARKS:
            kept.append(character)
    return "".join(kept)


def _sanitize_line(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    # Stacks go first: putting thousands of marks in canonical order takes quadratic time.
    composed = unicodedata.normalize("NFC", _limit_combining_marks(text.replace("\t", " ")))
    line = _limit_combining_marks(unicodedata.normalize("NFC", _replace_invisible(composed)))
    return "\N{DOTTED CIRCLE}" + line if line and _is_mark(line[0]) else line


def _truncate(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: max(0, limit - 1)] + "…"


def sanitize(text: str, *, limit: int = MAX_LINE_CHARS) -> SafeText:
    """Return `text` as one displayable line of at most `limit` characters.

    Control characters become their visible pictures, direction and zero-width characters a replacement sign, line
    breaks a single return sign; over-long text ends in an ellipsis.
    """
    # Cut before the walk, so that a hundred megabytes cost no more than a line.
    head = _truncate(text, limit)
    if "\n" in head or "\r" in head or not head.isascii():
        head = _NEWLINES.sub("⏎", head)
    return SafeText(_truncate(_sanitize_line(head), limit))


def sanitize_block(text: str, *, limit: int = MAX_BLOCK_CHARS) -> SafeText:
    """Return `text` as displayable lines joined by newlines, at most `limit` characters in total."""
    lines = _NEWLINES.split(_truncate(text, limit))
    return SafeText(_truncate("\n".join(_sanitize_line(line.replace("\t", "    ")) for line in lines), limit))


def format_safe(template: str, /, **fields: object) -> SafeText:
    """Fill `template`, a sentence of our own, with fields that each pass the gate.

    The template is trusted, fields are not. Fields are filled once, so that braces inside them stay literal.
    """
    return SafeText(template.format(**{name: sanitize(str(value)) for name, value in fields.items()}))


def join_safe(separator: str, *parts: SafeText) -> SafeText:
    """Return displayable parts joined by `separator`, which is the program's own."""
    return SafeText(separator.join(parts))


def split_safe_lines(block: SafeText) -> tuple[SafeText, ...]:
    """Return the lines of a displayable block."""
    return tuple(SafeText(line) for line in block.split("\n"))


def truncate_safe(text: SafeText, length: int) -> SafeText:
    """Return the first `length` characters of displayable text, counted as Python counts them."""
    return SafeText(text[: max(0, length)])


def rstrip_safe(text: SafeText) -> SafeText:
    """Return displayable text without the space at its end."""
    return SafeText(text.rstrip())


def pad_safe(text: SafeText, spaces: int) -> SafeText:
    """Return displayable text with that many spaces after it."""
    return SafeText(text + " " * spaces)


ZERO_WIDTH_JOINERS = frozenset("\u200c\u200d")
"""With the selectors: no picture of their own, and part of writing, as of emoji sequences, Persian, Hindi."""

VARIATION_SELECTORS = frozenset(map(chr, range(0xFE00, 0xFE10)))
_LINE_BREAK_PATTERN = re.compile("\r\n|[\r\u2028\u2029\x85\x0b\x0c]")
_JOINABLE_CATEGORIES = frozenset({"So", "Sk", "Lo", "Mn", "Mc"})
"""Categories that a joiner may follow: emoji, skin tones and their selectors, letters without case, marks."""


def clean_prompt(text: str) -> str:
    """Return `text` less control, direction and invisible characters; every kind of line break becomes a newline.

    The result is both shown and sent, so that no request is paid for with invisible characters in it: joiners and
    selectors stay where scripts need them, and as many marks as are shown on one letter.
    """
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    text = _LINE_BREAK_PATTERN.sub("\n", text).replace("\t", "    ")
    kept: list[str] = []
    marks = 0
    for one in text:
        if not _is_allowed_in_prompt(one, kept[-1] if kept else ""):
            continue
        marks = marks + 1 if _is_mark(one) else 0
        if marks <= MAX_COMBINING_MARKS:
            kept.append(one)
    return "".join(kept)


def _is_allowed_in_prompt(character: str, previous: str) -> bool:
    if character in ZERO_WIDTH_JOINERS:
        return previous != "" and unicodedata.category(previous) in _JOINABLE_CATEGORIES
    if character in VARIATION_SELECTORS:
        return previous not in ("", "\n") and previous not in ZERO_WIDTH_JOINERS and previous not in VARIATION_SELECTORS
    if character < " " or character == "\x7f":
        return character == "\n"
    # sanitize returns its replacement for every unsafe character.
    return character == REPLACEMENT or sanitize(character) != REPLACEMENT
