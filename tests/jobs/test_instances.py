"""Several instances on one history: one polls, one fetches, each sees the others, and nobody pays."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from eternal_tui.history.history import History
from eternal_tui.history.lock import Instance
from eternal_tui.jobs.errors import NotPossible
from eternal_tui.jobs.model import FileState, JobState
from eternal_tui.jobs.ownership import claim
from eternal_tui.sandbox.faults import Fault
from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import ROOT, Program
from tests.history.faults import SwiftFiles
from tests.jobs.bench import PICTURE, Bench, running
from tests.jobs.clock import FakeClock
from tests.jobs.quiet import quiet


@asynccontextmanager
async def instances(folder: Path, sandbox: Sandbox, clock: FakeClock, count: int = 2) -> AsyncIterator[list[Bench]]:
    """Several desks in one process on one folder."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                running(folder, sandbox, clock=clock, seed=seed, fold=seed == 0, files=SwiftFiles())
            )
            for seed in range(count)
        ]


def watching(program: Program) -> subprocess.Popen[bytes]:
    """Start a process that watches every unfinished job."""
    return subprocess.Popen(
        [sys.executable, "-m", "eternal_tui", "watch", "--json"],
        cwd=ROOT,
        env=dict(program.environ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


async def beat(clock: FakeClock, seconds: float) -> None:
    """Let the clock go on, and all that each beat sets off come to its end."""
    for _ in range(round(seconds * 2)):
        await clock.advance(0.5)
        await quiet()


async def test_each_sees_the_others_jobs_within_two_seconds(tmp_path: Path, sandbox: Sandbox, clock: FakeClock) -> None:
    """Seen to fail with a beat of three seconds."""
    async with instances(tmp_path, sandbox, clock, 3) as benches:
        for bench in benches:
            job = await bench.desk.submit(PICTURE)
            await beat(clock, 2)
            for other in benches:
                seen = other.desk.job(job.id)
                assert seen is not None
                assert seen.request_id == job.request_id


async def test_only_the_owner_polls_and_fetches_a_job(tmp_path: Path, sandbox: Sandbox, clock: FakeClock) -> None:
    """Each instance alone asks about its own. Seen to fail with `owns` always true: each job was fetched thrice."""
    async with instances(tmp_path, sandbox, clock, 3) as benches:
        jobs = [await bench.desk.submit(PICTURE) for bench in benches]
        for bench, job in zip(benches, jobs, strict=True):
            await bench.job(job.id, "saved")
        await beat(clock, 10)
        for bench in benches:
            assert [job.file_state for job in bench.desk.listing()] == [FileState.SAVED] * 3
        for job in jobs:
            assert job.request_id is not None
            fetched = [call for call in sandbox.downloads if job.request_id in call.path]
            assert len(fetched) == 1
            assert benches[0].desk.job(job.id).polls == len(sandbox.polls(job.request_id))  # type: ignore[union-attr]
    assert len(sandbox.posts) == 3


async def test_what_one_leaves_another_takes_over_once_and_without_a_post(
    tmp_path: Path, sandbox: Sandbox, clock: FakeClock
) -> None:
    """Two heirs wait for one owner. Seen to fail with orphans that are never looked for after the start."""
    async with instances(tmp_path, sandbox, clock, 2) as heirs:
        async with running(tmp_path, sandbox, clock=clock, seed=9, fold=False) as owner:
            ids = [(await owner.desk.submit(PICTURE)).id for _ in range(5)]
            await beat(clock, 2)
        before = len(sandbox.polls())
        await beat(clock, 8)
        for job_id in ids:
            owners = {bench.instance.id for bench in heirs if bench.desk.owns(bench.desk.job(job_id))}  # type: ignore[arg-type]
            assert len(owners) == 1
        assert len(sandbox.polls()) > before
        for job_id in ids:
            await heirs[0].job(job_id, "saved")
        assert len(sandbox.downloads) == 5
    assert len(sandbox.posts) == 5


async def test_of_two_that_claim_a_job_at_once_one_gets_it(tmp_path: Path, sandbox: Sandbox, clock: FakeClock) -> None:
    """Both know only the dead owner. Seen to fail with a claim that does not read the owner again under the lock."""
    async with running(tmp_path, sandbox, clock=clock, files=SwiftFiles()) as bench:
        job = await bench.desk.submit(PICTURE)
    histories = [History.open(tmp_path, files=SwiftFiles()) for _ in range(2)]
    heirs = [Instance.acquire(tmp_path, clock.time, 1, files=SwiftFiles()) for _ in range(2)]
    claims = [claim(history, heir, [job])[0] for history, heir in zip(histories, heirs, strict=True)]
    assert claims == [[job.id], []]
    for heir, history in zip(heirs, histories, strict=True):
        heir.release()
        history.close(fold=False)


async def test_a_suspended_instance_gives_its_jobs_away_and_does_not_take_them_back(
    tmp_path: Path, sandbox: Sandbox, clock: FakeClock
) -> None:
    """Seen to fail against a return that goes on polling what it owned: both asked."""
    async with instances(tmp_path, sandbox, clock) as (one, two):
        sandbox.inject(Fault.STUCK, times=None)
        job = await one.desk.submit(PICTURE)
        assert job.request_id is not None
        one.instance.release()
        await two.until(lambda: two.desk.owns(two.desk.job(job.id) or job), patience=30)
        one.instance.reacquire()
        one.desk.resume_after_suspend()
        await beat(clock, 3)
        seen_by_one = one.desk._watcher.poller.schedule
        assert job.id not in seen_by_one
        assert not one.desk.owns(one.desk.job(job.id) or job)
        sandbox.heal()
        sandbox.finish()
        await two.job(job.id, "saved")
        await beat(clock, 3)
        assert one.desk.job(job.id).file_state is FileState.SAVED  # type: ignore[union-attr]
        assert len(sandbox.downloads) == 1
    assert len(sandbox.posts) == 1


async def test_a_submit_that_another_took_for_interrupted_still_learns_its_id(
    tmp_path: Path, sandbox: Sandbox, clock: FakeClock
) -> None:
    """Suspended while a POST is under way. Seen to fail without a way from unconfirmed to running: the id was lost."""
    async with instances(tmp_path, sandbox, clock) as (one, two):
        sandbox.inject(Fault.SLOW, times=1)
        submitting = asyncio.create_task(one.desk.submit(PICTURE))
        await sandbox.until(lambda: bool(sandbox.charged))
        one.instance.release()
        await two.until(lambda: any(j.state is JobState.UNCONFIRMED for j in two.desk.listing()), patience=30)
        one.instance.reacquire()
        one.desk.resume_after_suspend()
        await beat(clock, 2)
        assert [j.state for j in one.desk.listing()] == [JobState.UNCONFIRMED]
        sandbox.service.closing.set()
        job = await submitting
        sandbox.service.closing.clear()
        assert (job.state, job.request_id) == (JobState.RUNNING, sandbox.charged[0])
        assert job.error == ""
        await two.job(job.id, "saved")
    assert len(sandbox.posts) == 1


async def test_a_job_watched_elsewhere_is_left_to_its_owner(tmp_path: Path, sandbox: Sandbox, clock: FakeClock) -> None:
    """Seen to fail with a lost job revived before it was owned: it was running, and nobody asked."""
    async with instances(tmp_path, sandbox, clock) as (one, two):
        job = await one.desk.submit(PICTURE)
        sandbox.inject(Fault.POLL_404, times=None)
        await one.job(job.id, "lost")
        await two.until(lambda: two.desk.job(job.id) is not None and two.desk.job(job.id).state is JobState.LOST)  # type: ignore[union-attr]
        with pytest.raises(NotPossible):
            await two.desk.watch_now(job.id)
        assert two.history.get(job.id)["state"] == "lost"  # type: ignore[index]


async def test_deleting_and_undoing_elsewhere_stops_and_resumes_the_owner(
    tmp_path: Path, sandbox: Sandbox, clock: FakeClock
) -> None:
    """Seen to fail without the owner taking a job up again that came back: it was never asked about any more."""
    async with instances(tmp_path, sandbox, clock) as (one, two):
        sandbox.inject(Fault.STUCK, times=None)
        job = await one.desk.submit(PICTURE)
        await beat(clock, 2)
        await two.desk.delete([job.id])
        await beat(clock, 2)
        assert one.desk.job(job.id) is None
        before = len(sandbox.polls())
        await beat(clock, 60)
        assert len(sandbox.polls()) == before
        assert await two.desk.undo_delete() == [job.id]
        sandbox.heal()
        sandbox.finish()
        await one.job(job.id, "saved")


async def test_stopping_to_watch_elsewhere_stops_the_owner(tmp_path: Path, sandbox: Sandbox, clock: FakeClock) -> None:
    """Seen to fail against a look that does not ask whether the job is watched."""
    async with instances(tmp_path, sandbox, clock) as (one, two):
        sandbox.inject(Fault.STUCK, times=None)
        job = await one.desk.submit(PICTURE)
        await beat(clock, 2)
        await two.desk.stop_watching(job.id)
        await beat(clock, 2)
        before = len(sandbox.polls())
        await beat(clock, 60)
        assert len(sandbox.polls()) == before


async def test_a_killed_process_is_followed_within_half_a_minute_and_nothing_is_paid_or_fetched_twice(
    tmp_path: Path, sandbox: Sandbox, clock: FakeClock
) -> None:
    """The owner is a real process that is killed with SIGKILL, the heir a desk whose clock the test moves.

    Seen to fail with instances told alive by a name on disk instead of a lock that ends with the process.
    """
    program = Program(tmp_path, sandbox.api_url, sandbox.key)
    sandbox.inject(Fault.STUCK, times=None)
    async with running(program.data, sandbox, clock=clock) as first:
        ids = [(await first.desk.submit(PICTURE)).id for _ in range(3)]
    owner = watching(program)
    try:
        asked = len(sandbox.polls())
        await sandbox.until(lambda: len(sandbox.polls()) >= asked + 3, within=20.0)
        async with running(program.data, sandbox, clock=clock, fold=False) as heir:
            await beat(clock, 30)
            assert not any(heir.desk.owns(job) for job in heir.desk.listing())
            owner.send_signal(signal.SIGKILL)
            owner.wait()
            began = clock.monotonic()
            await heir.until(lambda: all(heir.desk.owns(job) for job in heir.desk.listing()), patience=60)
            assert clock.monotonic() - began <= 30
            sandbox.heal()
            sandbox.finish()
            for job_id in ids:
                await heir.job(job_id, "saved")
    finally:
        owner.kill()
        owner.wait()
    assert len(sandbox.downloads) == 3
    assert len(sandbox.posts) == 3
