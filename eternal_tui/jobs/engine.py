"""The job desk: the one owner of job state. Faces send it wishes and draw the snapshots it publishes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from eternal_tui.api.models import GenerateRequest, character_request
from eternal_tui.core.clock import Clock
from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.jobs.audit_log import log_state_change
from eternal_tui.jobs.batch import ActiveBatches
from eternal_tui.jobs.billing.balance import CreditBalance
from eternal_tui.jobs.billing.billing import Billing
from eternal_tui.jobs.billing.prices import Prices
from eternal_tui.jobs.billing.reconciliation import Reconciler
from eternal_tui.jobs.billing.totals import RunningTotals, Totals
from eternal_tui.jobs.downloads import DownloadQueue
from eternal_tui.jobs.errors import InvalidJobState
from eternal_tui.jobs.model import POLLED_STATES, FileState, Job, JobState
from eternal_tui.jobs.policy import JobPolicy
from eternal_tui.jobs.polling.interval import DurationEstimator
from eternal_tui.jobs.polling.monitor import JobMonitor
from eternal_tui.jobs.polling.scheduler import raise_task_exception
from eternal_tui.jobs.ports import Downloader, History, InstanceRegistry, Record, Service
from eternal_tui.jobs.store import JobStore, Listener
from eternal_tui.jobs.submit.sender import RequestSender
from eternal_tui.jobs.submit.submitter import Submitter, allow_all
from eternal_tui.jobs.sync import HistorySync


async def wait_until_done(job_id: int, store: JobStore, monitor: JobMonitor, downloads: DownloadQueue) -> Job:
    """Wait until nothing more will soon happen to the job by itself, file included, and return it."""
    done = asyncio.Event()
    monitor.add_waiter(job_id)

    def over() -> bool:
        job = store.get(job_id)
        if job is None:
            return True
        return (job.is_ended and not job.needs_download) or (job.needs_download and downloads.is_abandoned(job_id))

    def look(ids: frozenset[int]) -> None:
        if job_id in ids and over():
            done.set()

    unsubscribe = store.subscribe(look)
    try:
        if not over():
            await done.wait()
    finally:
        unsubscribe()
        monitor.remove_waiter(job_id)
    return store[job_id]


class DeletedJobs:
    """Deletes jobs and undoes deletions, the last one first. Files stay on disk."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._deletions: list[dict[int, Record]] = []
        # One at a time: what is undone a moment after it was deleted waits until all of it is.
        self._lock = asyncio.Lock()

    async def delete(self, job_ids: Iterable[int]) -> list[int]:
        """Remove jobs as one removal and return their ids; raises InvalidJobState for one that is being sent."""
        wanted = list(job_ids)
        for job_id in wanted:
            # Its record is all that would tell of a charge.
            if self._store[job_id].state is JobState.SUBMITTING:
                raise InvalidJobState(f"Job {job_id} is being sent. Wait for its answer, then delete it.")
        async with self._lock:
            removed: dict[int, Record] = {}
            try:
                for job_id in wanted:
                    removed[job_id] = await self._store.remove(job_id)
            finally:
                if removed:
                    self._deletions.append(removed)
        return wanted

    async def undo(self) -> list[int]:
        """Bring the last removal back and return its ids; empty when there is none. Raises HistoryError."""
        async with self._lock:
            if not self._deletions:
                return []
            removed = self._deletions[-1]
            for job_id, record in removed.items():
                await self._store.restore(job_id, record)
            self._deletions.pop()
            return list(removed)


