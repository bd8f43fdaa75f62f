"""Whom a request is for: an ID as it is, or a name found in the public list; nobody listed as under 18."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import msgspec

from eternal_tui.api.errors import ApiError
from eternal_tui.api.request import is_character_id
from eternal_tui.cli.exits import Exit
from eternal_tui.cli.invocation import Refused
from eternal_tui.untrusted import say

if TYPE_CHECKING:
    from eternal_tui.api.answers import Character
    from eternal_tui.jobs.characters import CharacterBook

LIST_SECONDS = 5.0
"""How long the list may take: a request with an ID can do without it."""

_MOST_NAMED = 5


class Role(msgspec.Struct, frozen=True):
    """The character of a request: its ID, and its name where the list knows it (untrusted)."""

    id: str
    name: str = ""


async def cast(book: CharacterBook, wanted: str) -> Role:
    """Return whom `wanted` means; raise Refused with exit code 2 where that is nobody, several, or a minor."""
    book.open_stored()
    listed = book.fresh
    if not listed:
        with contextlib.suppress(ApiError, TimeoutError):
            async with asyncio.timeout(LIST_SECONDS):
                await book.load()
            listed = True
    if book.by_id(wanted) is not None or wanted.isdecimal():
        return _adult(book, Role(wanted, book.name_of(wanted)))
    found = book.find(wanted)
    named = [one for one in found if wanted.casefold() in (one.name.casefold(), one.username.casefold())]
    if len(named) == 1:
        return _adult(book, Role(named[0].id, named[0].name))
    if len(found) == 0 and is_character_id(wanted) and any(character.isdigit() for character in wanted):
        return Role(wanted)
    raise Refused(Exit.USAGE, _unknown(wanted, named or found, listed=listed))


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
