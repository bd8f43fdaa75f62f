"""The job desk: the one owner of job state. Faces send it wishes and draw the snapshots it publishes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from eternal_tui.api.models import GenerateRequest, creation
from eternal_tui.core.clock import Clock
from eternal_tui.core.sanitize import Untrusted
from eternal_tui.jobs.audit_log import log_turn
from eternal_tui.jobs.batch import LiveBatches
from eternal_tui.jobs.billing.balance import Counter
from eternal_tui.jobs.billing.billing import Bookkeeping
from eternal_tui.jobs.billing.prices import Prices
from eternal_tui.jobs.billing.reconciliation import Reconciliation
from eternal_tui.jobs.billing.totals import Tally, Totals
from eternal_tui.jobs.downloads import Downloads
from eternal_tui.jobs.errors import NotPossible
from eternal_tui.jobs.model import POLLED, FileState, Job, JobState
from eternal_tui.jobs.policy import Policy
from eternal_tui.jobs.polling.interval import Durations
from eternal_tui.jobs.polling.monitor import Watcher
from eternal_tui.jobs.polling.scheduler import raise_defect
from eternal_tui.jobs.ports import Fetcher, History, Presence, Record, Service
from eternal_tui.jobs.store import Listener, Roster
from eternal_tui.jobs.submit.sender import Outbox
from eternal_tui.jobs.submit.submitter import Submissions, anybody
from eternal_tui.jobs.sync import Housekeeping


async def settled(job_id: int, roster: Roster, watcher: Watcher, downloads: Downloads) -> Job:
    """Wait until nothing more will soon happen to the job by itself, file included, and return it."""
    done = asyncio.Event()
    watcher.awaited(job_id)

    def over() -> bool:
        job = roster.get(job_id)
        if job is None:
            return True
        return (job.ended and not job.wants_file) or (job.wants_file and downloads.gave_up(job_id))

    def look(ids: frozenset[int]) -> None:
        if job_id in ids and over():
            done.set()

    unsubscribe = roster.subscribe(look)
    try:
        if not over():
            await done.wait()
    finally:
        unsubscribe()
        watcher.not_awaited(job_id)
    return roster[job_id]


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


FIRST_ROWS = 200
"""Jobs read before the first frame: more than the tallest terminal shows."""


class JobDesk:
    """Submits, resumes, watches, fetches and forgets jobs.

    Needs a running event loop from `start` on. `notices` are sentences for the person about what was found or went
    wrong on disk.
    """

    def __init__(
        self,
        *,
        history: History,
        presence: Presence,
        service: Service,
        fetcher: Fetcher,
        clock: Clock,
        chance: random.Random,
        results: Path,
        policy: Policy,
        service_name: str,
        vouch: Callable[[str], Awaitable[str]] = anybody,
    ) -> None:
        self.results = results
        self.policy = policy
        self.notices: list[str] = list(history.notices)
        self._clock = clock
        self._presence = presence
        self._prices = Prices()
        self._durations = Durations()
        self._roster = Roster(history)
        self._tally = Tally(clock.time, self._roster.newest_first)
        self._roster.on_replaced(self._tally.replaced)
        self._batches = LiveBatches()
        self._roster.on_replaced(self._batches.replaced)
        self._roster.on_replaced(partial(log_turn, owner=presence.id))
        self._counter = Counter(self._roster, self._prices)
        self._reconciliation = Reconciliation(self._roster, self._prices)
        self._bookkeeping = Bookkeeping(
            self._roster,
            self._prices,
            self._counter,
            self._reconciliation,
            later=self._later,
        )
        self._watcher = Watcher(
            self._roster,
            service,
            clock,
            chance,
            self._durations,
            workers=policy.workers,
            requests_per_second=policy.requests_per_second,
            stall_after=policy.stall_after,
            owns=lambda job: job.owner == presence.id,
            on_finished=self._finished,
            moment=self._reconciliation.moment,
            on_reading=self._bookkeeping.free,
        )
        self._downloads = Downloads(self._roster, self._watcher.ask_again, fetcher, clock, on_settled=self._tell_ended)
        self._housekeeping = Housekeeping(
            self._roster,
            presence,
            clock,
            self._watcher,
            self._downloads,
            self._prices,
            self._durations,
            self._warn,
            service_name,
        )
        self._outbox = Outbox(
            self._roster,
            service,
            self._prices,
            self._counter,
            clock,
            moment=self._reconciliation.moment,
            in_flight_beside=self._reconciliation.in_flight_beside,
            hear_news=self._housekeeping.hear_news,
            on_busy=self._watcher.hold,
            on_reading=self._bookkeeping.paid,
        )
        self._ended: list[Callable[[Job], None]] = []
        self._closing = False
        self._wishes = Wishes(self._roster, self._watcher, self._downloads, self._housekeeping)
        self._tasks: list[asyncio.Task[None]] = []
        self._submissions = Submissions(
            self._roster,
            self._outbox,
            self._counter,
            self._reconciliation,
            self._prices,
            self._tally,
            service,
            clock,
            policy,
            owner=presence.id,
            service_name=service_name,
            vouch=vouch,
            hear_news=self._housekeeping.hear_news,
            on_left=self._left_submitting,
        )

    # Reading

    def job(self, job_id: int) -> Job | None:
        """Return the job's snapshot, or None."""
        return self._roster.get(job_id)

    def listing(self) -> Sequence[Job]:
        """Return every loaded job, newest first."""
        return self._roster.newest_first()

    @property
    def loaded(self) -> bool:
        """Whether every job of the history has been read, not only the first rows."""
        return self._housekeeping.loaded

    def totals(self) -> Totals:
        """Return the figures of the header."""
        return msgspec.structs.replace(self._tally.totals(self.credits), whole=self.loaded)

    @property
    def credits(self) -> float | None:
        """The last reading of the service's credits counter, None before the first."""
        return self._counter.credits

    @property
    def pause_reason(self) -> str:
        """Why all polling waits at the moment; empty when it does not."""
        pause = self._watcher.poller.pause
        return pause.reason if pause.wait(self._clock.monotonic()) > 0 else ""

    @property
    def key_refused(self) -> bool:
        """Whether the last look was refused for its key: nothing moves until a person gives another."""
        return self._watcher.key_refused

    def estimate(self, request: GenerateRequest) -> float | None:
        """Return about what the request costs in credits, None when nothing is known yet."""
        return self._prices.estimate(request)

    def about_left(self, job: Job) -> float | None:
        """Return about how many seconds the job still needs, None when nothing sensible is known."""
        return self._watcher.about_left(job)

    def batch_goes_on(self, batch: str) -> bool:
        """Tell whether jobs of this batch are still being sent, or will end soon."""
        return self._batches.goes_on(batch)

    def owns(self, job: Job) -> bool:
        """Tell whether this instance polls and downloads the job."""
        return job.owner == self._presence.id

    async def answers(self, job_id: int) -> Record:
        """Return the service's answers for the job as recorded: `submit_answer` and `last_answer`, where kept.

        From then on `job` returns the whole of it: of old jobs only what a list shows is kept in memory.
        """
        record = await self._roster.on_disk(self._roster.history.get, job_id) or {}
        self._roster.fill(job_id, record)
        return {name: record[name] for name in ("submit_answer", "last_answer") if name in record}

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` on the event loop with the ids that changed; return the function that ends it."""
        return self._roster.subscribe(listener)

    def on_ended(self, listener: Callable[[Job], None]) -> Callable[[], None]:
        """Call `listener` once for each job of this instance that ended or stalled."""
        self._ended.append(listener)
        return lambda: self._ended.remove(listener)

    # Life

    def read_newest(self) -> None:
        """Read the newest jobs before `start`, so that the first frame can show them: about a millisecond.

        Raises HistoryError.
        """
        self._housekeeping.read_newest(FIRST_ROWS)

    async def start(self, *, first: int = FIRST_ROWS, only: Iterable[int] | None = None) -> None:
        """Read the newest jobs, take over what nobody watches, and begin to work; older jobs are read behind.

        With `only`, a face that does one thing cares for these jobs and its own: no other is taken over, and older
        ones stay unread. Those of a day with a spend cap are read at once, or the cap would not hold.
        """
        since = self._tally.today_begins() if self.policy.daily_cap is not None else None
        await self._housekeeping.open(first, only=only, since=since)
        self._tasks = [
            asyncio.create_task(self._watcher.poller.run(), name="poller"),
            asyncio.create_task(self._housekeeping.run(), name="housekeeping"),
        ]
        for task in self._tasks:
            task.add_done_callback(raise_defect)
        self._roster.publish([])

    async def read(self, job_ids: Iterable[int]) -> list[int]:
        """Read these jobs, however old, care for them from now on, and return the ids that exist."""
        return await self._housekeeping.read(job_ids)

    def recorded(self, job_id: int) -> bool:
        """Tell whether everything that must survive a power cut is on disk for this job."""
        return self._roster.recorded(job_id)

    async def load_all(self) -> None:
        """Read every job of the history, without watching any: for a face that only prints."""
        await self._housekeeping.load_all()

    async def close(self, *, fold: bool = True, patience: float = 1.0) -> None:
        """Let submits under way end for `patience` seconds, stop everything, write what is left, and fold, once."""
        if self._closing:
            return
        self._closing = True
        await self._submissions.close(patience)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._downloads.close()
        await self._housekeeping.close(fold=fold)

    # Submitting

    async def submit(
        self,
        request: GenerateRequest,
        *,
        name: str = "",
        confirmed: bool = False,
        batch: str = "",
    ) -> Job:
        """Record the intent, send it once, and return the job when it has left `submitting`.

        Raises InvalidRequest, NoKey, CharacterRefused, NeedsConfirmation, OverCap or HistoryError; nothing was sent
        then.
        """
        (job,) = await self._submissions.submit([request], [name], confirmed=confirmed, batch=batch)
        return job

    async def submit_many(
        self,
        requests: Sequence[GenerateRequest],
        *,
        name: str = "",
        names: Sequence[str] = (),
        confirmed: bool = False,
        batch: str = "",
    ) -> list[Job]:
        """Submit several, one after the other; `names` are the characters' names, `name` stands for all of them.

        Ends early, with fewer jobs, after a refusal that would meet every further one too: the key, or no credits.
        """
        labels = names or [name] * len(requests)
        with self._batches.sending(batch):
            return await self._submissions.submit(requests, labels, confirmed=confirmed, batch=batch)

    async def may_submit(self, requests: Sequence[GenerateRequest], *, confirmed: bool = False) -> None:
        """Raise what `submit` would raise for these together, and send nothing."""
        await self._submissions.check(requests, confirmed=confirmed)

    async def retry_unconfirmed(self, job_id: int, *, confirmed: bool = False) -> Job:
        """Submit an unconfirmed job's request again, as a new job linked to it; ask first, it may be paid twice."""
        return await self._submissions.retry_unconfirmed(job_id, confirmed=confirmed)

    async def create_character(self, prompt: str, *, confirmed: bool = False) -> Job:
        """Ask for a new character like `submit`: recorded first, sent once, its price counted; never looked at again.

        Its `request.character` is the new ID, empty where the service said none. Raises what `submit` raises.
        """
        return await self.submit(creation(prompt), confirmed=confirmed)

    # Wishes about one job

    async def dismiss(self, job_id: int) -> None:
        """Stop counting an unconfirmed job as something to decide."""
        await self._wishes.dismiss(job_id)

    async def fetch_again(self, job_id: int) -> None:
        """Fetch a succeeded job's file once more, with a fresh link where the old one is dead. Free."""
        await self._wishes.fetch_again(job_id)

    async def watch_now(self, job_id: int) -> None:
        """Look at the job at once: a running, stalled, or unwatched one, or a lost one given another chance."""
        await self._wishes.watch_now(job_id)

    async def stop_watching(self, job_id: int) -> None:
        """Ask no more about the job here. It goes on at the service and stays charged."""
        await self._wishes.stop_watching(job_id)

    async def annotate(
        self,
        job_id: int,
        *,
        starred: bool | None = None,
        tags: tuple[str, ...] | None = None,
        note: str | None = None,
    ) -> None:
        """Set a person's own marks on a job; None leaves a mark as it is."""
        await self._wishes.annotate(job_id, starred=starred, tags=tags, note=note)

    def learn_names(self, name_of: Callable[[str], str]) -> None:
        """Name those of the newest jobs that were sent before the name of their character was known."""
        self._wishes.learn_names(name_of, FIRST_ROWS)

    async def delete(self, job_ids: Iterable[int]) -> None:
        """Remove jobs from the history; `undo_delete` brings the last removal back. Files stay on disk.

        Raises NotPossible for a job that is being sent, and HistoryError.
        """
        await self._wishes.delete(job_ids)

    async def undo_delete(self) -> list[int]:
        """Bring the last removal back and return its ids; empty when there is none."""
        return await self._wishes.undo_delete()

    def attend(self, visible: Iterable[int], selected: int | None) -> None:
        """Note which jobs are on screen: these are looked at with more weight."""
        self._watcher.attend(frozenset(visible), selected)

    def resume_after_suspend(self) -> None:
        """Hear what others did while this process stood still, and take back what nobody took over."""
        self._housekeeping.later(self._housekeeping.return_from_suspend())

    async def settled(self, job_id: int) -> Job:
        """Wait until nothing more will happen to the job by itself, file included, and return it.

        Raises NoSuchJob where it is deleted meanwhile.
        """
        return await settled(job_id, self._roster, self._watcher, self._downloads)

    # Within

    def _left_submitting(self, job: Job) -> None:
        if job.state is JobState.RUNNING:
            self._watcher.watch(job)
        else:
            self._tell_ended(job)

    def _finished(self, job: Job) -> None:
        if job.wants_file:
            self._downloads.fetch(job)
        else:
            self._tell_ended(job)

    def _tell_ended(self, job: Job) -> None:
        self._roster.publish([job.id])
        for listener in tuple(self._ended):
            listener(job)

    def _later(self, chore: Coroutine[Any, Any, Any]) -> None:
        self._housekeeping.later(chore)

    def _warn(self, sentence: str) -> None:
        self.notices.append(sentence)
        self._roster.publish([])
