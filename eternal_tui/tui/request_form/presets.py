"""Presets: forms under a name, to start from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.widgets import Input

from eternal_tui.core.sanitize import SafeText, format_safe
from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.stores import Preset, Presets
from eternal_tui.tui.input.actions import bindings
from eternal_tui.tui.widgets.option_table import Column
from eternal_tui.tui.widgets.search_dialog import SearchDialog


class PresetScreen(SearchDialog[Preset]):
    """Leaves with the preset to apply. Saving, deleting and the default are told to `save_presets` while it is open."""

    HEADING = "Presets"
    PLACEHOLDER = "search, or a new name for ^s"
    KEYS_HINT = "enter apply · ^s save form as the name above · ^d delete · ^f default · esc back"
    COLUMNS = (Column(1), Column(22), Column(0, dim=True))
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("presets")]

    def __init__(self, presets: Presets, current_draft: Draft, save_presets: Callable[[Presets], object]) -> None:
        super().__init__()
        self._presets = presets
        self._current_draft = current_draft
        self._save_presets = save_presets

    def search_texts(self) -> list[str]:
        """Search names and prompts."""
        return [f"{each.name} {each.draft.prompt}" for each in self._presets.items]

    def row_cells(self, row: int) -> Sequence[str]:
        """Show whether it is the default, its name, and what it holds."""
        preset = self._presets.items[row]
        return ("*" if preset.name == self._presets.default else " ", preset.name, summarize_draft(preset.draft))

    def result_of(self, row: int) -> Preset:
        """Leave with the preset."""
        return self._presets.items[row]

    def empty_text(self) -> str:
        """Say how the first one is made."""
        return "type a name and press ^s to keep the form under it"

    def action_save(self) -> None:
        """Keep the form under the name in the line; without one, ask for it."""
        name = self.search_input.value.strip()
        if not name:
            self.set_footer_text("Type a name above first, then ^s.")
            return
        with self.search_input.prevent(Input.Changed):
            self.search_input.value = ""
        self._replace_presets(
            self._presets.with_preset(name, self._current_draft), format_safe("Saved as {name}.", name=name)
        )

    def action_delete(self) -> None:
        """Delete the preset under the cursor."""
        if self.virtual_list.current_row is not None:
            name = self._presets.items[self.virtual_list.current_row].name
            self._replace_presets(self._presets.without_preset(name), format_safe("Deleted {name}.", name=name))

    def action_default(self) -> None:
        """Make the preset under the cursor the one new forms start from, or none."""
        if self.virtual_list.current_row is not None:
            name = self._presets.items[self.virtual_list.current_row].name
            presets = self._presets.toggle_default(name)
            from_it = format_safe("New forms start from {name}.", name=name)
            self._replace_presets(presets, from_it if presets.default else SafeText("New forms start empty."))

    def _replace_presets(self, presets: Presets, message: str) -> None:
        self._presets = presets
        self._save_presets(presets)
        self.reload_rows(keep_cursor=True)
        self.set_footer_text(message)


def summarize_draft(draft: Draft) -> str:
    """Return what a draft holds, in few words."""
    clip = f"clip {draft.duration} s{'' if draft.audio else ' silent'}"
    picture = f"picture{' high' if draft.quality == 'high' else ''}"
    what = " + ".join(clip if kind == "video" else picture for kind in draft.types)
    return " · ".join(part for part in (what, draft.character, draft.prompt) if part)
