"""Whom a typed name or ID means, among the characters that are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from eternal_tui.api.models import Character, GenerateRequest, is_character_id, problems
from eternal_tui.core.sanitize import Untrusted, say, shown

_MINOR = "This character is listed as under 18: it is not offered, and nothing is submitted with it."
_SEPARATOR = " · "


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """What one entry of the character field means: an ID that may be sent, or a sentence that says why none."""

    id: str = ""
    character: Character | None = None
    problem: str = ""

    @property
    def name(self) -> Untrusted:
        """The character's name as listed, empty where the ID is not in the list."""
        return self.character.name if self.character else Untrusted("")


class CharacterLookup:
    """The listed characters, ready to be searched as a person types.

    Characters listed as under 18 are never offered, and refused by their ID. `refusal` is a further say: it takes an
    ID and returns a sentence where that ID must not be submitted.
    """

    def __init__(self, characters: Sequence[Character] = (), refusal: Callable[[str], str] = lambda _id: "") -> None:
        self.offered: tuple[Character, ...] = tuple(each for each in characters if each.offered)
        self._refusal = refusal
        self._minors = {each.id for each in characters if not each.offered}
        self._by_id = {each.id: each for each in self.offered}
        self._keys = [(_key(each.name), _key(each.username), each.id) for each in self.offered]

    def matches(self, text: str, limit: int = 8) -> list[Character]:
        """Return characters whose name, user name or ID begins with `text`, then those with a later such word."""
        wanted = _key(text)
        if not wanted:
            return []
        first: list[Character] = []
        later: list[Character] = []
        for character, keys in zip(self.offered, self._keys, strict=True):
            if any(key.startswith(wanted) for key in keys):
                first.append(character)
            elif f" {wanted}" in keys[0]:
                later.append(character)
        return [*first, *later][:limit]

    def resolve(self, text: str) -> Chosen:
        """Return what one typed entry means; a beginning that fits one character alone means that character."""
        text = text.strip()
        identifier = self._labelled(text)
        if sentence := self._refused(identifier):
            return Chosen(problem=sentence)
        if character := self._by_id.get(identifier):
            return Chosen(id=identifier, character=character)
        if identifier.isascii() and identifier.isdigit() and is_character_id(identifier):
            return Chosen(id=identifier)
        if not text or "/" in text or text.lower().startswith(("data:", "http:", "https:")):
            return Chosen(problem=_documented(text))
        return self._by_name(text)

    def resolve_all(self, text: str) -> list[Chosen]:
        """Return what each entry of a comma-separated text means; an empty text is one empty entry."""
        whole = self.resolve(text)
        entries = [entry for entry in text.split(",") if entry.strip()]
        if whole.id or len(entries) < 2:
            return [whole if whole.id or not entries else self.resolve(entries[0])]
        return [self.resolve(entry) for entry in entries]

    def _refused(self, identifier: str) -> str:
        return _MINOR if identifier in self._minors else self._refusal(identifier) if identifier else ""

    def _labelled(self, text: str) -> str:
        """Return the ID in a label such as "Astrid · 6870", else the text itself."""
        name, separator, identifier = text.rpartition(_SEPARATOR)
        # A label's name holds no comma: a text with one is a list, whose last ID must not stand for all of it.
        return identifier.strip() if separator and name and "," not in name else text

    def _by_name(self, text: str) -> Chosen:
        if not self.offered:
            return Chosen(problem="The list of characters is not here yet: type an ID, such as 6870.")
        wanted = _key(text)
        exact = [each for each, keys in zip(self.offered, self._keys, strict=True) if wanted in keys[:2]]
        found = exact or self.matches(text, limit=100)
        if len(found) == 1:
            return Chosen(id=found[0].id, character=found[0])
        if found:
            several = f"{len(found)}{'+' if len(found) == 100 else ''}"
            return Chosen(problem=say("{n} characters fit “{t}”: ↓ to choose one.", n=several, t=shown(text, limit=40)))
        return Chosen(problem=say("No character is called “{t}”: ↓ for the list.", t=shown(text, limit=40)))


def label(character: Character) -> str:
    """Return how a chosen character stands in the field: its name and its ID."""
    name = shown(character.name, limit=60).strip()
    return f"{name}{_SEPARATOR}{character.id}" if name and "," not in name else character.id


def _documented(text: str) -> str:
    return problems(GenerateRequest(character=text, prompt="x", type="image")).get("character", "")


def _key(text: str) -> str:
    return " ".join(shown(text, limit=100).casefold().split())
