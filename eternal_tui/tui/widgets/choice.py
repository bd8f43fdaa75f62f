"""Choice and Stepper: single-row controls, each one tab stop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from eternal_tui.tui.input.keymap import bindings

_KEYS_HINTS = ("  ←→ choose · enter or tab: next", "  enter or tab: next", "  enter: next")
_MULTIPLE_HINTS = (
    "  ←→ choose · space marks several · enter: next",
    "  space marks several · enter: next",
    "  space marks several",
    "  space marks",
)
_MARKED_HINTS = ("  marked · ←→ adds another", "  ←→ adds another", "  ←→ adds")
"""Keys shown while a choice has the focus: the longest that fits."""


class FieldControl(Widget, can_focus=True):
    """One row, one tab stop; digits choose."""

    DEFAULT_CSS = """
    FieldControl { height: 1; width: 1fr; pointer: pointer; }
    """
    # Bindings and not a key handler: those of the app, where digits go to panes, would come before it.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(digit, f"digit('{digit}')", "Choose", show=False) for digit in "0123456789"
    ]

    @dataclass
    class Changed(Message):
        """Another value was chosen."""

        field: FieldControl

        @property
        def control(self) -> FieldControl:
            return self.field


class Choice(FieldControl):
    """One of a few values; with `multiple`, a marked one stays while another is chosen too.

    `radio` draws `( ) image  (•) video`, or `[ ]` with one marked; else the chosen word is in brackets: `1 [2] 3`.
    A digit that is a value chooses it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("choice")]

    def __init__(
        self,
        options: Sequence[str],
        value: str,
        *,
        radio: bool = False,
        multiple: bool = False,
        id: str,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self._options = tuple(options)
        self._value = value
        self._radio = radio
        self._multiple = multiple
        self._extra_values: frozenset[str] = frozenset()

    @property
    def value(self) -> str:
        return self._value

    @property
    def extra_values(self) -> tuple[str, ...]:
        """The other chosen values."""
        return tuple(each for each in self._options if each in self._extra_values and each != self._value)

    def set_value(self, value: str, extra_values: Iterable[str] = ()) -> None:
        """Show `value` as chosen, and `extra_values` as marked.

        No message is posted. A value that is no option is left alone.
        """
        marked = frozenset(extra_values)
        if (value, marked) != (self._value, self._extra_values) and value in self._options:
            self._value, self._extra_values = value, marked
            self.refresh()

    def render(self) -> Content:
        chosen = "bold $text-accent" if self.has_focus else "bold"
        drawn = Content("").join(
            Content.styled(
                self._option_text(each),
                f"{chosen if self._is_selected(each) else '$text-muted'}{' underline' * (each in self._extra_values)}",
            )
            for each in self._options
        )
        if self.has_focus:
            room = self.content_size.width - drawn.cell_length
            hints = _MARKED_HINTS if self._extra_values else _MULTIPLE_HINTS if self._multiple else _KEYS_HINTS
            drawn += Content.styled(next((hint for hint in hints if len(hint) <= room), ""), "$text-muted")
        return drawn

    def action_move(self, by: int, around: bool = False) -> None:
        place, count = self._options.index(self._value) + by, len(self._options)
        self._change_value(self._options[place % count if around else min(max(place, 0), count - 1)])

    def action_also(self) -> None:
        """Mark the value; where only one can be chosen, choose the next."""
        if self._multiple:
            self._extra_values ^= {self._value}
            self.refresh()
        else:
            self.action_move(1, around=True)

    def action_digit(self, digit: str) -> None:
        self._change_value(digit)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave a digit that is no value to the bindings of others."""
        return action != "digit" or parameters[0] in self._options

    def on_click(self, event: events.Click) -> None:
        end = 0
        for each in self._options:
            end += cell_len(self._option_text(each))
            if event.x < end:
                self._change_value(each)
                return

    def _is_selected(self, value: str) -> bool:
        return value == self._value or value in self._extra_values

    def _option_text(self, value: str) -> str:
        chosen = self._is_selected(value)
        if self._radio:
            left, right = "[]" if self._extra_values else "()"
            gap = "" if value == self._options[-1] else "  "
            return f"{left}{'•' if chosen else ' '}{right} {value}{gap}"
        return f"[{value}]" if chosen else f" {value} "

    def _change_value(self, value: str) -> None:
        if value != self._value:
            self._value = value
            self.refresh()
            self.post_message(self.Changed(self))


class Stepper(FieldControl):
    """A whole number from `minimum` to `maximum`, both of at most two digits."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("stepper")]

    def __init__(
        self,
        value: int,
        *,
        minimum: int,
        maximum: int,
        id: str,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self._value = value
        self._minimum = minimum
        self._maximum = maximum
        self._is_typing = False
        self._note = ""

    @property
    def value(self) -> int:
        return self._value

    def set_value(self, value: int) -> None:
        """Show `value`, brought into bounds; posts nothing."""
        self._value = min(max(value, self._minimum), self._maximum)
        self._is_typing = False
        self.refresh()

    def set_note(self, note: str) -> None:
        """Show a text after the number."""
        if note != self._note:
            self._note = note
            self.refresh()

    def render(self) -> Content:
        arrows = "$text-accent" if self.has_focus else "$text-muted"
        number = "bold $text-accent" if self.has_focus else "bold"
        return Content.assemble(
            ("‹ ", arrows),
            (f"{self._value:>2}", number),
            (" ›", arrows),
            (f"  {self._note}", "$text-muted"),
        )

    def action_step(self, by: int) -> None:
        """Go up or down, no further than the bounds."""
        self._is_typing = False
        self._change_value(min(max(self._value + by, self._minimum), self._maximum))

    def action_digit(self, digit: str) -> None:
        joined = int(f"{self._value}{digit}") if self._is_typing else 0
        typed = joined if self._minimum <= joined <= self._maximum else int(digit)
        if self._minimum <= typed <= self._maximum:
            self._is_typing = True
            self._change_value(typed)

    def on_blur(self) -> None:
        self._is_typing = False

    def on_click(self, event: events.Click) -> None:
        if event.x <= 1:
            self.action_step(-1)
        elif 4 <= event.x <= 6:
            self.action_step(1)

    def _change_value(self, value: int) -> None:
        if value != self._value:
            self._value = value
            self.refresh()
            self.post_message(self.Changed(self))
