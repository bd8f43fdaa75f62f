"""The queue of requests that are recorded and priced but not sent: its order, its limits, and what holds it."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import math
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from eternal_tui.core.files import JsonStore
from eternal_tui.core.formatting import format_amount, format_minutes
from eternal_tui.core.sanitize import SafeText, format_safe, sanitize
from eternal_tui.estimation.durations import JobKind
from eternal_tui.history.errors import HistoryError
from eternal_tui.history.journal import Change
from eternal_tui.jobs.billing.billing import Billing
from eternal_tui.jobs.context import JobContext
from eternal_tui.jobs.errors import InvalidJobState
from eternal_tui.jobs.model import Job, JobState, from_record, mark_cancelled, to_record, with_event, with_state
from eternal_tui.jobs.polling.monitor import JobMonitor, job_kind
from eternal_tui.jobs.polling.scheduler import MIN_SLEEP_SECONDS, RateLimiter, sleep_until_set
from eternal_tui.jobs.ports import Transaction
from eternal_tui.jobs.store import changed_record_fields

FILE_NAME, PAUSE_FILE_NAME = "queue.json", "queue-pause.json"
"""Names in the data folder of the files through which all processes share the hold, and the end of a pause (seconds
since the epoch): each has one writer's meaning, so that none overwrites the other."""

MAX_PAUSE_SECONDS = 3_600.0
"""Longest pause of another process that is respected: a clock set back must not stop sending for ever."""

RECHECK_SECONDS = 1.0
"""Seconds between checks of what other processes may change: the hold, their lives, and how many jobs are running."""

_PRICED_FIELDS = ("account", "cost", "credits_before")

CHUNK_SIZE = 500
"""Entries changed in one transaction: applying them takes the event loop about 15 ms."""


class QueueState(msgspec.Struct, frozen=True, omit_defaults=True):
    """The shared file: whether sending is held, and why."""

    held: bool = False
    reason: str = ""


class QueueSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The queue in figures.

    `held` entries wait for `release`: all of them where `is_held`, else those of processes that are gone. `cost` is in
    credits, None where a price is not known; `seconds` is about how long it takes until the last one is done, once
    sending goes on. `pause_seconds` is what is left of a pause after a 429 or an outage.
    """

    count: int = 0
    held: int = 0
    is_held: bool = False
    reason: str = ""
    cost: float | None = None
    seconds: float = 0.0
    pause_seconds: float = 0.0

    @property
    def parts(self) -> tuple[SafeText, ...]:
        """The figures in words: how many, what holds them, their cost, and when the last one is done."""
        if not self.count:
            return (SafeText("queue held"),) if self.is_held else ()
        hold = ""
        if self.held:
            hold = " (held)" if self.held == self.count else f" ({self.held} held)"
        elif self.pause_seconds > 0:
            hold = f" (continues in {math.ceil(self.pause_seconds)} s)"
        return (
            format_safe("{count} queued{hold}", count=self.count, hold=hold),
            sanitize("price unknown" if self.cost is None else format_amount(self.cost, is_exact=False)),
            format_safe("{done}{time}", done="" if self.held else "done in ", time=format_minutes(self.seconds)),
        )


T = TypeVar("T")


class EntryUnavailable(Exception):
    """The request may not be sent now, or others have started jobs meanwhile: read their changes and check again."""


def check_news(transaction: Transaction) -> None:
    """Raise EntryUnavailable where other processes have added or changed jobs that were not read here yet."""
    if any(
        change.op != "patch" or "state" in change.fields
        for change in (*transaction.concurrent_changes, *transaction.unread_changes)
    ):
        raise EntryUnavailable


def take_entry(transaction: Transaction, intent: Job) -> int:
    """Turn a queued record into one that is being sent, under the history's lock; raises EntryUnavailable."""
    record = transaction.get(intent.id)
    if record is None or record.get("state") != JobState.QUEUED or record.get("owner") != intent.owner:
        raise EntryUnavailable
    queued = msgspec.structs.replace(intent, state=JobState.QUEUED)
    sending = with_event(with_state(queued, JobState.SUBMITTING), intent.created_at, "sending")
    priced = {name: value for name, value in to_record(sending).items() if name in _PRICED_FIELDS}
    transaction.update(intent.id, {**changed_record_fields(queued, sending), **priced})
    return intent.id


