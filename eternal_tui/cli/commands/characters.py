"""`characters`: the service's public list, without those listed as under 18."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eternal_tui.cli.context import Invocation, Refused
from eternal_tui.cli.exit_codes import Exit
from eternal_tui.core.files import make_folder
from eternal_tui.core.sanitize import Shown, join, say, shown, trimmed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from eternal_tui.api.errors import ApiError
    from eternal_tui.api.models import Character
    from eternal_tui.characters.catalog import CharacterBook
    from eternal_tui.cli.signals import Stopping

EPILOG = """\
examples:
  eternal-tui characters --search astrid
  eternal-tui characters --json --refresh

The list is kept for a day; --refresh asks the service at once.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `characters`."""
    parser.add_argument("--search", metavar="TEXT", default="", help="only those whose name, ID or words hold this")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument("--refresh", action="store_true", help="ask the service, however fresh the kept list is")


def run(invocation: Invocation) -> int:
    """Print the characters asked for."""
    from eternal_tui.cli.signals import run_until_stopped

    found = []

    async def list_them(stopping: Stopping) -> int:
        found.extend(await stopping.unless_stopped(_load(invocation)))
        return Exit.DONE

    code = run_until_stopped(list_them, own_process=invocation.arguments.own_process)
    wanted = invocation.arguments.search.casefold().split()
    chosen = [one for one in found if all(word in _text(one) for word in wanted)]
    for one in chosen:
        if invocation.arguments.json:
            invocation.streams.json(_fields(one))
        else:
            invocation.streams.line(_line(one, invocation.streams.width))
    if not chosen and code == Exit.DONE:
        invocation.streams.note(shown("No character matches." if wanted else "The list is empty."))
    return code


async def _load(invocation: Invocation) -> list[Character]:
    from eternal_tui.api.errors import ApiError

    book, close = await _book(invocation)
    try:
        book.open_stored()
        try:
            return list(await book.load(again=invocation.arguments.refresh))
        except ApiError as error:
            code = _code(error)
            if not book.known or invocation.arguments.refresh:
                raise Refused(code, say("The list could not be had: {account}", account=error.account)) from None
            age = (time.time() - (book.fetched_at or 0.0)) / 86_400
            invocation.streams.note(say("{error} This is the list of {age} days ago.", error=error, age=f"{age:.0f}"))
            return list(book.known)
    finally:
        await close()


def _code(error: ApiError) -> Exit:
    from eternal_tui.api.errors import KeyRefused, NotSent

    if isinstance(error, KeyRefused):
        return Exit.KEY
    return Exit.UNREACHABLE if isinstance(error, NotSent) else Exit.FAILED


async def _book(invocation: Invocation) -> tuple[CharacterBook, Any]:
    """Return the book of characters without opening the history, and how to close what it uses."""
    from eternal_tui.api.client import EternalClient
    from eternal_tui.characters.catalog import CharacterBook
    from eternal_tui.core.clock import SystemClock
    from eternal_tui.services import service_name

    demo = await asyncio.to_thread(invocation.launch_demo) if invocation.demo else None
    base_url = demo.api_url if demo is not None else invocation.settings.base_url
    client = EternalClient(base_url, None)

    async def listing() -> AsyncIterator[Character]:
        async for character in client.list_characters():
            yield character

    async def close() -> None:
        await client.close()
        if demo is not None:
            await asyncio.to_thread(demo.close)

    # A throw-away demo keeps nothing, and the null device is a folder that holds nothing.
    folder = Path(os.devnull) if invocation.throw_away else invocation.settings.data_dir
    with contextlib.suppress(OSError):
        make_folder(folder)
    book = CharacterBook(listing, folder / "characters.json", SystemClock(), service=service_name(base_url))
    return book, close


def _text(one: Character) -> str:
    return f"{one.id} {one.name} {one.username} {one.description} {one.gender} {one.category}".casefold()


def _fields(one: Character) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "username": one.username or None,
        "age": one.age,
        "gender": one.gender or None,
        "category": one.category or None,
        "status": one.status or None,
        "description": one.description or None,
    }


def _line(one: Character, columns: int | None) -> Shown:
    from eternal_tui.core.text_width import cut, fit

    age = "" if one.age is None else str(one.age)
    cells = fit(shown(one.id), 8), fit(shown(one.name), 18), shown(f"{age:>3}"), fit(shown(one.gender), 9)
    line = trimmed(join("  ", *cells, shown(one.description)))
    return line if columns is None else cut(line, columns)
