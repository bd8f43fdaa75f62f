"""The public characters, cached for a day, the check of which may be submitted, and the user's favourites."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from eternal_tui.api.errors import ApiError, InvalidResponse, ResponseLost
from eternal_tui.api.models import Character, normalize_character_id
from eternal_tui.core.clock import Clock
from eternal_tui.core.files import JsonStore, read_limited, write_atomic
from eternal_tui.core.sanitize import SafeText, format_safe, sanitize

MAX_AGE_SECONDS = 86_400.0
"""Seconds for which a cached list is used without a request."""

MAX_TRUSTED_SECONDS = 30 * 86_400.0
"""Seconds for which a cached list is trusted for the characters in it, where no newer one can be loaded."""

PAGE_SIZE = 50
"""Characters per page of the API."""

MAX_CHARACTERS = 20_000
"""Most characters of one list; an endless one is cut here and does not count as complete. Ids reach about 6,870."""

BACK_OFF_SECONDS = 30.0
"""Seconds without further requests after the list could not be loaded."""

LIST_STALL_SECONDS = 15.0
"""Seconds without a new character after which a request stops waiting for the list."""

MAX_LIST_SECONDS = 60.0
"""Most seconds a request waits for the list: some 300 pages."""

SETTLE_SECONDS = 3.0
"""Seconds a request waits for more of the list once its character was found: it may be listed twice."""

LONG_WAIT_SECONDS = 5.0
"""Seconds after which the user is notified of the wait."""

PENDING_RECHECK_SECONDS = 60.0
"""Seconds after which a character listed as not approved is looked up again: its creation may have ended since."""

_CHECK_INTERVAL_SECONDS = 0.1


class _StoredCatalog(msgspec.Struct, frozen=True):
    service: str
    fetched_at: float
    characters: tuple[Character, ...]


class CharacterCatalog:
    """Every listed character by id; `allowed` are the approved adults.

    `list_characters` yields the service's list and raises ApiError; concurrent callers share one request. The cache
    is `path`, a 0600 file that may be deleted at any time.
    """

    def __init__(
        self, list_characters: Callable[[], AsyncIterator[Character]], path: Path, clock: Clock, *, service: str
    ) -> None:
        self._list_characters = list_characters
        self._path = path
        self._clock = clock
        self._service = service
        self._by_id: dict[str, Character] = {}
        self._backed_off_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self._partial_listeners: list[Callable[[Sequence[Character]], None]] = []
        self.allowed: Sequence[Character] = ()
        self.fetched_at: float | None = None
        self.load_error: ApiError | None = None
        self.partial: Mapping[str, Character] = {}
        """The characters of the latest request so far, allowed or not, complete or not."""

    @property
    def is_fresh(self) -> bool:
        """Whether the list was loaded within a day."""
        return self._is_younger_than(MAX_AGE_SECONDS)

    def _is_younger_than(self, seconds: float) -> bool:
        return self.fetched_at is not None and 0 <= self._clock.time() - self.fetched_at < seconds

    def load_stored(self) -> None:
        """Load the cached list of this service, if there is one and no list is loaded yet."""
        if self.fetched_at is not None:
            return
        with contextlib.suppress(OSError, ValueError, msgspec.DecodeError):
            stored = msgspec.json.decode(read_limited(self._path) or b"", type=_StoredCatalog)
            if stored.service == self._service:
                self.replace_all(stored.characters, stored.fetched_at)

    async def load(
        self, *, force_refresh: bool = False, on_partial: Callable[[Sequence[Character]], None] | None = None
    ) -> Sequence[Character]:
        """Return the allowed characters, from the service where the cached list is old; raises ApiError.

        Without a cached list `on_partial` is called after each page with those found so far. Cancelling a caller does
        not cancel the request, which the next caller shares.
        """
        if self.is_fresh and not force_refresh:
            return self.allowed
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read(), name="read characters")
            self._reading.add_done_callback(lambda task: task.cancelled() or task.exception())
        if on_partial is not None:
            self._partial_listeners.append(on_partial)
        try:
            await asyncio.shield(self._reading)
        finally:
            if on_partial is not None:
                self._partial_listeners.remove(on_partial)
        return self.allowed

    async def close(self) -> None:
        """Cancel a request in flight."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self) -> None:
        self.partial = found = dict[str, Character]()
        try:
            async for character in self._list_characters():
                _merge(found, character)
                if len(found) % PAGE_SIZE == 0 and not self.allowed:
                    for listener in self._partial_listeners:
                        listener([each for each in found.values() if each.is_allowed])
                if len(found) >= MAX_CHARACTERS:
                    self.replace_all(found.values(), self.fetched_at)
                    raise InvalidResponse(f"The character list does not end; showing the first {MAX_CHARACTERS:,}.")
        except ApiError as error:
            self.back_off(error)
            raise
        now = self._clock.time()
        self.replace_all(found.values(), now)
        stored = _StoredCatalog(self._service, now, tuple(found.values()))
        with contextlib.suppress(OSError, msgspec.EncodeError, UnicodeError):
            write_atomic(self._path, msgspec.json.encode(stored))

    def by_id(self, character_id: str) -> Character | None:
        """Return the character of that id as listed last, allowed or not; None where it is not listed."""
        key = normalize_character_id(character_id)
        return self.partial.get(key) or self._by_id.get(key)

    def name_of(self, character_id: str) -> str:
        """Return the character's name, untrusted, or an empty string."""
        character = self.by_id(character_id)
        return character.name if character is not None else ""

    def rejection_reason(self, character_id: str) -> str:
        """Return why the character's entry forbids submitting it; empty where it does not, or there is no entry."""
        character = self.by_id(character_id)
        if character is None or character.is_adult:
            return ""
        if not character.is_age_readable:
            return f"Character {character.id} is listed with an unreadable age and is not submitted. Choose another."
        return f"Character {character.id} is listed as under 18 and is not submitted. Choose an adult."

    def back_off(self, error: ApiError) -> None:
        """Send no further request for the list for a while, because of `error`."""
        self.load_error = error
        self._backed_off_at = self._clock.monotonic()

    def is_known(self, character_id: str) -> bool:
        """Tell whether there is nothing to ask before the character is submitted or refused."""
        self.load_stored()
        if not character_id or self.rejection_reason(character_id) or self._is_current_for(character_id):
            return True
        return self._clock.monotonic() - self._backed_off_at < BACK_OFF_SECONDS

    def _is_current_for(self, character_id: str) -> bool:
        """Whether the list is new enough to judge the character; a pending approval is checked again sooner."""
        character = self.by_id(character_id)
        is_pending = character is not None and character.is_adult and not character.is_allowed
        return self._is_younger_than(PENDING_RECHECK_SECONDS if is_pending else MAX_AGE_SECONDS)

    async def check_allowed(
        self, character_id: str, notify_user: Callable[[SafeText], object] = lambda _note: None
    ) -> str:
        """Return why the character is not submitted, empty where it is; loads the list if needed.

        One that is missing from a complete list is submitted: the service judges it. Without a list within
        `MAX_LIST_SECONDS`, only one that a list of the last 30 days shows as an adult is, and `notify_user` is called.
        """
        if not self.is_known(character_id):
            await self.refresh(character_id)
        character = self.by_id(character_id)
        rejection = self.rejection_reason(character_id)
        if not rejection and character is not None and not character.is_allowed:
            rejection = format_safe(
                "Character {id} is not approved yet (status: {status}) and cannot be used. Retry later.",
                id=character.id,
                status=sanitize(character.status, limit=40),
            )
        if rejection or not character_id or self.is_fresh or normalize_character_id(character_id) in self.partial:
            return rejection
        if character is None or not self._is_younger_than(MAX_TRUSTED_SECONDS):
            return f"Could not load the character list to check the age of character {character_id}: {self.load_error}"
        note = format_safe(
            "Could not load the character list; the list cached {days} days ago shows {id} as an adult.",
            days=round((self._clock.time() - (self.fetched_at or 0.0)) / 86_400),
            id=sanitize(character_id, limit=80),
        )
        notify_user(note)
        return ""

    async def refresh(self, wanted: str = "", *, on_long_wait: Callable[[], None] = lambda: None) -> bool:
        """Load the list until it is complete or holds `wanted`; return False after a bounded time without either.

        The request then goes on for other callers. `on_long_wait` is called once, after `LONG_WAIT_SECONDS`.
        """
        self.load_stored()
        if self._is_current_for(wanted):
            return True
        waiting, awake = asyncio.ensure_future(self.load(force_refresh=True)), asyncio.Event()
        waiting.add_done_callback(lambda _: awake.set())
        began, count, key, is_reported = self._clock.monotonic(), 0, normalize_character_id(wanted), False
        stalled_at, settled_at = began + LIST_STALL_SECONDS, math.inf
        try:
            while not waiting.done():
                now = self._clock.monotonic()
                if len(self.partial) > count:
                    count, stalled_at = len(self.partial), now + LIST_STALL_SECONDS
                if key in self.partial:
                    settled_at = min(settled_at, now + SETTLE_SECONDS)
                    if self.rejection_reason(wanted) or now >= settled_at:
                        return True
                if now >= min(stalled_at, began + MAX_LIST_SECONDS):
                    self.back_off(ResponseLost("It did not arrive in time. Checking is free; safe to retry."))
                    return key in self.partial
                if not is_reported and now - began >= LONG_WAIT_SECONDS:
                    is_reported = True
                    on_long_wait()
                awake.clear()
                self._clock.call_later(_CHECK_INTERVAL_SECONDS, awake.set)
                await awake.wait()
            return waiting.exception() is None or key in self.partial
        finally:
            waiting.cancel()
            with contextlib.suppress(ApiError, asyncio.CancelledError):
                await waiting

    def replace_all(self, characters: Iterable[Character], fetched_at: float | None) -> None:
        """Take these as the whole list, fetched at this time in epoch seconds."""
        self._by_id = {}
        for character in characters:
            _merge(self._by_id, character)
        self.allowed = tuple(each for each in self._by_id.values() if each.is_allowed)
        self.fetched_at = fetched_at


