"""Taking jobs out of the history, and bringing them back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from eternal_tui.jobs.errors import NotPossible
from eternal_tui.jobs.model import JobState
from eternal_tui.jobs.ports import Record
from eternal_tui.jobs.store import Roster


class Removals:
    """Deletes jobs and undoes deletions, the last one first. Files stay on disk."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._removed: list[dict[int, Record]] = []
        # One at a time: what is undone a moment after it was deleted waits until all of it is.
        self._turn = asyncio.Lock()

    async def delete(self, job_ids: Iterable[int]) -> list[int]:
        """Remove jobs as one removal and return their ids; raises NotPossible for one that is being sent."""
        wanted = list(job_ids)
        for job_id in wanted:
            # Its record is all that would tell of a charge.
            if self._roster[job_id].state is JobState.SUBMITTING:
                raise NotPossible(f"Job {job_id} is being sent. Wait for its answer, then delete it.")
        async with self._turn:
            removed: dict[int, Record] = {}
            try:
                for job_id in wanted:
                    removed[job_id] = await self._roster.remove(job_id)
            finally:
                if removed:
                    self._removed.append(removed)
        return wanted

    async def undo(self) -> list[int]:
        """Bring the last removal back and return its ids; empty when there is none. Raises HistoryError."""
        async with self._turn:
            if not self._removed:
                return []
            removed = self._removed[-1]
            for job_id, record in removed.items():
                await self._roster.restore(job_id, record)
            self._removed.pop()
            return list(removed)
