"""JumpScreen: labels every focusable control with a letter that focuses it."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.errors import NoWidget
from textual.geometry import Offset
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from eternal_tui.core.sanitize import SafeText
from eternal_tui.tui.widgets.dialog import Overlay

JUMP_LETTERS = "asdfgjklqwertyuiopzxcvbnmh"
"""The home row of the keyboard first."""

LABEL_WIDTH = 3
"""Cells of a label: a letter between two spaces."""


class JumpTarget(NamedTuple):
    """A control, its letter, and the letter's screen offset."""

    widget: Widget
    letter: str
    offset: Offset


def jump_targets(screen: Screen[Any]) -> list[JumpTarget]:
    """Return the visible controls in the order of Tab, as many as there are letters."""
    seen = [widget for widget in screen.focus_chain if _label_offset(screen, widget) is not None]
    return [
        JumpTarget(widget, letter, at)
        for widget, letter in zip(seen, JUMP_LETTERS, strict=False)
        if (at := _label_offset(screen, widget)) is not None
    ]


def _label_offset(screen: Screen[Any], widget: Widget) -> Offset | None:
    """Return the offset of the control's letter, None while it is covered or not laid out yet."""
    try:
        geometry = screen.find_widget(widget)
    except NoWidget:
        return None
    visible = geometry.region.intersection(geometry.clip)
    if not visible.area:
        return None
    corners = (visible.offset, Offset(max(visible.x, visible.right - LABEL_WIDTH), visible.y))
    return next((at for at in corners if widget in screen.get_widget_at(*at)[0].ancestors_with_self), None)


class JumpLabel(Static):
    """One letter."""

    def __init__(self, target: JumpTarget) -> None:
        super().__init__(Content(f" {target.letter} "), markup=False)
        self.target = target
        self.styles.offset = target.offset

    def on_click(self) -> None:
        if isinstance(self.screen, JumpScreen):
            self.screen.focus_target(self.target)


class JumpScreen(Overlay[None]):
    """Takes one key: focuses the visible control of that letter, or closes."""

    AUTO_FOCUS = None
    CSS = """
    JumpScreen { background: $background 50%; }
    JumpScreen JumpLabel { position: absolute; width: 3; height: 1; color: $accent; text-style: bold reverse; }
    JumpScreen #jump-foot { dock: bottom; height: 1; padding: 0 1; color: $text-muted; background: $background; }
    """
    BINDINGS: ClassVar[list[str]] = []  # type: ignore[assignment]

    def __init__(self, target_screen: Screen[Any]) -> None:
        super().__init__()
        self._target_screen = target_screen
        self._targets = jump_targets(target_screen)

    def compose(self) -> ComposeResult:
        for target in self._targets:
            yield JumpLabel(target)
        yield Static(Content(SafeText("type a letter to jump · any other key: cancel")), id="jump-foot", markup=False)

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        for target in self._targets:
            if event.key == target.letter:
                self.focus_target(target)
                return
        self.dismiss(None)

    def on_resize(self, event: events.Resize) -> None:
        if event.size != self._target_screen.size:
            self.dismiss(None)

    def focus_target(self, target: JumpTarget) -> None:
        self._target_screen.set_focus(target.widget)
        self.dismiss(None)
