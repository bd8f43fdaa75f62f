"""CharacterPicker: the character list with search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType

from eternal_tui.api.models import Character
from eternal_tui.tui.input.actions import bindings
from eternal_tui.tui.widgets.option_table import Column
from eternal_tui.tui.widgets.search_dialog import SearchDialog


class CharacterPicker(SearchDialog[tuple[Character, ...]]):
    """Leaves with the characters marked by tab, or with the one under the cursor."""

    HEADING = "Characters"
    PLACEHOLDER = "name, ID or a word of the description"
    KEYS_HINT = "enter: choose · tab: mark several · esc: back"
    COLUMNS = (
        Column(6, dim=True, align_right=True),
        Column(16),
        Column(3, align_right=True),
        Column(9, dim=True),
        Column(0, dim=True),
    )
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("picker")]

    def __init__(self, characters: Sequence[Character], text: str = "") -> None:
        super().__init__(text)
        self._characters = tuple(each for each in characters if each.is_allowed)
        self._marked_ids: frozenset[str] = frozenset()

    def set_characters(self, characters: Sequence[Character]) -> None:
        """Replace the list while the screen is open."""
        self._characters = tuple(each for each in characters if each.is_allowed)
        self.reload_rows(keep_cursor=True)
        self._update_marks()

    def search_texts(self) -> list[str]:
        return [f"{each.id} {each.name} {each.username} {each.description[:400]}" for each in self._characters]

    def row_cells(self, row: int) -> Sequence[str]:
        each = self._characters[row]
        return (each.id, each.name, "" if each.age is None else str(each.age), each.gender, each.description)

    def result_of(self, row: int) -> tuple[Character, ...]:
        marked = tuple(each for each in self._characters if each.id in self._marked_ids)
        return marked or (self._characters[row],)

    def empty_text(self) -> str:
        return "loading; an ID such as 6870 can be typed in the form"

    def action_mark(self) -> None:
        """Mark or unmark the character under the cursor and go one down."""
        if self.virtual_list.current_row is None:
            return
        self._marked_ids ^= {self._characters[self.virtual_list.current_row].id}
        self._update_marks()
        self.virtual_list.move_cursor(1)

    def _update_marks(self) -> None:
        self.virtual_list.set_marked(
            frozenset(row for row, each in enumerate(self._characters) if each.id in self._marked_ids)
        )
        self.set_footer_text(f"{len(self._marked_ids)} marked · {self.KEYS_HINT}" if self._marked_ids else "")
