"""CharacterField: an ID or a name, completed from the list, and what it resolves to in a line underneath."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input

from eternal_tui.api.models import Character
from eternal_tui.characters.resolver import CharacterResolver, ResolvedCharacter, format_label
from eternal_tui.core.sanitize import sanitize
from eternal_tui.tui.input.keymap import bindings
from eternal_tui.tui.request_form.fields import FieldHint, FieldRow, RefusesCurl
from eternal_tui.tui.request_form.messages import CharactersRequested, FieldEdited
from eternal_tui.tui.widgets.search_dialog import SearchInput

MAX_INPUT_CHARS = 400
"""Characters of the field: a dozen names, or a URL long enough to be refused by its own name."""


class CharacterInput(RefusesCurl, SearchInput):
    """A line that rejects pasted curl commands."""


class _NameSuggester(Suggester):
    """Ends a begun name, for the right arrow to accept."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self.resolver = CharacterResolver()

    async def get_suggestion(self, value: str) -> str | None:
        """Return the label of the first character whose name begins with `value`."""
        for character in self.resolver.search(value, limit=1):
            whole = format_label(character)
            if whole.casefold().startswith(value.casefold()) and len(whole) > len(value):
                return value + whole[len(value) :]
        return None


class CharacterField(Vertical):
    """The character field and the line under it. It is given a lookup, and never loads one."""

    DEFAULT_CSS = """
    CharacterField { height: auto; }
    CharacterField Input, CharacterField Input:focus {
        border: none; height: 1; padding: 0; background: transparent; width: 1fr;
    }
    CharacterField FieldHint { padding-left: 11; }
    CharacterField FieldHint.-problem { padding-left: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("line")]

    @dataclass
    class PickerRequested(Message):
        """The list of characters was asked for, to be searched for `text` first."""

        text: str

    def __init__(self) -> None:
        super().__init__(id="character")
        self._suggester = _NameSuggester()
        self._input = CharacterInput(
            placeholder="ID or name",
            suggester=self._suggester,
            max_length=MAX_INPUT_CHARS,
            compact=True,
            id="character-line",
        )
        self._hint = FieldHint(reserve_row=True, id="character-hint")
        self._resolver = CharacterResolver()
        self._resolve_cache: tuple[str, list[ResolvedCharacter]] | None = None
        self._shows_errors = False

    def compose(self) -> ComposeResult:
        yield FieldRow("Character", self._input)
        yield self._hint

    @property
    def text(self) -> str:
        return self._input.value

    @property
    def listed(self) -> Sequence[Character]:
        """The characters that a request may be for."""
        return self._resolver.allowed

    @property
    def resolved(self) -> list[ResolvedCharacter]:
        """The result for each entry."""
        # Cached: read several times per key, and among thousands of names a resolution takes milliseconds.
        if self._resolve_cache is None or self._resolve_cache[0] != self.text:
            self._resolve_cache = (self.text, self._resolver.resolve_all(self.text))
        return self._resolve_cache[1]

    def set_text(self, text: str) -> None:
        """Put `text` into the field; posts nothing."""
        with self._input.prevent(Input.Changed):
            self._input.value = sanitize(text, limit=MAX_INPUT_CHARS)
        self._update_hint()

    def set_resolver(self, resolver: CharacterResolver) -> None:
        """Set the characters for completion."""
        self._resolver = self._suggester.resolver = resolver
        self._resolve_cache = None
        self._expand_names()

    def set_errors_visible(self, visible: bool) -> None:
        """Show or hide the error of the entry from now on."""
        self._shows_errors = visible
        self._expand_names()

    def focus_input(self) -> None:
        self._input.focus()

    @on(Input.Changed)
    def _input_changed(self) -> None:
        self._update_hint()
        self.post_message(FieldEdited())

    @on(events.DescendantFocus)
    def _focused(self) -> None:
        self._update_hint()
        if not self._resolver.allowed:
            self.post_message(CharactersRequested())

    @on(events.DescendantBlur)
    def _blurred(self) -> None:
        self._expand_names()

    # Enter is the line's own key before it is one of the bindings here.
    @on(Input.Submitted)
    def action_done(self) -> None:
        """Confirm the entry, or open the list where it matches no character."""
        if self.is_resolved:
            self.screen.focus_next()
        else:
            self.action_pick()

    @property
    def is_resolved(self) -> bool:
        return all(each.id for each in self.resolved)

    def action_pick(self) -> None:
        """Open the list."""
        self.post_message(self.PickerRequested("" if self.is_resolved else self.text.rpartition(",")[2].strip()))

    def _expand_names(self) -> None:
        """Replace a finished entry by the name and ID of its character."""
        chosen = self.resolved
        if not self._input.has_focus and all(each.character for each in chosen):
            self.set_text(", ".join(format_label(each.character) for each in chosen if each.character))
        self._update_hint()

    def _update_hint(self) -> None:
        chosen = self.resolved
        wrong = next((each.problem for each in chosen if each.problem), "")
        # A URL or a path is never the beginning of a name: it is refused as it is pasted.
        said = wrong if self._shows_errors or "/" in self.text else ""
        self._hint.set_text(self._hint_text(chosen), said)

    def _hint_text(self, resolved: list[ResolvedCharacter]) -> str:
        if len(resolved) > 1:
            return f"{len(resolved)} characters: one request each"
        if (character := resolved[0].character) is not None:
            facts = [format_label(character)] if self._input.has_focus else []
            facts += [f"{character.age} years"] if character.age is not None else []
            return " · ".join([*facts, *(sanitize(each) for each in (character.gender, character.description) if each)])
        if resolved[0].id:
            return "not in the list; sent as typed" if self._resolver.allowed else ""
        if self.text:
            return "  ".join(format_label(each) for each in self._resolver.search(self.text, limit=4))
        return "↓ opens the list · enter or tab: next" if self._input.has_focus else ""
