"""Checking characters before anything is sent: with its progress shown, cancelled by a person, one check at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from eternal_tui.characters.catalog import CharacterCatalog
from eternal_tui.core.sanitize import SafeText, format_safe

PROGRESS_INTERVAL_SECONDS = 1.0
"""Seconds between two remarks on how far it has come."""

QUIET_SECONDS = 0.3
"""Seconds a check may take before it is mentioned."""

CHECK_RUNNING_MESSAGE = SafeText("Still checking the character; nothing more was sent.")
CHECK_STOPPED_MESSAGE = SafeText("Check cancelled. Nothing was sent or charged.")


class CharacterCheck:
    """Asks the catalog about characters. `show_progress` gets what to say while it lasts, and "" at its end."""

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
        """Check each; return False where nothing may be sent: a person cancelled it, or another check is under way."""
        unknown = [each for each in dict.fromkeys(characters) if not self._catalog.is_known(each)]
        if not unknown:
            return True
        if self._task is not None:
            # What waits for it is sent behind it, and once.
            self._notify_user(CHECK_RUNNING_MESSAGE)
            return False
        asking = self._task = asyncio.create_task(self._check_each(unknown), name="look up")
        try:
            await asyncio.wait({asking}, timeout=QUIET_SECONDS)
            while not asking.done():
                self._show_progress(
                    format_safe("checking the character · {n} read", n=f"{len(self._catalog.partial):,}")
                )
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
        """Cancel a check that is under way; tell whether there was one."""
        return self._task is not None and self._task.cancel()

    async def _check_each(self, unknown: Iterable[str]) -> None:
        for each in unknown:
            if note := (await self._catalog.judge(each)).note:
                self._notify_user(note)
