"""JobStore: what listeners get, how many writes a change takes, and jobs that are compact in memory."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import msgspec

from eternal_tui.history.history import History
from eternal_tui.history.journal import Change
from eternal_tui.jobs.model import Job, from_record, to_record, with_event
from eternal_tui.jobs.store import MAX_FULL_JOBS, JobStore, compact_job, is_compact
from tests.benchmarks.full_history import ended_job
from tests.jobs.stores import NOW, open_ended_jobs


class WriteCountingHistory(History):
    """A real history that notes how many changes each write brought."""

    @cached_property
    def write_sizes(self) -> list[int]:
        """The changes of each write, oldest first."""
        return []

    def update_many(self, changes: Iterable[Change], *, durable: bool = True) -> None:
        """Note them and write them."""
        listed = list(changes)
        self.write_sizes.append(len(listed))
        super().update_many(listed, durable=durable)


def _with_poll(job: Job) -> Job:
    return msgspec.structs.replace(job, polls=job.polls + 1, last_running_age=12.5)


async def test_a_look_that_brought_nothing_new_is_kept_and_not_told(tmp_path: Path) -> None:
    told: list[frozenset[int]] = []
    with open_ended_jobs(WriteCountingHistory, tmp_path, 2) as (store, history):
        store.subscribe(told.append)
        before = store[1].polls
        store.change_in_memory(1, _with_poll)
        assert told == []
        store.change_in_memory(1, lambda job: msgspec.structs.replace(_with_poll(job), progress=7))
        assert told == [frozenset({1})]
        await store.flush()
        assert (history.get(1) or {})["polls"] == before + 2


async def test_what_may_be_lost_is_written_together(tmp_path: Path) -> None:
    with open_ended_jobs(WriteCountingHistory, tmp_path, 20) as (store, history):
        for job in store.newest_first():
            store.change_in_memory(job.id, _with_poll)
        store.change_in_memory(7, lambda job: msgspec.structs.replace(job, file="another.jpg"))
        assert await store.flush() == [7]
        assert history.write_sizes == [19, 1]
        assert await store.flush() == []
        assert (history.get(7) or {})["file"] == "another.jpg"
        assert {(history.get(number) or {})["seen_running"] for number in range(1, 21)} == {12.5}


async def test_an_edit_keeps_the_timeline_on_disk(tmp_path: Path) -> None:
    with open_ended_jobs(History, tmp_path, 3, compact=True) as (store, history):
        assert all(is_compact(job) for job in store.newest_first())
        changed = await store.change(2, lambda job: with_event(job, NOW, "looked at"))
        assert [event.summary for event in changed.timeline[-2:]] == ["saved", "looked at"]
        assert len(from_record(2, history.get(2) or {}).timeline) == 6
        assert changed.result_url == ended_job(2, 3, NOW).result_url


async def test_a_look_makes_it_whole(tmp_path: Path) -> None:
    with open_ended_jobs(History, tmp_path, 3, compact=True) as (store, history):
        store.load_full(1, history.get(1) or {})
        assert store[1] == ended_job(1, 3, NOW)
        store.load_full(2, {"no": "job"})
        assert is_compact(store[2])


async def test_jobs_of_this_run_become_small_too(tmp_path: Path) -> None:
    """As those of earlier runs: the last to settle stay whole, and those in view."""
    history = History.open(tmp_path)
    history.add_many(to_record(ended_job(number, 300, NOW)) for number in range(1, 301))
    store = JobStore(history)
    told: list[frozenset[int]] = []
    try:
        store.load(history.recent(300))
        store.subscribe(told.append)
        assert store.compact_old(keep_ids=()) == list(range(1, 301 - MAX_FULL_JOBS))
        assert told == [frozenset(range(1, 301 - MAX_FULL_JOBS))]
        assert store.compact_old(keep_ids=()) == []
        await store.change(1, lambda job: with_event(job, NOW, "looked at"))
        assert store.compact_old(keep_ids={101}) == []
        assert store.compact_old(keep_ids=()) == [101]
        for job_id in range(102, 301):
            store.change_in_memory(job_id, lambda job: with_event(job, NOW, "not yet written"))
        await store.add(ended_job(0, 300, NOW))
        await store.add(ended_job(0, 300, NOW))
        assert store.compact_old(keep_ids=()) == [1]
        assert not is_compact(store[102])
        await store.flush()
        assert store.compact_old(keep_ids=()) == [102]
        assert len((history.get(102) or {})["timeline"]) == 6
        await store.remove(104)
        assert store.compact_old(keep_ids=()) == []
    finally:
        store.close()
        history.close(compact=False)


def test_what_a_list_shows_is_kept() -> None:
    whole = [ended_job(number, 20, NOW) for number in range(1, 21)]
    kept = [compact_job(job) for job in whole]
    for job, small in zip(whole, kept, strict=True):
        assert _fields_in_list(job) == _fields_in_list(small)
    assert kept[0].owner is kept[5].owner
    assert len({id(job.file_info) for job in kept if job.file_info is not None}) == 1


def _fields_in_list(job: Job) -> tuple[object, ...]:
    size = (job.file_info.width, job.file_info.height) if job.file_info is not None else None
    return (job.id, job.request, job.state, job.name, job.file, job.cost, job.created_at, job.finished_at,
            job.submitted_at, job.request_id, job.error, job.starred, job.tags, job.note, size)  # fmt: skip
