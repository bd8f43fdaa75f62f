"""The queue against the service's own count: over several processes, kills, refusals, holds and reorders.

Every request has a prompt of its own, so that the service counts how often each entry was accepted.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test

from eternal_tui.api.models import GenerateRequest
from eternal_tui.jobs.errors import DailyCapExceeded, InvalidJobState
from eternal_tui.jobs.model import Job, JobState
from eternal_tui.jobs.submit.queue import EntryUnavailable, take_entry
from eternal_tui.jobs.submit.submitter import SubmitDetails
from eternal_tui.sandbox.faults import Fault, FaultPlace
from eternal_tui.sandbox.server import Sandbox
from eternal_tui.sandbox.settings import SandboxSettings
from tests.history.faults import RecordingFileSystem, UnsyncedFileSystem
from tests.jobs.bench import IMAGE_REQUEST, Bench, Engines, run_engine, unhurried
from tests.jobs.clock import FakeClock
from tests.jobs.machine import EngineMachine
from tests.jobs.quiet import wait_idle

T = TypeVar("T")
MAX_RUNNING = 2
DAILY_CAP = 1.0
POLICY = unhurried(max_running=MAX_RUNNING, daily_cap=DAILY_CAP)
REFUSALS = [(Fault.RATE_LIMITED, FaultPlace.POST), (Fault.ECHO_KEY, FaultPlace.POST)]


def requests_named(first: int, count: int) -> list[GenerateRequest]:
    return [msgspec.structs.replace(IMAGE_REQUEST, prompt=f"At sea {number}") for number in range(first, first + count)]


def accepted(sandbox: Sandbox) -> Counter[str]:
    """Times that the service has accepted, and charged for, each prompt."""
    return Counter(job.request.prompt for job in sandbox.state.jobs.values())


def most_running(sandbox: Sandbox) -> int:
    """Maximum of jobs that ran at once at the service."""
    jobs = list(sandbox.state.jobs.values())
    return max(
        (sum(each.created_at <= job.created_at < each.created_at + each.run_seconds for each in jobs) for job in jobs),
        default=0,
    )


async def enqueue(bench: Bench, requests: list[GenerateRequest], batch: str = "") -> list[Job]:
    details = [SubmitDetails(batch=batch)] * len(requests)
    return await bench.engine.submitter.submit(requests, details, confirmed=True, only_queue=True)


async def test_a_kill_at_every_step_loses_no_entry_and_sends_none_twice(
    engines: Engines, tmp_path: Path, sandbox: Sandbox, clock: FakeClock
) -> None:
    """Queued, moved, cancelled, released and sent: an engine starts on each folder that a kill may leave."""
    known: list[str] = []
    files = RecordingFileSystem(tmp_path / "data", lambda: (tuple(known), tuple(sorted(accepted(sandbox)))))
    policy = unhurried()
    async with engines(fs=files, policy=policy) as bench:
        bench.engine.queue.hold()
        jobs = await enqueue(bench, requests_named(1, 4))
        known += [job.request.prompt for job in jobs]
        await bench.engine.queue.move([jobs[2].id], 0)
        await bench.engine.queue.cancel([jobs[1].id])
        await bench.engine.release_queue()
        await bench.advance_until(lambda: accepted(sandbox).total() == 3 and not bench.engine.queue.entries())
        files.recording = False
    assert len(files.states) > 40
    for number, state in enumerate(files.states):
        folder = tmp_path / f"killed{number}"
        folder.mkdir()
        for name, data in state.after_kill().items():
            (folder / name).write_bytes(data)
        acknowledged, sent = state.snapshot
        before = accepted(sandbox)
        async with run_engine(folder, sandbox, clock=clock, fs=UnsyncedFileSystem(), policy=policy) as bench:
            states = {job.request.prompt: job.state for job in bench.engine.store.newest_first()}
            assert set(acknowledged) <= set(states), (number, state.call)
            assert all(states[prompt] is not JobState.QUEUED for prompt in sent), (number, state.call, states)
            await clock.advance(20)
            await wait_idle()
            assert accepted(sandbox) == before, "sent by itself"
            queued = {job.request.prompt for job in bench.engine.queue.entries()}
            await bench.engine.release_queue()
            await bench.advance_until(lambda bench=bench: not bench.engine.queue.entries())  # type: ignore[misc]
            await wait_idle()
        assert set(accepted(sandbox) - before) == queued
        assert not queued & set(sent)
        shutil.rmtree(folder)


class QueueMachine(EngineMachine):
    """Up to three engines on one folder; `prompts` are those whose recording was acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 0
        self.prompts: set[str] = set()
        self.submits: list[asyncio.Future[list[Job]]] = []

    async def open(self) -> None:
        engine = run_engine(
            self.folder, self.sandbox, clock=self.clock, policy=POLICY, fs=UnsyncedFileSystem(), compact=False
        )
        self.benches.append(await self.stack.enter_async_context(engine))

    async def close_all(self) -> None:
        await super().close_all()
        for submit in self.submits:
            await asyncio.gather(submit, return_exceptions=True)
        self.submits.clear()

    def bench(self, number: int) -> Bench:
        return self.benches[number % len(self.benches)]

    def requests(self, count: int) -> list[GenerateRequest]:
        self.number += count
        return requests_named(self.number - count, count)

    @initialize()
    def start(self) -> None:
        self.sandbox = Sandbox(SandboxSettings(seed=7, clock=self.clock.time, image_size=(16, 16)))
        self.run(self.sandbox.__aenter__())
        self.run(self.open())

    @rule(which=st.integers(0, 2), count=st.integers(1, 4))
    def queue(self, which: int, count: int) -> None:
        requests = self.requests(count)
        try:
            self.run(enqueue(self.bench(which), requests, f"b{self.number}"))
        except DailyCapExceeded:
            return
        self.prompts |= {request.prompt for request in requests}

    @rule(which=st.integers(0, 2), count=st.integers(1, 4))
    def submit(self, which: int, count: int) -> None:
        async def begin() -> None:
            requests = self.requests(count)
            engine = self.bench(which).engine
            self.submits.append(asyncio.ensure_future(engine.submit_many(requests, confirmed=True)))
            await wait_idle()
            found = {job.request.prompt for job in engine.store.newest_first()}
            self.prompts |= {request.prompt for request in requests if request.prompt in found}

        self.run(begin())

    @rule(which=st.integers(0, 2))
    def hold(self, which: int) -> None:
        self.bench(which).engine.queue.hold("by hand")

    @rule(which=st.integers(0, 2))
    def release(self, which: int) -> None:
        self.run(self.bench(which).engine.release_queue())

    @rule(which=st.integers(0, 2), number=st.integers(0, 20), place=st.integers(0, 20))
    def move(self, which: int, number: int, place: int) -> None:
        queue = self.bench(which).engine.queue
        if entries := queue.entries():
            self.run(queue.move([entries[number % len(entries)].id], place))

    @rule(which=st.integers(0, 2), number=st.integers(0, 20), undo=st.booleans())
    def cancel(self, which: int, number: int, undo: bool) -> None:
        async def cancel() -> None:
            engine = self.bench(which).engine
            if entries := engine.queue.entries():
                try:
                    await engine.delete([entries[number % len(entries)].id])
                except InvalidJobState:
                    return
                if undo:
                    await engine.undo_delete()

        self.run(cancel())

    @rule(refusal=st.sampled_from(REFUSALS), times=st.integers(1, 4))
    def refuse(self, refusal: tuple[Fault, FaultPlace], times: int) -> None:
        self.sandbox.inject(refusal[0], times=times, on=refusal[1])

    @rule()
    def run_out_of_credits(self) -> None:
        self.sandbox.state.credits = Decimal(0)

    @rule()
    def heal(self) -> None:
        self.sandbox.heal()
        self.sandbox.state.credits = Decimal(100)

    @rule(seconds=st.sampled_from([4.0, 30.0, 120.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.run(self.advance(seconds))

    @rule()
    def open_another(self) -> None:
        if len(self.benches) < 3:
            self.run(self.open())

    @rule()
    def kill_all(self) -> None:
        """Go on with the folder as it is on disk; what the killed engines do afterwards happens elsewhere."""

        async def kill() -> None:
            before = self.folder
            self.generation += 1
            # A killed engine sends nothing more.
            self.sandbox.inject(Fault.DROP_BEFORE, times=None, on=FaultPlace.POST)
            shutil.copytree(before, self.folder, ignore=shutil.ignore_patterns("instances"))
            await self.close_all()
            self.sandbox.state.faults.rules.clear()
            await self.open()

        self.run(kill())

    @rule()
    def leave(self) -> None:
        self.run(self.reopen())

    @invariant()
    def check(self) -> None:
        if not self.benches:
            return
        count = accepted(self.sandbox)
        assert set(count.values()) <= {1}, "an entry was sent twice"
        assert float(Decimal("0.04") * count.total()) <= DAILY_CAP + 1e-9, "the cap was passed"
        self.run(self.benches[0].engine.sync.sync())
        jobs = self.benches[0].engine.store.newest_first()
        assert self.prompts <= {job.request.prompt for job in jobs}, "an entry was lost"
        # A job whose response was lost runs at the service unknown to the limit.
        unclear = sum(job.state is JobState.UNCONFIRMED for job in jobs)
        assert most_running(self.sandbox) <= MAX_RUNNING + unclear, "the limit was exceeded"
        for job in jobs:
            if job.state is JobState.QUEUED or job.cause == "cancelled":
                assert not count[job.request.prompt], "sent, and still queued"

    def teardown(self) -> None:
        if self.benches:
            self.sandbox.heal()
        super().teardown()


@pytest.mark.parametrize("examples", [6, pytest.param(150, marks=pytest.mark.long)])
def test_no_order_of_events_sends_twice_loses_or_exceeds(examples: int) -> None:
    """Holds, releases, moves, cancellations, refusals, kills and up to three engines on one folder."""
    machine = settings(max_examples=examples, stateful_step_count=25, deadline=None)
    run_state_machine_as_test(QueueMachine, settings=machine)


@pytest.mark.parametrize("fields", [{"state": "rejected"}, {"owner": "another"}, {"state": "submitting"}])
async def test_an_entry_is_taken_only_as_it_is_on_disk(bench: Bench, fields: dict[str, str]) -> None:
    """Another process has cancelled, claimed or sent it."""
    (job,) = await enqueue(bench, requests_named(1, 1))
    bench.history.update(job.id, fields)
    with bench.history.transaction() as transaction, pytest.raises(EntryUnavailable):
        take_entry(transaction, job)


async def test_a_cancellation_looks_at_the_record(engines: Engines, sandbox: Sandbox) -> None:
    """A second process has not read yet that the entry was sent."""
    async with engines() as one, engines(compact=False) as two:
        one.engine.queue.hold()
        (job, _) = await one.engine.submit_many(requests_named(1, 2), confirmed=True)
        await two.engine.sync.sync()
        one.engine.queue.release()
        await sandbox.wait_until(lambda: accepted(sandbox).total() == 2)
        await wait_idle()
        assert two.engine.store[job.id].state is JobState.QUEUED
        with pytest.raises(InvalidJobState):
            await two.engine.delete([job.id])
        assert two.engine.store[job.id].state is JobState.RUNNING
