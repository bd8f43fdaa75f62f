"""Drafts, presets and snippets on disk, in the data folder."""

from __future__ import annotations

from pathlib import Path

import msgspec

from eternal_tui.core.files import JsonStore
from eternal_tui.core.sanitize import UntrustedText, clean_prompt
from eternal_tui.drafts.draft import MAX_PROMPT_CHARS, Draft


class DraftStore(JsonStore[Draft]):
    """`draft.json`: `set_pending` keeps the newest draft in memory, `flush` writes it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "draft.json", Draft, "The draft")
        self._pending: Draft | None = None
        self._saved: Draft | None = None

    def load(self) -> Draft | None:
        """Return the draft on disk with its fields clamped to their ranges, or None."""
        draft = super().load()
        self._saved = None if draft is None else draft.clamped()
        return self._saved

    def set_pending(self, draft: Draft) -> None:
        """Set the draft to write with the next `flush`."""
        self._pending = draft

    def flush(self) -> bool:
        """Write the pending draft if it changed; return whether it was written. Raises OSError."""
        draft = self._pending
        if draft is None or draft == self._saved:
            return False
        self.save(draft)
        self._saved = draft
        return True


MAX_PRESET_NAME_CHARS = 60


class Preset(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A draft under a name."""

    name: UntrustedText
    draft: Draft

    def merged_into(self, current: Draft) -> Draft:
        """Return the preset's draft, with character and prompt of `current` where it has none."""
        return msgspec.structs.replace(
            self.draft, character=self.draft.character or current.character, prompt=self.draft.prompt or current.prompt
        )


class Presets(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All presets sorted by name, and the name of the default for a new form ("" for none)."""

    items: tuple[Preset, ...] = ()
    default: UntrustedText = UntrustedText("")

    def get(self, name: str) -> Preset | None:
        """Return the preset of that name."""
        return next((each for each in self.items if each.name == name), None)

    def with_preset(self, name: str, draft: Draft) -> Presets:
        """Return the presets with `draft` under `name`, replacing one of the same name."""
        name = " ".join(name.split())[:MAX_PRESET_NAME_CHARS]
        others = [each for each in self.items if each.name != name]
        items = sorted([*others, Preset(name=UntrustedText(name), draft=draft)], key=lambda each: each.name.casefold())
        return msgspec.structs.replace(self, items=tuple(items))

    def without_preset(self, name: str) -> Presets:
        """Return the presets without the one of that name."""
        return Presets(
            items=tuple(each for each in self.items if each.name != name),
            default=UntrustedText("") if self.default == name else self.default,
        )

    def toggle_default(self, name: str) -> Presets:
        """Return the presets with that one as default, or without a default if it was it."""
        return msgspec.structs.replace(self, default=UntrustedText("" if self.default == name else name))


class PresetStore(JsonStore[Presets]):
    """`presets.json` in the data folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "presets.json", Presets, "The presets", indent=2)

    def load(self) -> Presets:
        """Return the presets on disk with their drafts clamped; empty where there are none."""
        presets = super().load() or Presets()
        items = tuple(Preset(name=each.name, draft=each.draft.clamped()) for each in presets.items)
        return Presets(items=items, default=presets.default)


class SnippetStore(JsonStore[dict[str, str]]):
    """`snippets.json` in the data folder: parts of prompts by name."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "snippets.json", dict[str, str], "The snippets", indent=2)

    def load(self) -> dict[str, str]:
        """Return the snippets on disk, sorted by name; empty where there are none."""
        found = super().load() or {}
        return {name: clean_prompt(text)[:MAX_PROMPT_CHARS] for name, text in sorted(found.items())}
