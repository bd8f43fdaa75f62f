"""A choice among a few words on one line, moved by arrows: one tab stop, one row, no box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from eternal_tui.tui.actions import bindings
from eternal_tui.tui.glyphs import ASCII, UNICODE, Glyphs

Option = tuple[str, str]
"""A value and the word that stands for it."""


class Choice(Widget, can_focus=True):
    """One of a few values.

    `radio` draws `( ) picture  (•) clip`, else the chosen word stands in brackets: `1 [2] 3`. A digit that is a value
    picks it.
    """

    DEFAULT_CSS = """
    Choice { height: 1; width: 1fr; pointer: pointer; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("choice"),
        # Bindings and not a key handler: those of the app, where digits go to panes, would come before it.
        *(Binding(digit, f"digit('{digit}')", "Choose", show=False) for digit in "0123456789"),
    ]

    @dataclass
    class Picked(Message):
        """Another value was chosen."""

        choice: Choice
        value: str

        @property
        def control(self) -> Choice:
            """The choice it was made in."""
            return self.choice

    def __init__(
        self,
        options: Sequence[Option],
        value: str,
        *,
        radio: bool = False,
        glyphs: Glyphs = UNICODE,
        id: str,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self._options = tuple(options)
        self._value = value
        self._radio = radio
        self._dot = "*" if glyphs is ASCII else "•"

    @property
    def value(self) -> str:
        """The chosen value."""
        return self._value

    def show(self, value: str) -> None:
        """Show `value` as chosen; posts nothing. A value that is no option is left alone."""
        if value != self._value and any(value == each for each, _ in self._options):
            self._value = value
            self.refresh()

    def render(self) -> Content:
        """Draw the options; the chosen one is marked by a sign, so that it is seen without colour."""
        chosen = "bold $text-accent" if self.has_focus else "bold"
        return Content("").join(
            Content.styled(self._segment(value, word), chosen if value == self._value else "$text-muted")
            for value, word in self._options
        )

    def action_move(self, by: int, around: bool = False) -> None:
        """Choose the option so many places on; at the ends stay, or go around."""
        place = [value for value, _ in self._options].index(self._value) + by
        last = len(self._options) - 1
        self._pick(self._options[place % (last + 1) if around else min(max(place, 0), last)][0])

    def action_digit(self, digit: str) -> None:
        """Choose by digit."""
        self._pick(digit)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave a digit that is no value of this choice to whom it means something."""
        return action != "digit" or any(parameters == (value,) for value, _ in self._options)

    def on_click(self, event: events.Click) -> None:
        """Choose by mouse."""
        end = 0
        for value, word in self._options:
            end += cell_len(self._segment(value, word))
            if event.x < end:
                self._pick(value)
                return

    def _segment(self, value: str, word: str) -> str:
        chosen = value == self._value
        if self._radio:
            last = value == self._options[-1][0]
            return f"({self._dot if chosen else ' '}) {word}" + ("" if last else "  ")
        return f"[{word}]" if chosen else f" {word} "

    def _pick(self, value: str) -> None:
        if value != self._value:
            self._value = value
            self.refresh()
            self.post_message(self.Picked(self, value))
