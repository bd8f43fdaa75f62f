"""CharacterPicker: the character list with search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType

from eternal_tui.api.models import Character
from eternal_tui.tui.graphics.base import NO_FACES, FaceSource
from eternal_tui.tui.input.keymap import bindings
from eternal_tui.tui.widgets.face_list import FaceList
from eternal_tui.tui.widgets.option_table import Column, VirtualList
from eternal_tui.tui.widgets.search_dialog import SearchDialog


class CharacterPicker(SearchDialog[tuple[Character, ...]]):
    """Leaves with the marked characters, or with the one under the cursor.

    A space in the search separates its words; once the cursor has moved in the list it marks.
    """

    HEADING = "Characters"
    PLACEHOLDER = "name, ID or a word of the description"
    KEYS_HINT = "enter: choose · ↓ then space: mark several"
    COLUMNS = (
        Column(6, dim=True, align_right=True),
        Column(16),
        Column(3, align_right=True),
        Column(9, dim=True),
        Column(0, dim=True),
    )
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("picker")]

    def __init__(self, characters: Sequence[Character], text: str = "", faces: FaceSource = NO_FACES) -> None:
        self._faces = faces
        super().__init__(text)
        self._characters = tuple(each for each in characters if each.is_allowed)
        self._marked_ids: frozenset[str] = frozenset()
        self._is_in_list = False

    def make_list(self) -> VirtualList:
        return FaceList(self.COLUMNS, self.row_cells, row_url=self._avatar_url, source=self._faces, id="search-list")

    def _avatar_url(self, row: int) -> str:
        return self._characters[row].avatar_url

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

    def _filter_rows(self, *, keep_cursor: bool = False) -> None:
        self._set_in_list(in_list=self._is_in_list and keep_cursor)
        super()._filter_rows(keep_cursor=keep_cursor)

    def keys_hint(self) -> str:
        marked = f"{len(self._marked_ids)} marked · " if self._marked_ids else ""
        return marked + ("space: mark · enter: choose · esc: back" if self._is_in_list else self.KEYS_HINT)

    def _set_in_list(self, *, in_list: bool) -> None:
        self._is_in_list = in_list
        self.search_input.takes_space = bool(self.search_input.value.strip()) and not in_list

    def action_move(self, by: int) -> None:
        self.action_enter_list()
        super().action_move(by)

    def action_enter_list(self) -> None:
        """Let space mark, until the search is edited."""
        self._set_in_list(in_list=True)
        self.set_footer_text()

    def action_mark(self) -> None:
        """Mark or unmark the character under the cursor and go one down."""
        if self.virtual_list.current_row is None:
            return
        self._marked_ids ^= {self._characters[self.virtual_list.current_row].id}
        self.action_move(1)
        self._update_marks()

    def _update_marks(self) -> None:
        self.virtual_list.set_marked(
            frozenset(row for row, each in enumerate(self._characters) if each.id in self._marked_ids)
        )
        self.set_footer_text()
