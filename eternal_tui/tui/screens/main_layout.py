"""How the list and the detail share their room, remembered from one start to the next."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec
from textual.widget import Widget

from eternal_tui.core.files import read_limited, write_atomic

TOTAL_TENTHS = 10
MIN_LIST_TENTHS, MAX_LIST_TENTHS = 2, 8
"""Tenths of the room the list can be given: neither pane may be shut by mistake."""


class Layout(msgspec.Struct, frozen=True):
    """What is kept in layout.json: the list's tenths of the room, None for what fits the terminal."""

    list: int | None = None


class PaneSplit:
    """Shares the room between two panes, above each other or side by side."""

    def __init__(self, data_dir: Path, jobs: Widget, detail: Widget) -> None:
        self._path = data_dir / "layout.json"
        self._panes = (jobs, detail)
        self._tenths: int | None = None
        self._is_side_by_side = False

    def load(self) -> None:
        """Share the room as it was last; a file that cannot be read is as none: nothing of worth is in it."""
        with contextlib.suppress(OSError, ValueError, msgspec.MsgspecError):
            data = read_limited(self._path)
            if data is not None and (kept := msgspec.json.decode(data, type=Layout).list) is not None:
                self._tenths = max(MIN_LIST_TENTHS, min(MAX_LIST_TENTHS, kept))
                self._apply()

    def set_side_by_side(self, *, side_by_side: bool) -> None:
        """Share widths where the panes stand side by side, heights otherwise."""
        if side_by_side != self._is_side_by_side:
            self._is_side_by_side = side_by_side
            self._apply()

    def resize_list(self, delta_tenths: int) -> None:
        """Give the list more, or less, and remember it."""
        sizes = [pane.size.width if self._is_side_by_side else pane.size.height for pane in self._panes]
        now = round(TOTAL_TENTHS * sizes[0] / max(1, sum(sizes))) if self._tenths is None else self._tenths
        self._tenths = max(MIN_LIST_TENTHS, min(MAX_LIST_TENTHS, now + delta_tenths))
        self._apply()
        with contextlib.suppress(OSError):
            write_atomic(self._path, msgspec.json.encode(Layout(self._tenths)))

    def _apply(self) -> None:
        if self._tenths is None:
            return
        for pane, part in zip(self._panes, (self._tenths, TOTAL_TENTHS - self._tenths), strict=True):
            # None gives the other direction back to the style sheet.
            pane.styles.width = f"{part}fr" if self._is_side_by_side else None
            pane.styles.height = None if self._is_side_by_side else f"{part}fr"
