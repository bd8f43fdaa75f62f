"""View state restored at the next start: cursor, filter, order, open batches, pane sizes, zoom."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from eternal_tui.core.files import JsonStore
from eternal_tui.tui.job_list.index import ListView

if TYPE_CHECKING:
    from eternal_tui.tui.screens.main import MainScreen

MIN_SIDE_BY_SIDE_COLUMNS = 190
"""Columns from which list and detail are side by side."""

TOTAL_TENTHS = 10
MIN_LIST_TENTHS, MAX_LIST_TENTHS = 2, 8
"""Limits of the list's share in tenths: neither pane can be closed by mistake."""

CHECK_SECONDS = 1.0
"""Seconds between two checks of the view; one that did not change between them is saved."""

ZOOMABLE_PANES = ("jobs", "detail")


class ViewState(msgspec.Struct, frozen=True, omit_defaults=True):
    """The content of layout.json. `list` is the list's tenths of the room, None for what fits the terminal."""

    list: int | None = None
    jobs: ListView = ListView()
    zoom: str = ""
    gallery: bool = False


def view_store(data_dir: Path) -> JsonStore[ViewState]:
    return JsonStore(data_dir / "layout.json", ViewState, "The layout")


class ScreenView:
    """The view of the main screen. It is saved as it changes, because a killed app saves nothing.

    A file that cannot be read or written counts as none: nothing of worth is in it.
    """

    def __init__(self, screen: MainScreen, data_dir: Path) -> None:
        self._screen = screen
        self._store = view_store(data_dir)
        self._list_tenths: int | None = None
        self._seen = self._saved = ViewState()
        self._write_lock = threading.Lock()

    def restore(self) -> None:
        view = self._store.load() or ViewState()
        self._set_list_tenths(view.list)
        self._screen.job_pane.job_list.restore(view.jobs)
        self.set_zoom(view.zoom)
        if view.gallery:
            self._screen.call_after_refresh(self._screen.action_gallery)

    def start_saving(self) -> None:
        """Save the view after each change, once changes pause."""
        self._seen = self._saved = self._current()
        self._screen.set_interval(CHECK_SECONDS, self._check)

    def save(self) -> None:
        """Save the view at once."""
        self._saved = self._current()
        self._write()

    def _check(self) -> None:
        view = self._current()
        if view == self._seen and view != self._saved:
            self._saved = view
            self._screen.run_worker(self._write, group="view", thread=True)
        self._seen = view

    def _write(self) -> None:
        # The last writer writes the newest view, also where `save` overtakes a thread.
        with self._write_lock, contextlib.suppress(OSError):
            self._store.save(self._saved)

    def _current(self) -> ViewState:
        pane = self._screen.job_pane
        jobs = pane.job_list.view()
        if pane.is_batch_open:
            jobs = msgspec.structs.replace(jobs, filter="", facet="all")
        return ViewState(self._list_tenths, jobs, self.zoomed_pane, gallery=pane.is_gallery and not pane.is_batch_open)

    @property
    def zoomed_pane(self) -> str:
        """The pane that has the whole screen, "" for none."""
        return next((pane for pane in ZOOMABLE_PANES if self._screen.has_class(f"-zoom-{pane}")), "")

    def set_zoom(self, pane: str) -> None:
        """Give a pane the whole screen, or none with ""."""
        for each in ZOOMABLE_PANES:
            self._screen.set_class(each == pane, f"-zoom-{each}")

    def resize_list(self, delta_tenths: int) -> None:
        """Give the list more, or less."""
        panes = (self._screen.job_pane, self._screen.detail_pane)
        sizes = [pane.size.width if self._is_side_by_side else pane.size.height for pane in panes]
        tenths = round(TOTAL_TENTHS * sizes[0] / max(1, sum(sizes))) if self._list_tenths is None else self._list_tenths
        self._set_list_tenths(tenths + delta_tenths)

    def _set_list_tenths(self, tenths: int | None) -> None:
        self._list_tenths = None if tenths is None else max(MIN_LIST_TENTHS, min(MAX_LIST_TENTHS, tenths))
        self.apply_split()

    @property
    def _is_side_by_side(self) -> bool:
        return self._screen.size.width >= MIN_SIDE_BY_SIDE_COLUMNS

    def apply_split(self) -> None:
        """Share widths where the panes are side by side, heights otherwise."""
        if self._list_tenths is None:
            return
        shares = (self._list_tenths, TOTAL_TENTHS - self._list_tenths)
        for pane, share in zip((self._screen.job_pane, self._screen.detail_pane), shares, strict=True):
            # None gives the other direction back to the style sheet.
            pane.styles.width = f"{share}fr" if self._is_side_by_side else None
            pane.styles.height = None if self._is_side_by_side else f"{share}fr"
