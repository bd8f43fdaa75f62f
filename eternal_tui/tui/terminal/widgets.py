"""Toasts and command palette: changes to widgets of Textual's that it has no public way for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from textual import on
from textual.command import CommandPalette
from textual.screen import Screen
from textual.widgets import Input
from textual.widgets._toast import Toast, ToastRack
from textual.worker import WorkerCancelled, WorkerFailed

MAX_TOAST_SHARE = 1 / 3
"""Share of the screen's rows above which the oldest of several toasts is removed early."""

SEARCH_TIMEOUT_SECONDS = 1.0
"""Seconds that Enter in the palette waits for a search: far longer than one takes."""


def watch_toast_height(screen: Screen[Any], callback: Callable[[int], None]) -> None:
    """Call `callback` with the rows of all toasts after each layout while there are any, and once after the last."""
    rows = 0

    def on_layout(_: object) -> None:
        nonlocal rows
        toasts = list(screen.query(Toast).results())
        now = sum(toast.outer_size.height for toast in toasts)
        if now > screen.outer_size.height * MAX_TOAST_SHARE and len(toasts) > 1:
            toasts[0]._expire()
        if now or now != rows:
            rows = now
            callback(rows)

    screen.screen_layout_refresh_signal.subscribe(screen, on_layout)


def set_toasts_visible(screen: Screen[Any], visible: bool) -> None:
    """Show or hide the toasts of one screen."""
    for rack in screen.query(ToastRack):
        rack.display = visible


class PatientPalette(CommandPalette):
    """Command palette in which Enter waits for the search of the typed text: Textual's runs an earlier hit."""

    @on(Input.Submitted)
    async def _input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        event.prevent_default()
        searches = [each for each in self.workers if each.group == self._GATHER_COMMANDS_GROUP and each.node is self]
        with contextlib.suppress(TimeoutError, WorkerCancelled, WorkerFailed):
            async with asyncio.timeout(SEARCH_TIMEOUT_SECONDS):
                await self.workers.wait_for_complete(searches)
        self._select_or_command()
