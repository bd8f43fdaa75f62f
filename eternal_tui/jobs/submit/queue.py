"""The queue of requests that are recorded and priced but not sent: its order, its limits, and what holds it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import msgspec

from eternal_tui.core.json_store import JsonStore
from eternal_tui.jobs.context import JobContext
from eternal_tui.jobs.errors import InvalidJobState
from eternal_tui.jobs.model import Job, JobState, to_record, with_event, with_state
from eternal_tui.jobs.polling.scheduler import RateLimiter, sleep_until_set
from eternal_tui.jobs.ports import Transaction
from eternal_tui.jobs.store import changed_record_fields
from eternal_tui.jobs.transitions import mark_cancelled

FILE_NAME = "queue.json"
"""Name in the data folder of the file through which all processes share the hold."""

RECHECK_SECONDS = 1.0
"""Seconds between looks at what other processes may change: the hold, and how many jobs are running."""

_RUNNING_STATES = frozenset({JobState.SUBMITTING, JobState.RUNNING})


class QueueState(msgspec.Struct, frozen=True, omit_defaults=True):
    """The shared file: whether sending is held, and why."""

    held: bool = False
    reason: str = ""


class QueueSummary(msgspec.Struct, frozen=True):
    """The queue in figures; `unowned` entries belong to a process that is gone, `cost` is in credits where known."""

    count: int
    unowned: int
    is_held: bool
    reason: str
    cost: float | None


class EntryUnavailable(Exception):
    """The entry is no longer queued, or others have started jobs meanwhile: read their changes and look again."""


def take_entry(
    transaction: Transaction, intent: Job, *, now: float, is_limited: bool, is_full: Callable[[], bool]
) -> int:
    """Turn a queued record into one that is being sent, under the history's lock; raises EntryUnavailable.

    With `is_limited`, changes of other processes that were not read yet forbid it: they may have reached the limit.
    `is_full` is asked again, because those read since the entry was chosen may have, too.
    """
    record = transaction.get(intent.id)
    if record is None or record.get("state") != JobState.QUEUED or record.get("owner") != intent.owner:
        raise EntryUnavailable
    if is_full():
        raise EntryUnavailable
    if is_limited and any(
        change.op != "patch" or "state" in change.fields
        for change in (*transaction.concurrent_changes, *transaction.unread_changes)
    ):
        raise EntryUnavailable
    queued = msgspec.structs.replace(intent, state=JobState.QUEUED)
    sending = with_event(with_state(queued, JobState.SUBMITTING), now, "sending")
    transaction.update(intent.id, {**changed_record_fields(queued, sending), **_priced_fields(sending)})
    return intent.id


def _priced_fields(job: Job) -> dict[str, object]:
    record = to_record(job)
    return {name: record.get(name) for name in ("account", "cost", "credits_before") if name in record}


class RequestQueue:
    """Entries in order of sending. Each is sent by the process that owns it; those of dead processes stay held.

    `hold` and `release` are shared by all processes of the data folder, `pause` is this process's own.
    """

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._store = context.store
        self._clock = context.ports.clock
        self._file = JsonStore(context.ports.history.folder / FILE_NAME, QueueState, "The queue")
        self._state, self._stamp = QueueState(), (0, 0)
        self._entries: dict[int, Job] = {}
        self._running_ids: set[int] = set()
        self._paused_until = -math.inf
        self._last_sent: dict[str, int] = {}
        rate = context.policy.requests_per_second
        self._rate_limiter = RateLimiter(rate, burst=max(1, int(rate // 100)))
        self._wake = asyncio.Event()
        self._store.subscribe_changes(self._apply_change)

    def entries(self) -> Sequence[Job]:
        """Return the queued jobs in order of sending."""
        return sorted(self._entries.values(), key=_position)

    @property
    def state(self) -> QueueState:
        """The hold that all processes share."""
        try:
            found = self._file.path.stat()
            stamp = (found.st_mtime_ns, found.st_size)
        except OSError:
            stamp = (0, 0)
        if stamp != self._stamp:
            self._stamp = stamp
            self._state = (self._file.load() if stamp != (0, 0) else None) or QueueState()
        return self._state

    def unowned(self) -> list[Job]:
        """Return the entries whose process is gone: they are sent only after `release`."""
        registry = self._context.ports.registry
        alive = {owner: registry.is_alive(owner) for owner in {job.owner for job in self._entries.values()}}
        return [job for job in self.entries() if not alive[job.owner]]

    def summary(self) -> QueueSummary:
        """Return the queue in figures."""
        costs = [job.cost for job in self._entries.values() if job.cost is not None]
        unowned = len(self.unowned()) if self._entries else 0
        state = self.state
        return QueueSummary(len(self._entries), unowned, state.held, state.reason, sum(costs) if costs else None)

    @property
    def is_held(self) -> bool:
        """Whether entries wait for `release`: the hold, or that their process is gone."""
        return self.state.held or bool(self.unowned())

    @property
    def is_blocked(self) -> bool:
        """Whether a new request has to be queued rather than sent at once."""
        own = any(self._context.owns(job) for job in self._entries.values())
        return own or self.state.held or self.is_full() or self.pause_seconds > 0

    def is_full(self) -> bool:
        """Whether as many jobs are running as `max_running` allows."""
        return 0 < self._context.policy.max_running <= len(self._running_ids)

    @property
    def pause_seconds(self) -> float:
        """Seconds until sending goes on after a 429 or an outage; 0 or less when it does."""
        return max(0.0, self._paused_until - self._clock.monotonic())

    def next_entry(self) -> Job | None:
        """Return the entry of this process to send now, None where there is none or something holds it."""
        own = [job for job in self.entries() if self._context.owns(job)]
        if not own or self.state.held or self.is_full() or self.pause_seconds > 0:
            return None
        if self._context.policy.queue_round_robin:
            return min(own, key=lambda job: self._last_sent.get(job.batch, 0))
        return own[0]

    async def wait(self) -> None:
        """Wait until `next_entry` may have changed."""
        self._wake.clear()
        own = any(self._context.owns(job) for job in self._entries.values())
        seconds = min(max(self.pause_seconds, 0.01), RECHECK_SECONDS) if self.pause_seconds > 0 else RECHECK_SECONDS
        await sleep_until_set(self._clock, seconds if own else 3_600.0, self._wake)

    async def wait_for_turn(self) -> None:
        """Wait until `requests_per_second` allows another POST, and count it."""
        while (wait := self._rate_limiter.wait_seconds(self._clock.monotonic())) > 0:
            await self._clock.sleep(wait)
        self._rate_limiter.take_token(self._clock.monotonic())

    def mark_sent(self, job: Job) -> None:
        """Note that the entry was sent, for fairness between batches."""
        self._last_sent[job.batch] = 1 + max(self._last_sent.values(), default=0)

    def pause(self, seconds: float) -> None:
        """Send nothing for a while, as the service asked."""
        self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)

    def hold(self, reason: str = "") -> None:
        """Stop sending in every process until `release`; raises OSError."""
        if not self.state.held:
            self._file.save(QueueState(held=True, reason=reason))
            self._store.publish([])

    def release(self) -> None:
        """Let every process send its entries again; raises OSError."""
        if self.state.held:
            self._file.save(QueueState())
        self._paused_until = -math.inf
        self._wake.set()
        self._store.publish([])

    async def move(self, job_id: int, place: int) -> None:
        """Put the entry at this place, 0 for the next to be sent; raises InvalidJobState."""
        others = [job for job in self.entries() if job.id != job_id]
        if job_id not in self._entries:
            raise InvalidJobState(f"Job {job_id} is not queued.")
        before = _position(others[place - 1])[0] if 0 < place <= len(others) else None
        after = _position(others[place])[0] if place < len(others) else None
        if before is None or after is None:
            order = after - 1.0 if after is not None else (before or 0.0) + 1.0
        else:
            order = (before + after) / 2
        await self._store.change(job_id, lambda job: msgspec.structs.replace(job, queue_order=order))

    async def cancel(self, job_ids: Iterable[int]) -> list[int]:
        """End entries before they are sent and return their ids; others are left as they are."""
        cancelled = []
        for job_id in job_ids:
            if job_id in self._entries:
                await self._store.change(job_id, partial(mark_cancelled, now=self._clock.time()))
                cancelled.append(job_id)
        return cancelled

    def _apply_change(self, old: Job | None, new: Job | None) -> None:
        job = new or old
        assert job is not None
        was_state = old.state if old is not None else None
        state = new.state if new is not None else None
        if new is not None and state is JobState.QUEUED:
            self._entries[job.id] = new
        elif was_state is not JobState.QUEUED and was_state is state:
            return
        else:
            self._entries.pop(job.id, None)
        if state in _RUNNING_STATES and self._context.is_same_service(job):
            self._running_ids.add(job.id)
        else:
            self._running_ids.discard(job.id)
        self._wake.set()


def _position(job: Job) -> tuple[float, int]:
    return (float(job.id) if job.queue_order is None else job.queue_order, job.id)
