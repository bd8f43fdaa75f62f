"""Whom a request is for: an ID as it is, or a name found in the public list; nobody listed as under 18."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from eternal_tui.api.errors import ApiError
from eternal_tui.api.models import is_character_id
from eternal_tui.cli.context import CommandError
from eternal_tui.cli.exit_codes import ExitCode
from eternal_tui.core.sanitize import SafeText, format_safe, sanitize

if TYPE_CHECKING:
    from eternal_tui.api.models import Character
    from eternal_tui.characters.catalog import CharacterCatalog
    from eternal_tui.core.clock import Clock

LIST_STALL_SECONDS = 5.0
"""How long the list may say nothing: a request with an ID can do without one that does not come."""

MAX_LIST_SECONDS = 60.0
"""How long a list that does come is read for one request: some 300 pages."""

_CHECK_INTERVAL_SECONDS = 0.1
_LOADING_MESSAGE_SECONDS = LIST_STALL_SECONDS
"""Seconds after which a person is told what they wait for."""

_MAX_SUGGESTIONS = 5


class CharacterMatch(msgspec.Struct, frozen=True):
    """The character of a request: its ID, and its name where the list knows it (untrusted)."""

    id: str
    name: str = ""


async def resolve_character(
    catalog: CharacterCatalog, name_or_id: str, clock: Clock, on_progress: Callable[[SafeText], None]
) -> CharacterMatch:
    """Return whom `name_or_id` means; raise CommandError with exit code 2 where that is nobody, several, or a minor."""
    catalog.load_stored()
    listed = catalog.is_fresh or await _load_until_listed(catalog, name_or_id, clock, on_progress)
    if catalog.by_id(name_or_id) is not None or name_or_id.isdecimal():
        return _require_adult(catalog, CharacterMatch(name_or_id, catalog.name_of(name_or_id)))
    found = catalog.find(name_or_id)
    named = [one for one in found if name_or_id.casefold() in (one.name.casefold(), one.username.casefold())]
    if len(named) == 1:
        return _require_adult(catalog, CharacterMatch(named[0].id, named[0].name))
    if len(found) == 0 and is_character_id(name_or_id) and any(character.isdigit() for character in name_or_id):
        return CharacterMatch(name_or_id)
    raise CommandError(ExitCode.USAGE, _not_found_message(name_or_id, named or found, is_list_loaded=listed))


async def _load_until_listed(
    catalog: CharacterCatalog, name_or_id: str, clock: Clock, on_progress: Callable[[SafeText], None]
) -> bool:
    """Read the list until `name_or_id` is on it, or it ends; tell whether it was had.

    One that fails or falls silent is done without. One that comes is waited for: whom it lists as under 18 may
    stand on its last page.
    """
    loading = asyncio.ensure_future(catalog.load())
    began = heard_at = clock.monotonic()
    heard, told = 0, False
    try:
        while not loading.done() and name_or_id not in catalog.partial:
            now = clock.monotonic()
            heard, heard_at = len(catalog.partial), now if len(catalog.partial) > heard else heard_at
            if now - heard_at >= LIST_STALL_SECONDS:
                catalog.back_off()
                return False
            if now - began >= MAX_LIST_SECONDS:
                raise CommandError(ExitCode.USAGE, _still_loading_message(name_or_id))
            if not told and now - began >= _LOADING_MESSAGE_SECONDS:
                on_progress(sanitize("Reading the service's list of characters, as once a day …"))
                told = True
            await _wait_briefly(loading, clock)
        return loading.done() and loading.exception() is None
    finally:
        loading.cancel()
        with contextlib.suppress(ApiError, asyncio.CancelledError):
            await loading


async def _wait_briefly(loading: asyncio.Future[Any], clock: Clock) -> None:
    pause = asyncio.ensure_future(clock.sleep(_CHECK_INTERVAL_SECONDS))
    try:
        await asyncio.wait({loading, pause}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        pause.cancel()
        await asyncio.gather(pause, return_exceptions=True)


def _still_loading_message(name_or_id: str) -> str:
    return format_safe(
        "The service's list of characters is long and still coming, so whether it offers {wanted} is not known. "
        "Run `eternal-tui characters` once, then send it again. Nothing was sent.",
        wanted=name_or_id,
    )


def _require_adult(catalog: CharacterCatalog, match: CharacterMatch) -> CharacterMatch:
    if refusal := catalog.rejection_reason(match.id):
        raise CommandError(ExitCode.USAGE, f"{refusal} Nothing was sent.")
    return match


def _not_found_message(name_or_id: str, candidates: list[Character], *, is_list_loaded: bool) -> str:
    if candidates:
        some = ", ".join(f"{one.name} {one.id}" for one in candidates[:_MAX_SUGGESTIONS])
        more = " and others" if len(candidates) > _MAX_SUGGESTIONS else ""
        return format_safe(
            "{wanted} may be {some}{more}. Give one's ID. Nothing was sent.", wanted=name_or_id, some=some, more=more
        )
    if not is_list_loaded:
        return format_safe(
            "The list of characters could not be had, so the name {wanted} could not be looked up. "
            "Give the character's ID. Nothing was sent.",
            wanted=name_or_id,
        )
    return format_safe(
        "No character of the public list is named {wanted}; `eternal-tui characters` lists them. Nothing was sent.",
        wanted=name_or_id,
    )
