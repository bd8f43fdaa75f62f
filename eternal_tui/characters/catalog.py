"""The service's public characters, kept for a day, and the rule on whom this client never submits."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from eternal_tui.api.errors import ApiError
from eternal_tui.api.models import Character
from eternal_tui.core.clock import Clock
from eternal_tui.core.files import read_limited, write_atomic

MAX_AGE_SECONDS = 86_400.0
"""Seconds a stored list is used without asking: characters are added by the day, not by the minute."""

PAGE_SIZE = 50
"""Characters of one page of the service."""

MAX_CHARACTERS = 20_000
"""Characters kept of one listing; a list that never ends stops here. The ids in the service's own page stand at
6,870, and one beyond the end of what is kept would not be known as under 18."""


BACK_OFF_SECONDS = 30.0
"""Seconds for which a list that could not be had is not asked for once more, request by request."""


class _StoredCatalog(msgspec.Struct, frozen=True):
    service: str
    fetched_at: float
    characters: tuple[Character, ...]


class CharacterCatalog:
    """Every listed character by id. `allowed` holds those this client offers; those listed as under 18 it does not.

    `list_characters` yields the service's list and raises ApiError. The stored copy is `path`, a 0600 file that may be
    deleted at any time.
    """

    def __init__(
        self, list_characters: Callable[[], AsyncIterator[Character]], path: Path, clock: Clock, *, service: str
    ) -> None:
        self._list_characters = list_characters
        self._path = path
        self._clock = clock
        self._service = service
        self._by_id: dict[str, Character] = {}
        self._partial: dict[str, Character] = {}
        self._backed_off_at = float("-inf")
        self.allowed: Sequence[Character] = ()
        self.fetched_at: float | None = None

    @property
    def is_fresh(self) -> bool:
        """Whether the list at hand was fetched within a day."""
        return self.fetched_at is not None and 0 <= self._clock.time() - self.fetched_at < MAX_AGE_SECONDS

    def load_stored(self) -> None:
        """Take in the stored list, if there is a whole one of this service."""
        with contextlib.suppress(OSError, ValueError, msgspec.DecodeError):
            data = read_limited(self._path)
            if data is None:
                return
            stored = msgspec.json.decode(data, type=_StoredCatalog)
            if stored.service == self._service:
                self._replace_all(stored.characters, stored.fetched_at)

    async def load(
        self,
        *,
        force_refresh: bool = False,
        on_partial: Callable[[Sequence[Character]], None] | None = None,
        until_id: str = "",
    ) -> Sequence[Character]:
        """Return the offered characters, asking the service where the stored list is old; raises ApiError.

        Where nothing was known before, `on_partial` is given those offered so far, a page at a time. With the id
        `until_id` it is read no further than to that one, and then nothing is kept but what was heard.
        """
        if self.is_fresh and not force_refresh:
            return self.allowed
        found = self._partial = {}
        tell = on_partial if on_partial is not None and not self.allowed else None
        try:
            async for character in self._list_characters():
                found[character.id] = character
                if character.id == until_id:
                    # Another listing may have begun meanwhile, and what is heard with it.
                    self._partial[until_id] = character
                    return self.allowed
                if tell is not None and len(found) % PAGE_SIZE == 0:
                    tell([each for each in found.values() if each.is_allowed])
                if len(found) >= MAX_CHARACTERS:
                    break
        except ApiError:
            self.back_off()
            raise
        self._replace_all(tuple(found.values()), self._clock.time())
        stored = _StoredCatalog(self._service, self._clock.time(), tuple(found.values()))
        with contextlib.suppress(OSError, msgspec.EncodeError, UnicodeError):
            write_atomic(self._path, msgspec.json.encode(stored))
        return self.allowed

    @property
    def partial(self) -> Mapping[str, Character]:
        """Those the latest listing has named so far, offered or not, also where it goes on or broke off."""
        return self._partial

    def by_id(self, character_id: str) -> Character | None:
        """Return the listed character of that id, offered or not, as it was listed last."""
        return self._partial.get(character_id) or self._by_id.get(character_id)

    def name_of(self, character_id: str) -> str:
        """Return the character's name, untrusted, or an empty string."""
        character = self.by_id(character_id)
        return character.name if character is not None else ""

    def find(self, text: str) -> list[Character]:
        """Return offered characters whose name, user name or id holds `text`, exact names first."""
        wanted = text.strip().casefold()
        exact = [c for c in self.allowed if wanted in (c.name.casefold(), c.username.casefold(), c.id)]
        if exact or not wanted:
            return exact or list(self.allowed)
        return [c for c in self.allowed if wanted in c.name.casefold() or wanted in c.username.casefold()]

    def rejection_reason(self, character_id: str) -> str:
        """Return why this client does not submit the character; empty when it does."""
        character = self.by_id(character_id)
        if character is None or character.is_allowed:
            return ""
        return f"Character {character_id} is listed as under 18; this client does not submit it. Choose an adult one."

    def back_off(self) -> None:
        """Do without the list for a while: it cannot be had now."""
        self._backed_off_at = self._clock.monotonic()

    def is_known(self, character_id: str) -> bool:
        """Tell whether there is nothing to ask before the character is submitted or refused."""
        if self.fetched_at is None:
            self.load_stored()
        if self.is_fresh or not character_id or self.by_id(character_id) is not None:
            return True
        return self._clock.monotonic() - self._backed_off_at < BACK_OFF_SECONDS

    async def check_allowed(self, character_id: str) -> str:
        """Return why this client does not submit the character, asking the service where that is not known yet.

        One that the whole list does not name is submitted, and so is one where the list cannot be had: the service,
        whose list it is, judges the request.
        """
        if not self.is_known(character_id):
            with contextlib.suppress(ApiError):
                await self.load(until_id=character_id)
        return self.rejection_reason(character_id)

    def _replace_all(self, characters: Sequence[Character], fetched_at: float) -> None:
        self._by_id = {character.id: character for character in characters}
        self.allowed = tuple(character for character in characters if character.is_allowed)
        self.fetched_at = fetched_at
