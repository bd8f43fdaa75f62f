"""Resolve a typed name or ID to a character, and check characters before anything is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

import msgspec

from eternal_tui.api.errors import RequestNotSent
from eternal_tui.api.models import Character, character_error, is_character_id, normalize_character_id
from eternal_tui.characters.catalog import CharacterCatalog
from eternal_tui.core.sanitize import SafeText, UntrustedText, format_safe, sanitize

_LABEL_SEPARATOR = " · "
_MAX_FOUND = 100
_MAX_SUGGESTIONS = 5


async def resolve_character(
    catalog: CharacterCatalog, text: str, notify_user: Callable[[SafeText], None]
) -> ResolvedCharacter:
    """Resolve a full name or an ID, loading the list as far as needed.

    Rejects characters that the catalog does not allow. Returns within the catalog's own timeout for its list.
    """
    reading = sanitize("Loading the character list (once a day) …")
    is_listed = await catalog.refresh(text, on_long_wait=lambda: notify_user(reading))
    found = CharacterResolver(catalog.allowed or tuple(catalog.partial.values()), catalog.rejection_reason).resolve(
        text, whole_names=True
    )
    if not found.id:
        if is_listed or catalog.allowed or catalog.rejection_reason(text):
            return found
        return ResolvedCharacter(
            problem=format_safe(
                "Could not load the character list to look up “{name}”: {error} Use an ID.",
                name=sanitize(text, limit=40),
                error=catalog.load_error or "",
            ),
            is_unreachable=isinstance(catalog.load_error, RequestNotSent),
        )
    if not (rejection := await catalog.check_allowed(found.id, notify_user)):
        return found
    is_unreachable = not catalog.rejection_reason(found.id) and isinstance(catalog.load_error, RequestNotSent)
    return ResolvedCharacter(problem=rejection, is_unreachable=is_unreachable)


class ResolvedCharacter(msgspec.Struct, frozen=True, kw_only=True):
    """The result for one entry: an ID that may be sent, or a `problem` that says why there is none.

    `label_name` is the name in a label whose ID is not in the list. `is_unreachable` means that the list could not be
    loaded because the service was not reached.
    """

    id: str = ""
    character: Character | None = None
    problem: str = ""
    is_unreachable: bool = False
    label_name: str = ""

    @property
    def name(self) -> UntrustedText:
        """The character's name as listed, else as in the label, else empty."""
        return self.character.name if self.character else UntrustedText(self.label_name)


class CharacterResolver:
    """Search over the allowed characters, for completion while typing.

    `rejection_reason` takes an ID and returns why it must not be submitted, or "".
    """

    def __init__(
        self, characters: Sequence[Character] = (), rejection_reason: Callable[[str], str] = lambda _id: ""
    ) -> None:
        self.allowed: tuple[Character, ...] = tuple(each for each in characters if each.is_allowed)
        self._rejection_reason = rejection_reason
        self._refused_ids = {each.id for each in characters if not each.is_adult}
        self._by_id = {each.id: each for each in self.allowed}
        self._search_keys = [(_search_key(each.name), _search_key(each.username), each.id) for each in self.allowed]

    def search(self, text: str, limit: int = 8) -> list[Character]:
        """Return characters whose name, user name or ID starts with `text`, then those with a later word that does."""
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

    def resolve(self, text: str, *, whole_names: bool = False) -> ResolvedCharacter:
        """Resolve one typed entry: an ID, a label, a name.

        Unless `whole_names`, a prefix of only one character resolves to it.
        """
        text = text.strip()
        name, separator, labelled_id = text.rpartition(_LABEL_SEPARATOR)
        # A label has no comma: a text with one is a list, whose last ID must not replace all of it.
        identifier = normalize_character_id(labelled_id if separator and name and "," not in name else text)
        if problem := self._rejection_reason(identifier) if identifier else "":
            return ResolvedCharacter(problem=problem)
        if identifier in self._refused_ids:
            return ResolvedCharacter(problem=f"Character {identifier} is listed as under 18 and is not submitted.")
        if character := self._by_id.get(identifier):
            return ResolvedCharacter(id=identifier, character=character)
        if identifier.isascii() and identifier.isdigit() and is_character_id(identifier):
            return ResolvedCharacter(id=identifier, label_name=name)
        if not text or "/" in text or text.lower().startswith(("data:", "http:", "https:")):
            return ResolvedCharacter(problem=character_error(text))
        return self._resolve_name(text, whole_names=whole_names)

    def resolve_all(self, text: str) -> list[ResolvedCharacter]:
        """Resolve each entry of a comma-separated text; an empty text is one empty entry."""
        whole = self.resolve(text)
        entries = [entry for entry in text.split(",") if entry.strip()]
        if whole.id or len(entries) < 2:
            return [whole if whole.id or not entries else self.resolve(entries[0])]
        return [self.resolve(entry) for entry in entries]

    def _resolve_name(self, text: str, *, whole_names: bool) -> ResolvedCharacter:
        wanted = _search_key(text)
        exact = [each for each, keys in zip(self.allowed, self._search_keys, strict=True) if wanted in keys[:2]]
        found = exact or self.search(text, limit=_MAX_FOUND)
        if len(found) == 1 and (exact or not whole_names):
            return ResolvedCharacter(id=found[0].id, character=found[0])
        if not found and is_character_id(text) and any(each.isdigit() for each in text):
            return ResolvedCharacter(id=text)
        return ResolvedCharacter(problem=self._name_problem(text, found, whole_names=whole_names))

    def _name_problem(self, text: str, found: Sequence[Character], *, whole_names: bool) -> SafeText:
        """Return why a name cannot be resolved: for the form, or with `whole_names` for the command line."""
        shown = sanitize(text, limit=40)
        if found and whole_names:
            some = ", ".join(f"{each.name} {each.id}" for each in found[:_MAX_SUGGESTIONS])
            more = " and others" if len(found) > _MAX_SUGGESTIONS else ""
            return format_safe("“{name}” is ambiguous: {some}{more}. Use an ID.", name=shown, some=some, more=more)
        if found:
            several = f"{len(found)}{'+' if len(found) == _MAX_FOUND else ''}"
            return format_safe("{n} characters match “{t}”. Press ↓ to choose.", n=several, t=shown)
        if not self.allowed:
            return SafeText("Character list not loaded yet; use an ID, e.g. 6870.")
        if whole_names:
            return format_safe("Unknown character “{name}”. See `eternal-tui characters`.", name=shown)
        return format_safe("Unknown character “{t}”. Press ↓ for the list.", t=shown)


