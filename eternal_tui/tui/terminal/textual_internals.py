"""Changes to Textual, and uses of its private names, for which it has no public ones; a test checks each name."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual import on
from textual.command import CommandPalette
from textual.keys import _character_to_key
from textual.screen import Screen
from textual.widgets import Input
from textual.widgets._toast import Toast, ToastRack
from textual.worker import WorkerCancelled, WorkerFailed

if TYPE_CHECKING:
    from textual.app import App
    from textual.binding import Binding
    from textual.widget import Widget


MAX_TOAST_SHARE = 1 / 3
"""Share of the screen's rows above which the oldest of several toasts is removed early."""

SEARCH_TIMEOUT_SECONDS = 1.0
"""Seconds that Enter in the palette waits for a search: far longer than one takes."""


def key_name(character: str) -> str:
    """Return the name that a key binding has for a character."""
    return _character_to_key(character)


def write_to_terminal(app: App[Any], sequence: str) -> None:
    """Write control sequences that are no part of the screen."""
    if sequence and app._driver is not None:
        app._driver.write(sequence)


def is_exiting(app: App[Any]) -> bool:
    """Tell whether the app was asked to end."""
    return app._exit


class KeyTable:
    """The bindings of a widget by key under the app's keymap, resolved again only when that changes."""

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._keymap: object = None
        self._bindings: dict[str, list[Binding]] = {}

    def bindings_for(self, key: str) -> list[Binding]:
        keymap = self._widget.app._keymap
        if keymap is not self._keymap:
            bound = self._widget._bindings.copy()
            bound.apply_keymap(keymap)
            self._keymap, self._bindings = keymap, bound.key_to_bindings
        return self._bindings.get(key, [])


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
