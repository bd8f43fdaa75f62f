"""The lists that the form opens: characters, earlier prompts, presets and snippets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.widgets import Input

from eternal_tui.api.models import Character
from eternal_tui.core.sanitize import SafeText, format_safe
from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.expansion import SNIPPET_PATTERN
from eternal_tui.drafts.stores import Preset, Presets
from eternal_tui.tui.graphics.base import NO_FACES, FaceSource
from eternal_tui.tui.input.keymap import bindings
from eternal_tui.tui.request_form.messages import PresetsChanged
from eternal_tui.tui.widgets.option_table import Column, FaceList, VirtualList
from eternal_tui.tui.widgets.search_dialog import SearchDialog


class CharacterPicker(SearchDialog[tuple[Character, ...]]):
    """Leaves with the marked characters, or with the one under the cursor.

    A space in the search separates its words; once the cursor has moved in the list it marks.
    """

    HEADING = "Characters"
    PLACEHOLDER = "name, ID or a word of the description"
    KEYS_HINT = "enter: choose · ↓ then space: mark several"
    EMPTY_TEXT = "loading; an ID such as 6870 can be typed in the form"
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


class PromptHistory(SearchDialog[str]):
    """Leaves with a prompt as it was sent."""

    HEADING = "Prompts"
    PLACEHOLDER = "words of the prompt"
    KEYS_HINT = "enter: use this prompt · esc: back"
    EMPTY_TEXT = "no prompts sent yet"
    COLUMNS = (Column(0),)

    def __init__(self, prompts: Sequence[str]) -> None:
        super().__init__()
        self._prompts = tuple(dict.fromkeys(each for each in prompts if each.strip()))

    def search_texts(self) -> list[str]:
        return list(self._prompts)

    def row_cells(self, row: int) -> Sequence[str]:
        return (self._prompts[row],)

    def result_of(self, row: int) -> str:
        return self._prompts[row]


class PresetScreen(SearchDialog[Preset | str]):
    """Leaves with the preset to apply or the snippet text to insert. `on_change` gets each change while it is open."""

    HEADING = "Presets and snippets"
    PLACEHOLDER = "search · or a new name: the form, @name: the prompt"
    KEYS_HINT = "enter apply · ^s save · del delete · ^y default"
    EMPTY_TEXT = "type a name, ^s saves the form as a preset; @name saves the prompt as a snippet"
    COLUMNS = (Column(1), Column(22), Column(0, dim=True))
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("presets")]

    def __init__(
        self,
        presets: Presets,
        snippets: Mapping[str, str],
        draft: Draft,
        snippet_text: str,
        *,
        on_change: Callable[[PresetsChanged], object],
    ) -> None:
        """List presets and snippets; a new name saves `draft` as a preset, or `snippet_text` as a snippet."""
        super().__init__()
        self._presets = presets
        self._snippets = dict(snippets)
        self._draft = draft
        self._snippet_text = snippet_text
        self._on_change = on_change

    @property
    def _rows(self) -> list[tuple[str, Preset | str]]:
        return [(each.name, each) for each in self._presets.items] + [
            (f"@{name}", text) for name, text in self._snippets.items()
        ]

    def search_texts(self) -> list[str]:
        return [f"{name} {each.draft.prompt if isinstance(each, Preset) else each}" for name, each in self._rows]

    def row_cells(self, row: int) -> Sequence[str]:
        name, each = self._rows[row]
        if isinstance(each, str):
            return " ", name, each
        return "*" if name == self._presets.default else " ", name, summarize_draft(each.draft)

    def result_of(self, row: int) -> Preset | str:
        return self._rows[row][1]

    def action_save(self) -> None:
        """Save the form, or after an @ the prompt, under the name in the line."""
        name = self.search_input.value.strip()
        if not name:
            self.set_footer_text("Type a name above first, then ^s.")
            return
        if name.startswith("@"):
            if SNIPPET_PATTERN.fullmatch(name) is None:
                self.set_footer_text("A snippet's name is one word of letters, digits, - and _: @name.")
                return
            if not self._snippet_text.strip():
                self.set_footer_text("The prompt is empty: there is nothing to save.")
                return
            self._snippets = dict(sorted({**self._snippets, name[1:]: self._snippet_text.strip()}.items()))
            changed = PresetsChanged(snippets=self._snippets)
        else:
            self._presets = self._presets.with_preset(name, self._draft)
            changed = PresetsChanged(presets=self._presets)
        with self.search_input.prevent(Input.Changed):
            self.search_input.value = ""
        self._report(changed, format_safe("Saved as {name}.", name=name))

    def action_delete(self) -> None:
        """Delete the row under the cursor."""
        if self.virtual_list.current_row is None:
            return
        name, each = self._rows[self.virtual_list.current_row]
        if isinstance(each, Preset):
            self._presets = self._presets.without_preset(name)
            changed = PresetsChanged(presets=self._presets)
        else:
            del self._snippets[name[1:]]
            changed = PresetsChanged(snippets=self._snippets)
        self._report(changed, format_safe("Deleted {name}.", name=name))

    def action_default(self) -> None:
        """Make the preset under the cursor the one new forms start from, or none."""
        if self.virtual_list.current_row is None:
            return
        name, each = self._rows[self.virtual_list.current_row]
        if isinstance(each, Preset):
            self._presets = self._presets.toggle_default(name)
            is_default = bool(self._presets.default)
            text = format_safe("New forms start from {name}.", name=name)
            self._report(
                PresetsChanged(presets=self._presets), text if is_default else SafeText("New forms start empty.")
            )

    def _report(self, changed: PresetsChanged, message: str) -> None:
        self._on_change(changed)
        self.reload_rows(keep_cursor=True)
        self.set_footer_text(message)


def summarize_draft(draft: Draft) -> str:
    """Return the content of a draft in a few words."""
    video = f"video {draft.duration} s{'' if draft.audio else ' silent'}"
    image = f"image{' high' if draft.quality == 'high' else ''}"
    types = " + ".join(video if kind == "video" else image for kind in draft.types)
    return " · ".join(part for part in (types, draft.character, draft.prompt) if part)
