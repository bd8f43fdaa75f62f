"""SubmitBar: the number of requests, their price, and the control that sends them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from eternal_tui.core.formatting import format_cost
from eternal_tui.core.sanitize import SafeText
from eternal_tui.tui.input.keymap import bindings

_SEND_HINT = "^s send"
_STOP_HINT = "esc stops"


class SubmitBar(Widget, can_focus=True):
    """Shows how many requests there are and their price; enter or a click on its right end submits."""

    DEFAULT_CSS = """
    SubmitBar { height: 1; width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("submit")]

    @dataclass
    class Pressed(Message):
        """The form is to be sent."""

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._request_count = 1
        self._price: float | None = None
        self._waiting_text = SafeText("")

    def set_estimate(self, request_count: int, price: float | None) -> None:
        """Show the number of requests, and the price of one in credits or None where it is unknown."""
        if (request_count, price) != (self._request_count, self._price):
            self._request_count, self._price = request_count, price
            self.refresh()

    def set_waiting_text(self, text: SafeText) -> None:
        """Show what has to finish before it is sent instead; "" ends it."""
        if text != self._waiting_text:
            self._waiting_text = text
            self.refresh()

    @property
    def summary_text(self) -> str:
        """The text on the left."""
        if self._waiting_text:
            return self._waiting_text
        several = f"{self._request_count} requests · " if self._request_count > 1 else ""
        return several + format_cost(None if self._price is None else self._price * self._request_count)

    def render(self) -> Content:
        width = self.content_size.width
        text = self.summary_text
        key = _STOP_HINT if self._waiting_text else _SEND_HINT
        if cell_len(text) + len(key) + 1 > width:
            text = text.replace(" requests", "×").replace(" credits", " cr")
        space = " " * max(1, width - cell_len(text) - len(key))
        style = "bold reverse $text-accent" if self.has_focus else "$text-accent"
        return Content.assemble((text, "$text-muted"), space, (key, style))

    def on_click(self, event: events.Click) -> None:
        if event.x >= self.content_size.width - len(_SEND_HINT):
            self.post_message(self.Pressed())

    def action_press(self) -> None:
        self.post_message(self.Pressed())
