"""The engine against a model: any order of submits, faults, kills, restarts, second instances and second thoughts."""

from __future__ import annotations

import asyncio
import shutil
from typing import TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test
from tinydb import TinyDB

from eternal_tui.jobs.errors import InvalidJobState
from eternal_tui.jobs.model import _TRANSITIONS, Job, JobState
from eternal_tui.sandbox.faults import Fault, FaultPlace
from eternal_tui.sandbox.server import Sandbox
from eternal_tui.sandbox.settings import SandboxSettings
from tests.history.faults import UnsyncedFileSystem
from tests.jobs.bench import IMAGE_REQUEST, VIDEO_REQUEST, Bench, run_engine
from tests.jobs.clock import run_ready_tasks
from tests.jobs.machine import EngineMachine

T = TypeVar("T")

POST_FAULTS = {
    Fault.LOST_ANSWER: (JobState.UNCONFIRMED, 1),
    Fault.DROP_BEFORE: (JobState.UNCONFIRMED, 1),
    Fault.SERVER_ERROR: (JobState.UNCONFIRMED, 1),
    Fault.HTML_502: (JobState.UNCONFIRMED, 1),
    Fault.CHARGED_502: (JobState.UNCONFIRMED, 1),
    Fault.GARBAGE_JSON: (JobState.UNCONFIRMED, 1),
    Fault.HOSTILE_TEXT: (JobState.REJECTED, 1),
    Fault.RATE_LIMITED: (JobState.RUNNING, 2),
    Fault.NO_CREDITS: (JobState.RUNNING, 1),
}
"""How a submit ends under a fault, and with how many POSTs: a 429 alone is sent again."""

JOB_FAULTS = [Fault.FAILED, Fault.STUCK, Fault.UNKNOWN_WORD, Fault.SUCCESS_WITHOUT_URL, Fault.ENCRYPTED]
FREE_FAULTS = [
    (Fault.POLL_404, FaultPlace.POLL),
    (Fault.RATE_LIMITED, FaultPlace.POLL),
    (Fault.SERVER_ERROR, FaultPlace.POLL),
]
FREE_FAULTS += [
    (Fault.EXPIRED_LINK, FaultPlace.LINK),
    (Fault.WRONG_TYPE, FaultPlace.CDN),
    (Fault.DROP_BEFORE, FaultPlace.CDN),
]
UNREACHABLE = "http://127.0.0.1:9"

job_numbers = st.integers(0, 50)


def _reachable_states() -> dict[JobState, set[JobState]]:
    reach = {state: {state, *after} for state, after in _TRANSITIONS.items()}
    for _ in JobState:
        reach = {state: {end for step in steps for end in reach[step]} for state, steps in reach.items()}
    return reach


REACHABLE_STATES = _reachable_states()


