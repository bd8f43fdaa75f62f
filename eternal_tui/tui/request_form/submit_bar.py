"""The last line of the form: what it will cost, and the way to send it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from eternal_tui.core.sanitize import Shown
from eternal_tui.tui.input.actions import bindings

_SEND = "^s send"
_STOP = "esc stops"


class SubmitLine(Widget, can_focus=True):
    """Says how many requests and about what they cost; enter or a click on its right end submits."""

    DEFAULT_CSS = """
    SubmitLine { height: 1; width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("submit")]

    @dataclass
    class Pressed(Message):
        """The form is to be submitted."""

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._requests = 1
        self._price: float | None = None
        self._waiting = Shown("")

    def show(self, requests: int, price: float | None) -> None:
        """Show the number of requests, and the price of one in credits or None where it is not known."""
        if (requests, price) != (self._requests, self._price):
            self._requests, self._price = requests, price
            self.refresh()

    def wait(self, words: Shown) -> None:
        """Say, in place of all that, what is waited for before it is sent; "" ends it."""
        if words != self._waiting:
            self._waiting = words
            self.refresh()

    @property
    def words(self) -> str:
        """The sentence on the left."""
        if self._waiting:
            return self._waiting
        several = f"{self._requests} requests · " if self._requests > 1 else ""
        if self._price is None:
            return f"{several}price not known yet"
        return f"{several}about {self._price * self._requests:.2f} credits"

    def render(self) -> Content:
        """Draw the words on the left and the key on the right."""
        width = self.content_size.width
        words = self.words
        key = _STOP if self._waiting else _SEND
        if cell_len(words) + len(key) + 1 > width:
            words = words.replace(" requests", "×").replace(" credits", " cr")
        space = " " * max(1, width - cell_len(words) - len(key))
        style = "bold reverse $text-accent" if self.has_focus else "$text-accent"
        return Content.assemble((words, "$text-muted"), space, (key, style))

    def on_click(self, event: events.Click) -> None:
        """Submit by mouse."""
        if event.x >= self.content_size.width - len(_SEND):
            self.post_message(self.Pressed())

    def action_press(self) -> None:
        """Submit by key."""
        self.post_message(self.Pressed())