def _merge(known: dict[str, Character], character: Character) -> None:
    """Add a character; of two entries with one id, the one that forbids submitting it stays."""
    key = normalize_character_id(character.id)
    if key not in known or known[key].is_adult:
        known[key] = character


MAX_RECENT = 20
"""Characters in the list of recently used ones."""

MAX_FAVOURITES = 500


class Favourites(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Ids of characters: favourites in the order they were chosen, recent ones with the latest first."""

    favourites: tuple[str, ...] = ()
    recent: tuple[str, ...] = ()

    def toggle(self, character_id: str) -> Favourites:
        """Return a copy with this character added to or removed from the favourites."""
        if character_id in self.favourites:
            favourites = tuple(each for each in self.favourites if each != character_id)
        else:
            favourites = (*self.favourites, character_id)[-MAX_FAVOURITES:]
        return msgspec.structs.replace(self, favourites=favourites)

    def mark_used(self, character_id: str) -> Favourites:
        """Return a copy with this character as the last used one."""
        others = tuple(each for each in self.recent if each != character_id)
        return msgspec.structs.replace(self, recent=(character_id, *others)[:MAX_RECENT])


class FavouriteStore(JsonStore[Favourites]):
    """`favourites.json` in the data folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "favourites.json", Favourites, "The favourites")

    def load(self) -> Favourites:
        """Return the favourites on disk; empty where there are none."""
        return super().load() or Favourites()
