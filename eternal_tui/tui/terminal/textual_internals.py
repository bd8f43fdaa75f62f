"""Uses of Textual's private names for which it has no public ones; a test holds each name to the installed version."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from textual import on
from textual.app import App
from textual.binding import Binding
from textual.command import CommandPalette
from textual.widget import Widget
from textual.widgets import Input
from textual.worker import WorkerCancelled, WorkerFailed

SEARCH_TIMEOUT_SECONDS = 1.0
"""Seconds Enter waits for what is still searched: far longer than a search takes."""


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


class PatientPalette(CommandPalette):
    """Textual's palette, in which Enter waits for the search of what was typed: Textual's takes an earlier hit."""

    @on(Input.Submitted)
    async def _input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        event.prevent_default()
        searches = [each for each in self.workers if each.group == self._GATHER_COMMANDS_GROUP and each.node is self]
        with contextlib.suppress(TimeoutError, WorkerCancelled, WorkerFailed):
            async with asyncio.timeout(SEARCH_TIMEOUT_SECONDS):
                await self.workers.wait_for_complete(searches)
        self._select_or_command()
