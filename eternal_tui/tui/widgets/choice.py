"""Choice and Stepper: single-row controls, each one tab stop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
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
    # Bindings and not a key handler: the app's bindings of digits to panes would come first.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(digit, f"digit('{digit}')", "Choose", show=False) for digit in "0123456789"
    ]

    class Changed(Message):
        """Another value was chosen."""


class Choice(FieldControl):
    """One of a few values; with `multiple`, a marked one stays while another is chosen too.

    `radio` draws `( ) image  (•) video`, or `[ ]` with one marked; else the chosen word is in brackets: `1 [2] 3`.
    A digit that is a value chooses it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("choice")]
    value: reactive[str] = reactive("")
    _marked: reactive[frozenset[str]] = reactive(frozenset())

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
        self.set_reactive(Choice.value, value)
        self._radio = radio
        self._multiple = multiple

    @property
    def extra_values(self) -> tuple[str, ...]:
        """The other chosen values."""
        return tuple(each for each in self._options if each in self._marked and each != self.value)

    def set_value(self, value: str, extra_values: Iterable[str] = ()) -> None:
        """Show `value` as chosen, and `extra_values` as marked.

        No message is posted. A value that is no option is left alone.
        """
        if value in self._options:
            self.value, self._marked = value, frozenset(extra_values)

    def render(self) -> Content:
        chosen = "bold $text-accent" if self.has_focus else "bold"
        drawn = Content("").join(
            Content.styled(
                self._option_text(each),
                f"{chosen if self._is_selected(each) else '$text-muted'}{' underline' * (each in self._marked)}",
            )
            for each in self._options
        )
        if self.has_focus:
            room = self.content_size.width - drawn.cell_length
            hints = _MARKED_HINTS if self._marked else _MULTIPLE_HINTS if self._multiple else _KEYS_HINTS
            drawn += Content.styled(next((hint for hint in hints if len(hint) <= room), ""), "$text-muted")
        return drawn

    def action_move(self, by: int, around: bool = False) -> None:
        place, count = self._options.index(self.value) + by, len(self._options)
        self._change_value(self._options[place % count if around else min(max(place, 0), count - 1)])

    def action_also(self) -> None:
        """Mark the value; where only one can be chosen, choose the next."""
        if self._multiple:
            self._marked ^= {self.value}
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
        return value == self.value or value in self._marked

    def _option_text(self, value: str) -> str:
        chosen = self._is_selected(value)
        if self._radio:
            left, right = "[]" if self._marked else "()"
            gap = "" if value == self._options[-1] else "  "
            return f"{left}{'•' if chosen else ' '}{right} {value}{gap}"
        return f"[{value}]" if chosen else f" {value} "

    def _change_value(self, value: str) -> None:
        if value != self.value:
            self.value = value
            self.post_message(self.Changed())


class Stepper(FieldControl):
    """A whole number from `minimum` to `maximum`, both of at most two digits."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("stepper")]
    value: reactive[int] = reactive(0)
    note: reactive[str] = reactive("")
    """A text after the number."""

    def __init__(
        self,
        value: int,
        *,
        minimum: int,
        maximum: int,
        id: str,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self.set_reactive(Stepper.value, value)
        self._minimum = minimum
        self._maximum = maximum
        self._is_typing = False

    def set_value(self, value: int) -> None:
        """Show `value`, brought into bounds; posts nothing."""
        self.value = min(max(value, self._minimum), self._maximum)
        self._is_typing = False

    def render(self) -> Content:
        arrows = "$text-accent" if self.has_focus else "$text-muted"
        number = "bold $text-accent" if self.has_focus else "bold"
        return Content.assemble(
            ("‹ ", arrows), (f"{self.value:>2}", number), (" ›", arrows), (f"  {self.note}", "$text-muted")
        )

    def action_step(self, by: int) -> None:
        """Go up or down, no further than the bounds."""
        self._is_typing = False
        self._change_value(min(max(self.value + by, self._minimum), self._maximum))

    def action_digit(self, digit: str) -> None:
        joined = int(f"{self.value}{digit}") if self._is_typing else 0
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
        if value != self.value:
            self.value = value
            self.post_message(self.Changed())
