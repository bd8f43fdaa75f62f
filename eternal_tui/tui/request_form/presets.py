"""Presets: forms under a name, to start from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.widgets import Input

from eternal_tui.core.sanitize import Shown, say
from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.stores import Preset, Presets
from eternal_tui.tui.input.actions import bindings
from eternal_tui.tui.widgets.option_table import Column
from eternal_tui.tui.widgets.search_dialog import SearchScreen


class PresetScreen(SearchScreen[Preset]):
    """Leaves with the preset to apply. Saving, deleting and the default are told to `edited` while it is open."""

    TITLE_WORD = "Presets"
    PLACEHOLDER = "search, or a new name for ^s"
    KEYS_WORD = "enter apply · ^s save form as the name above · ^d delete · ^f default · esc back"
    COLUMNS = (Column(1), Column(22), Column(0, dim=True))
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("presets")]

    def __init__(self, presets: Presets, current: Draft, edited: Callable[[Presets], object]) -> None:
        super().__init__()
        self._presets = presets
        self._current = current
        self._edited = edited

    def keys(self) -> list[str]:
        """Search names and prompts."""
        return [f"{each.name} {each.draft.prompt}" for each in self._presets.items]

    def describe(self, row: int) -> Sequence[str]:
        """Show whether it is the default, its name, and what it holds."""
        preset = self._presets.items[row]
        return ("*" if preset.name == self._presets.default else " ", preset.name, summary(preset.draft))

    def result(self, row: int) -> Preset:
        """Leave with the preset."""
        return self._presets.items[row]

    def empty_words(self) -> str:
        """Say how the first one is made."""
        return "type a name and press ^s to keep the form under it"

    def action_save(self) -> None:
        """Keep the form under the name in the line; without one, ask for it."""
        name = self.line.value.strip()
        if not name:
            self.tell("Type a name above first, then ^s.")
            return
        with self.line.prevent(Input.Changed):
            self.line.value = ""
        self._change(self._presets.saved(name, self._current), say("Saved as {name}.", name=name))

    def action_delete(self) -> None:
        """Delete the preset under the cursor."""
        if self.list.row is not None:
            name = self._presets.items[self.list.row].name
            self._change(self._presets.without(name), say("Deleted {name}.", name=name))

    def action_default(self) -> None:
        """Make the preset under the cursor the one new forms start from, or none."""
        if self.list.row is not None:
            name = self._presets.items[self.list.row].name
            presets = self._presets.with_default(name)
            from_it = say("New forms start from {name}.", name=name)
            self._change(presets, from_it if presets.default else Shown("New forms start empty."))

    def _change(self, presets: Presets, words: str) -> None:
        self._presets = presets
        self._edited(presets)
        self.renew(keep_cursor=True)
        self.tell(words)


def summary(draft: Draft) -> str:
    """Return what a draft holds, in few words."""
    clip = f"clip {draft.duration} s{'' if draft.audio else ' silent'}"
    picture = f"picture{' high' if draft.quality == 'high' else ''}"
    what = " + ".join(clip if kind == "video" else picture for kind in draft.types)
    return " · ".join(part for part in (what, draft.character, draft.prompt) if part)
