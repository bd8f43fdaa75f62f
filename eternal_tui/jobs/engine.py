"""JobEngine owns all job state. Frontends call its methods and subscribe to its snapshots."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import msgspec

from eternal_tui.api.models import GenerateRequest, character_request
from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.jobs.batch import ActiveBatches
from eternal_tui.jobs.billing.billing import Billing
from eternal_tui.jobs.context import Ports, build_context
from eternal_tui.jobs.downloads import DownloadQueue
from eternal_tui.jobs.errors import InvalidJobState
from eternal_tui.jobs.model import POLLED_STATES, FileState, Job, JobState, log_state_change, to_record, with_state
from eternal_tui.jobs.polling.monitor import JobMonitor
from eternal_tui.jobs.polling.scheduler import raise_task_exception
from eternal_tui.jobs.ports import JobPolicy, Record
from eternal_tui.jobs.submit.queue import RequestQueue
from eternal_tui.jobs.submit.submitter import (
    MAX_QUEUED_WAIT_SECONDS,
    NO_DETAILS,
    CharacterCheck,
    SubmitDetails,
    Submitter,
    allow_all,
)
from eternal_tui.jobs.sync import INITIAL_JOB_COUNT, HistorySync

QUEUE_FILE_RETRY_SECONDS = 60.0
"""Seconds that nothing is sent after the hold could not be written."""


class JobEngine:
    """Submits, resumes, polls, downloads and deletes jobs.

    Needs a running event loop from `start` on. `notices` are sentences for the user about what was found or went
    wrong on disk. Methods about one job raise JobNotFound, InvalidJobState where its state does not allow the
    change, and HistoryError.
    """

    def __init__(
        self, ports: Ports, policy: JobPolicy, *, results_dir: Path, check_character: CharacterCheck = allow_all
    ) -> None:
        self.results_dir = results_dir
        self.policy = policy
        self.notices: list[str] = list(ports.history.notices)
        self.context = context = build_context(ports, policy, results_dir)
        self.store = context.store
        self.events = context.events
        self.active_batches = ActiveBatches()
        self.billing = Billing(context)
        self.monitor = JobMonitor(context, self.billing)
        self.downloads = DownloadQueue(context, self.monitor)
        self.sync = HistorySync(context, self.billing, self.monitor, self.downloads)
        self.queue = RequestQueue(context, self.billing, self.monitor)
        self.submitter = Submitter(context, self.billing, self.sync, self.queue, check_character)
        self._deletions: list[dict[int, Record]] = []
        # One at a time: an undo waits until the deletion is complete.
        self._delete_lock = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False
        self.store.subscribe_changes(self.active_batches.apply_change)
        self.store.subscribe_changes(partial(log_state_change, owner=ports.registry.id))
        self.events.rate_limited.connect(self.monitor.hold)
        self.events.rate_limited.connect(self.queue.pause)
        self.events.unreachable.connect(self.queue.postpone)
        self.events.queue_held.connect(self._on_queue_held)
        self.events.submitted.connect(self._on_submitted)
        self.events.finished.connect(self._on_finished)
        self.events.settled.connect(lambda job: self.store.publish([job.id]))
        self.events.warning.connect(self._on_warning)

    async def start(self, *, only_job_ids: Iterable[int] | None = None) -> None:
        """Read the newest jobs, take over those whose process is gone, and start polling; the rest is read later.

        With `only_job_ids` this process polls these jobs and its own: it takes over no others and leaves older ones
        unread, except those that `daily_cap` or `max_running` count.
        """
        since = self.billing.today_start() if self.policy.daily_cap is not None else None
        await self.sync.open(only_job_ids=only_job_ids, created_since=since)
        self._tasks = [
            asyncio.create_task(self.monitor.scheduler.run(), name="poller"),
            asyncio.create_task(self.sync.run(), name="sync"),
            asyncio.create_task(self.submitter.run(), name="queue"),
        ]
        for task in self._tasks:
            task.add_done_callback(raise_task_exception)
        self.store.publish([])

    async def close(self, *, compact: bool = True, grace_seconds: float = 1.0) -> None:
        """Let submits in flight end for `grace_seconds` seconds, then stop everything and write what is left.

        With `compact` the journal is then written into the document. A second call does nothing.
        """
        if self._closing:
            return
        self._closing = True
        await self.submitter.close(grace_seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.downloads.close()
        await self.sync.close(compact=compact)

    async def load_raw_responses(self, job_id: int) -> Record:
        """Return the recorded responses for the job: `submit_answer` and `last_answer`.

        The store then holds the whole job; of old jobs it keeps only what a list shows.
        """
        record = await self.store.call_history(self.store.history.get, job_id) or {}
        self.store.load_full(job_id, record)
        record |= self.store.unsaved_fields(job_id)
        return {name: record[name] for name in ("submit_answer", "last_answer") if name in record}

    async def submit(
        self, request: GenerateRequest, details: SubmitDetails = NO_DETAILS, *, confirmed: bool = False
    ) -> Job:
        """Record the request, send it once, and return the job when it has left `submitting`.

        Raises InvalidRequest, NoApiKey, CharacterNotAllowed, ConfirmationRequired, DailyCapExceeded or HistoryError;
        nothing was sent then.
        """
        (job,) = await self.submit_many([request], [details], confirmed=confirmed)
        return job

    async def submit_many(
        self,
        requests: Sequence[GenerateRequest],
        details: Sequence[SubmitDetails] = (),
        *,
        confirmed: bool = False,
        wait_seconds: float | None = MAX_QUEUED_WAIT_SECONDS,
    ) -> list[Job]:
        """Queue several of one batch and wait until they were sent, one after the other. Raises what `submit` raises.

        Those that the queue holds back for longer than `wait_seconds` are returned queued; None: for any time.
        """
        details = details or [NO_DETAILS] * len(requests)
        with self.active_batches.mark_sending(details[0].batch if details else ""):
            return await self.submitter.submit(requests, details, confirmed=confirmed, wait_seconds=wait_seconds)

    async def create_character(self, prompt: str, *, confirmed: bool = False) -> Job:
        """Submit a character creation like any request; it is never polled.

        Its `request.character` is the new ID, empty where the service named none. Raises what `submit` raises.
        """
        return await self.submit(character_request(prompt), confirmed=confirmed)

    async def wait_until_done(self, job_id: int) -> Job:
        """Wait until the job will not soon change by itself, file included, and return it.

        A job that becomes stalled, or still is after as long again, is waited for no longer. Raises JobNotFound where
        it is deleted meanwhile.
        """
        done = asyncio.Event()
        self.monitor.add_waiter(job_id)
        before = self.store.get(job_id)
        was_stalled = before is not None and before.state is JobState.STALLED

        def is_done() -> bool:
            job = self.store.get(job_id)
            if job is None or (job.state is JobState.STALLED and not was_stalled):
                return True
            return self.downloads.is_abandoned(job_id) if job.needs_download else job.is_ended

        unsubscribe = self.store.subscribe(lambda ids: done.set() if job_id in ids and is_done() else None)
        cancel = self.context.ports.clock.call_later(
            self.policy.stall_after_seconds, done.set if was_stalled else lambda: None
        )
        try:
            if not is_done():
                await done.wait()
        finally:
            cancel()
            unsubscribe()
            self.monitor.remove_waiter(job_id)
        return self.store[job_id]

    async def dismiss(self, job_id: int) -> None:
        """Mark an unconfirmed job as resolved."""
        await self.store.change(job_id, lambda job: msgspec.structs.replace(job, dismissed=True))

    async def retry_download(self, job_id: int) -> None:
        """Download a succeeded job's file once more, with a new link where the old one expired. Free."""
        job = self.store[job_id]
        if job.state is not JobState.SUCCEEDED or job.is_delivered:
            raise InvalidJobState(f"Job {job_id} has no result left to fetch.")
        await self.sync.ensure_owned(job)
        pending = await self.store.change(
            job_id,
            lambda job: msgspec.structs.replace(
                job, file_state=FileState.PENDING, error=UntrustedText(""), waiting_reason=UntrustedText("")
            ),
        )
        self.downloads.fetch(pending)

    async def download_from(self, job_id: int, url: str) -> Job:
        """Download a result link given by the user, verify it, and record it as the job's; raises ResultError.

        Nothing changes where the file is not complete.
        """
        job = self.store[job_id]
        if job.request_id is None or job.is_creation:
            raise InvalidJobState(f"Job {job_id} is {job.state}; it can have no result.")
        await self.sync.ensure_owned(job)
        saved = await self.downloads.fetch_url(job, url)
        self.monitor.forget(job_id)
        return await self.downloads.mark_saved(job_id, saved)

    async def watch_now(self, job_id: int) -> None:
        """Poll a running, stalled, unwatched or lost job at once, and continue polling it."""
        job = self.store[job_id]
        if job.state not in POLLED_STATES and job.state is not JobState.LOST:
            raise InvalidJobState(f"Job {job_id} is {job.state}; there is nothing to watch.")
        await self.sync.ensure_owned(job)
        if job.state is JobState.LOST:
            job = await self.store.change(
                job_id, lambda job: with_state(job, JobState.RUNNING, error=UntrustedText(""), finished_at=None)
            )
        if not job.watched:
            job = await self.store.change(job_id, lambda job: msgspec.structs.replace(job, watched=True))
        self.monitor.watch(job, delay_seconds=0.0)

    async def stop_watching(self, job_id: int) -> None:
        """Stop polling the job. It keeps running and stays charged."""
        if self.store[job_id].state not in POLLED_STATES:
            raise InvalidJobState(f"Job {job_id} is {self.store[job_id].state}; there is nothing to stop.")
        await self.store.change(job_id, lambda job: msgspec.structs.replace(job, watched=False))
        self.monitor.forget(job_id)

    async def annotate(
        self,
        job_id: int,
        *,
        starred: bool | None = None,
        tags: tuple[str, ...] | None = None,
        note: str | None = None,
        rating: int | None = None,
    ) -> None:
        """Set the user's own marks on a job; None leaves a mark as it is."""
        text = None if note is None else UntrustedText(note)
        given = {"starred": starred, "tags": tags, "note": text, "rating": rating}
        marks = {name: value for name, value in given.items() if value is not None}
        await self.store.change(job_id, lambda job: msgspec.structs.replace(job, **marks))

    def fill_in_character_names(self, name_of: Callable[[str], str]) -> None:
        """Name those of the newest jobs that were sent before the name of their character was known."""
        for job in self.store.newest_first()[:INITIAL_JOB_COUNT]:
            if not job.name and (name := name_of(job.request.character)):
                self.store.change_in_memory(job.id, partial(_with_character_name, name=name))

    async def delete(self, job_ids: Iterable[int]) -> None:
        """Remove jobs from the history; `undo_delete` restores the last deletion. Files stay on disk.

        A queued job is cancelled instead, and stays in the history. Raises InvalidJobState for one that is being sent.
        """
        wanted = list(job_ids)
        for job_id in wanted:
            # Only its record would show a charge.
            if self.store[job_id].state is JobState.SUBMITTING:
                raise InvalidJobState(f"Job {job_id} is being sent. Wait for its answer, then delete it.")
        async with self._delete_lock:
            removed: dict[int, Record] = {}
            jobs = [self.store[job_id] for job_id in wanted]
            queued = {job.id: to_record(job) for job in jobs if job.state is JobState.QUEUED}
            try:
                removed |= {job_id: queued[job_id] for job_id in await self.queue.cancel(queued)}
                for job_id in wanted:
                    if job_id not in queued:
                        removed[job_id] = await self.store.remove(job_id)
            finally:
                if removed:
                    self._deletions.append(removed)
        if sent := [job_id for job_id in queued if job_id not in removed]:
            raise InvalidJobState(f"Job {sent[0]} is no longer queued: it was sent meanwhile.")
        for job_id in removed:
            self.monitor.forget(job_id)
            self.downloads.cancel(job_id)

    async def undo_delete(self) -> list[int]:
        """Restore the last deletion and return its ids; empty when there is none. Raises HistoryError."""
        async with self._delete_lock:
            if not self._deletions:
                return []
            removed = self._deletions[-1]
            for job_id, record in removed.items():
                await self.store.restore(job_id, record)
            self._deletions.pop()
        await self.sync.resume_restored(list(removed))
        return list(removed)

    def resume_after_suspend(self) -> None:
        """Read what other processes did while this one was stopped, and resume what none took over."""
        self.context.background.start(self.sync.resume())

    def _on_submitted(self, job: Job) -> None:
        if job.cause == "key":
            self.monitor.doubt_key()
        elif job.request_id is not None:
            self.monitor.accept_key()
        if job.state is JobState.RUNNING:
            self.monitor.watch(job)
        elif job.state is not JobState.QUEUED:
            self.events.settled.emit(job)

    def _on_finished(self, job: Job) -> None:
        if job.needs_download:
            self.downloads.fetch(job)
        else:
            self.events.settled.emit(job)

    def _on_queue_held(self, reason: str) -> None:
        self.events.warning.emit(f"The queue is held: {reason}")
        try:
            self.queue.hold(reason)
        except OSError as error:
            self.queue.postpone(QUEUE_FILE_RETRY_SECONDS)
            self.events.warning.emit(f"The queue could not be held on disk: {error.strerror}.")

    async def release_queue(self) -> int:
        """Send queued requests again, those of processes that are gone included, and return how many there are.

        Costs what they cost: ask first. Raises OSError or HistoryError.
        """
        await self.sync.claim(self.queue.unowned())
        self.queue.release()
        return len(self.queue.entries())

    def _on_warning(self, message: str) -> None:
        self.notices.append(message)
        self.store.publish([])


def _with_character_name(job: Job, *, name: str) -> Job:
    return msgspec.structs.replace(job, name=UntrustedText(name))
