"""A question with yes and no, for what costs money or loses something."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from eternal_tui.core.sanitize import Shown
from eternal_tui.tui.input.app_actions import bindings
from eternal_tui.tui.widgets.over_screen import OverScreen


class Confirm(OverScreen[bool]):
    """Asks; ends in True only on `y`. Enter, Esc and n say no: nothing is paid by a habit of the thumb."""

    CSS = """
    Confirm { align: center middle; background: $background 60%; }
    Confirm > Vertical {
        width: 64; max-width: 90%; height: auto; border: round $warning; padding: 0 2; background: $background;
        border-title-color: $warning;
    }
    Confirm Static { height: auto; margin: 1 0 0 0; }
    Confirm #answers { color: $text-muted; margin: 1 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("confirm")]

    def __init__(self, question: Shown, *, title: Shown, yes: Shown, no: Shown) -> None:
        """Build the question; `yes` and `no` say in words what each answer does."""
        super().__init__()
        self._question = question
        self._title = title
        self._answers = (yes, no)

    def compose(self) -> ComposeResult:
        """Lay out the question over its answers."""
        with Vertical() as box:
            box.border_title = Content(self._title)
            yield Static(Content(self._question), markup=False)
            yes, no = self._answers
            yield Static(Content(f"y  {yes}\nn  {no}"), id="answers", markup=False)

    def action_answer(self, answer: bool) -> None:
        """End with the answer."""
        self.dismiss(answer)
