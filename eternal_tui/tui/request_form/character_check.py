"""Looking characters up before anything is sent: seen while it lasts, stopped by a key, one look at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from eternal_tui.core.sanitize import Shown, say

EVERY = 1.0
"""Seconds between two words on how far it has come."""

STILL_LOOKING = Shown("Still looking the character up: this press sent nothing more.")
STOPPED = Shown("Stopped looking. Nothing was sent and nothing was charged.")


class Book(Protocol):
    """The list of characters, as far as it is known, and the way to ask for more."""

    @property
    def heard(self) -> Mapping[str, object]:
        """Those named so far."""

    def settled(self, character_id: str, /) -> bool:
        """Tell whether there is nothing to ask."""

    async def vouch(self, character_id: str, /) -> str:
        """Ask."""


class LookUp:
    """Asks a book about characters. `show` is given what to say while it lasts, and "" behind it."""

    def __init__(self, book: Book, *, show: Callable[[Shown], None], tell: Callable[[Shown], None]) -> None:
        self._book = book
        self._show = show
        self._tell = tell
        self._asking: asyncio.Task[None] | None = None

    async def done(self, characters: Iterable[str]) -> bool:
        """Return once each is looked up; False where nothing may be sent: a person stopped it, or one goes on."""
        unknown = [each for each in dict.fromkeys(characters) if not self._book.settled(each)]
        if not unknown:
            return True
        if self._asking is not None:
            # What waits for it is sent behind it, and once.
            self._tell(STILL_LOOKING)
            return False
        asking = self._asking = asyncio.create_task(self._ask(unknown), name="look up")
        try:
            while not asking.done():
                self._show(say("looking the ID up · {n} read", n=f"{len(self._book.heard):,}"))
                await asyncio.wait({asking}, timeout=EVERY)
        finally:
            asking.cancel()
            self._asking = None
            self._show(Shown(""))
        if asking.cancelled():
            self._tell(STOPPED)
            return False
        asking.result()
        return True

    def stop(self) -> bool:
        """Give up what is being looked up; tell whether anything was."""
        return self._asking is not None and self._asking.cancel()

    async def _ask(self, unknown: Iterable[str]) -> None:
        for each in unknown:
            await self._book.vouch(each)
