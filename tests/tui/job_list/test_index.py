"""The rows of the list against plain sorts, under any run of changes."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from eternal_tui.jobs.model import Job
from eternal_tui.tui.job_list.index import SORT_ORDERS, JobIndex, SortOrder
from tests.tui.jobs import make_job

IDS = st.integers(1, 12)
BATCHES = st.sampled_from(["", "x", "y", "z"])
JOBS = st.builds(make_job, IDS, batch=BATCHES, name=st.sampled_from("abc"), cost=st.floats(0, 3))


class IndexMachine(RuleBasedStateMachine):
    """The index beside all jobs, the order and names it shows alone, and the open batches."""

    def __init__(self) -> None:
        super().__init__()
        self.index = JobIndex()
        self.jobs: dict[int, Job] = {}
        self.order: SortOrder | None = None
        self.names = "abc"
        self.open_batches: set[str] = set()

    def is_shown(self, job: Job) -> bool:
        return job.name in self.names

    @rule(jobs=st.lists(JOBS, max_size=6), removed=st.sets(IDS, max_size=3))
    def update(self, jobs: list[Job], removed: set[int]) -> None:
        removed -= {job.id for job in jobs}
        self.jobs = {key: job for key, job in self.jobs.items() if key not in removed} | {job.id: job for job in jobs}
        self.index.update(jobs, removed, self.is_shown)

    @rule(order=st.sampled_from(SORT_ORDERS), names=st.sampled_from(["abc", "ab", "c"]))
    def show_only(self, order: SortOrder, names: str) -> None:
        self.order, self.names = order, names
        self.index.show_only([job.id for job in self.jobs.values() if self.is_shown(job)], order)

    @rule(reload=st.booleans(), folded=st.booleans())
    def show_all(self, reload: bool, folded: bool) -> None:
        self.order, self.names = None, "abc"
        if reload:
            self.index.replace_all(self.jobs.values())
        self.index.fold_batches = folded
        self.index.show_all()

    @rule(batch=BATCHES, wanted=st.booleans())
    def toggle(self, batch: str, wanted: bool) -> None:
        if self.order is None and batch in self.batches():
            self.index.set_open(batch, opened=wanted)
            self.open_batches = self.open_batches | {batch} if wanted else self.open_batches - {batch}

    def batches(self) -> dict[str, list[int]]:
        members: dict[str, list[int]] = {}
        for job_id in sorted(self.jobs, reverse=True):
            members.setdefault(self.jobs[job_id].batch, []).append(job_id)
        is_folded = self.order is None and self.index.fold_batches
        return {batch: ids for batch, ids in members.items() if is_folded and batch and len(ids) > 1}

    @invariant()
    def rows_match_model(self) -> None:
        value = (self.order and self.order.sort_value) or (lambda _: 0.0)
        shown = sorted(filter(self.is_shown, self.jobs.values()), key=lambda job: (value(job), -job.id))
        batches = self.batches()
        rows: list[tuple[str, Sequence[int]]] = []
        for job in shown:
            if job.id == batches.get(job.batch, [0])[0]:
                rows.append((job.batch, batches[job.batch]))
            if job.batch not in batches or job.batch in self.open_batches:
                rows.append(("", [job.id]))
        index = self.index
        assert [(index.batch_at(row), index.ids_at(row)) for row in range(len(index))] == rows
        assert sorted(index.ids()) == sorted(job.id for job in shown)
        assert index.jobs == self.jobs
        assert index.row_of(99) is None
        for job in shown:
            row = index.row_of(job.id)
            assert row is not None
            assert job.id in rows[row][1]
            header = index.batch_row_of(job.id)
            assert header is None if job.batch not in batches else rows[header or 0][0] == job.batch


TestIndex = IndexMachine.TestCase
TestIndex.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
