"""The desk's standing chores: reading old jobs, hearing other instances, taking over orphans, writing progress."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from eternal_tui.core.clock import Clock
from eternal_tui.history.errors import HistoryError
from eternal_tui.jobs.billing.prices import Prices
from eternal_tui.jobs.downloads import Downloads
from eternal_tui.jobs.errors import NoSuchJob, NotPossible
from eternal_tui.jobs.model import POLLED, UNFINISHED, Job, JobState
from eternal_tui.jobs.ownership import CHECK_EVERY, claim, orphans
from eternal_tui.jobs.polling.interval import Durations, resume_delay
from eternal_tui.jobs.polling.monitor import Watcher, kind_of
from eternal_tui.jobs.ports import Presence
from eternal_tui.jobs.store import Roster
from eternal_tui.jobs.transitions import unconfirmed, written

BEAT = 1.0
"""Seconds between chores: other instances' jobs are shown within two."""

SLICE = 200
"""Old jobs read at a time behind the first rows: a few milliseconds of work each."""

FOLD_ABOVE = 4 * 1024 * 1024
"""Bytes of journal above which a running app folds it: small enough to replay quickly after a crash."""

LESSONS = 200
"""Newest jobs that durations are learned from at a start: a few dozen of each kind tell as much as thousands."""

INTERRUPTED = (
    "The program ended while the request was under way, so its answer was never seen. It may have been charged."
)