class JobEngineMachine(EngineMachine):
    """What must be there is kept in `jobs`; `posts` is how many requests have left in all."""

    def __init__(self) -> None:
        super().__init__()
        self.posts = 0
        self.jobs: set[int] = set()
        self.deleted: list[list[int]] = []
        self.states: dict[int, JobState] = {}

    @property
    def bench(self) -> Bench:
        return self.benches[0]

    async def open(self) -> None:
        engine = run_engine(self.folder, self.sandbox, clock=self.clock, fs=UnsyncedFileSystem(), seed=self.generation)
        bench = await self.stack.enter_async_context(engine)
        for job in bench.engine.store.newest_first():
            assert job.state in REACHABLE_STATES[self.states.get(job.id, JobState.SUBMITTING)]
        bench.engine.store.subscribe(lambda ids: self.watch_transitions(bench, ids))
        self.benches.append(bench)

    def watch_transitions(self, bench: Bench, ids: frozenset[int]) -> None:
        for job_id in ids:
            job = bench.engine.store.get(job_id)
            if job is not None and bench is self.bench:
                before = self.states.get(job_id, JobState.SUBMITTING)
                assert job.state in REACHABLE_STATES[before], (before, job.state)
                self.states[job_id] = job.state

    def pick(self, number: int, *states: JobState) -> Job | None:
        found = [job for job in self.bench.engine.store.newest_first() if job.state in states]
        return found[number % len(found)] if found else None

    @initialize()
    def start_sandbox(self) -> None:
        self.sandbox = Sandbox(
            SandboxSettings(seed=7, clock=self.clock.time, image_size=(96, 128), video_size=(64, 96), video_fps=8)
        )
        self.run(self.sandbox.__aenter__())
        self.run(self.open())

    @rule(
        fault=st.none() | st.sampled_from(sorted(POST_FAULTS)),
        job_fault=st.none() | st.sampled_from(JOB_FAULTS),
        video=st.booleans(),
    )
    def submit(self, fault: Fault | None, job_fault: Fault | None, video: bool) -> None:
        self.run(self.submit_and_check(fault, job_fault, video))

    async def submit_and_check(self, fault: Fault | None, job_fault: Fault | None, video: bool) -> None:
        if fault is not None:
            self.sandbox.inject(fault, times=1, on=FaultPlace.POST if fault is not Fault.NO_CREDITS else None)
        if job_fault is not None:
            self.sandbox.inject(job_fault, times=1)
        state, posts = POST_FAULTS.get(fault, (JobState.RUNNING, 1)) if fault is not None else (JobState.RUNNING, 1)
        sending = asyncio.ensure_future(self.bench.engine.submit(VIDEO_REQUEST if video else IMAGE_REQUEST))
        await self.bench.advance_until(sending.done)
        job = await sending
        assert job.state is state
        self.posts += posts
        self.jobs.add(job.id)
        if job_fault is not None and job.request_id is None:
            self.sandbox.state.faults.rules.clear()

    @rule()
    def submit_while_unreachable(self) -> None:
        async def submit() -> None:
            address, self.bench.client._base_url = self.bench.client._base_url, UNREACHABLE
            sending = asyncio.ensure_future(self.bench.engine.submit(IMAGE_REQUEST))
            await self.bench.advance_until(sending.done)
            self.bench.client._base_url = address
            self.jobs.add((await sending).id)
            assert sending.result().state is JobState.REJECTED

        self.run(submit())

    @rule(seconds=st.sampled_from([1.0, 7.0, 40.0, 300.0, 2400.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.run(self.advance(seconds))

    @rule(free=st.sampled_from(FREE_FAULTS), times=st.integers(1, 4))
    def inject_free_fault(self, free: tuple[Fault, FaultPlace], times: int) -> None:
        self.sandbox.inject(free[0], times=times, on=free[1])

    @rule()
    def finish_all_jobs(self) -> None:
        self.sandbox.finish()
        self.run(self.advance(10))

    @rule()
    def restart(self) -> None:
        self.run(self.reopen())

    @rule(in_flight=st.booleans())
    def kill(self, in_flight: bool) -> None:
        """Go on with the folder as it stands on disk; what the killed engines do afterwards happens elsewhere."""

        async def kill() -> None:
            self.sandbox.state.faults.rules.clear()
            sending = None
            if in_flight:
                self.sandbox.inject(Fault.SLOW, times=1, on=FaultPlace.POST)
                sending = asyncio.ensure_future(self.bench.engine.submit(IMAGE_REQUEST))
                charged = len(self.sandbox.charged)
                await self.sandbox.wait_until(lambda: len(self.sandbox.charged) > charged)
                self.posts += 1
                self.jobs.add(self.bench.engine.store.newest_first()[0].id)
            survived = self.folder
            self.generation += 1
            shutil.copytree(survived, self.folder)
            await self.close_all()
            if sending is not None:
                await asyncio.gather(sending, return_exceptions=True)
            await self.open()

        self.run(kill())

    @precondition(lambda self: len(self.benches) == 1)
    @rule()
    def open_a_second_instance(self) -> None:
        self.run(self.open())

    @precondition(lambda self: len(self.benches) == 2)
    @rule()
    def submit_in_the_second(self) -> None:
        self.benches.reverse()
        self.run(self.advance(3))
        self.run(self.submit_and_check(None, None, False))
        self.benches.reverse()
        self.run(self.advance(3))

    @precondition(lambda self: len(self.benches) == 2)
    @rule()
    def suspend_and_return(self) -> None:
        async def suspend() -> None:
            self.bench.instance.release()
            await self.advance(12)
            self.bench.instance.reacquire()
            self.bench.engine.resume_after_suspend()
            await self.advance(4)

        self.run(suspend())

    @rule(number=job_numbers)
    def delete(self, number: int) -> None:
        job = self.pick(number, *JobState)
        if job is not None:
            self.run(self.bench.engine.delete([job.id]))
            self.jobs.discard(job.id)
            self.deleted.append([job.id])

    @rule()
    def undo(self) -> None:
        self.jobs.update(self.run(self.bench.engine.undo_delete()))

    @rule(number=job_numbers)
    def retry(self, number: int) -> None:
        job = self.pick(number, JobState.UNCONFIRMED)
        if job is None:
            return
        try:
            new = self.run(self.bench.engine.submitter.retry_unconfirmed(job.id))
        except InvalidJobState:
            assert job.retried_by is not None or self.bench.engine.store[job.id].retried_by is not None
            return
        self.posts += 1
        self.jobs.add(new.id)

    @rule(number=job_numbers)
    def watch_or_fetch(self, number: int) -> None:
        async def ask() -> None:
            job = self.pick(number, *JobState)
            if job is None:
                return
            for action in (
                self.bench.engine.stop_watching,
                self.bench.engine.watch_now,
                self.bench.engine.retry_download,
            ):
                try:
                    await action(job.id)
                except InvalidJobState:
                    continue
            await run_ready_tasks()

        self.run(ask())

    @invariant()
    def check_request_count(self) -> None:
        if self.benches:
            assert len(self.sandbox.posts) == self.posts

    @invariant()
    def check_jobs_and_charges(self) -> None:
        if not self.benches:
            return
        jobs = {job.id: job for job in self.bench.engine.store.newest_first()}
        assert set(jobs) == self.jobs
        gone = {job_id for removed in self.deleted for job_id in removed} - self.jobs
        known = {job.request_id for job in jobs.values() if job.request_id is not None}
        unclear = [job for job in jobs.values() if job.state is JobState.UNCONFIRMED]
        assert not any(job.request_id for job in unclear)
        unknown = [request_id for request_id in self.sandbox.charged if request_id not in known]
        assert len(unknown) <= len(unclear) + len(gone)

    def check_folder(self) -> None:
        with TinyDB(self.folder / "history.json") as database:
            assert {document.doc_id for document in database.table("jobs").all()} == self.jobs


@pytest.mark.parametrize(("examples", "steps"), [(8, 18), pytest.param(40, 40, marks=pytest.mark.long)])
def test_no_order_of_events_loses_or_doubles_a_job(examples: int, steps: int) -> None:
    machine = settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    run_state_machine_as_test(JobEngineMachine, settings=machine)