class JobOperations:
    """Fulfils wishes for the desk. A job in no state for one raises InvalidJobState, an unknown one JobNotFound."""

    def __init__(self, store: JobStore, monitor: JobMonitor, downloads: DownloadQueue, sync: HistorySync) -> None:
        self._store = store
        self._monitor = monitor
        self._downloads = downloads
        self._sync = sync
        self._deleted_jobs = DeletedJobs(store)

    async def dismiss(self, job_id: int) -> None:
        """Stop counting an unconfirmed job as something to decide."""
        await self._store.change(job_id, lambda job: msgspec.structs.replace(job, dismissed=True))

    async def retry_download(self, job_id: int) -> None:
        """Fetch a succeeded job's file once more, whoever gave it up."""
        job = self._store[job_id]
        if job.state is not JobState.SUCCEEDED or job.is_delivered:
            raise InvalidJobState(f"Job {job_id} has no result left to fetch.")
        await self._sync.ensure_owned(job)
        waiting = await self._store.change(
            job_id,
            lambda held: msgspec.structs.replace(
                held, file_state=FileState.PENDING, error=UntrustedText(""), trouble=UntrustedText("")
            ),
        )
        self._downloads.fetch(waiting)

    async def watch_now(self, job_id: int) -> None:
        """Look at a job at once, and go on looking."""
        job = self._store[job_id]
        if job.state not in POLLED_STATES and job.state is not JobState.LOST:
            raise InvalidJobState(f"Job {job_id} is {job.state}; there is nothing to watch.")
        await self._sync.ensure_owned(job)
        if job.state is JobState.LOST:
            job = await self._store.change(job_id, self._monitor.resume_lost)
        if not job.watched:
            job = await self._store.change(job_id, lambda held: msgspec.structs.replace(held, watched=True))
        self._monitor.watch(job, delay_seconds=0.0)

    async def stop_watching(self, job_id: int) -> None:
        """Look at a job no more."""
        if self._store[job_id].state not in POLLED_STATES:
            raise InvalidJobState(f"Job {job_id} is {self._store[job_id].state}; there is nothing to stop.")
        await self._store.change(job_id, lambda job: msgspec.structs.replace(job, watched=False))
        self._monitor.forget(job_id)

    async def annotate(
        self, job_id: int, *, starred: bool | None, tags: tuple[str, ...] | None, note: str | None
    ) -> None:
        """Set marks; None leaves one as it is."""
        given = {"starred": starred, "tags": tags, "note": None if note is None else UntrustedText(note)}
        marks = {name: value for name, value in given.items() if value is not None}
        await self._store.change(job_id, lambda job: msgspec.structs.replace(job, **marks))

    def fill_in_character_names(self, name_of: Callable[[str], str], job_count: int) -> None:
        """Name those of the newest jobs that were sent before the name of their character was known."""
        for job in self._store.newest_first()[:job_count]:
            if not job.name and (name := name_of(job.request.character)):
                self._store.change_in_memory(job.id, partial(_with_character_name, name=name))

    async def delete(self, job_ids: Iterable[int]) -> None:
        """Remove jobs from the history, and stop whatever is done for them."""
        for job_id in await self._deleted_jobs.delete(job_ids):
            self._monitor.forget(job_id)
            self._downloads.cancel(job_id)

    async def undo_delete(self) -> list[int]:
        """Bring the last removal back, go on with it, and return its ids."""
        back = await self._deleted_jobs.undo()
        await self._sync.resume_restored(back)
        return back


def _with_character_name(job: Job, *, name: str) -> Job:
    return msgspec.structs.replace(job, name=UntrustedText(name))


INITIAL_JOB_COUNT = 200
"""Jobs read before the first frame: more than the tallest terminal shows."""