class Housekeeping:
    """Runs the chores on one beat; a chore that fails on disk is told once and tried again."""

    def __init__(
        self,
        roster: Roster,
        presence: Presence,
        clock: Clock,
        watcher: Watcher,
        downloads: Downloads,
        prices: Prices,
        durations: Durations,
        warn: Callable[[str], None],
        service_name: str,
    ) -> None:
        self.loaded = False
        self._roster = roster
        self._presence = presence
        self._clock = clock
        self._watcher = watcher
        self._downloads = downloads
        self._prices = prices
        self._durations = durations
        self._warn = warn
        self._service_name = service_name
        self._told: dict[str, str] = {}
        self._later: set[asyncio.Task[Any]] = set()
        self._unfinished: dict[int, Job] = {}
        self._only: set[int] | None = None
        self._newest_read = False
        roster.on_replaced(self._track)

    async def open(self, first: int, *, only: Iterable[int] | None = None, since: float | None = None) -> None:
        """Read the newest jobs, learn from them, and take over those that nobody watches.

        With `only`, nobody's jobs but these are ever taken over, and older ones stay unread: those created after
        `since`, in seconds since the epoch, are read all the same.
        """
        self._only = None if only is None else set(only)
        if not self._newest_read:
            self._roster.load(await self._roster.on_disk(self._roster.history.recent, first))
        if since is not None and len(self._roster) >= first:
            await self._load_since(since)
        if self._only:
            await self.read(self._only)
        await self._adopt()

    def read_newest(self, first: int) -> None:
        """Read the newest jobs at once, before there is an event loop that could wait for it."""
        self._roster.load(self._roster.history.recent(first))
        self._newest_read = True

    async def read(self, job_ids: Iterable[int]) -> list[int]:
        """Read these jobs, however old, count them among those to care for, and return the ids that exist."""
        wanted = list(job_ids)
        for job_id in wanted:
            if job_id not in self._roster:
                record = await self._roster.on_disk(self._roster.history.get, job_id)
                self._roster.load([(job_id, record)] if record is not None else [])
        found = [job_id for job_id in wanted if job_id in self._roster]
        if self._only is not None:
            self._only.update(found)
        return found

    async def _load_since(self, begin: float) -> None:
        slices = self._roster.history.slices(SLICE)
        while (records := await self._roster.on_disk(next, slices, None)) is not None:
            self._roster.load(records)
            if self._roster.newest_first()[-1].created_at < begin:
                return

    async def load_all(self, *, compact: bool = False) -> None:
        """Read every job, newest first, in slices that leave the event loop room."""
        slices = self._roster.history.slices(SLICE)
        while (records := await self._roster.on_disk(next, slices, None)) is not None:
            self._roster.load(records, compact=compact)
        self.loaded = True
        if self._roster.strangers:
            self._warn(f"{self._roster.strangers} records of the history are not jobs; they are kept, not shown.")
        self._roster.publish([])

    async def run(self) -> None:
        """Do the chores until cancelled."""
        await self._learn()
        next_check = 0.0
        while True:
            if self._only is None and not self.loaded:
                await self._guarded(self.load_all(compact=True))
                await self._guarded(self._adopt())
            await self._clock.sleep(BEAT)
            await self._guarded(self.hear_news())
            await self._guarded(self._write_late())
            if self.loaded and self._only is None:
                self._roster.shrink(spare=self._watcher.attended)
            now = self._clock.monotonic()
            if now >= next_check:
                next_check = now + CHECK_EVERY
                await self._guarded(self._adopt())
                await self._guarded(self._fold_if_large())

    async def hear_news(self) -> None:
        """Take in what other instances wrote."""
        news = await self._roster.on_disk(self._roster.history.changes)
        if any(change.op == "reload" for change in news):
            self._roster.reload(await self._roster.on_disk(self._all_records))
            touched = list(self._unfinished)
        else:
            touched = self._roster.absorb(news)
        self._follow(touched)

    def _follow(self, job_ids: Iterable[int]) -> None:
        """Take up what others gave back to this instance, and let go of what they took, ended or deleted."""
        for job_id in job_ids:
            job = self._roster.get(job_id)
            if job is None:
                self._watcher.forget(job_id)
                self._downloads.drop(job_id)
                continue
            self._watcher.follow(job)
            if job.owner != self._presence.id or not job.wants_file:
                self._downloads.drop(job_id)
            elif not self._downloads.gave_up(job_id):
                self._downloads.fetch(job)

    async def _write_late(self) -> None:
        for job_id in await self._roster.flush():
            if job_id in self._roster:
                self._roster.touch(job_id, written)

    async def take_over(self, jobs: Iterable[Job]) -> list[int]:
        """Become the owner of those jobs whose owner is gone, go on with them staggered, and return their ids."""
        here = [job for job in jobs if self.is_here(job)]
        candidates = orphans(here, self._presence)
        if not candidates:
            return []
        mine, news = await self._roster.on_disk(claim, self._roster.history, self._presence, candidates)
        self._roster.absorb(news)
        for job_id in mine:
            self._roster.adopt(job_id, self._presence.id)
        resumed = 0
        for job_id in mine:
            job = self._roster.get(job_id)
            if job is None:
                continue
            if job.state is JobState.SUBMITTING:
                await self._interrupted(job)
            elif job.state in POLLED and job.watched:
                self._watcher.watch(job, after=resume_delay(resumed, len(mine)))
                resumed += 1
            elif job.wants_file:
                self._downloads.fetch(job)
        return mine

    async def own(self, job: Job) -> None:
        """Make sure that this instance owns the job; raises NotPossible where another does."""
        if await self.take_over([job]) or self._roster[job.id].owner == self._presence.id:
            return
        if not self.is_here(job):
            raise NotPossible(f"Job {job.id} runs at {job.service}, and this program talks to another service.")
        raise NotPossible(f"Job {job.id} is watched by another window of this program; its news arrive here too.")

    def is_here(self, job: Job) -> bool:
        """Tell whether the job runs at the service this instance talks to.

        Another host does not know its id: its "never heard of it" would end a job that was paid for elsewhere.
        """
        return job.service in ("", self._service_name)

    async def take_back(self, job_ids: Iterable[int]) -> None:
        """Go on with jobs whose deletion was undone, where nobody else does."""
        await self.take_over(self._roster[job_id] for job_id in job_ids)
        self._follow(job_ids)

    async def return_from_suspend(self) -> None:
        """Hear the news first, then go on: jobs that others own by now are let go, orphans are taken over."""
        await self.hear_news()
        await self._adopt()

    def later(self, chore: Coroutine[Any, Any, Any]) -> None:
        """Run a small recording chore on its own."""
        task = asyncio.create_task(self._guarded(chore))
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def close(self, *, fold: bool) -> None:
        """Write what is left, let go of the leases, fold if asked, and close the history."""
        if self._later:
            await asyncio.wait(tuple(self._later))
        await self._roster.finish()
        for leave in (self._write_late, self._let_go):
            try:
                await leave()
            except HistoryError as error:
                self._warn(str(error))
        try:
            await self._roster.on_disk(self._roster.history.close, fold=fold)
        finally:
            self._roster.close()

    async def _let_go(self) -> None:
        self._presence.release()

    async def _adopt(self) -> None:
        foreign = [job for job in self._unfinished.values() if self._only is None or job.id in self._only]
        await self.take_over(foreign)

    async def _interrupted(self, job: Job) -> None:
        estimate = self._prices.estimate(job.request)
        now = self._clock.time()
        await self._roster.settle(job.id, lambda held: unconfirmed(held, INTERRUPTED, now, estimate))

    async def _fold_if_large(self) -> None:
        history = self._roster.history
        if history.journal_size > FOLD_ABOVE:
            await asyncio.to_thread(history.fold)

    def _all_records(self) -> list[tuple[int, dict[str, Any]]]:
        return [found for page in self._roster.history.slices(SLICE) for found in page]

    async def _guarded(self, chore: Coroutine[Any, Any, Any]) -> None:
        name = getattr(chore, "__name__", "")
        try:
            await chore
        except NoSuchJob:
            # A chore about a job that was deleted meanwhile has nothing left to do.
            return
        except HistoryError as error:
            if self._told.get(name) != str(error):
                self._told[name] = str(error)
                self._warn(str(error))
        else:
            self._told.pop(name, None)

    async def _learn(self) -> None:
        """Learn durations from the newest loaded jobs, oldest first, behind the first frame and without a stall."""
        newest = [
            job
            for job in self._roster.newest_first()[:LESSONS]
            if job.state is JobState.SUCCEEDED and job.finished_at and job.submitted_at
        ]
        for job in reversed(newest):
            took = max(0.1, (job.finished_at or 0.0) - (job.submitted_at or 0.0))
            self._durations.learn(kind_of(job), took, since=job.seen_running)
            await asyncio.sleep(0)

    def _track(self, old: Job | None, new: Job | None) -> None:
        if new is not None and (new.state in UNFINISHED or new.wants_file):
            self._unfinished[new.id] = new
        elif (gone := new or old) is not None:
            self._unfinished.pop(gone.id, None)
