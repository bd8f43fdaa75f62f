"""Uses of Textual's private names for which it has no public ones; a test holds each name to the installed version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.keys import _character_to_key

if TYPE_CHECKING:
    from textual.app import App
    from textual.binding import Binding
    from textual.widget import Widget


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
