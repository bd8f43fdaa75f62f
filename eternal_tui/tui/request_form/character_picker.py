"""The list of characters, to be searched by name, ID or what their description says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType

from eternal_tui.api.models import Character
from eternal_tui.tui.input.actions import bindings
from eternal_tui.tui.widgets.option_table import Column
from eternal_tui.tui.widgets.search_dialog import SearchScreen


class CharacterPicker(SearchScreen[tuple[Character, ...]]):
    """Leaves with the characters marked by tab, or with the one under the cursor."""

    TITLE_WORD = "Characters"
    PLACEHOLDER = "name, ID or a word of the description"
    KEYS_WORD = "enter choose · tab mark several · esc back"
    COLUMNS = (
        Column(6, dim=True, right=True),
        Column(16),
        Column(3, right=True),
        Column(9, dim=True),
        Column(0, dim=True),
    )
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("picker")]

    def __init__(self, characters: Sequence[Character], text: str = "") -> None:
        super().__init__(text)
        self._characters = tuple(each for each in characters if each.offered)
        self._marked: frozenset[str] = frozenset()

    def give(self, characters: Sequence[Character]) -> None:
        """Take a list that came while the screen was open."""
        self._characters = tuple(each for each in characters if each.offered)
        self.renew(keep_cursor=True)
        self._draw_marks()

    def keys(self) -> list[str]:
        """Search ID, name, user name and the first words of the description."""
        return [f"{each.id} {each.name} {each.username} {each.description[:400]}" for each in self._characters]

    def describe(self, row: int) -> Sequence[str]:
        """Show ID, name, age, gender and the description's beginning."""
        each = self._characters[row]
        return (each.id, each.name, "" if each.age is None else str(each.age), each.gender, each.description)

    def result(self, row: int) -> tuple[Character, ...]:
        """Leave with the marked ones, in the order of the list, or this one."""
        marked = tuple(each for each in self._characters if each.id in self._marked)
        return marked or (self._characters[row],)

    def empty_words(self) -> str:
        """Say that the list is on its way."""
        return "the list is being read; an ID such as 6870 can be typed in the form"

    def action_mark(self) -> None:
        """Mark or unmark the character under the cursor and go one down."""
        if self.list.row is None:
            return
        self._marked ^= {self._characters[self.list.row].id}
        self._draw_marks()
        self.list.move(1)

    def _draw_marks(self) -> None:
        self.list.mark(frozenset(row for row, each in enumerate(self._characters) if each.id in self._marked))
        self.tell(f"{len(self._marked)} marked · {self.KEYS_WORD}" if self._marked else "")
