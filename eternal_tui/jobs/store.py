"""JobStore: the loaded jobs, written to the history before they are shown."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Container, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import msgspec

from eternal_tui.history.errors import HistoryError
from eternal_tui.history.journal import FIRST_CHARGE_ID, Change
from eternal_tui.jobs.errors import JobNotFound
from eternal_tui.jobs.files import with_file_presence
from eternal_tui.jobs.model import FileState, Job, JobState, from_record, mark_unsaved, to_record
from eternal_tui.jobs.ports import History, Record

DURABLE_FIELDS = frozenset({"state", "request_id", "file", "file_state"})
"""Fields that are fsynced also when they are written late."""

UNPUBLISHED_FIELDS = frozenset({"polls", "seen_running"})
"""Fields that every poll changes and no screen shows: listeners are not called for them."""

MAX_FULL_JOBS = 200
"""Ended jobs kept whole in memory, the last to end."""

Listener = Callable[[frozenset[int]], None]
T = TypeVar("T")
P = ParamSpec("P")


def changed_record_fields(old: Job, new: Job) -> Record:
    """Return the fields in which two snapshots differ, as JSON values, defaults included."""
    return {
        record_name: msgspec.to_builtins(getattr(new, name))
        for name, record_name in zip(Job.__struct_fields__, Job.__struct_encode_fields__, strict=True)
        if getattr(old, name) != getattr(new, name)
    }


_IMMUTABLE_STATES = frozenset({JobState.FAILED, JobState.REJECTED})
_INTERNED_FIELDS = ("name", "status_text", "error", "effect_type", "owner", "service", "batch", "cost")


def is_immutable(job: Job) -> bool:
    """Return whether nothing but the user's marks will change on this job."""
    return job.is_delivered or job.file_state is FileState.MISSING or job.state in _IMMUTABLE_STATES


def is_compact(job: Job) -> bool:
    """Return whether the record on disk may hold more than this snapshot; every whole job has a timeline."""
    return is_immutable(job) and not job.timeline


def compact_job(job: Job) -> Job:
    """Return the job without timeline, link, readings and file size if it is ended, else unchanged.

    Equal values are shared: compact jobs take 0.7 KB each instead of 2.5.
    """
    if not is_immutable(job):
        return job
    changes: dict[str, Any] = {name: _intern(getattr(job, name)) for name in _INTERNED_FIELDS}
    if job.file_info is not None:
        changes["file_info"] = _intern(msgspec.structs.replace(job.file_info, bytes=0))
    return msgspec.structs.replace(
        job,
        **changes,
        request=msgspec.structs.replace(job.request, character=_intern(job.request.character)),
        timeline=(),
        result_url=None,
        credits_before=None,
        credits_after=None,
        last_running_age=None,
    )


@lru_cache(maxsize=4096, typed=True)
def _intern(value: T) -> T:
    """Return the first of equal values; names, hosts and sizes are few."""
    return value


