"""Where the user left off: cursor, filter, order, open batches, pane sizes, zoom; restored at the next start."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec
from textual.widget import Widget

from eternal_tui.core.json_store import JsonStore
from eternal_tui.tui.job_list.cursor import ListView

TOTAL_TENTHS = 10
MIN_LIST_TENTHS, MAX_LIST_TENTHS = 2, 8
"""Tenths of the room the list can be given: neither pane may be shut by mistake."""


class ViewState(msgspec.Struct, frozen=True, omit_defaults=True):
    """The content of layout.json. `list` is the list's tenths of the room, None for what fits the terminal."""

    list: int | None = None
    jobs: ListView = ListView()
    zoom: str = ""
    gallery: bool = False


class ViewStore:
    """Keeps the view in the data folder; one that cannot be read or written is as none, nothing of worth is in it."""

    def __init__(self, data_dir: Path) -> None:
        self._store = JsonStore(data_dir / "layout.json", ViewState, "The layout")

    def load(self) -> ViewState:
        return self._store.load() or ViewState()

    def save(self, view: ViewState) -> None:
        with contextlib.suppress(OSError):
            self._store.save(view)


class PaneSplit:
    """Shares the room between two panes, above each other or side by side."""

    def __init__(self, jobs: Widget, detail: Widget) -> None:
        self._panes = (jobs, detail)
        self._is_side_by_side = False
        self.list_tenths: int | None = None

    def set_list_tenths(self, tenths: int | None) -> None:
        """Give the list so many tenths; None for what fits the terminal."""
        self.list_tenths = None if tenths is None else max(MIN_LIST_TENTHS, min(MAX_LIST_TENTHS, tenths))
        self._apply()

    def set_side_by_side(self, *, side_by_side: bool) -> None:
        """Share widths where the panes stand side by side, heights otherwise."""
        if side_by_side != self._is_side_by_side:
            self._is_side_by_side = side_by_side
            self._apply()

    def resize_list(self, delta_tenths: int) -> None:
        """Give the list more, or less."""
        sizes = [pane.size.width if self._is_side_by_side else pane.size.height for pane in self._panes]
        now = round(TOTAL_TENTHS * sizes[0] / max(1, sum(sizes))) if self.list_tenths is None else self.list_tenths
        self.set_list_tenths(now + delta_tenths)

    def _apply(self) -> None:
        if self.list_tenths is None:
            return
        for pane, part in zip(self._panes, (self.list_tenths, TOTAL_TENTHS - self.list_tenths), strict=True):
            # None gives the other direction back to the style sheet.
            pane.styles.width = f"{part}fr" if self._is_side_by_side else None
            pane.styles.height = None if self._is_side_by_side else f"{part}fr"
