"""Room for what is said: notifications stand at the foot of a screen, and what one acts on there makes way for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.screen import Screen
from textual.widgets._toast import Toast, ToastRack

MAX_TOAST_SHARE = 1 / 3
"""Share of the screen beyond which the oldest notification goes before its time: there is work to be seen too."""


def watch_toast_height(screen: Screen[Any], callback: Callable[[int], None]) -> None:
    """Call with the rows that notifications take, while there are any: at each layout, which may bring other things."""
    rows = 0

    def laid_out(_: object) -> None:
        nonlocal rows
        toasts = list(screen.query(Toast).results())
        now = sum(toast.outer_size.height for toast in toasts)
        if now > screen.outer_size.height * MAX_TOAST_SHARE and len(toasts) > 1:
            toasts[0]._expire()
        if now or now != rows:
            rows = now
            callback(rows)

    screen.screen_layout_refresh_signal.subscribe(screen, laid_out)


def set_toasts_visible(screen: Screen[Any], visible: bool) -> None:
    """Show the notifications of a screen, or leave them to the one above it."""
    for rack in screen.query(ToastRack):
        rack.display = visible
