"""HistorySync: loads old jobs, applies other instances' changes, takes over orphaned jobs and writes progress."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from itertools import islice

from eternal_tui.estimation.interval import resume_delay
from eternal_tui.history.errors import HistoryError
from eternal_tui.jobs.billing.billing import Billing
from eternal_tui.jobs.context import JobContext
from eternal_tui.jobs.downloads import DownloadQueue
from eternal_tui.jobs.errors import InvalidJobState
from eternal_tui.jobs.files import INTERRUPTED_MESSAGE
from eternal_tui.jobs.model import POLLED_STATES, UNFINISHED_STATES, Job, JobState, clear_unsaved, mark_unconfirmed
from eternal_tui.jobs.polling.monitor import JobMonitor, job_kind
from eternal_tui.jobs.ports import History, InstanceRegistry, Record

SYNC_INTERVAL_SECONDS = 1.0
"""Seconds between reads of other instances' changes: they are shown within two."""

INITIAL_JOB_COUNT = 200
"""Newest jobs read at a start, before jobs are taken over and durations learned."""

FIRST_FRAME_JOB_COUNT = 80
"""Jobs read before the first frame: rows of a tall terminal, and some for folded batches. 15 microseconds each."""

PAGE_SIZE = 200
"""Old jobs read at a time: a few milliseconds of the event loop."""

COMPACT_ABOVE_BYTES = 4 * 1024 * 1024
"""Bytes of journal above which a running app compacts it: small enough to replay quickly after a crash."""

MAX_LEARNED_JOBS = 200
"""Newest jobs that durations are learned from at a start: a few dozen of each kind are enough."""


ORPHAN_CHECK_SECONDS = 5.0
"""Seconds between checks for jobs whose owner has died."""


def claim(history: History, registry: InstanceRegistry, jobs: Sequence[Job]) -> list[int]:
    """Make this instance the owner of those `jobs` whose owner is gone, in one locked step; return their ids.

    Changes of other instances are left to the next `read_changes`.
    """
    mine: list[int] = []
    with history.transaction(keep_concurrent=True) as transaction:
        for job in jobs:
            record = transaction.get(job.id)
            owner = "" if record is None else record.get("owner", "")
            if record is None or (owner not in ("", registry.id) and registry.is_alive(owner)):
                continue
            if owner != registry.id:
                transaction.update(job.id, {"owner": registry.id})
            mine.append(job.id)
    return mine


def orphans(jobs: Iterable[Job], registry: InstanceRegistry) -> list[Job]:
    """Return the jobs whose owner no longer runs."""
    alive: dict[str, bool] = {registry.id: True, "": False}
    found = []
    for job in jobs:
        if job.owner not in alive:
            alive[job.owner] = registry.is_alive(job.owner)
        if not alive[job.owner]:
            found.append(job)
    return found


