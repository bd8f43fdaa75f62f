"""Presets and snippets: named forms to start from, and named pieces of prompts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, NamedTuple

from textual.binding import BindingType
from textual.widgets import Input

from eternal_tui.core.sanitize import SafeText, format_safe
from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.expansion import SNIPPET_PATTERN
from eternal_tui.drafts.stores import Preset, Presets
from eternal_tui.tui.input.keymap import bindings
from eternal_tui.tui.request_form.messages import PresetsChanged
from eternal_tui.tui.widgets.option_table import Column
from eternal_tui.tui.widgets.search_dialog import SearchDialog


class PresetContents(NamedTuple):
    """What the screen lists, and what it saves under a new name: `draft` as a preset, `snippet_text` as a snippet."""

    presets: Presets
    snippets: Mapping[str, str]
    draft: Draft
    snippet_text: str


class PresetScreen(SearchDialog[Preset | str]):
    """Leaves with the preset to apply or the snippet text to insert. `on_change` gets each change while it is open."""

    HEADING = "Presets and snippets"
    PLACEHOLDER = "search · or a new name: the form, @name: the prompt"
    KEYS_HINT = "enter apply · ^s save · del delete · ^y default"
    COLUMNS = (Column(1), Column(22), Column(0, dim=True))
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("presets")]

    def __init__(self, contents: PresetContents, on_change: Callable[[PresetsChanged], object]) -> None:
        super().__init__()
        self._presets, snippets, self._draft, self._snippet_text = contents
        self._snippets = dict(snippets)
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

    def empty_text(self) -> str:
        return "type a name, ^s saves the form as a preset; @name saves the prompt as a snippet"

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
