"""Whom a typed name or ID means, among the characters that are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from eternal_tui.api.models import Character, GenerateRequest, is_character_id, validation_errors
from eternal_tui.core.sanitize import UntrustedText, format_safe, sanitize

_MINOR_MESSAGE = "This character is listed as under 18: it is not offered, and nothing is submitted with it."
_LABEL_SEPARATOR = " · "


class ResolvedCharacter(msgspec.Struct, frozen=True, kw_only=True):
    """What one entry of the character field means: an ID that may be sent, or a sentence that says why none."""

    id: str = ""
    character: Character | None = None
    problem: str = ""

    @property
    def name(self) -> UntrustedText:
        """The character's name as listed, empty where the ID is not in the list."""
        return self.character.name if self.character else UntrustedText("")


class CharacterResolver:
    """The listed characters, ready to be searched as a person types.

    Characters listed as under 18 are never offered, and refused by their ID. `rejection_reason` is a further say: it
    takes an ID and returns a sentence where that ID must not be submitted.
    """

    def __init__(
        self, characters: Sequence[Character] = (), rejection_reason: Callable[[str], str] = lambda _id: ""
    ) -> None:
        self.allowed: tuple[Character, ...] = tuple(each for each in characters if each.is_allowed)
        self._rejection_reason = rejection_reason
        self._minor_ids = {each.id for each in characters if not each.is_allowed}
        self._by_id = {each.id: each for each in self.allowed}
        self._search_keys = [(_search_key(each.name), _search_key(each.username), each.id) for each in self.allowed]

    def search(self, text: str, limit: int = 8) -> list[Character]:
        """Return characters whose name, user name or ID begins with `text`, then those with a later such word."""
        wanted = _search_key(text)
        if not wanted:
            return []
        first: list[Character] = []
        later: list[Character] = []
        for character, keys in zip(self.allowed, self._search_keys, strict=True):
            if any(key.startswith(wanted) for key in keys):
                first.append(character)
            elif f" {wanted}" in keys[0]:
                later.append(character)
        return [*first, *later][:limit]

    def resolve(self, text: str) -> ResolvedCharacter:
        """Return what one typed entry means; a beginning that fits one character alone means that character."""
        text = text.strip()
        identifier = self._id_from_label(text)
        if sentence := self._rejection_for(identifier):
            return ResolvedCharacter(problem=sentence)
        if character := self._by_id.get(identifier):
            return ResolvedCharacter(id=identifier, character=character)
        if identifier.isascii() and identifier.isdigit() and is_character_id(identifier):
            return ResolvedCharacter(id=identifier)
        if not text or "/" in text or text.lower().startswith(("data:", "http:", "https:")):
            return ResolvedCharacter(problem=_id_error(text))
        return self._resolve_name(text)

    def resolve_all(self, text: str) -> list[ResolvedCharacter]:
        """Return what each entry of a comma-separated text means; an empty text is one empty entry."""
        whole = self.resolve(text)
        entries = [entry for entry in text.split(",") if entry.strip()]
        if whole.id or len(entries) < 2:
            return [whole if whole.id or not entries else self.resolve(entries[0])]
        return [self.resolve(entry) for entry in entries]

    def _rejection_for(self, identifier: str) -> str:
        return (
            _MINOR_MESSAGE
            if identifier in self._minor_ids
            else self._rejection_reason(identifier)
            if identifier
            else ""
        )

    def _id_from_label(self, text: str) -> str:
        """Return the ID in a label such as "Astrid · 6870", else the text itself."""
        name, separator, identifier = text.rpartition(_LABEL_SEPARATOR)
        # A label's name holds no comma: a text with one is a list, whose last ID must not stand for all of it.
        return identifier.strip() if separator and name and "," not in name else text

    def _resolve_name(self, text: str) -> ResolvedCharacter:
        if not self.allowed:
            return ResolvedCharacter(problem="The list of characters is not here yet: type an ID, such as 6870.")
        wanted = _search_key(text)
        exact = [each for each, keys in zip(self.allowed, self._search_keys, strict=True) if wanted in keys[:2]]
        found = exact or self.search(text, limit=100)
        if len(found) == 1:
            return ResolvedCharacter(id=found[0].id, character=found[0])
        if found:
            several = f"{len(found)}{'+' if len(found) == 100 else ''}"
            return ResolvedCharacter(
                problem=format_safe("{n} characters fit “{t}”: ↓ to choose one.", n=several, t=sanitize(text, limit=40))
            )
        return ResolvedCharacter(
            problem=format_safe("No character is called “{t}”: ↓ for the list.", t=sanitize(text, limit=40))
        )


def format_label(character: Character) -> str:
    """Return how a chosen character stands in the field: its name and its ID."""
    name = sanitize(character.name, limit=60).strip()
    return f"{name}{_LABEL_SEPARATOR}{character.id}" if name and "," not in name else character.id


def _id_error(text: str) -> str:
    return validation_errors(GenerateRequest(character=text, prompt="x", type="image")).get("character", "")


def _search_key(text: str) -> str:
    return " ".join(sanitize(text, limit=100).casefold().split())
