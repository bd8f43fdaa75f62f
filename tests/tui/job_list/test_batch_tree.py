"""Batches folded into rows of their own, against a plain reckoning, under any run of changes."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from eternal_tui.jobs.model import Job
from eternal_tui.tui.job_list.index import SORT_ORDERS, JobIndex
from tests.tui.jobs import NOW, make_job, make_jobs

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


def test_jobs_that_came_one_by_one_are_folded_too() -> None:
    """Seen to fail where only what was there at the start was folded."""
    index = JobIndex()
    index.add_all(make_jobs(3, now=NOW))
    index.show_all()
    for number in (4, 5, 6):
        index.put(make_job(number, batch="x"), show=True)
    assert len(index) == 4
    assert index.ids_at(0) == [6, 5, 4]
