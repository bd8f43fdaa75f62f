"""A small whole number on one line, moved by arrows or typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from eternal_tui.tui.input.app_actions import bindings
from eternal_tui.tui.terminal.glyphs import ASCII, UNICODE, Glyphs


class Stepper(Widget, can_focus=True):
    """A whole number from `least` to `most`, both of at most two digits."""

    DEFAULT_CSS = """
    Stepper { height: 1; width: 1fr; pointer: pointer; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("stepper"),
        # Bindings and not a key handler: those of the app, where digits go to panes, would come before it.
        *(Binding(digit, f"digit('{digit}')", "Type the number", show=False) for digit in "0123456789"),
    ]

    @dataclass
    class Stepped(Message):
        """The number changed."""

        stepper: Stepper
        value: int

        @property
        def control(self) -> Stepper:
            """The stepper it changed in."""
            return self.stepper

    def __init__(
        self,
        value: int,
        *,
        least: int,
        most: int,
        glyphs: Glyphs = UNICODE,
        id: str,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self._value = value
        self._least = least
        self._most = most
        self._typing = False
        self._arrows = "<>" if glyphs is ASCII else "‹›"

    @property
    def value(self) -> int:
        """The number."""
        return self._value

    def show(self, value: int) -> None:
        """Show `value`, brought into bounds; posts nothing."""
        self._value = min(max(value, self._least), self._most)
        self._typing = False
        self.refresh()

    def render(self) -> Content:
        """Draw the number between two arrows that the mouse can press."""
        arrows = "$text-accent" if self.has_focus else "$text-muted"
        number = "bold $text-accent" if self.has_focus else "bold"
        return Content.assemble(
            (f"{self._arrows[0]} ", arrows), (f"{self._value:>2}", number), (f" {self._arrows[1]}", arrows)
        )

    def action_step(self, by: int) -> None:
        """Go up or down, no further than the bounds."""
        self._typing = False
        self._set(min(max(self._value + by, self._least), self._most))

    def action_digit(self, digit: str) -> None:
        """Take a typed digit: a second one joins the first while the number stays in bounds."""
        joined = int(f"{self._value}{digit}") if self._typing else 0
        typed = joined if self._least <= joined <= self._most else int(digit)
        if self._least <= typed <= self._most:
            self._typing = True
            self._set(typed)

    def on_blur(self) -> None:
        """Begin a new number with the next digit."""
        self._typing = False

    def on_click(self, event: events.Click) -> None:
        """Press an arrow."""
        if event.x <= 1:
            self.action_step(-1)
        elif 4 <= event.x <= 6:
            self.action_step(1)

    def _set(self, value: int) -> None:
        if value != self._value:
            self._value = value
            self.refresh()
            self.post_message(self.Stepped(self, value))
