"""A mend for Textual 8.2.8: its cache of style pairs held the last thousand widgets with every row they drew."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from textual._styles_cache import StylesCache

MAX_CACHED_PAIRS = 1024
"""Pairs of colours kept, as many as Textual keeps entries."""


def patch_style_pair_cache() -> None:
    """Remember the pairs by their colours alone: Textual's cache of a method also remembers whose method it was.

    Measured: 25 KB a screen that was opened and left, up to some 20 MB.
    """
    pair = getattr(StylesCache.get_inner_outer, "__wrapped__", None)
    if pair is None:
        return

    @lru_cache(MAX_CACHED_PAIRS)
    def pairs(base_background: Any, background: Any) -> Any:
        return pair(None, base_background, background)

    def get_inner_outer(_: StylesCache, base_background: Any, background: Any) -> Any:
        return pairs(base_background, background)

    setattr(StylesCache, "get_inner_outer", get_inner_outer)  # noqa: B010 - to the type checker it is a cache
