"""Text inputs whose cursor and deletions go by user-perceived characters: a flag or a family is one."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType
from textual.widgets import Input, TextArea
from textual.widgets.input import Selection
from textual.widgets.text_area import Location

from eternal_tui.core.text_width import grapheme_end, grapheme_start
from eternal_tui.tui.input.keymap import bindings


class GraphemeInput(Input):
    """A line of text that moves by graphemes; Textual's moves by code points."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("text")]

    def action_cursor_left(self, select: bool = False) -> None:
        start, end = self.selection
        super().action_cursor_left(select)
        if select or start == end:
            target = grapheme_start(self.value, end)
            self.selection = Selection(start if select else target, target)

    def action_cursor_right(self, select: bool = False) -> None:
        (start, end), text = self.selection, self.value
        super().action_cursor_right(select)
        # At the end it accepts the suggestion.
        if (select or start == end) and self.value == text:
            target = grapheme_end(text, end)
            self.selection = Selection(start if select else target, target)

    def action_delete_left(self) -> None:
        if self.selection.is_empty:
            self.delete(grapheme_start(self.value, self.cursor_position), self.cursor_position)
        else:
            self.delete_selection()

    def action_delete_right(self) -> None:
        if self.selection.is_empty:
            self.delete(self.cursor_position, grapheme_end(self.value, self.cursor_position))
        else:
            self.delete_selection()


class GraphemeTextArea(TextArea):
    """Text of several lines. Cursor keys and deletions both go by these two locations."""

    def get_cursor_left_location(self) -> Location:
        row, column = self.cursor_location
        if not column:
            return super().get_cursor_left_location()
        return row, grapheme_start(self.document.get_line(row), column)

    def get_cursor_right_location(self) -> Location:
        row, column = self.cursor_location
        line = self.document.get_line(row)
        return (row, grapheme_end(line, column)) if column < len(line) else super().get_cursor_right_location()