class JobEngine:
    """Submits, resumes, watches, fetches and forgets jobs.

    Needs a running event loop from `start` on. `notices` are sentences for the person about what was found or went
    wrong on disk.
    """

    def __init__(
        self,
        *,
        history: History,
        registry: InstanceRegistry,
        service: Service,
        downloader: Downloader,
        clock: Clock,
        rng: random.Random,
        results_dir: Path,
        policy: JobPolicy,
        service_name: str,
        check_character: Callable[[str], Awaitable[str]] = allow_all,
    ) -> None:
        self.results_dir = results_dir
        self.policy = policy
        self.notices: list[str] = list(history.notices)
        self._clock = clock
        self._registry = registry
        self._prices = Prices()
        self._durations = DurationEstimator()
        self._store = JobStore(history)
        self._running_totals = RunningTotals(clock.time, self._store.newest_first)
        self._store.subscribe_changes(self._running_totals.apply_change)
        self._active_batches = ActiveBatches()
        self._store.subscribe_changes(self._active_batches.apply_change)
        self._store.subscribe_changes(partial(log_state_change, owner=registry.id))
        self._balance = CreditBalance(self._store, self._prices)
        self._reconciler = Reconciler(self._store, self._prices)
        self._billing = Billing(
            self._store,
            self._prices,
            self._balance,
            self._reconciler,
            run_in_background=self._run_in_background,
        )
        self._monitor = JobMonitor(
            self._store,
            service,
            clock,
            rng,
            self._durations,
            workers=policy.workers,
            requests_per_second=policy.requests_per_second,
            stall_after_seconds=policy.stall_after_seconds,
            owns=lambda job: job.owner == registry.id,
            on_finished=self._on_finished,
            epoch=self._reconciler.epoch,
            on_balance_read=self._billing.record_free_reading,
        )
        self._downloads = DownloadQueue(
            self._store, self._monitor.poll_once, downloader, clock, on_settled=self._notify_settled
        )
        self._sync = HistorySync(
            self._store,
            registry,
            clock,
            self._monitor,
            self._downloads,
            self._prices,
            self._durations,
            self._warn,
            service_name,
        )
        self._sender = RequestSender(
            self._store,
            service,
            self._prices,
            self._balance,
            clock,
            epoch=self._reconciler.epoch,
            has_other_in_flight=self._reconciler.has_other_in_flight,
            sync=self._sync.sync,
            on_rate_limited=self._monitor.hold,
            on_balance_read=self._billing.record_paid_reading,
        )
        self._settled_listeners: list[Callable[[Job], None]] = []
        self._closing = False
        self._operations = JobOperations(self._store, self._monitor, self._downloads, self._sync)
        self._tasks: list[asyncio.Task[None]] = []
        self._submitter = Submitter(
            self._store,
            self._sender,
            self._balance,
            self._reconciler,
            self._prices,
            self._running_totals,
            service,
            clock,
            policy,
            owner=registry.id,
            service_name=service_name,
            check_character=check_character,
            sync=self._sync.sync,
            on_submitted=self._on_submitted,
        )

    # Reading

    def get(self, job_id: int) -> Job | None:
        """Return the job's snapshot, or None."""
        return self._store.get(job_id)

    def newest_first(self) -> Sequence[Job]:
        """Return every loaded job, newest first."""
        return self._store.newest_first()

    @property
    def is_fully_loaded(self) -> bool:
        """Whether every job of the history has been read, not only the first rows."""
        return self._sync.is_fully_loaded

    def totals(self) -> Totals:
        """Return the figures of the header."""
        return msgspec.structs.replace(self._running_totals.totals(self.credits), is_complete=self.is_fully_loaded)

    @property
    def credits(self) -> float | None:
        """The last reading of the service's credits counter, None before the first."""
        return self._balance.credits

    @property
    def pause_reason(self) -> str:
        """Why all polling waits at the moment; empty when it does not."""
        pause = self._monitor.scheduler.backoff
        return pause.reason if pause.wait_seconds(self._clock.monotonic()) > 0 else ""

    @property
    def is_key_rejected(self) -> bool:
        """Whether the last look was refused for its key: nothing moves until a person gives another."""
        return self._monitor.is_key_rejected

    def estimate(self, request: GenerateRequest) -> float | None:
        """Return about what the request costs in credits, None when nothing is known yet."""
        return self._prices.estimate(request)

    def estimate_remaining(self, job: Job) -> float | None:
        """Return about how many seconds the job still needs, None when nothing sensible is known."""
        return self._monitor.estimate_remaining(job)

    def is_batch_active(self, batch: str) -> bool:
        """Tell whether jobs of this batch are still being sent, or will end soon."""
        return self._active_batches.is_active(batch)

    def owns(self, job: Job) -> bool:
        """Tell whether this instance polls and downloads the job."""
        return job.owner == self._registry.id

    async def load_raw_responses(self, job_id: int) -> Record:
        """Return the service's answers for the job as recorded: `submit_answer` and `last_answer`, where kept.

        From then on `get` returns the whole of it: of old jobs only what a list shows is kept in memory.
        """
        record = await self._store.call_history(self._store.history.get, job_id) or {}
        self._store.load_full(job_id, record)
        return {name: record[name] for name in ("submit_answer", "last_answer") if name in record}

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` on the event loop with the ids that changed; return the function that ends it."""
        return self._store.subscribe(listener)

    def subscribe_settled(self, listener: Callable[[Job], None]) -> Callable[[], None]:
        """Call `listener` once for each job of this instance that ended or stalled."""
        self._settled_listeners.append(listener)
        return lambda: self._settled_listeners.remove(listener)

    # Life

    def load_newest(self) -> None:
        """Read the newest jobs before `start`, so that the first frame can show them: about a millisecond.

        Raises HistoryError.
        """
        self._sync.load_newest(INITIAL_JOB_COUNT)

    async def start(self, *, initial_count: int = INITIAL_JOB_COUNT, only_job_ids: Iterable[int] | None = None) -> None:
        """Read the newest jobs, take over what nobody watches, and begin to work; older jobs are read behind.

        With `only_job_ids`, a face that does one thing cares for these jobs and its own: no other is taken over, and
        older ones stay unread. Those of a day with a spend cap are read at once, or the cap would not hold.
        """
        since = self._running_totals.today_start() if self.policy.daily_cap is not None else None
        await self._sync.open(initial_count, only_job_ids=only_job_ids, created_since=since)
        self._tasks = [
            asyncio.create_task(self._monitor.scheduler.run(), name="poller"),
            asyncio.create_task(self._sync.run(), name="housekeeping"),
        ]
        for task in self._tasks:
            task.add_done_callback(raise_task_exception)
        self._store.publish([])

    async def load(self, job_ids: Iterable[int]) -> list[int]:
        """Read these jobs, however old, care for them from now on, and return the ids that exist."""
        return await self._sync.load(job_ids)

    def is_durable(self, job_id: int) -> bool:
        """Tell whether everything that must survive a power cut is on disk for this job."""
        return self._store.is_durable(job_id)

    async def load_all(self) -> None:
        """Read every job of the history, without watching any: for a face that only prints."""
        await self._sync.load_all()

    async def close(self, *, compact: bool = True, grace_seconds: float = 1.0) -> None:
        """Let submits under way end for `grace_seconds` seconds, then stop everything and write what is left.

        With `compact` the journal is then written into the document. A second call does nothing.
        """
        if self._closing:
            return
        self._closing = True
        await self._submitter.close(grace_seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._downloads.close()
        await self._sync.close(compact=compact)

    # Submitting

    async def submit(
        self,
        request: GenerateRequest,
        *,
        character_name: str = "",
        confirmed: bool = False,
        batch: str = "",
    ) -> Job:
        """Record the intent, send it once, and return the job when it has left `submitting`.

        Raises InvalidRequest, NoApiKey, CharacterNotAllowed, ConfirmationRequired, DailyCapExceeded or HistoryError;
        nothing was sent then.
        """
        (job,) = await self._submitter.submit([request], [character_name], confirmed=confirmed, batch=batch)
        return job

    async def submit_many(
        self,
        requests: Sequence[GenerateRequest],
        *,
        character_name: str = "",
        character_names: Sequence[str] = (),
        confirmed: bool = False,
        batch: str = "",
    ) -> list[Job]:
        """Submit several, one after the other.

        `character_names` are the characters' names, `character_name` stands for all of them.

        Ends early, with fewer jobs, after a refusal that would meet every further one too: the key, or no credits.
        """
        labels = character_names or [character_name] * len(requests)
        with self._active_batches.mark_sending(batch):
            return await self._submitter.submit(requests, labels, confirmed=confirmed, batch=batch)

    async def check_submit(self, requests: Sequence[GenerateRequest], *, confirmed: bool = False) -> None:
        """Raise what `submit` would raise for these together, and send nothing."""
        await self._submitter.check(requests, confirmed=confirmed)

    async def retry_unconfirmed(self, job_id: int, *, confirmed: bool = False) -> Job:
        """Submit an unconfirmed job's request again, as a new job linked to it; ask first, it may be paid twice."""
        return await self._submitter.retry_unconfirmed(job_id, confirmed=confirmed)

    async def create_character(self, prompt: str, *, confirmed: bool = False) -> Job:
        """Ask for a new character like `submit`: recorded first, sent once, its price counted; never looked at again.

        Its `request.character` is the new ID, empty where the service said none. Raises what `submit` raises.
        """
        return await self.submit(character_request(prompt), confirmed=confirmed)

    # Wishes about one job

    async def dismiss(self, job_id: int) -> None:
        """Stop counting an unconfirmed job as something to decide."""
        await self._operations.dismiss(job_id)

    async def retry_download(self, job_id: int) -> None:
        """Fetch a succeeded job's file once more, with a fresh link where the old one is dead. Free."""
        await self._operations.retry_download(job_id)

    async def watch_now(self, job_id: int) -> None:
        """Look at the job at once: a running, stalled, or unwatched one, or a lost one given another chance."""
        await self._operations.watch_now(job_id)

    async def stop_watching(self, job_id: int) -> None:
        """Ask no more about the job here. It goes on at the service and stays charged."""
        await self._operations.stop_watching(job_id)

    async def annotate(
        self,
        job_id: int,
        *,
        starred: bool | None = None,
        tags: tuple[str, ...] | None = None,
        note: str | None = None,
    ) -> None:
        """Set a person's own marks on a job; None leaves a mark as it is."""
        await self._operations.annotate(job_id, starred=starred, tags=tags, note=note)

    def fill_in_character_names(self, name_of: Callable[[str], str]) -> None:
        """Name those of the newest jobs that were sent before the name of their character was known."""
        self._operations.fill_in_character_names(name_of, INITIAL_JOB_COUNT)

    async def delete(self, job_ids: Iterable[int]) -> None:
        """Remove jobs from the history; `undo_delete` brings the last removal back. Files stay on disk.

        Raises InvalidJobState for a job that is being sent, and HistoryError.
        """
        await self._operations.delete(job_ids)

    async def undo_delete(self) -> list[int]:
        """Bring the last removal back and return its ids; empty when there is none."""
        return await self._operations.undo_delete()

    def set_visible(self, visible: Iterable[int], selected: int | None) -> None:
        """Note which jobs are on screen: these are looked at with more weight."""
        self._monitor.set_visible(frozenset(visible), selected)

    def resume_after_suspend(self) -> None:
        """Hear what others did while this process stood still, and take back what nobody took over."""
        self._sync.run_in_background(self._sync.resume())

    async def wait_until_done(self, job_id: int) -> Job:
        """Wait until nothing more will happen to the job by itself, file included, and return it.

        Raises JobNotFound where it is deleted meanwhile.
        """
        return await wait_until_done(job_id, self._store, self._monitor, self._downloads)

    # Within

    def _on_submitted(self, job: Job) -> None:
        if job.state is JobState.RUNNING:
            self._monitor.watch(job)
        else:
            self._notify_settled(job)

    def _on_finished(self, job: Job) -> None:
        if job.needs_download:
            self._downloads.fetch(job)
        else:
            self._notify_settled(job)

    def _notify_settled(self, job: Job) -> None:
        self._store.publish([job.id])
        for listener in tuple(self._settled_listeners):
            listener(job)

    def _run_in_background(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._sync.run_in_background(coroutine)

    def _warn(self, message: str) -> None:
        self.notices.append(message)
        self._store.publish([])
