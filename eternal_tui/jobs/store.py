"""Every loaded job, recorded before it is shown: the one place where a snapshot is replaced by the next."""

from __future__ import annotations

import asyncio
import contextlib
from bisect import bisect_left
from collections.abc import Callable, Container, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec

from eternal_tui.history.errors import HistoryError
from eternal_tui.history.journal import Change
from eternal_tui.jobs.errors import NoSuchJob
from eternal_tui.jobs.model import Job, from_record, to_record
from eternal_tui.jobs.ports import History, Record
from eternal_tui.jobs.store_compaction import Compactor, is_compact, is_settled
from eternal_tui.jobs.transitions import kept_back

DURABLE_FIELDS = frozenset({"state", "request_id", "file", "file_state"})
"""Fields that a power cut may not take back, however they came to be written late."""

UNSEEN_FIELDS = frozenset({"polls", "seen_running"})
"""Fields that every look changes and no face shows: nobody is told, or each look would be drawn."""

KEPT_WHOLE = 200
"""Jobs that settled last and stay whole in memory, as those read first at a start do."""

Listener = Callable[[frozenset[int]], None]
T = TypeVar("T")


def changed_fields(old: Job, new: Job) -> Record:
    """Return the fields in which two snapshots differ, as JSON values, defaults included."""
    return {
        name: msgspec.to_builtins(getattr(new, name))
        for name in Job.__struct_fields__
        if getattr(old, name) != getattr(new, name)
    }


