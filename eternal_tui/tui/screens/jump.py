"""JumpScreen: labels every focusable control with a letter that focuses it."""

from __future__ import annotations

from typing import Any, ClassVar

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
    """The letter of a control, at that offset of the screen."""

    def __init__(self, control: Widget, letter: str, offset: Offset) -> None:
        super().__init__(Content(f" {letter} "), markup=False)
        self.control = control
        self.letter = letter
        self.styles.offset = offset

    def on_click(self) -> None:
        if isinstance(self.screen, JumpScreen):
            self.screen.focus_control(self.control)


def jump_labels(screen: Screen[Any]) -> list[JumpLabel]:
    """Return labels for the visible controls in the order of Tab, as many as there are letters."""
    seen = [(widget, at) for widget in screen.focus_chain if (at := _label_offset(screen, widget)) is not None]
    return [JumpLabel(widget, letter, at) for (widget, at), letter in zip(seen, JUMP_LETTERS, strict=False)]


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
        self._labels = jump_labels(target_screen)

    def compose(self) -> ComposeResult:
        yield from self._labels
        yield Static(Content(SafeText("type a letter to jump · any other key: cancel")), id="jump-foot", markup=False)

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        for label in self._labels:
            if event.key == label.letter:
                self.focus_control(label.control)
                return
        self.dismiss(None)

    def on_resize(self, event: events.Resize) -> None:
        if event.size != self._target_screen.size:
            self.dismiss(None)

    def focus_control(self, control: Widget) -> None:
        self._target_screen.set_focus(control)
        self.dismiss(None)
