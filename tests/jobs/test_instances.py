"""Several instances on one history: one polls, one fetches, each sees the others, and none pays."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from eternal_tui.history.history import History
from eternal_tui.history.lock import InstanceLock
from eternal_tui.jobs.errors import InvalidJobState
from eternal_tui.jobs.model import FileState, JobState
from eternal_tui.jobs.sync import claim
from eternal_tui.sandbox.faults import Fault
from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import ROOT, Program
from tests.history.faults import UnsyncedFileSystem
from tests.jobs.bench import IMAGE_REQUEST, Bench, Engines, run_engine
from tests.jobs.clock import FakeClock
from tests.jobs.quiet import wait_idle

Instances = Callable[..., AbstractAsyncContextManager[list[Bench]]]


@pytest.fixture
def open_instances(engines: Engines) -> Instances:
    """Opens several engines in one process on one folder."""

    @asynccontextmanager
    async def open_instances(count: int = 2) -> AsyncIterator[list[Bench]]:
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(engines(seed=seed, compact=seed == 0)) for seed in range(count)]

    return open_instances


def start_watch_process(program: Program) -> subprocess.Popen[bytes]:
    """Start a process that watches every unfinished job."""
    return subprocess.Popen(
        [sys.executable, "-m", "eternal_tui", "watch", "--json"],
        cwd=ROOT,
        env=dict(program.environ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


async def advance_and_wait_idle(clock: FakeClock, seconds: float) -> None:
    """Let the clock go on, and all that each beat sets off come to its end."""
    for _ in range(round(seconds * 2)):
        await clock.advance(0.5)
        await wait_idle()


async def test_jobs_of_others_are_seen_within_two_seconds(open_instances: Instances, clock: FakeClock) -> None:
    async with open_instances(3) as benches:
        for bench in benches:
            job = await bench.engine.submit(IMAGE_REQUEST)
            await advance_and_wait_idle(clock, 2)
            for other in benches:
                seen = other.engine.store.get(job.id)
                assert seen is not None
                assert seen.request_id == job.request_id


async def test_only_the_owner_polls_and_fetches_a_job(
    open_instances: Instances, sandbox: Sandbox, clock: FakeClock
) -> None:
    """Each instance alone asks about its own."""
    async with open_instances(3) as benches:
        jobs = [await bench.engine.submit(IMAGE_REQUEST) for bench in benches]
        for bench, job in zip(benches, jobs, strict=True):
            await bench.wait_for_state(job.id, "saved")
        await advance_and_wait_idle(clock, 10)
        for bench in benches:
            assert [job.file_state for job in bench.engine.store.newest_first()] == [FileState.SAVED] * 3
        for job in jobs:
            assert job.request_id is not None
            fetched = [call for call in sandbox.downloads if job.request_id in call.path]
            assert len(fetched) == 1
            assert benches[0].engine.store[job.id].polls == len(sandbox.polls(job.request_id))
    assert len(sandbox.posts) == 3


async def test_abandoned_jobs_are_taken_over_once(
    open_instances: Instances, engines: Engines, sandbox: Sandbox, clock: FakeClock
) -> None:
    """Two heirs wait for one owner."""
    async with open_instances(2) as heirs:
        async with engines(seed=9, compact=False) as owner:
            ids = [(await owner.engine.submit(IMAGE_REQUEST)).id for _ in range(5)]
            await advance_and_wait_idle(clock, 2)
        before = len(sandbox.polls())
        await advance_and_wait_idle(clock, 8)
        for job_id in ids:
            owners = {bench.instance.id for bench in heirs if bench.engine.context.owns(bench.engine.store.get(job_id))}  # type: ignore[arg-type]
            assert len(owners) == 1
        assert len(sandbox.polls()) > before
        for job_id in ids:
            await heirs[0].wait_for_state(job_id, "saved")
        assert len(sandbox.downloads) == 5
    assert len(sandbox.posts) == 5


async def test_one_of_two_claims_gets_the_job(engines: Engines, clock: FakeClock) -> None:
    """Both know only the dead owner."""
    async with engines() as bench:
        job = await bench.engine.submit(IMAGE_REQUEST)
    histories = [History.open(bench.data_dir, fs=UnsyncedFileSystem()) for _ in range(2)]
    heirs = [InstanceLock.acquire(bench.data_dir, clock.time) for _ in range(2)]
    claims = [claim(history, heir, [job]) for history, heir in zip(histories, heirs, strict=True)]
    assert claims == [[job.id], []]
    for heir, history in zip(heirs, histories, strict=True):
        heir.release()
        history.close(compact=False)


async def test_suspended_instance_gives_its_jobs_away(
    open_instances: Instances, sandbox: Sandbox, clock: FakeClock
) -> None:
    async with open_instances() as (one, two):
        sandbox.inject(Fault.STUCK, times=None)
        job = await one.engine.submit(IMAGE_REQUEST)
        assert job.request_id is not None
        one.instance.release()
        await two.advance_until(lambda: two.engine.context.owns(two.engine.store.get(job.id) or job), limit_seconds=30)
        one.instance.reacquire()
        one.engine.resume_after_suspend()
        await advance_and_wait_idle(clock, 3)
        assert job.id not in one.engine.monitor.scheduler.due_times
        assert not one.engine.context.owns(one.engine.store.get(job.id) or job)
        sandbox.heal()
        sandbox.finish()
        await two.wait_for_state(job.id, "saved")
        await advance_and_wait_idle(clock, 3)
        assert one.engine.store[job.id].file_state is FileState.SAVED
        assert len(sandbox.downloads) == 1
    assert len(sandbox.posts) == 1


async def test_interrupted_submit_learns_its_id(open_instances: Instances, sandbox: Sandbox, clock: FakeClock) -> None:
    """Suspended while a POST is under way."""
    async with open_instances() as (one, two):
        sandbox.inject(Fault.SLOW, times=1)
        submitting = asyncio.create_task(one.engine.submit(IMAGE_REQUEST))
        await sandbox.wait_until(lambda: bool(sandbox.charged))
        one.instance.release()
        await two.advance_until(
            lambda: any(j.state is JobState.UNCONFIRMED for j in two.engine.store.newest_first()), limit_seconds=30
        )
        one.instance.reacquire()
        one.engine.resume_after_suspend()
        await advance_and_wait_idle(clock, 2)
        assert [j.state for j in one.engine.store.newest_first()] == [JobState.UNCONFIRMED]
        sandbox.state.closing.set()
        job = await submitting
        sandbox.state.closing.clear()
        assert (job.state, job.request_id) == (JobState.RUNNING, sandbox.charged[0])
        assert job.error == ""
        await two.wait_for_state(job.id, "saved")
    assert len(sandbox.posts) == 1


async def test_a_job_watched_elsewhere_is_left_to_its_owner(open_instances: Instances, sandbox: Sandbox) -> None:
    async with open_instances() as (one, two):
        job = await one.engine.submit(IMAGE_REQUEST)
        sandbox.inject(Fault.POLL_404, times=None)
        await one.wait_for_state(job.id, "lost")
        await two.advance_until(
            lambda: (seen := two.engine.store.get(job.id)) is not None and seen.state is JobState.LOST
        )
        with pytest.raises(InvalidJobState):
            await two.engine.watch_now(job.id)
        assert two.history.get(job.id)["state"] == "lost"  # type: ignore[index]


async def test_changes_elsewhere_stop_and_resume_the_owner(
    open_instances: Instances, sandbox: Sandbox, clock: FakeClock
) -> None:
    async with open_instances() as (one, two):
        sandbox.inject(Fault.STUCK, times=None)
        job = await one.engine.submit(IMAGE_REQUEST)
        await advance_and_wait_idle(clock, 2)
        await two.engine.delete([job.id])
        await advance_and_wait_idle(clock, 2)
        assert one.engine.store.get(job.id) is None
        before = len(sandbox.polls())
        await advance_and_wait_idle(clock, 60)
        assert len(sandbox.polls()) == before
        assert await two.engine.undo_delete() == [job.id]
        sandbox.heal()
        sandbox.finish()
        await one.wait_for_state(job.id, "saved")


async def test_stopping_elsewhere_stops_the_owner(
    open_instances: Instances, sandbox: Sandbox, clock: FakeClock
) -> None:
    async with open_instances() as (one, two):
        sandbox.inject(Fault.STUCK, times=None)
        job = await one.engine.submit(IMAGE_REQUEST)
        await advance_and_wait_idle(clock, 2)
        await two.engine.stop_watching(job.id)
        await advance_and_wait_idle(clock, 2)
        before = len(sandbox.polls())
        await advance_and_wait_idle(clock, 60)
        assert len(sandbox.polls()) == before


async def test_jobs_added_before_two_compactions_are_seen_by_one_that_queues(
    engines: Engines, clock: FakeClock
) -> None:
    """Their changes cannot be listed, and the step that queues is the one that reads so."""
    async with engines() as bench:
        record = bench.history.get((await bench.engine.submit(IMAGE_REQUEST)).id) or {}
        other = History.open(bench.data_dir, fs=UnsyncedFileSystem())
        for _ in range(2):
            other.add({**record, "state": "failed"})
            other.compact()
        other.close(compact=False)
        bench.engine.queue.hold("by the test")
        await bench.engine.submit_many([IMAGE_REQUEST] * 2, wait_seconds=0.0)
        await advance_and_wait_idle(clock, 2)
        assert [job.id for job in bench.engine.store.newest_first()] == [5, 4, 3, 2, 1]


async def test_jobs_of_a_killed_process_are_taken_over(tmp_path: Path, sandbox: Sandbox, clock: FakeClock) -> None:
    """The owner is a real process that is killed with SIGKILL, the heir a engine whose clock the test moves."""
    program = Program(tmp_path, sandbox.api_url, sandbox.key)
    sandbox.inject(Fault.STUCK, times=None)
    async with run_engine(program.data_dir, sandbox, clock=clock) as first:
        ids = [(await first.engine.submit(IMAGE_REQUEST)).id for _ in range(3)]
    owner = start_watch_process(program)
    try:
        asked = len(sandbox.polls())
        await sandbox.wait_until(lambda: len(sandbox.polls()) >= asked + 3, timeout_seconds=20.0)
        async with run_engine(program.data_dir, sandbox, clock=clock, compact=False) as heir:
            await advance_and_wait_idle(clock, 30)
            assert not any(heir.engine.context.owns(job) for job in heir.engine.store.newest_first())
            owner.send_signal(signal.SIGKILL)
            owner.wait()
            began = clock.monotonic()
            await heir.advance_until(
                lambda: all(heir.engine.context.owns(job) for job in heir.engine.store.newest_first()), limit_seconds=60
            )
            assert clock.monotonic() - began <= 30
            assert [path.name for path in (program.data_dir / "instances").iterdir()] == [heir.instance.id]
            sandbox.heal()
            sandbox.finish()
            for job_id in ids:
                await heir.wait_for_state(job_id, "saved")
    finally:
        owner.kill()
        owner.wait()
    assert len(sandbox.downloads) == 3
    assert len(sandbox.posts) == 3
