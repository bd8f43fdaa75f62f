"""The line in which a filter or a search is typed, there only while it is used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from eternal_tui.core.sanitize import sanitize
from eternal_tui.jobs.filter import SYNTAX_EXAMPLES
from eternal_tui.tui.input.keymap import bindings
from eternal_tui.tui.widgets.grapheme_input import GraphemeInput

SYNTAX_HINT = f'words  "a phrase"  -not  {SYNTAX_EXAMPLES}'


class FilterBar(Horizontal):
    """Posts the text at every key; enter or down returns to the list, escape clears and closes."""

    DEFAULT_CSS = """
    FilterBar {
        height: 1;
        display: none;
        background: transparent;
        &.open { display: block; }
        & > #filter-sign { width: auto; color: $accent; padding: 0 1; }
        & > Input {
            width: 1fr; height: 1; border: none; padding: 0; background: transparent;
            &:focus { border: none; background-tint: transparent; }
        }
        & > #filter-problem { width: auto; max-width: 60%; color: $warning; padding: 0 1; height: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("filter")]

    @dataclass
    class FilterChanged(Message):
        """The filter, or with `find` the search, has another text now."""

        text: str
        find: bool

    class Closed(Message):
        """Typing is done; the list should have the focus."""

    def __init__(self) -> None:
        super().__init__()
        self._input = GraphemeInput(placeholder=SYNTAX_HINT, id="filter-text", select_on_focus=False)
        self._sign = Static("/", id="filter-sign", markup=False)
        self._error = Static("", id="filter-problem", markup=False)
        self._find = False

    def compose(self) -> ComposeResult:
        yield self._sign
        yield self._input
        yield self._error

    @property
    def text(self) -> str:
        return self._input.value

    def open(self, text: str = "", *, find: bool = False) -> None:
        """Show the line with `text`, for a search with `find`, and focus it."""
        self._find = find
        self._sign.update("find" if find else "/")
        self.add_class("open")
        self._set_text(text)
        self._input.cursor_position = len(text)
        self._input.focus()

    def close(self) -> None:
        """Clear and hide the line without posting a message."""
        self._set_text("")
        self.show_error("")
        self.remove_class("open")

    def _set_text(self, text: str) -> None:
        with self._input.prevent(Input.Changed):
            self._input.value = text

    def show_error(self, message: str) -> None:
        """Show why the text cannot be parsed, "" for no error."""
        self._error.update(Content(sanitize(message)))

    @on(Input.Changed)
    def _input_changed(self, event: Input.Changed) -> None:
        self.post_message(self.FilterChanged(event.value, self._find))

    @on(Input.Submitted)
    def action_done(self) -> None:
        """Go back to the list; an empty filter needs no line."""
        if not self.text.strip():
            self.close()
        self.post_message(self.Closed())

    def action_clear(self) -> None:
        """Clear the filter and close."""
        self.close()
        self.post_message(self.FilterChanged("", self._find))
        self.post_message(self.Closed())
