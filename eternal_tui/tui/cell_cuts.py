"""A mend for rich 14: it remembers sixteen thousand cuts through a line, of lines that are long gone."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from rich.segment import Segment

CUTS = 512
"""Cuts remembered: some screens of lines that something stands over."""


def remember_few_cuts() -> None:
    """Remember the newest cuts alone: a line of a job that lies under a toast is cut anew for each job.

    Measured: half a kilobyte a job that was sent, up to some 10 MB.
    """
    cut: Any = getattr(Segment._split_cells, "__wrapped__", None)
    if cut is None or Segment._split_cells.cache_info().maxsize == CUTS:
        return
    kept: Any = lru_cache(CUTS)(cut)
    setattr(Segment, "_split_cells", classmethod(kept))  # noqa: B010 - to the type checker it is a cache
