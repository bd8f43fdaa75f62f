"""The signs the screen is drawn with: one set for UTF-8 terminals, one in plain ASCII for all others."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

_UTF8_PATTERN = r"(?i)utf-?8"


class Glyphs(msgspec.Struct, frozen=True, kw_only=True):
    """One set of signs; every state sign, bar part and gutter sign is exactly one cell wide.

    `levels` are eight steps of a column, from an eighth of a row to a whole one. Frames are their corners from the
    top left clockwise, then the horizontal and the vertical line.
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
        """Return already gated text in characters this set's terminal can draw."""
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
    """Return the set that the locale named in `environ` can draw; the first of LC_ALL, LC_CTYPE and LANG decides.

    An environment that names none, as in a container or a cron job, tells nothing of the terminal: every one in use
    draws UTF-8.
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
"""What Python itself puts into LC_CTYPE where LANG is C (PEP 538): its own wish, and no word of the terminal."""