class HistorySync:
    """Runs once a second; a failure on disk is reported once and tried again."""

    def __init__(self, context: JobContext, billing: Billing, monitor: JobMonitor, downloads: DownloadQueue) -> None:
        self._context = context
        self._store = context.store
        self._registry = context.ports.registry
        self._clock = context.ports.clock
        self._billing = billing
        self._monitor = monitor
        self._downloads = downloads
        self._unfinished: dict[int, Job] = {}
        self._only_job_ids: set[int] | None = None
        self._has_learned = False
        self._started_at = self._clock.time()
        self._store.subscribe_changes(self._track_unfinished)

    async def open(self, *, only_job_ids: Iterable[int] | None = None, created_since: float | None = None) -> None:
        """Read the newest jobs, and take over those whose process is gone.

        With `only_job_ids`, no jobs but these are ever taken over, and older ones stay unread, except those created
        after `created_since`, in seconds since the epoch, and where a limit counts them, all unfinished ones. Under
        `max_running` running jobs are taken over too, or jobs without a poller would fill it for ever.
        """
        self._only_job_ids = None if only_job_ids is None else set(only_job_ids)
        self._store.load(await self._store.call_history(self._store.history.recent, INITIAL_JOB_COUNT))
        if created_since is not None and len(self._store) >= INITIAL_JOB_COUNT:
            await self._load_since(created_since)
        if only_job_ids is not None and (created_since is not None or self._context.policy.max_running):
            await self.load_unfinished()
        if self._only_job_ids:
            await self.load(self._only_job_ids)
        await self._billing.load()
        await self._claim_orphans()

    def load_newest(self) -> None:
        """Read the newest jobs for the first frame, before there is an event loop: about a millisecond.

        Raises HistoryError.
        """
        self._store.load(self._store.history.recent(FIRST_FRAME_JOB_COUNT))

    async def load(self, job_ids: Iterable[int]) -> list[int]:
        """Read these jobs, however old, add them to `only_job_ids`, and return the ids that exist."""
        wanted = list(job_ids)
        for job_id in wanted:
            if job_id not in self._store:
                record = await self._store.call_history(self._store.history.get, job_id)
                self._store.load([(job_id, record)] if record is not None else [])
        found = [job_id for job_id in wanted if job_id in self._store]
        if self._only_job_ids is not None:
            self._only_job_ids.update(found)
        return found

    async def load_unfinished(self) -> None:
        """Read the jobs that are queued, being sent or running, however old."""
        async for records in self._iter_pages():
            self._store.load(each for each in records if str(each[1].get("state")) in UNFINISHED_STATES)

    async def _iter_pages(self) -> AsyncIterator[list[tuple[int, Record]]]:
        pages = self._store.history.iter_pages(PAGE_SIZE)
        while (records := await self._store.call_history(next, pages, None)) is not None:
            yield records

    async def _load_since(self, created_since: float) -> None:
        async for records in self._iter_pages():
            self._store.load(records)
            if self._store.newest_first()[-1].created_at < created_since:
                return

    async def load_all(self, *, compact: bool = False) -> None:
        """Read every job, newest first, in pages, so that the event loop is not blocked."""
        async for records in self._iter_pages():
            self._store.load(records, compact=compact)
        await self._billing.load_older()
        self._store.is_fully_loaded = True
        if self._store.invalid_record_count:
            self._context.events.warning.emit(
                f"{self._store.invalid_record_count} records of the history are not jobs; they are kept, not shown."
            )
        self._store.publish([])

    async def run(self) -> None:
        """Run until cancelled."""
        await self.learn_durations()
        next_check = 0.0
        while True:
            if self._only_job_ids is None and not self._store.is_fully_loaded:
                await self._context.background.run_guarded(self.load_all(compact=True))
                if not self._has_learned:
                    await self.learn_durations()
                await self._context.background.run_guarded(self._claim_orphans())
            await self._clock.sleep(SYNC_INTERVAL_SECONDS)
            await self._context.background.run_guarded(self.sync())
            await self._context.background.run_guarded(self._flush_unsaved())
            if self._store.is_fully_loaded and self._only_job_ids is None:
                self._store.compact_old(keep_ids=self._monitor.visible_ids)
            now = self._clock.monotonic()
            if now >= next_check:
                next_check = now + ORPHAN_CHECK_SECONDS
                await self._context.background.run_guarded(self._claim_orphans())
                await self._context.background.run_guarded(self._compact_if_large())
                self._store.check_files([job.id for job in self._store.newest_first()[:INITIAL_JOB_COUNT]])

    async def sync(self) -> None:
        """Apply what other instances wrote."""
        async with self._store.news_lock:
            news = await self._store.call_history(self._store.history.read_changes)
            touched = self._store.apply_changes(news)
            if self._store.needs_reload:
                self._store.replace_all(await self._store.call_history(self._read_all_records))
                self._store.needs_reload = False
                touched = list(self._unfinished)
        self._update_watches(touched)
        await self._billing.flush()

    def _update_watches(self, job_ids: Iterable[int]) -> None:
        """Poll and download what this instance owns now, and stop for what others took over, ended or deleted."""
        for job_id in job_ids:
            job = self._store.get(job_id)
            if job is None:
                self._monitor.forget(job_id)
                self._downloads.cancel(job_id)
                continue
            self._monitor.update_watch(job)
            if job.owner != self._registry.id or not job.needs_download:
                self._downloads.cancel(job_id)
            elif not self._downloads.is_abandoned(job_id):
                self._downloads.fetch(job)

    async def _flush_unsaved(self) -> None:
        for job_id in await self._store.flush():
            if job_id in self._store:
                self._store.change_in_memory(job_id, clear_unsaved)

    async def claim(self, jobs: Iterable[Job]) -> list[int]:
        """Become the owner of those jobs whose owner is gone, resume them staggered, and return their ids."""
        here = [job for job in jobs if self._context.is_same_service(job) or job.state is JobState.SUBMITTING]
        candidates = orphans(here, self._registry)
        if not candidates:
            return []
        mine = await self._store.call_history(claim, self._store.history, self._registry, candidates)
        # The job may have ended since it was read here, and the journal may have been compacted.
        await self.sync()
        for job_id in mine:
            self._store.set_owner(job_id, self._registry.id)
        resumed = 0
        for job_id in mine:
            job = self._store.get(job_id)
            if job is None:
                continue
            if job.state is JobState.SUBMITTING:
                await self._mark_interrupted(job)
            elif job.state in POLLED_STATES and job.watched:
                self._monitor.watch(job, delay_seconds=resume_delay(resumed))
                resumed += 1
            elif job.needs_download:
                self._downloads.fetch(job)
        return mine

    def unfinished(self) -> Collection[Job]:
        """Return the loaded jobs that are not ended, or whose file is not fetched."""
        return self._unfinished.values()

    async def ensure_owned(self, job: Job) -> None:
        """Make sure that this instance owns the job; raises InvalidJobState where another does."""
        if await self.claim([job]) or self._store[job.id].owner == self._registry.id:
            return
        if not self._context.is_same_service(job):
            raise InvalidJobState(f"Job {job.id} runs at {job.service}, and this program talks to another service.")
        raise InvalidJobState(f"Job {job.id} is watched by another window of this program; its news arrive here too.")

    async def resume_restored(self, job_ids: Iterable[int]) -> None:
        """Resume jobs whose deletion was undone, unless another instance owns them."""
        jobs = [self._store[job_id] for job_id in job_ids]
        # A queued request whose process is gone stays held.
        await self.claim(job for job in jobs if job.state is not JobState.QUEUED)
        self._update_watches(job_ids)

    async def resume(self) -> None:
        """Read changes, release jobs that others own by now, and take over orphans."""
        await self.sync()
        await self._claim_orphans()

    async def close(self, *, compact: bool) -> None:
        """Write what is unsaved, release the jobs, compact if asked, and close the history."""
        await self._context.background.wait()
        await self._store.wait_idle()
        await self._context.background.run_guarded(self._flush_unsaved())
        await self._billing.flush()
        try:
            self._registry.release()
        except HistoryError as error:
            self._context.events.warning.emit(str(error))
        try:
            await self._store.call_history(self._store.history.close, compact=compact)
        finally:
            self._store.close()

    async def _claim_orphans(self) -> None:
        # An interrupted submit is marked unconfirmed by any instance: it may count against the cap.
        always = {JobState.SUBMITTING, JobState.RUNNING} if self._context.policy.max_running else {JobState.SUBMITTING}
        foreign = [
            job
            for job in self._unfinished.values()
            if job.state is not JobState.QUEUED
            and (self._only_job_ids is None or job.id in self._only_job_ids or job.state in always)
        ]
        await self.claim(foreign)

    async def _mark_interrupted(self, job: Job) -> None:
        estimate = self._billing.estimate(job.request)
        now = self._clock.time()
        lost = await self._store.apply_remote(
            job.id, lambda held: mark_unconfirmed(held, INTERRUPTED_MESSAGE, now, estimate)
        )
        await self._billing.record_outcome(lost)

    async def _compact_if_large(self) -> None:
        history = self._store.history
        if history.journal_size > COMPACT_ABOVE_BYTES:
            await asyncio.to_thread(history.compact)

    def _read_all_records(self) -> list[tuple[int, Record]]:
        return [found for page in self._store.history.iter_pages(PAGE_SIZE) for found in page]

    async def learn_durations(self) -> None:
        """Learn durations from the newest loaded jobs that ended before this start, oldest first.

        The monitor learns from those that end later.
        """
        ended = (job for job in self._store.newest_first() if job.state is JobState.SUCCEEDED)
        newest = [
            job
            for job in islice(ended, MAX_LEARNED_JOBS)
            if job.run_seconds is not None and job.finished_at is not None and job.finished_at < self._started_at
        ]
        self._has_learned = bool(newest)
        for job in reversed(newest):
            took = max(0.1, job.run_seconds or 0.0)
            self._monitor.durations.learn(job_kind(job), took, last_running_age=job.last_running_age)
            await asyncio.sleep(0)

    def _track_unfinished(self, old: Job | None, new: Job | None) -> None:
        if new is not None and (new.state in UNFINISHED_STATES or new.needs_download):
            self._unfinished[new.id] = new
        elif (gone := new or old) is not None:
            self._unfinished.pop(gone.id, None)
