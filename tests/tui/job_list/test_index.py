"""The index against a plain sort, under any run of changes; and the sliced search against a plain filter."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from eternal_tui.jobs.filter import parse_filter
from eternal_tui.jobs.model import Job, JobState
from eternal_tui.tui.job_list.incremental_filter import SLICE_JOBS, IncrementalFilter
from eternal_tui.tui.job_list.index import NEWEST_FIRST, SORT_ORDERS, JobIndex, SortOrder
from tests.tui.jobs import NOW, make_job, make_jobs


class IndexMachine(RuleBasedStateMachine):
    """Seen to fail with the old place looked up after the job was replaced, and with what comes twice shown twice."""

    def __init__(self) -> None:
        super().__init__()
        self.index = JobIndex()
        self.jobs: dict[int, Job] = {}
        self.shown: set[int] = set()

    @rule(job_id=st.integers(1, 30), cost=st.floats(0, 3), name=st.sampled_from("abc"), show=st.booleans())
    def put(self, job_id: int, cost: float, name: str, show: bool) -> None:
        self.jobs[job_id] = make_job(job_id, cost=cost, name=name)
        self.shown = self.shown | {job_id} if show else self.shown - {job_id}
        self.index.put(self.jobs[job_id], show=show)

    @rule(job_ids=st.lists(st.integers(1, 30), max_size=12), name=st.sampled_from("abc"), odd=st.booleans())
    def put_many(self, job_ids: list[int], name: str, odd: bool) -> None:
        for job_id in job_ids:
            self.jobs[job_id] = make_job(job_id, name=name)
            self.shown = self.shown | {job_id} if job_id % 2 == odd else self.shown - {job_id}
        self.index.put_many([self.jobs[job_id] for job_id in job_ids], is_shown=lambda job: job.id % 2 == odd)

    @rule(job_id=st.integers(1, 30))
    def drop(self, job_id: int) -> None:
        self.jobs.pop(job_id, None)
        self.shown.discard(job_id)
        self.index.remove(job_id)

    @rule(order=st.sampled_from(SORT_ORDERS))
    def sort(self, order: SortOrder) -> None:
        self.index.show_only([order.sort_key(self.jobs[job_id]) for job_id in self.shown], order)

    @invariant()
    def matches_plain_sort(self) -> None:
        expected = sorted(self.shown, key=lambda job_id: self.index.order.sort_key(self.jobs[job_id]))
        assert list(self.index.ids()) == expected
        assert [self.index.row_of(job_id) for job_id in expected] == list(range(len(expected)))
        assert self.index.ids_newest_first() == sorted(self.jobs, reverse=True)
        assert self.index.row_of(99) is None


TestIndex = IndexMachine.TestCase
TestIndex.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


@pytest.mark.parametrize("order", SORT_ORDERS, ids=lambda order: order.name)
def test_changes_during_a_search_are_not_lost(order: SortOrder) -> None:
    """Seen to fail with `finish` keeping what was found before a job changed."""
    index = JobIndex()
    jobs = make_jobs(3 * SLICE_JOBS)
    index.add_all(jobs)
    search = IncrementalFilter(index)
    chosen = parse_filter("umbrella state:failed")
    search.start(chosen, order, NOW)
    search.step()
    newest, oldest = jobs[0], jobs[-7]
    seventh = 7 * (newest.id // 7)
    found, gone = index.jobs[seventh - 7], seventh - 14
    for job in (
        msgspec.structs.replace(newest, state=JobState.FAILED, cost=9.0),
        msgspec.structs.replace(found, name="Zora", cost=9.0, finished_at=NOW + 9),
        msgspec.structs.replace(oldest, state=JobState.SUCCEEDED),
        make_job(10**6, prompt="a new umbrella", state=JobState.FAILED),
    ):
        search.mark_changed(job)
        index.put(job, show=chosen.matches(job, NOW))
    search.mark_removed(gone)
    index.remove(gone)
    search.finish()
    expected = [job for job in index.jobs.values() if chosen.matches(job, NOW)]
    assert list(index.ids()) == [job.id for job in sorted(expected, key=order.sort_key)]
    assert 10**6 in index.ids()
    assert gone not in index.ids()


def test_a_slice_is_bounded_so_that_keys_are_never_kept_waiting() -> None:
    """Counts, not times: one step never looks at more jobs than a slice has."""
    index = JobIndex()
    index.add_all(make_jobs(5 * SLICE_JOBS))
    looked: list[int] = []

    class Counting(dict[int, str]):
        def __setitem__(self, job_id: int, text: str) -> None:
            looked.append(job_id)
            super().__setitem__(job_id, text)

    search = IncrementalFilter(index)
    search.search_texts = Counting()
    search.start(parse_filter("umbrella"), NEWEST_FIRST, NOW)
    assert search.step()
    assert len(looked) == SLICE_JOBS


def test_a_longer_word_is_looked_for_only_where_the_shorter_was_found() -> None:
    """Seen to fail with the narrower search over what an unfinished one had found."""
    index = JobIndex()
    index.add_all(make_jobs(2 * SLICE_JOBS))
    search = IncrementalFilter(index)
    for text, finished in (
        ("re", True),
        ("red", True),
        ("red u", False),
        ("red um", True),
        ("-red um", True),
        ("um", True),
    ):
        chosen = parse_filter(text)
        search.start(chosen, NEWEST_FIRST, NOW)
        search.step()
        if finished:
            search.finish()
            assert list(index.ids()) == [
                job_id for job_id in index.ids_newest_first() if chosen.matches(index.jobs[job_id], NOW)
            ]


IDS = st.integers(1, 12)
BATCHES = st.sampled_from(["", "x", "y", "z"])


class BatchTreeMachine(RuleBasedStateMachine):
    """Seen to fail with a batch's row left where it was when a newer job joined, and with ids left out when folded."""

    def __init__(self) -> None:
        super().__init__()
        self.index = JobIndex()
        self.index.show_all()
        self.jobs: dict[int, Job] = {}
        self.open_batches: set[str] = set()

    @rule(job_id=IDS, batch=BATCHES, progress=st.integers(0, 99))
    def put(self, job_id: int, batch: str, progress: int) -> None:
        self.jobs[job_id] = make_job(job_id, batch=batch, progress=progress)
        self.index.put(self.jobs[job_id], show=True)

    @rule(job_ids=st.lists(IDS, max_size=6), batch=BATCHES)
    def put_many(self, job_ids: list[int], batch: str) -> None:
        self.jobs |= {job_id: make_job(job_id, batch=batch) for job_id in job_ids}
        self.index.put_many([self.jobs[job_id] for job_id in job_ids], is_shown=lambda _: True)

    @rule(job_id=IDS)
    def drop(self, job_id: int) -> None:
        self.jobs.pop(job_id, None)
        self.index.remove(job_id)

    @rule(batch=BATCHES, wanted=st.booleans())
    def toggle(self, batch: str, wanted: bool) -> None:
        if sum(job.batch == batch for job in self.jobs.values()) > 1 and batch:
            self.index.set_open(batch, opened=wanted)
            self.open_batches = self.open_batches | {batch} if wanted else self.open_batches - {batch}

    @rule()
    def sort_and_restore(self) -> None:
        order = SORT_ORDERS[1]
        self.index.show_only(order.sort_keys(list(self.jobs.values())), order)
        assert len(self.index) == len(self.jobs)
        self.index.show_all()

    @rule()
    def reload(self) -> None:
        self.index.clear()
        self.index.add_all(self.jobs.values())
        self.index.show_all()

    @invariant()
    def rows_match_model(self) -> None:
        members: dict[str, list[int]] = {}
        for job in self.jobs.values():
            members.setdefault(job.batch, []).append(job.id)
        batches = {name: ids for name, ids in members.items() if name and len(ids) > 1}
        rows = [(max(ids) + 0.5, name) for name, ids in batches.items()]
        rows += [
            (float(job.id), "")
            for job in self.jobs.values()
            if job.batch not in batches or job.batch in self.open_batches
        ]
        rows.sort(reverse=True)
        index = self.index
        assert [index.batch_at(row) for row in range(len(index))] == [name for _, name in rows]
        assert [index.id_at(row) for row in range(len(index))] == [int(place) for place, _ in rows]
        assert sorted(index.ids()) == sorted(self.jobs)
        for row, (_, name) in enumerate(rows):
            if name:
                assert index.ids_at(row) == sorted(batches[name], reverse=True)
                assert all(index.batch_row_of(job_id) == row for job_id in batches[name])
        for job in self.jobs.values():
            row_of = index.row_of(job.id)
            assert row_of is not None
            assert job.id in index.ids_at(row_of)


TestFolds = BatchTreeMachine.TestCase
TestFolds.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_without_the_wish_every_job_has_its_row() -> None:
    index = JobIndex()
    index.fold_batches = False
    index.add_all([make_job(number, batch="x") for number in range(1, 6)])
    index.show_all()
    assert len(index) == 5
    index.put(make_job(6, batch="x"), show=True)
    assert [index.batch_at(row) for row in range(6)] == [""] * 6
