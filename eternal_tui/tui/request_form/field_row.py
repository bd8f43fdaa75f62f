"""One field of the form: its label and its control on one line."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Static


class FieldRow(Horizontal):
    """A dim label beside a control; a bar on the left marks the one that has the focus."""

    DEFAULT_CSS = """
    FieldRow { height: auto; border-left: blank; }
    FieldRow .label { width: 10; height: 1; color: $text-muted; }
    FieldRow:focus-within { border-left: outer $accent; }
    FieldRow:focus-within .label { color: $text-accent; }
    """

    def __init__(self, label: str, control: Widget, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._label = label
        self._control = control

    def compose(self) -> ComposeResult:
        """Put the label before the control."""
        yield Static(self._label, markup=False, classes="label")
        yield self._control