def _uninterrupted(
    step: Callable[Concatenate[JobStore, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[JobStore, P], Coroutine[Any, Any, T]]:
    """Complete the step in a task of its own even if its caller is cancelled."""

    @wraps(step)
    async def run(store: JobStore, /, *args: P.args, **kwargs: P.kwargs) -> T:
        task = asyncio.create_task(step(store, *args, **kwargs))
        store.running_steps.add(task)
        task.add_done_callback(store.running_steps.discard)
        return await asyncio.shield(task)

    return run


class JobStore:
    """Jobs by id, in sync with the history.

    Durable changes are on disk before listeners are called. Volatile ones (progress) are published at once and
    written together by `flush`. History calls run one at a time on one thread, so the event loop never waits for the
    disk. A change is completed even if its caller is cancelled.
    """

    def __init__(self, history: History, results_dir: Path | None = None) -> None:
        self.history = history
        self._results_dir = results_dir
        self.invalid_record_count = 0
        self.is_fully_loaded = False
        self.needs_reload = False
        self._jobs: dict[int, Job] = {}
        self._full_job_ids: dict[int, None] = {}
        self._listeners: list[Listener] = []
        self._change_listeners: list[Callable[[Job | None, Job | None], None]] = []
        self._unsaved_fields: dict[int, Record] = {}
        self._closed = False
        self._write_lock = asyncio.Lock()
        self.news_lock = asyncio.Lock()
        self.running_steps: set[asyncio.Task[Any]] = set()
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="history")

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, job_id: int) -> bool:
        return job_id in self._jobs

    def get(self, job_id: int) -> Job | None:
        """Return the job's snapshot, or None."""
        return self._jobs.get(job_id)

    def get_many(self, job_ids: Iterable[int]) -> list[Job]:
        """Return the snapshots of these jobs, deleted ones left out."""
        return [job for job_id in job_ids if (job := self._jobs.get(job_id)) is not None]

    def __getitem__(self, job_id: int) -> Job:
        job = self._jobs.get(job_id)
        if job is None:
            raise JobNotFound(job_id)
        return job

    def newest_first(self) -> Sequence[Job]:
        """Return every loaded job, newest first."""
        return [self._jobs[job_id] for job_id in sorted(self._jobs, reverse=True)]

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with the ids that changed; return the function that ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def subscribe_changes(self, listener: Callable[[Job | None, Job | None], None]) -> None:
        """Call `listener` with the old and the new snapshot of every change, for running totals."""
        self._change_listeners.append(listener)

    async def call_history(self, call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run one history call on the history's thread; raises HistoryError, also once that has ended."""
        if self._closed:
            raise HistoryError("The history is closed.")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: call(*args, **kwargs))

    @_uninterrupted
    async def call_with_news(self, call: Callable[..., tuple[T, list[Change]]], *args: Any) -> T:
        """Run a history call that also returns changes, apply these, and return its value.

        One at a time: a call that decides under the history's lock finds all changes read before applied.
        """
        async with self.news_lock:
            value, news = await self.call_history(call, *args)
            self.apply_changes(news)
        return value

    @_uninterrupted
    async def add(self, job: Job, extra: Record | None = None) -> Job:
        """Write a new job durably and return it with the id it was given."""
        job_id = await self.call_history(self.history.add, {**to_record(job), **(extra or {})})
        placed = msgspec.structs.replace(job, id=job_id)
        self._put(placed)
        self.publish([job_id])
        return placed

    def load_full(self, job_id: int, record: Record) -> None:
        """Make a compact job whole again from its record, without calling listeners."""
        if (job := self.get(job_id)) is None or not is_compact(job):
            return
        with contextlib.suppress(msgspec.ValidationError):
            self._set_snapshot(from_record(job_id, {**record, **self._unsaved_fields.get(job_id, {})}))

    def compact_old(self, keep_ids: Container[int]) -> list[int]:
        """Make ended jobs compact, except the last to end and those in `keep_ids`; return their ids."""
        shrunk = []
        for job_id in tuple(self._full_job_ids)[: max(0, len(self._full_job_ids) - MAX_FULL_JOBS)]:
            if job_id in keep_ids or job_id in self._unsaved_fields:
                continue
            del self._full_job_ids[job_id]
            if (job := self.get(job_id)) is not None:
                self._jobs[job_id] = compact_job(job)
                shrunk.append(job_id)
        if shrunk:
            self.publish(shrunk)
        return shrunk

    @_uninterrupted
    async def change(self, job_id: int, edit: Callable[[Job], Job], *, extra: Record | None = None) -> Job:
        """Apply `edit` to the newest snapshot, durably, and return the result.

        Raises HistoryError or JobNotFound; nothing has changed then, in memory or on disk.
        """
        async with self._write_lock:
            if is_compact(self[job_id]):
                # An edit may add to the timeline, which only the record holds.
                record = await self.call_history(self.history.get, job_id)
                self.load_full(job_id, record or {})
            old = self[job_id]
            fields = changed_record_fields(old, edit(old))
            late = dict(self._unsaved_fields.get(job_id, {}))
            written = {**late, **fields, **(extra or {})}
            if written:
                await self.call_history(self.history.update, job_id, written)
                self._discard_unsaved(job_id, late)
            current = self[job_id]
            new = from_record(job_id, {**to_record(current), **fields}) if fields else current
        self._put(new)
        self.publish([job_id])
        return new

    async def apply_remote(self, job_id: int, edit: Callable[[Job], Job], *, extra: Record | None = None) -> Job:
        """Apply what the service did. Where writing fails, the job shows it and `flush` tries again."""
        try:
            return await self.change(job_id, edit, extra=extra)
        except HistoryError as error:
            reason = str(error)
            return self.change_in_memory(job_id, lambda job: mark_unsaved(edit(job), reason), extra=extra)

    def change_in_memory(self, job_id: int, edit: Callable[[Job], Job], *, extra: Record | None = None) -> Job:
        """Apply `edit` now and let `flush` write it: for what may be lost, such as progress."""
        old = self[job_id]
        new = edit(old)
        fields = changed_record_fields(old, new)
        if fields or extra:
            self._unsaved_fields.setdefault(job_id, {}).update({**fields, **(extra or {})})
            self._put(new)
            if extra or not fields.keys() <= UNPUBLISHED_FIELDS:
                self.publish([job_id])
        return new

    async def flush(self) -> list[int]:
        """Write all volatile changes without fsync; return the ids of durable ones that were written late."""
        late = []
        async with self._write_lock:
            waiting = {job_id: dict(fields) for job_id, fields in self._unsaved_fields.items()}
            durable = [job_id for job_id, fields in waiting.items() if not fields.keys().isdisjoint(DURABLE_FIELDS)]
            if changes := [Change("patch", job_id, waiting[job_id]) for job_id in waiting if job_id not in durable]:
                await self.call_history(self.history.update_many, changes, durable=False)
                for change in changes:
                    self._discard_unsaved(change.id, change.fields)
            for job_id in durable:
                await self.call_history(self.history.update, job_id, waiting[job_id])
                self._discard_unsaved(job_id, waiting[job_id])
                late.append(job_id)
        return late

    def _discard_unsaved(self, job_id: int, fields: Record) -> None:
        """Remove written fields from the unsaved ones, except those changed while they were written."""
        waiting = self._unsaved_fields.pop(job_id, {})
        if newer := {name: value for name, value in waiting.items() if name not in fields or fields[name] != value}:
            self._unsaved_fields[job_id] = newer

    def unsaved_fields(self, job_id: int) -> Record:
        """Return the fields of the job that are not written yet."""
        return dict(self._unsaved_fields.get(job_id, {}))

    def is_durable(self, job_id: int) -> bool:
        """Return whether all durable fields of the job are on disk."""
        return DURABLE_FIELDS.isdisjoint(self._unsaved_fields.get(job_id, ()))

    @_uninterrupted
    async def remove(self, job_id: int) -> Record:
        """Delete a job durably and return its whole record, fit for `restore`."""
        async with self._write_lock:
            record = await self.call_history(self.history.get, job_id) or to_record(self[job_id])
            await self.call_history(self.history.delete, job_id)
            record |= self._unsaved_fields.pop(job_id, {})
        self._remove_from_memory(job_id)
        self.publish([job_id])
        return record

    @_uninterrupted
    async def restore(self, job_id: int, record: Record) -> None:
        """Write a deleted job back under its id."""
        await self.call_history(self.history.put, job_id, record)
        self.apply_changes([Change("put", job_id, record)])

    def load(self, records: Iterable[tuple[int, Record]], *, compact: bool = False) -> list[int]:
        """Add records read from the history; jobs already loaded stay unchanged.

        With `compact`, ended jobs are added without what `load_full` restores.
        """
        fresh: list[int] = []
        for job_id, record in records:
            if job_id in self._jobs:
                continue
            try:
                job = from_record(job_id, record)
            except msgspec.ValidationError:
                self.invalid_record_count += 1
                continue
            if self._results_dir is not None:
                job = with_file_presence(job, self._results_dir)
            self._jobs[job_id] = compact_job(job) if compact else job
            fresh.append(job_id)
            self._notify_change(None, job)
        if fresh:
            whole = sorted(job_id for job_id in fresh if _can_compact(self._jobs[job_id]))
            self._full_job_ids = {**dict.fromkeys(whole), **self._full_job_ids}
            self.publish(fresh)
        return fresh

    def check_files(self, job_ids: Iterable[int]) -> None:
        """Compare the saved files of these jobs with the results folder; nothing is written."""
        changed = []
        for job in filter(None, map(self.get, job_ids)):
            found = job if self._results_dir is None else with_file_presence(job, self._results_dir)
            if found is not job:
                self._put(found)
                changed.append(job.id)
        if changed:
            self.publish(changed)

    def apply_changes(self, changes: Iterable[Change]) -> list[int]:
        """Apply what other instances wrote and return the ids it changed.

        `needs_reload` is set where their changes could not be listed.
        """
        touched: list[int] = []
        for change in changes:
            known = self._jobs.get(change.id)
            if change.op == "reload":
                self.needs_reload = True
                continue
            if change.id >= FIRST_CHARGE_ID or (known is None and change.op != "put"):
                continue
            if change.op == "delete":
                self._remove_from_memory(change.id)
                touched.append(change.id)
                continue
            base = to_record(known) if change.op == "patch" and known is not None else {}
            # Unsaved fields are newer than a whole record from another instance.
            late = self._unsaved_fields.get(change.id, {}) if change.op == "put" else {}
            try:
                self._put(from_record(change.id, {**base, **change.fields, **late}))
            except msgspec.ValidationError:
                self.invalid_record_count += 1
            else:
                touched.append(change.id)
        if touched:
            self.publish(touched)
        return touched

    def set_owner(self, job_id: int, owner: str) -> None:
        """Set an owner that `claim` has already written."""
        if (job := self.get(job_id)) is not None and job.owner != owner:
            self._put(msgspec.structs.replace(job, owner=owner))

    def replace_all(self, records: Iterable[tuple[int, Record]]) -> None:
        """Replace all jobs by the history's, where its changes can no longer be listed."""
        fresh = dict(records)
        for job_id in tuple(self._jobs):
            if job_id not in fresh:
                self._remove_from_memory(job_id)
        self.apply_changes(Change("put", job_id, record) for job_id, record in fresh.items())

    def publish(self, job_ids: Iterable[int]) -> None:
        """Call every listener with these ids."""
        ids = frozenset(job_ids)
        for listener in tuple(self._listeners):
            listener(ids)

    async def wait_idle(self) -> None:
        """Wait for the changes under way."""
        while self.running_steps:
            await asyncio.wait(tuple(self.running_steps))

    def close(self) -> None:
        """Stop the history's thread after its current call."""
        self._closed = True
        self._executor.shutdown(wait=True)

    def _put(self, job: Job) -> None:
        old = self._jobs.get(job.id)
        self._set_snapshot(job)
        self._notify_change(old, job)

    def _set_snapshot(self, job: Job) -> None:
        self._jobs[job.id] = job
        self._full_job_ids.pop(job.id, None)
        if _can_compact(job):
            self._full_job_ids[job.id] = None

    def _notify_change(self, old: Job | None, new: Job | None) -> None:
        for listener in self._change_listeners:
            listener(old, new)

    def _remove_from_memory(self, job_id: int) -> None:
        self._full_job_ids.pop(job_id, None)
        if (old := self._jobs.pop(job_id, None)) is not None:
            self._notify_change(old, None)


def _can_compact(job: Job) -> bool:
    return is_immutable(job) and bool(job.timeline)
