"""Whom a request is for: an ID as it is, or a name found in the public list; nobody listed as under 18."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from eternal_tui.api.errors import ApiError
from eternal_tui.api.models import is_character_id
from eternal_tui.cli.context import Refused
from eternal_tui.cli.exit_codes import Exit
from eternal_tui.core.sanitize import Shown, say, shown

if TYPE_CHECKING:
    from eternal_tui.api.models import Character
    from eternal_tui.characters.catalog import CharacterBook
    from eternal_tui.core.clock import Clock

LIST_SECONDS = 5.0
"""How long the list may say nothing: a request with an ID can do without one that does not come."""

MOST_SECONDS = 60.0
"""How long a list that does come is read for one request: some 300 pages."""

_STEP = 0.1
_WORTH_A_WORD = LIST_SECONDS
"""Seconds after which a person is told what they wait for."""

_MOST_NAMED = 5


class Role(msgspec.Struct, frozen=True):
    """The character of a request: its ID, and its name where the list knows it (untrusted)."""

    id: str
    name: str = ""


async def cast(book: CharacterBook, wanted: str, clock: Clock, note: Callable[[Shown], None]) -> Role:
    """Return whom `wanted` means; raise Refused with exit code 2 where that is nobody, several, or a minor."""
    book.open_stored()
    listed = book.fresh or await _read(book, wanted, clock, note)
    if book.by_id(wanted) is not None or wanted.isdecimal():
        return _adult(book, Role(wanted, book.name_of(wanted)))
    found = book.find(wanted)
    named = [one for one in found if wanted.casefold() in (one.name.casefold(), one.username.casefold())]
    if len(named) == 1:
        return _adult(book, Role(named[0].id, named[0].name))
    if len(found) == 0 and is_character_id(wanted) and any(character.isdigit() for character in wanted):
        return Role(wanted)
    raise Refused(Exit.USAGE, _unknown(wanted, named or found, listed=listed))


async def _read(book: CharacterBook, wanted: str, clock: Clock, note: Callable[[Shown], None]) -> bool:
    """Read the list until `wanted` is on it, or it ends; tell whether it was had.

    One that fails or falls silent is done without. One that comes is waited for: whom it lists as under 18 may
    stand on its last page.
    """
    loading = asyncio.ensure_future(book.load())
    began = heard_at = clock.monotonic()
    heard, told = 0, False
    try:
        while not loading.done() and wanted not in book.heard:
            now = clock.monotonic()
            heard, heard_at = len(book.heard), now if len(book.heard) > heard else heard_at
            if now - heard_at >= LIST_SECONDS:
                book.give_up()
                return False
            if now - began >= MOST_SECONDS:
                raise Refused(Exit.USAGE, _still_coming(wanted))
            if not told and now - began >= _WORTH_A_WORD:
                note(shown("Reading the service's list of characters, as once a day …"))
                told = True
            await _step(loading, clock)
        return loading.done() and loading.exception() is None
    finally:
        loading.cancel()
        with contextlib.suppress(ApiError, asyncio.CancelledError):
            await loading


async def _step(loading: asyncio.Future[Any], clock: Clock) -> None:
    pause = asyncio.ensure_future(clock.sleep(_STEP))
    try:
        await asyncio.wait({loading, pause}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        pause.cancel()
        await asyncio.gather(pause, return_exceptions=True)


def _still_coming(wanted: str) -> str:
    return say(
        "The service's list of characters is long and still coming, so whether it offers {wanted} is not known. "
        "Run `eternal-tui characters` once, then send it again. Nothing was sent.",
        wanted=wanted,
    )


def _adult(book: CharacterBook, role: Role) -> Role:
    if refusal := book.refusal(role.id):
        raise Refused(Exit.USAGE, f"{refusal} Nothing was sent.")
    return role


def _unknown(wanted: str, found: list[Character], *, listed: bool) -> str:
    if found:
        some = ", ".join(f"{one.name} {one.id}" for one in found[:_MOST_NAMED])
        more = " and others" if len(found) > _MOST_NAMED else ""
        return say(
            "{wanted} may be {some}{more}. Give one's ID. Nothing was sent.", wanted=wanted, some=some, more=more
        )
    if not listed:
        return say(
            "The list of characters could not be had, so the name {wanted} could not be looked up. "
            "Give the character's ID. Nothing was sent.",
            wanted=wanted,
        )
    return say(
        "No character of the public list is named {wanted}; `eternal-tui characters` lists them. Nothing was sent.",
        wanted=wanted,
    )
