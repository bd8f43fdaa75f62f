"""How the list and the detail share their room, remembered from one start to the next."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec
from textual.widget import Widget

from eternal_tui.core.files import read_private, write_private

TENTHS = 10
LEAST, MOST = 2, 8
"""Tenths of the room the list can be given: neither pane may be shut by mistake."""

USUAL = {False: 4, True: 6}
"""The list's tenths where the person has chosen none, as in the style sheet: above the detail, and beside it."""


class Layout(msgspec.Struct, frozen=True):
    """What is kept in layout.json: the list's tenths of the room, None for what fits the terminal."""

    list: int | None = None


class Split:
    """Shares the room between two panes, above each other or side by side."""

    def __init__(self, folder: Path, jobs: Widget, detail: Widget) -> None:
        self._path = folder / "layout.json"
        self._panes = (jobs, detail)
        self._tenths: int | None = None
        self._beside = False

    def load(self) -> None:
        """Share the room as it was last; a file that cannot be read is as none: nothing of worth is in it."""
        with contextlib.suppress(OSError, ValueError, msgspec.MsgspecError):
            data = read_private(self._path)
            if data is not None and (kept := msgspec.json.decode(data, type=Layout).list) is not None:
                self._tenths = max(LEAST, min(MOST, kept))
                self._share()

    def turn(self, *, beside: bool) -> None:
        """Share widths where the panes stand side by side, heights otherwise."""
        if beside != self._beside:
            self._beside = beside
            self._share()

    def move(self, tenths: int) -> None:
        """Give the list more, or less, and remember it."""
        now = USUAL[self._beside] if self._tenths is None else self._tenths
        self._tenths = max(LEAST, min(MOST, now + tenths))
        self._share()
        with contextlib.suppress(OSError):
            write_private(self._path, msgspec.json.encode(Layout(self._tenths)))

    def _share(self) -> None:
        if self._tenths is None:
            return
        for pane, part in zip(self._panes, (self._tenths, TENTHS - self._tenths), strict=True):
            # None gives the other direction back to the style sheet.
            pane.styles.width = f"{part}fr" if self._beside else None
            pane.styles.height = None if self._beside else f"{part}fr"