def format_label(character: Character) -> str:
    """Return the text of a chosen character in the form: its name and its ID."""
    name = sanitize(character.name, limit=60).strip()
    return f"{name}{_LABEL_SEPARATOR}{character.id}" if name and "," not in name else character.id


def _search_key(text: str) -> str:
    return " ".join(sanitize(text, limit=100).casefold().split())


PROGRESS_INTERVAL_SECONDS = 1.0
"""Seconds between two progress messages."""

QUIET_SECONDS = 0.3
"""Seconds a check may take before it is mentioned."""

CHECK_RUNNING_MESSAGE = SafeText("Still checking the character; nothing more was sent.")
CHECK_STOPPED_MESSAGE = SafeText("Check cancelled. Nothing was sent or charged.")


class CharacterCheck:
    """Checks characters with the catalog before a submit, one check at a time.

    `show_progress` is called with a message during the check, and with "" at its end.
    """

    def __init__(
        self,
        catalog: CharacterCatalog,
        *,
        show_progress: Callable[[SafeText], None],
        notify_user: Callable[[SafeText], None],
    ) -> None:
        self._catalog = catalog
        self._show_progress = show_progress
        self._notify_user = notify_user
        self._task: asyncio.Task[None] | None = None

    async def run(self, characters: Iterable[str]) -> bool:
        """Check each; return False where nothing may be sent: the user cancelled, or another check is running."""
        unknown = [each for each in dict.fromkeys(characters) if not self._catalog.is_known(each)]
        if not unknown:
            return True
        if self._task is not None:
            self._notify_user(CHECK_RUNNING_MESSAGE)
            return False
        task = self._task = asyncio.create_task(self._check_each(unknown), name="check characters")
        try:
            await asyncio.wait({task}, timeout=QUIET_SECONDS)
            while not task.done():
                self._show_progress(
                    format_safe("checking the character · {n} read", n=f"{len(self._catalog.partial):,}")
                )
                await asyncio.wait({task}, timeout=PROGRESS_INTERVAL_SECONDS)
        finally:
            task.cancel()
            self._task = None
            self._show_progress(SafeText(""))
        if task.cancelled():
            self._notify_user(CHECK_STOPPED_MESSAGE)
            return False
        task.result()
        return True

    def cancel(self) -> bool:
        """Cancel a running check; return whether there was one."""
        return self._task is not None and self._task.cancel()

    async def _check_each(self, unknown: Iterable[str]) -> None:
        for each in unknown:
            await self._catalog.check_allowed(each, self._notify_user)
