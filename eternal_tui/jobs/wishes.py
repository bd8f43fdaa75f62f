"""What a person may wish for one job: to be looked at, fetched, marked, let go of, deleted. All of it is free."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import msgspec

from eternal_tui.core.sanitize import Untrusted
from eternal_tui.jobs.downloads import Downloads
from eternal_tui.jobs.errors import NotPossible
from eternal_tui.jobs.model import POLLED, FileState, Job, JobState
from eternal_tui.jobs.polling.monitor import Watcher
from eternal_tui.jobs.removals import Removals
from eternal_tui.jobs.store import Roster
from eternal_tui.jobs.sync import Housekeeping


class Wishes:
    """Fulfils wishes for the desk. A job in no state for one raises NotPossible, an unknown one NoSuchJob."""

    def __init__(self, roster: Roster, watcher: Watcher, downloads: Downloads, housekeeping: Housekeeping) -> None:
        self._roster = roster
        self._watcher = watcher
        self._downloads = downloads
        self._housekeeping = housekeeping
        self._removals = Removals(roster)

    async def dismiss(self, job_id: int) -> None:
        """Stop counting an unconfirmed job as something to decide."""
        await self._roster.change(job_id, lambda job: msgspec.structs.replace(job, dismissed=True))

    async def fetch_again(self, job_id: int) -> None:
        """Fetch a succeeded job's file once more, whoever gave it up."""
        job = self._roster[job_id]
        if job.state is not JobState.SUCCEEDED or job.delivered:
            raise NotPossible(f"Job {job_id} has no result left to fetch.")
        await self._housekeeping.own(job)
        waiting = await self._roster.change(
            job_id,
            lambda held: msgspec.structs.replace(
                held, file_state=FileState.PENDING, error=Untrusted(""), trouble=Untrusted("")
            ),
        )
        self._downloads.fetch(waiting)

    async def watch_now(self, job_id: int) -> None:
        """Look at a job at once, and go on looking."""
        job = self._roster[job_id]
        if job.state not in POLLED and job.state is not JobState.LOST:
            raise NotPossible(f"Job {job_id} is {job.state}; there is nothing to watch.")
        await self._housekeeping.own(job)
        if job.state is JobState.LOST:
            job = await self._roster.change(job_id, self._watcher.revive)
        if not job.watched:
            job = await self._roster.change(job_id, lambda held: msgspec.structs.replace(held, watched=True))
        self._watcher.watch(job, after=0.0)

    async def stop_watching(self, job_id: int) -> None:
        """Look at a job no more."""
        if self._roster[job_id].state not in POLLED:
            raise NotPossible(f"Job {job_id} is {self._roster[job_id].state}; there is nothing to stop.")
        await self._roster.change(job_id, lambda job: msgspec.structs.replace(job, watched=False))
        self._watcher.forget(job_id)

    async def annotate(
        self, job_id: int, *, starred: bool | None, tags: tuple[str, ...] | None, note: str | None
    ) -> None:
        """Set marks; None leaves one as it is."""
        given = {"starred": starred, "tags": tags, "note": None if note is None else Untrusted(note)}
        marks = {name: value for name, value in given.items() if value is not None}
        await self._roster.change(job_id, lambda job: msgspec.structs.replace(job, **marks))

    def learn_names(self, name_of: Callable[[str], str], newest: int) -> None:
        """Name those of the newest jobs that were sent before the name of their character was known."""
        for job in self._roster.newest_first()[:newest]:
            if not job.name and (name := name_of(job.request.character)):
                self._roster.touch(job.id, partial(_named, name=name))

    async def delete(self, job_ids: Iterable[int]) -> None:
        """Remove jobs from the history, and stop whatever is done for them."""
        for job_id in await self._removals.delete(job_ids):
            self._watcher.forget(job_id)
            self._downloads.drop(job_id)

    async def undo_delete(self) -> list[int]:
        """Bring the last removal back, go on with it, and return its ids."""
        back = await self._removals.undo()
        await self._housekeeping.take_back(back)
        return back


def _named(job: Job, *, name: str) -> Job:
    return msgspec.structs.replace(job, name=Untrusted(name))
