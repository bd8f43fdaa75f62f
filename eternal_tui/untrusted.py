"""Text from outside, made safe to show: the one gate between strangers and the terminal.

Every string that a service, a file, a clipboard or an environment hands us is `Untrusted`. Only `Shown` text may
reach a screen, a log or a pipe, and only this module turns one into the other, so that forgetting is a type error.
"""

from __future__ import annotations

import re
import unicodedata
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

# Letters by category, but blank or of no width in most fonts: a name made of them looks like nothing at all.
_BLANK_LETTERS = frozenset("\u115f\u1160\u17b4\u17b5\u3164\uffa0\u034f\u2800")
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_VARIATION_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef\u180b-\u180f]")
_NEWLINES = re.compile("\r\n|[\n\r\u2028\u2029\x85]")


def _substitute(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\N{SYMBOL FOR DELETE}"
    if character in _BLANK_LETTERS or unicodedata.category(character) in _UNSAFE_CATEGORIES:
        return SUBSTITUTE
    if unicodedata.category(character) == "Zs":
        return " "
    return character


def _safe_line(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    kept: list[str] = []
    marks = 0
    for character in _VARIATION_SELECTORS.sub("", text).replace("\t", " "):
        safe = _substitute(character)
        if unicodedata.category(safe) in {"Mn", "Me", "Mc"}:
            marks += 1
            if marks > COMBINING_LIMIT:
                continue
            if not kept:
                kept.append("\N{DOTTED CIRCLE}")
        else:
            marks = 0
        kept.append(safe)
    return "".join(kept)


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
    return Shown(_safe_line(head))


def shown_block(text: str, *, limit: int = BLOCK_LIMIT) -> Shown:
    """Return `text` as displayable lines joined by newlines, at most `limit` characters in all."""
    lines = _NEWLINES.split(_cut(text, limit))
    return Shown("\n".join(_safe_line(line.replace("\t", "    ")) for line in lines))


def say(template: str, /, **fields: object) -> Shown:
    """Fill `template`, a sentence of our own, with fields that each pass the gate.

    The template is the program's; a field is anybody's. Fields are filled once, so that braces inside them stay
    literal.
    """
    return Shown(template.format(**{name: shown(str(value)) for name, value in fields.items()}))


def join(separator: str, *parts: Shown) -> Shown:
    """Return displayable parts joined by `separator`, which is the program's own."""
    return Shown(separator.join(parts))
