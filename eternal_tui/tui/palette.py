"""The palette: every action of the registry, found by typing."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from textual.app import SystemCommand
from textual.screen import Screen

from eternal_tui.tui import theme
from eternal_tui.tui.actions import ACTIONS
from eternal_tui.tui.footer import key_words

if TYPE_CHECKING:
    from eternal_tui.tui.app import EternalApp


def commands(app: EternalApp, screen: Screen[object]) -> Iterable[SystemCommand]:
    """Yield what can be done on this screen, with its key, and the themes."""
    keys = app.bench.settings.keys
    for action in ACTIONS:
        if action.id in ("app.palette", "jobs.help", "jobs.quit"):
            continue
        key = key_words(keys.get(action.id, action.keys))
        yield SystemCommand(f"{action.title}  ({key})", action.does, partial(screen.run_action, action.run))
    for each in theme.THEMES:
        yield SystemCommand(f"Theme {each.name}", "Change the colours", partial(_wear, app, each.name))


def _wear(app: EternalApp, name: str) -> None:
    app.theme = name
