"""A mend for rich 14: it remembers the widths of four thousand texts, and sixteen thousand cuts through lines."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import rich.cells
from rich.segment import Segment

MAX_CACHED_CUTS = 512
"""Cuts remembered: some screens of lines that something stands over."""

MAX_CACHED_WIDTHS = 1024
"""Widths of texts remembered: several screens of them."""


def shrink_rich_caches() -> None:
    """Remember what was drawn last alone, for each job is drawn as texts of its own, and cut where a toast was over it.

    Measured: half a kilobyte for the cuts of each job that was sent, up to some 10 MB; 1 MB for the widths.
    """
    cut: Any = getattr(Segment._split_cells, "__wrapped__", None)
    if cut is not None and Segment._split_cells.cache_info().maxsize != MAX_CACHED_CUTS:
        kept: Any = lru_cache(MAX_CACHED_CUTS)(cut)
        setattr(Segment, "_split_cells", classmethod(kept))  # noqa: B010 - to the type checker it is a cache
    widths: Any = rich.cells.cached_cell_len
    if getattr(widths, "__wrapped__", None) is not None and widths.cache_info().maxsize != MAX_CACHED_WIDTHS:
        setattr(rich.cells, "cached_cell_len", lru_cache(MAX_CACHED_WIDTHS)(widths.__wrapped__))  # noqa: B010 - as above
