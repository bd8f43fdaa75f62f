"""Textual's command palette with an Enter that waits for the search; imported when it is first opened."""

from __future__ import annotations

import asyncio
import contextlib

from textual import on
from textual.command import CommandPalette
from textual.widgets import Input
from textual.worker import WorkerCancelled, WorkerFailed

SEARCH_TIMEOUT_SECONDS = 1.0
"""Seconds Enter waits for what is still searched: far longer than a search takes."""


class PatientPalette(CommandPalette):
    """Textual's palette, in which Enter waits for the search of what was typed: Textual's takes an earlier hit."""

    @on(Input.Submitted)
    async def _input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        event.prevent_default()
        searches = [each for each in self.workers if each.group == self._GATHER_COMMANDS_GROUP and each.node is self]
        with contextlib.suppress(TimeoutError, WorkerCancelled, WorkerFailed):
            async with asyncio.timeout(SEARCH_TIMEOUT_SECONDS):
                await self.workers.wait_for_complete(searches)
        self._select_or_command()