def seconds_to_finish(
    durations: Mapping[float, int], running: Iterable[float], *, slots: int, requests_per_second: float
) -> float:
    """Return when the last of these jobs will be done, in seconds from now.

    `durations` counts queued jobs by the seconds they take, `running` holds the seconds the running ones still need,
    `slots` is how many run at once, 0 for no limit.
    """
    count = sum(durations.values())
    if not count or not slots:
        return max(durations, default=0.0) + count / requests_per_second
    # A queued job starts when enough have ended for a slot to be free.
    ends = sorted(running)[-slots:]
    free = [0.0] * (slots - len(ends)) + ends
    for seconds, number in durations.items():
        # Of thousands all but the last few rounds at once; these even out what others have left uneven.
        rounds = max(0, number // slots - 8)
        free = [end + rounds * seconds for end in free]
        heapq.heapify(free)
        for _ in range(number - rounds * slots):
            heapq.heapreplace(free, free[0] + seconds)
    return max(*free, count / requests_per_second)


class _SharedValue(Generic[T]):
    """A value in a file that all processes of the data folder share; `damaged` replaces one that cannot be read."""

    def __init__(self, path: Path, default: T, label: str, *, damaged: T) -> None:
        self._file = JsonStore(path, type(default), label)
        self._default, self._damaged = default, damaged

    def get(self) -> T:
        if not self._file.path.exists():
            return self._default
        value = self._file.load()
        if value is None:
            # The damaged file was moved away; others are to find the same.
            with contextlib.suppress(OSError):
                self.set(self._damaged)
            return self._damaged
        return value

    def set(self, value: T) -> None:
        """Replace the value; raises OSError."""
        self._file.save(value)


class RequestQueue:
    """Entries in order of sending. Each is sent by the process that owns it; those of dead processes stay held.

    `hold`, `release` and `pause` are shared by all processes of the data folder, `postpone` is this process's own.
    """

    def __init__(self, context: JobContext, billing: Billing, monitor: JobMonitor) -> None:
        self._context = context
        self._store = context.store
        self._clock = context.ports.clock
        self._billing = billing
        self._monitor = monitor
        folder = context.ports.history.folder
        damaged = QueueState(held=True, reason=f"{FILE_NAME} could not be read.")
        self._state = _SharedValue(folder / FILE_NAME, QueueState(), "The queue", damaged=damaged)
        self._pause_end = _SharedValue(folder / PAUSE_FILE_NAME, 0.0, "The pause of the queue", damaged=0.0)
        self._entries: dict[int, Job] = {}
        self._order: list[tuple[float, int]] = []
        self._owners: Counter[str] = Counter()
        self._kinds: Counter[JobKind] = Counter()
        self._running: dict[int, str] = {}
        self._paused_until = self._postponed_until = -math.inf
        self._last_sent: dict[str, int] = {}
        self._published: tuple[object, ...] = (self.state, set(), 0)
        rate = context.policy.requests_per_second
        self._rate_limiter = RateLimiter(rate, burst=max(1, int(rate // 100)))
        self._wake = asyncio.Event()
        self._store.subscribe_changes(self._apply_change)

    def __len__(self) -> int:
        return len(self._entries)

    def entries(self) -> Sequence[Job]:
        """Return the queued jobs in order of sending."""
        return [self._entries[job_id] for _, job_id in self._order]

    def place(self, job: Job) -> int:
        """Return the number of entries that are sent before this one; raises InvalidJobState."""
        if job.id not in self._entries:
            raise InvalidJobState(f"Job {job.id} is not queued.")
        return bisect_left(self._order, self._entries[job.id].queue_position)

    def _ids(self, begin: int, end: int) -> list[int]:
        return [job_id for _, job_id in self._order[begin:end]]

    def place_text(self, job: Job) -> str:
        """Return "3 of 12 in the queue", "" for a job that is not queued."""
        return f"{self.place(job) + 1} of {len(self)} in the queue" if job.id in self._entries else ""

    @property
    def state(self) -> QueueState:
        """The hold that all processes share."""
        return self._state.get()

    def unowned(self) -> list[Job]:
        """Return the entries whose process is gone: they are sent only after `release`."""
        dead = self._dead_owners()
        return [job for job in self.entries() if job.owner in dead] if dead else []

    def _dead_owners(self) -> set[str]:
        registry = self._context.ports.registry
        try:
            return {owner for owner in self._owners if owner != registry.id and not registry.is_alive(owner)}
        except HistoryError:
            return set()

    def summary(self) -> QueueSummary:
        """Return the queue in figures."""
        state, count = self.state, len(self._entries)
        unowned = sum(self._owners[owner] for owner in self._dead_owners())
        return QueueSummary(
            count=count,
            held=count if state.held else unowned,
            is_held=state.held,
            reason=state.reason,
            cost=self._billing.reserved_cost(),
            seconds=self._seconds_to_finish(),
            pause_seconds=self.pause_seconds if self._entries else 0.0,
        )

    def is_blocked(self) -> bool:
        """Whether a new request has to be queued rather than sent at once."""
        wait = self._rate_limiter.wait_seconds(self._clock.monotonic())
        return self._has_own or not self.can_send() or wait > RECHECK_SECONDS

    def can_send(self) -> bool:
        """Whether a request may be sent now: no hold, no pause, and `max_running` not reached. Safe on any thread."""
        return not self.state.held and self.pause_seconds <= 0 and not self.is_full

    @property
    def is_full(self) -> bool:
        """Whether as many jobs of the account are running as `max_running` allows."""
        account = self._context.ports.service.account
        # Before the key is read, jobs of every account count.
        running = sum(not account or each in ("", account) for each in list(self._running.values()))
        return 0 < self._context.policy.max_running <= running

    @property
    def pause_seconds(self) -> float:
        """Seconds until sending goes on after a 429 or an outage; 0 when it does."""
        here = max(self._paused_until, self._postponed_until) - self._clock.monotonic()
        elsewhere = self._pause_end.get() - self._clock.time()
        return max(0.0, here, elsewhere if elsewhere <= MAX_PAUSE_SECONDS else 0.0)

    @property
    def _has_own(self) -> bool:
        return self._owners[self._context.ports.registry.id] > 0

    def next_entry(self) -> Job | None:
        """Return the entry of this process to send now, None where there is none or something forbids it."""
        if not self._has_own or not self.can_send():
            return None
        own = (job for _, job_id in self._order if self._context.owns(job := self._entries[job_id]))
        if self._context.policy.queue_round_robin:
            return min(own, key=lambda job: self._last_sent.get(job.batch, 0))
        return next(own)

    async def wait(self) -> None:
        """Wait until `next_entry` may have changed, and publish what other processes changed about the queue."""
        self._wake.clear()
        seconds = RECHECK_SECONDS
        if self._has_own:
            seconds = min(max(self.pause_seconds, 0.01), RECHECK_SECONDS)
        await sleep_until_set(self._clock, seconds, self._wake)
        shared = (self.state, self._dead_owners(), math.ceil(self.pause_seconds))
        if shared != self._published:
            self._published = shared
            self._store.publish([])

    async def wait_for_turn(self) -> None:
        """Wait until `requests_per_second` allows another POST, and count it."""
        while (wait := self._rate_limiter.wait_seconds(self._clock.monotonic())) > 0:
            await self._clock.sleep(max(wait, MIN_SLEEP_SECONDS))
        self._rate_limiter.take_token(self._clock.monotonic())

    def check_allowed(self, transaction: Transaction) -> None:
        """Check hold, pause and limit under the history's lock; raises EntryUnavailable."""
        if not self.can_send():
            raise EntryUnavailable
        if self._context.policy.max_running:
            check_news(transaction)

    def mark_sent(self, job: Job) -> None:
        """Note that the entry was sent, for fairness between batches."""
        self._last_sent[job.batch] = 1 + max(self._last_sent.values(), default=0)

    def pause(self, seconds: float) -> None:
        """Send nothing for a while in any process, as the service asked."""
        self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)
        with contextlib.suppress(OSError):
            self._pause_end.set(self._clock.time() + self.pause_seconds)

    def postpone(self, seconds: float) -> None:
        """Send nothing from here for a while, or until `release`."""
        self._postponed_until = max(self._postponed_until, self._clock.monotonic() + seconds)

    def hold(self, reason: str = "") -> None:
        """Stop sending in every process until `release`; raises OSError."""
        if not self.state.held:
            self._state.set(QueueState(held=True, reason=reason))
            self._store.publish([])

    def release(self) -> None:
        """Let every process send its entries again; raises OSError. A Retry-After pause continues."""
        if self.state.held:
            self._state.set(QueueState())
        self._postponed_until = -math.inf
        self._wake.set()
        self._store.publish([])

    async def move(self, job_ids: Iterable[int], place: int) -> None:
        """Put entries, in this order, at this place among the others: 0 for the next to be sent.

        Raises InvalidJobState where none of them is queued.
        """
        ids = [job_id for job_id in dict.fromkeys(job_ids) if job_id in self._entries]
        if not ids:
            raise InvalidJobState("These jobs are not queued.")
        begin, count = self.place(self._entries[ids[0]]), len(ids)
        place = min(max(place, 0), len(self._order) - count)
        if self._ids(begin, begin + count) == ids:
            # A block that passes a few others: these change instead of the block.
            first, last = (place, begin) if place < begin else (begin + count, place + count)
            if last - first < count:
                ids, place, begin = self._ids(first, last), place + count if place < begin else begin, first
            others = self._order[:begin] + self._order[begin + len(ids) :]
        else:
            moved = set(ids)
            others = [position for position in self._order if position[1] not in moved]
        after = others[place][0] if place < len(others) else None
        before = others[place - 1][0] if place else (after or 0.0) - len(ids) - 1.0
        step = 1.0 if after is None else (after - before) / (len(ids) + 1)
        orders = {job_id: before + step * number for number, job_id in enumerate(ids, 1)}
        values = [before, *orders.values(), math.inf if after is None else after]
        if any(earlier >= later for earlier, later in pairwise(values)):
            # So often moved between the same two that no number is left between them.
            order = [job_id for _, job_id in others]
            order[place:place] = ids
            orders = {job_id: float(number) for number, job_id in enumerate(order)}
        await self._edit(orders, lambda job: msgspec.structs.replace(job, queue_order=orders[job.id]))

    async def cancel(self, job_ids: Iterable[int]) -> list[int]:
        """End entries before they are sent and return their ids; others are left as they are."""
        now = self._clock.time()
        return await self._edit(
            [each for each in job_ids if each in self._entries], lambda job: mark_cancelled(job, now)
        )

    async def _edit(self, job_ids: Iterable[int], edit: Callable[[Job], Job]) -> list[int]:
        """Change those entries that are still queued under the history's lock, and return their ids."""
        wanted, edited = list(job_ids), list[int]()

        def write(ids: Sequence[int]) -> tuple[list[int], list[Change]]:
            found = []
            with self._store.history.transaction() as transaction:
                for job_id in ids:
                    record = transaction.get(job_id)
                    if record is not None and record.get("state") == JobState.QUEUED:
                        job = from_record(job_id, record)
                        transaction.update(job_id, changed_record_fields(job, edit(job)))
                        found.append(job_id)
                return found, [*transaction.concurrent_changes, *transaction.changes]

        for begin in range(0, len(wanted), CHUNK_SIZE):
            edited += await self._store.call_with_news(write, wanted[begin : begin + CHUNK_SIZE])
        return edited

    def _seconds_to_finish(self) -> float:
        if not self._entries:
            return 0.0
        policy, model = self._context.policy, self._monitor.durations.model
        durations: Counter[float] = Counter()
        for kind, count in self._kinds.items():
            durations[model(kind).median] += count
        running = filter(None, map(self._store.get, self._running if policy.max_running else ()))
        left = [max(0.0, model(job_kind(job)).median - self._monitor.age(job)) for job in running]
        seconds = seconds_to_finish(
            durations, left, slots=policy.max_running, requests_per_second=policy.requests_per_second
        )
        return self.pause_seconds + seconds

    def _apply_change(self, old: Job | None, new: Job | None) -> None:
        was_queued = old is not None and old.id in self._entries
        is_queued = new is not None and new.state is JobState.QUEUED and self._context.is_same_service(new)
        if was_queued or is_queued:
            if was_queued and old is not None:
                self._count_entry(self._entries.pop(old.id), -1)
            if is_queued and new is not None:
                self._entries[new.id] = new
                self._count_entry(new, +1)
            self._wake.set()
        job = new or old
        assert job is not None
        is_running = (
            new is not None
            and (new.state is JobState.SUBMITTING or (new.state is JobState.RUNNING and new.watched))
            and self._context.is_same_service(new)
        )
        before = self._running.pop(job.id, None)
        if is_running:
            self._running[job.id] = job.account
        if self._running.get(job.id) != before:
            self._wake.set()

    def _count_entry(self, job: Job, sign: int) -> None:
        position = job.queue_position
        if sign > 0:
            insort(self._order, position)
        else:
            del self._order[bisect_left(self._order, position)]
        self._owners[job.owner] += sign
        self._kinds[job_kind(job)] += sign
        if not self._owners[job.owner]:
            del self._owners[job.owner]
        self._billing.reserve(job.request, sign)