class Roster:
    """Jobs by id, kept in step with the history.

    Durable changes are on disk before any listener hears of them. Volatile ones (progress) are shown at once and
    written in one batch by `flush`. History calls run one at a time on one thread, so the event loop never waits
    for a disk. A change once begun is finished though its caller be cancelled: memory never differs from the disk.
    """

    def __init__(self, history: History) -> None:
        self.history = history
        self.strangers = 0
        self._jobs: dict[int, Job] = {}
        self._compactor = Compactor()
        self._whole: dict[int, None] = {}
        self._ids: list[int] = []
        self._listeners: list[Listener] = []
        self._replaced: list[Callable[[Job | None, Job | None], None]] = []
        self._unwritten: dict[int, Record] = {}
        self._closed = False
        self._writing = asyncio.Lock()
        self._under_way: set[asyncio.Task[Any]] = set()
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="history")

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, job_id: int) -> bool:
        return job_id in self._jobs

    def get(self, job_id: int) -> Job | None:
        """Return the job's snapshot, or None."""
        return self._jobs.get(job_id)

    def __getitem__(self, job_id: int) -> Job:
        job = self._jobs.get(job_id)
        if job is None:
            raise NoSuchJob(job_id)
        return job

    def newest_first(self) -> Sequence[Job]:
        """Return every loaded job, newest first."""
        return [self._jobs[job_id] for job_id in reversed(self._ids)]

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with the ids that changed; return the function that ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def on_replaced(self, listener: Callable[[Job | None, Job | None], None]) -> None:
        """Call `listener` with the old and the new snapshot of every change, for running totals."""
        self._replaced.append(listener)

    async def on_disk(self, call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run one history call on the history's thread; raises HistoryError, also once that has ended."""
        if self._closed:
            raise HistoryError("The history is closed.")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._disk, lambda: call(*args, **kwargs))

    async def add(self, job: Job, extra: Record | None = None) -> Job:
        """Write a new job durably and return it with the id it was given."""
        return await self._finished(self._add(job, extra))

    async def _add(self, job: Job, extra: Record | None) -> Job:
        job_id = await self.on_disk(self.history.add, {**to_record(job), **(extra or {})})
        placed = msgspec.structs.replace(job, id=job_id)
        self._place(placed)
        self.publish([job_id])
        return placed

    def fill(self, job_id: int, record: Record) -> None:
        """Make a compact job whole again from its record; nobody is told, for nothing of it has changed."""
        if (job := self.get(job_id)) is None or not is_compact(job):
            return
        with contextlib.suppress(msgspec.ValidationError):
            self._keep(from_record(job_id, {**record, **self._unwritten.get(job_id, {})}))

    def shrink(self, spare: Container[int]) -> list[int]:
        """Make settled jobs compact but those settled last and those in `spare`; return their ids."""
        shrunk = []
        for job_id in tuple(self._whole)[: max(0, len(self._whole) - KEPT_WHOLE)]:
            if job_id in spare or job_id in self._unwritten:
                continue
            del self._whole[job_id]
            if (job := self.get(job_id)) is not None:
                self._jobs[job_id] = self._compactor.compact(job)
                shrunk.append(job_id)
        if shrunk:
            self.publish(shrunk)
        return shrunk

    async def change(self, job_id: int, edit: Callable[[Job], Job], *, extra: Record | None = None) -> Job:
        """Apply `edit` to the newest snapshot, durably, and return the result.

        Raises HistoryError or NoSuchJob; the job is then as it was, here as on disk.
        """
        return await self._finished(self._change(job_id, edit, extra))

    async def _change(self, job_id: int, edit: Callable[[Job], Job], extra: Record | None) -> Job:
        async with self._writing:
            if is_compact(self[job_id]):
                # An edit may add to the timeline, which only the record holds.
                record = await self.on_disk(self.history.get, job_id)
                self.fill(job_id, record or {})
            old = self[job_id]
            fields = changed_fields(old, edit(old))
            late = dict(self._unwritten.get(job_id, {}))
            written = {**late, **fields, **(extra or {})}
            if written:
                await self.on_disk(self.history.update, job_id, written)
                self._are_written(job_id, late)
            current = self[job_id]
            new = from_record(job_id, {**to_record(current), **fields}) if fields else current
        self._place(new)
        self.publish([job_id])
        return new

    async def settle(self, job_id: int, edit: Callable[[Job], Job], *, extra: Record | None = None) -> Job:
        """Apply what happened outside, whatever the disk says: what it refuses is shown, said, and written later."""
        try:
            return await self.change(job_id, edit, extra=extra)
        except HistoryError as error:
            reason = str(error)
            return self.touch(job_id, lambda job: kept_back(edit(job), reason), extra=extra)

    def touch(self, job_id: int, edit: Callable[[Job], Job], *, extra: Record | None = None) -> Job:
        """Apply `edit` at once and let `flush` write it: for what may be lost, such as progress."""
        old = self[job_id]
        new = edit(old)
        fields = changed_fields(old, new)
        if fields or extra:
            self._unwritten.setdefault(job_id, {}).update({**fields, **(extra or {})})
            self._place(new)
            if extra or not fields.keys() <= UNSEEN_FIELDS:
                self.publish([job_id])
        return new

    async def flush(self) -> list[int]:
        """Write every volatile change, without waiting for the platter; return the ids of durable ones written late."""
        late = []
        async with self._writing:
            waiting = {job_id: dict(fields) for job_id, fields in self._unwritten.items()}
            durable = [job_id for job_id, fields in waiting.items() if not fields.keys().isdisjoint(DURABLE_FIELDS)]
            if changes := [Change("patch", job_id, waiting[job_id]) for job_id in waiting if job_id not in durable]:
                await self.on_disk(self.history.update_many, changes, durable=False)
                for change in changes:
                    self._are_written(change.id, change.fields)
            for job_id in durable:
                await self.on_disk(self.history.update, job_id, waiting[job_id])
                self._are_written(job_id, waiting[job_id])
                late.append(job_id)
        return late

    def _are_written(self, job_id: int, fields: Record) -> None:
        """Forget what was to be written, but for what was set anew while it was."""
        waiting = self._unwritten.pop(job_id, {})
        if newer := {name: value for name, value in waiting.items() if name not in fields or fields[name] != value}:
            self._unwritten[job_id] = newer

    def recorded(self, job_id: int) -> bool:
        """Tell whether no durable field of the job waits to be written."""
        return DURABLE_FIELDS.isdisjoint(self._unwritten.get(job_id, ()))

    async def remove(self, job_id: int) -> Record:
        """Delete a job durably and return its whole record, fit for `restore`."""
        return await self._finished(self._remove(job_id))

    async def _remove(self, job_id: int) -> Record:
        async with self._writing:
            record = await self.on_disk(self.history.get, job_id) or to_record(self[job_id])
            await self.on_disk(self.history.delete, job_id)
            record |= self._unwritten.pop(job_id, {})
        self._drop(job_id)
        self.publish([job_id])
        return record

    async def restore(self, job_id: int, record: Record) -> None:
        """Write a deleted job back under its id."""
        await self._finished(self._restore(job_id, record))

    async def _restore(self, job_id: int, record: Record) -> None:
        await self.on_disk(self.history.put, job_id, record)
        self.load([(job_id, record)])

    def load(self, records: Iterable[tuple[int, Record]], *, compact: bool = False) -> list[int]:
        """Take in records read from the history; those already here stay as they are.

        With `compact`, settled jobs are kept without what `fill` brings back.
        """
        fresh: list[int] = []
        for job_id, record in records:
            if job_id in self._jobs:
                continue
            try:
                job = from_record(job_id, record)
            except msgspec.ValidationError:
                self.strangers += 1
                continue
            self._jobs[job_id] = self._compactor.compact(job) if compact else job
            fresh.append(job_id)
            self._tell_replaced(None, job)
        if fresh:
            # Slices come newest first: one sort of a nearly sorted list beats an insertion at the front for each.
            self._ids.extend(fresh)
            self._ids.sort()
            whole = sorted(job_id for job_id in fresh if _may_shrink(self._jobs[job_id]))
            self._whole = {**dict.fromkeys(whole), **self._whole}
            self.publish(fresh)
        return fresh

    def absorb(self, changes: Iterable[Change]) -> list[int]:
        """Apply what other instances wrote and return the ids it changed."""
        touched: list[int] = []
        for change in changes:
            if change.op == "delete":
                if change.id in self._jobs:
                    self._drop(change.id)
                    touched.append(change.id)
                continue
            known = self._jobs.get(change.id)
            if change.op == "patch" and known is None:
                continue
            base = to_record(known) if change.op == "patch" and known is not None else {}
            # What is still to be written here is newer than a whole record read from there.
            late = self._unwritten.get(change.id, {}) if change.op == "put" else {}
            try:
                self._place(from_record(change.id, {**base, **change.fields, **late}))
            except msgspec.ValidationError:
                self.strangers += 1
            else:
                touched.append(change.id)
        if touched:
            self.publish(touched)
        return touched

    def adopt(self, job_id: int, owner: str) -> None:
        """Note an owner that a lease has already written."""
        if (job := self.get(job_id)) is not None and job.owner != owner:
            self._place(msgspec.structs.replace(job, owner=owner))

    def reload(self, records: Iterable[tuple[int, Record]]) -> None:
        """Replace every job by what the history holds, after more happened than could be listed."""
        fresh = dict(records)
        for job_id in tuple(self._jobs):
            if job_id not in fresh:
                self._drop(job_id)
        self.absorb(Change("put", job_id, record) for job_id, record in fresh.items())

    def publish(self, job_ids: Iterable[int]) -> None:
        """Tell every listener which jobs changed."""
        ids = frozenset(job_ids)
        for listener in tuple(self._listeners):
            listener(ids)

    async def finish(self) -> None:
        """Wait for the changes under way."""
        while self._under_way:
            await asyncio.wait(tuple(self._under_way))

    def close(self) -> None:
        """End the history's thread after what it is doing."""
        self._closed = True
        self._disk.shutdown(wait=True)

    async def _finished(self, step: Coroutine[Any, Any, T]) -> T:
        task = asyncio.create_task(step)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    def _place(self, job: Job) -> None:
        old = self._jobs.get(job.id)
        if old is None:
            self._insert(job.id)
        self._keep(job)
        self._tell_replaced(old, job)

    def _keep(self, job: Job) -> None:
        self._jobs[job.id] = job
        self._whole.pop(job.id, None)
        if _may_shrink(job):
            self._whole[job.id] = None

    def _tell_replaced(self, old: Job | None, new: Job | None) -> None:
        for listener in self._replaced:
            listener(old, new)

    def _insert(self, job_id: int) -> None:
        if not self._ids or job_id > self._ids[-1]:
            self._ids.append(job_id)
        else:
            self._ids.insert(bisect_left(self._ids, job_id), job_id)

    def _drop(self, job_id: int) -> None:
        old = self._jobs.pop(job_id, None)
        self._whole.pop(job_id, None)
        if old is None:
            return
        del self._ids[bisect_left(self._ids, job_id)]
        self._tell_replaced(old, None)


def _may_shrink(job: Job) -> bool:
    return is_settled(job) and not is_compact(job)
