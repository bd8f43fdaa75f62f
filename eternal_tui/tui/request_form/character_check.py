"""Looking characters up before anything is sent: seen while it lasts, stopped by a key, one look at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from eternal_tui.core.sanitize import SafeText, format_safe

PROGRESS_INTERVAL_SECONDS = 1.0
"""Seconds between two words on how far it has come."""

CHECK_RUNNING_MESSAGE = SafeText("Still looking the character up: this press sent nothing more.")
CHECK_STOPPED_MESSAGE = SafeText("Stopped looking. Nothing was sent and nothing was charged.")


class Catalog(Protocol):
    """The list of characters, as far as it is known, and the way to ask for more."""

    @property
    def partial(self) -> Mapping[str, object]:
        """Those named so far."""

    def is_known(self, character_id: str, /) -> bool:
        """Tell whether there is nothing to ask."""

    async def check_allowed(self, character_id: str, /) -> str:
        """Ask."""


class CharacterCheck:
    """Asks a book about characters. `show_progress` is given what to say while it lasts, and "" behind it."""

    def __init__(
        self, catalog: Catalog, *, show_progress: Callable[[SafeText], None], notify_user: Callable[[SafeText], None]
    ) -> None:
        self._catalog = catalog
        self._show_progress = show_progress
        self._notify_user = notify_user
        self._task: asyncio.Task[None] | None = None

    async def run(self, characters: Iterable[str]) -> bool:
        """Return once each is looked up; False where nothing may be sent: a person stopped it, or one goes on."""
        unknown = [each for each in dict.fromkeys(characters) if not self._catalog.is_known(each)]
        if not unknown:
            return True
        if self._task is not None:
            # What waits for it is sent behind it, and once.
            self._notify_user(CHECK_RUNNING_MESSAGE)
            return False
        asking = self._task = asyncio.create_task(self._check_each(unknown), name="look up")
        try:
            while not asking.done():
                self._show_progress(format_safe("looking the ID up · {n} read", n=f"{len(self._catalog.partial):,}"))
                await asyncio.wait({asking}, timeout=PROGRESS_INTERVAL_SECONDS)
        finally:
            asking.cancel()
            self._task = None
            self._show_progress(SafeText(""))
        if asking.cancelled():
            self._notify_user(CHECK_STOPPED_MESSAGE)
            return False
        asking.result()
        return True

    def cancel(self) -> bool:
        """Give up what is being looked up; tell whether anything was."""
        return self._task is not None and self._task.cancel()

    async def _check_each(self, unknown: Iterable[str]) -> None:
        for each in unknown:
            await self._catalog.check_allowed(each)
