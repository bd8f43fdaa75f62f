"""JobStore: what listeners get, how many writes a change takes, and jobs that are compact in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from eternal_tui.history.history import History
from eternal_tui.history.journal import Change
from eternal_tui.jobs.model import Job, from_record, to_record, with_event
from eternal_tui.jobs.store import MAX_FULL_JOBS, JobStore, compact_job, is_compact
from tests.benchmarks.full_history import ended_job

NOW = 1_700_000_000.0


class WriteCountingHistory(History):
    """A real history that notes in `write_sizes` how many changes each write brought."""

    def update_many(self, changes: Iterable[Change], *, durable: bool = True) -> None:
        """Note them and write them."""
        listed = list(changes)
        self.write_sizes = [*getattr(self, "write_sizes", ()), len(listed)]
        super().update_many(listed, durable=durable)


@contextmanager
def open_ended_jobs(
    folder: Path, count: int, *, compact: bool = False
) -> Iterator[tuple[JobStore, WriteCountingHistory]]:
    """Open a history with ended jobs from 1 to `count`, and a store that has read them."""
    history = WriteCountingHistory.open(folder)
    store = JobStore(history)
    try:
        history.add_many(to_record(ended_job(number, count, NOW)) for number in range(1, count + 1))
        store.load(history.recent(count), compact=compact)
        yield store, history
    finally:
        store.close()
        history.close(compact=False)


def _with_poll(job: Job) -> Job:
    return msgspec.structs.replace(job, polls=job.polls + 1, last_running_age=12.5)


async def test_progress_is_written_together_and_published_if_it_shows(tmp_path: Path) -> None:
    published: list[frozenset[int]] = []
    with open_ended_jobs(tmp_path, 20) as (store, history):
        store.subscribe(published.append)
        for job in store.newest_first():
            store.change_in_memory(job.id, _with_poll)
        assert published == []
        store.change_in_memory(1, lambda job: msgspec.structs.replace(_with_poll(job), progress=7))
        store.change_in_memory(7, lambda job: msgspec.structs.replace(job, file="another.jpg"))
        assert published == [frozenset({1}), frozenset({7})]
        assert await store.flush() == [7]
        assert history.write_sizes == [19, 1]
        assert await store.flush() == []
        assert (history.get(1) or {})["polls"] == ended_job(1, 20, NOW).polls + 2
        assert (history.get(7) or {})["file"] == "another.jpg"
        assert {(history.get(number) or {})["seen_running"] for number in range(1, 21)} == {12.5}


async def test_compact_job_is_whole_again_for_an_edit_or_a_look(tmp_path: Path) -> None:
    with open_ended_jobs(tmp_path, 3, compact=True) as (store, history):
        assert all(is_compact(job) for job in store.newest_first())
        changed = await store.change(2, lambda job: with_event(job, NOW, "looked at"))
        assert [event.summary for event in changed.timeline[-2:]] == ["saved", "looked at"]
        assert len(from_record(2, history.get(2) or {}).timeline) == 6
        assert changed.result_url == ended_job(2, 3, NOW).result_url
        store.load_full(1, history.get(1) or {})
        assert store[1] == ended_job(1, 3, NOW)
        store.load_full(3, {"no": "job"})
        assert is_compact(store[3])


async def test_jobs_become_compact_but_for_the_last_to_end(tmp_path: Path) -> None:
    """Nor those in view, nor those that wait to be written."""
    published: list[frozenset[int]] = []
    with open_ended_jobs(tmp_path, 300) as (store, history):
        store.subscribe(published.append)
        assert store.compact_old(keep_ids=()) == list(range(1, 301 - MAX_FULL_JOBS))
        assert published == [frozenset(range(1, 301 - MAX_FULL_JOBS))]
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


def test_compact_jobs_keep_what_a_list_shows_and_share_equal_values() -> None:
    whole = [ended_job(number, 20, NOW) for number in range(1, 21)]
    small = [compact_job(job) for job in whole]
    assert list(map(_fields_in_list, whole)) == list(map(_fields_in_list, small))
    assert small[0].owner is small[5].owner
    assert len({id(job.file_info) for job in small if job.file_info is not None}) == 1


def _fields_in_list(job: Job) -> tuple[object, ...]:
    size = (job.file_info.width, job.file_info.height) if job.file_info is not None else None
    return (job.id, job.request, job.state, job.name, job.file, job.cost, job.created_at, job.finished_at,
            job.submitted_at, job.request_id, job.error, job.starred, job.tags, job.note, size)  # fmt: skip
