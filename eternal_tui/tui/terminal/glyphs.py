"""Glyphs: one set for UTF-8 terminals, one in ASCII for all others."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

_UTF8_PATTERN = r"(?i)utf-?8"


class Glyphs(msgspec.Struct, frozen=True, kw_only=True):
    """One set; each glyph is one cell wide.

    `levels` are eight heights of a bar, from an eighth of a row to a whole one. Frames are the corners clockwise
    from the top left, then the horizontal and the vertical line.
    """

    name: str
    submitting: str
    rejected: str
    unconfirmed: str
    running: str
    unwatched: str
    stalled: str
    lost: str
    saved: str
    fetching: str
    expired: str
    broken: str
    failed: str
    cursor: str
    mark: str
    star: str
    folded: str
    opened: str
    bar_full: str
    bar_half: str
    bar_rest: str
    ellipsis: str
    minus: str
    dot: str
    times: str
    quotes: tuple[str, str]
    levels: str
    frame: str
    bold_frame: str

    def to_drawable(self, safe_text: str) -> str:
        """Return sanitized text in characters that the terminal can draw."""
        return safe_text if self is not ASCII else safe_text.encode("ascii", "replace").decode("ascii")


UNICODE = Glyphs(
    name="unicode",
    submitting="↑",
    rejected="✗",
    unconfirmed="?",
    running="◐",
    unwatched="○",
    stalled="◔",
    lost="?",
    saved="✓",
    fetching="↓",
    expired="!",
    broken="!",
    failed="✗",
    cursor="▌",
    mark="●",
    star="★",
    folded="▸",
    opened="▾",
    bar_full="━",
    bar_half="╸",
    bar_rest="╌",
    ellipsis="…",
    minus="−",
    dot="·",
    times="×",
    quotes=("“", "”"),
    levels="▁▂▃▄▅▆▇█",
    frame="╭╮╯╰─│",
    bold_frame="┏┓┛┗━┃",
)

ASCII = Glyphs(
    name="ascii",
    submitting="^",
    rejected="x",
    unconfirmed="?",
    running="~",
    unwatched="o",
    stalled="%",
    lost="?",
    saved="+",
    fetching="v",
    expired="!",
    broken="!",
    failed="x",
    cursor=">",
    mark="*",
    star="*",
    folded="+",
    opened="-",
    bar_full="=",
    bar_half="-",
    bar_rest=".",
    ellipsis="~",
    minus="-",
    dot="-",
    times="x",
    quotes=('"', '"'),
    levels="..::||##",
    frame="++++-|",
    bold_frame="####=#",
)


def glyphs_for(environ: Mapping[str, str]) -> Glyphs:
    """Return the set for the locale of `environ`: the first of LC_ALL, LC_CTYPE and LANG decides.

    Without any of them, as in a container, the terminal is taken to draw UTF-8.
    """
    if (
        not environ.get("LC_ALL")
        and environ.get("LC_CTYPE") in _COERCED_LC_CTYPES
        and environ.get("LANG") in ("C", "POSIX")
    ):
        return ASCII
    locale = next((environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environ.get(name)), None)
    return UNICODE if locale is None or re.search(_UTF8_PATTERN, locale) else ASCII


_COERCED_LC_CTYPES = frozenset({"C.UTF-8", "C.utf8", "UTF-8"})
"""Values that Python puts into LC_CTYPE where LANG is C (PEP 538), which say nothing of the terminal."""
