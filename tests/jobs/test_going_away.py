"""A submit that is cancelled, closed upon or killed at any moment: exactly one unconfirmed job, or a known one."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from eternal_tui.jobs.errors import InvalidJobState, ShuttingDown
from eternal_tui.jobs.model import JobState
from eternal_tui.sandbox.faults import Fault, FaultPlace
from eternal_tui.sandbox.server import Sandbox
from tests.api.raw_server import RawServer
from tests.history.faults import UnsyncedFileSystem
from tests.jobs.bench import IMAGE_REQUEST, Bench, Engines, run_engine
from tests.jobs.clock import FakeClock, run_ready_tasks

LOOP_TURNS_PER_STEP = 25
"""Turns of the event loop between two later moments of a cancel: by the last, an answer has long been there."""


class PausingFileSystem(UnsyncedFileSystem):
    """Holds the write with a given number until it is let go on, so that a test can act in the middle of it."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.reached = threading.Event()
        self.resume = threading.Event()
        self._count = 0

    def write(self, fd: int, data: Any, offset: int) -> int:
        self._count += 1
        if self._count == self.number:
            self.reached.set()
            assert self.resume.wait(60.0)
        return super().write(fd, data, offset)


def _check_charges(bench: Bench) -> None:
    """Hold the engine against the server: each charge is known, or covered by one unconfirmed job; nothing hangs."""
    jobs = bench.engine.store.newest_first()
    assert not [job for job in jobs if job.state is JobState.SUBMITTING]
    known = {job.request_id for job in jobs if job.request_id is not None}
    unknown = [request_id for request_id in bench.sandbox.charged if request_id not in known]
    unclear = [job for job in jobs if job.state is JobState.UNCONFIRMED]
    assert len(unknown) <= len(unclear)
    on_disk = {job_id: record["state"] for job_id, record in bench.history.recent(1000)}
    assert on_disk == {job.id: str(job.state) for job in jobs}


async def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _cancel_in_write(files: PausingFileSystem, call: Coroutine[Any, Any, object]) -> None:
    task = asyncio.create_task(call)
    assert await asyncio.to_thread(files.reached.wait, 60.0)
    task.cancel()
    await run_ready_tasks()
    files.resume.set()
    await asyncio.gather(task, return_exceptions=True)


async def test_submit_cancelled_after_any_number_of_steps(engines: Engines, sandbox: Sandbox) -> None:
    ends = set()
    async with engines() as bench:
        for step in range(91):
            charged = len(sandbox.charged)
            if step == 90:
                # Between POST and answer, where the steps may miss it: they are not those of other threads.
                sandbox.inject(Fault.SLOW, times=1, on=FaultPlace.POST)
            submitting = asyncio.create_task(bench.engine.submit(IMAGE_REQUEST))
            if step == 90:
                await sandbox.wait_until(lambda charged=charged: len(sandbox.charged) > charged)  # type: ignore[misc]
            else:
                for _ in range(min(step, 30) + max(0, step - 30) * LOOP_TURNS_PER_STEP):
                    await asyncio.sleep(0)
            before = set(bench.engine.store.newest_first())
            await _cancel(submitting)
            ends |= {str(job.state) for job in bench.engine.store.newest_first() if job not in before}
            _check_charges(bench)
            assert all(
                j.id in bench.engine.monitor.scheduler.due_times or j.id in bench.engine.monitor.scheduler.start_times
                for j in bench.engine.store.newest_first()
                if j.state is JobState.RUNNING
            )
    assert {"rejected", "unconfirmed"} <= ends, "the cancels met the submit at different moments"


async def test_submit_cancelled_between_two_tries_was_not_charged(engines: Engines) -> None:
    async with RawServer(None) as server:
        unused_url = server.url
    async with engines(base_url=unused_url) as bench:
        submitting = asyncio.create_task(bench.engine.submit(IMAGE_REQUEST))
        await bench.wait_until_published(lambda: any(job.waiting_reason for job in bench.engine.store.newest_first()))
        await _cancel(submitting)
        (job,) = bench.engine.store.newest_first()
        assert (str(job.state), job.cost, "Nothing was charged." in job.error) == ("rejected", 0.0, True)


@pytest.mark.parametrize("number", [2, 3])
async def test_submit_cancelled_during_a_write(engines: Engines, sandbox: Sandbox, number: int) -> None:
    """Write 1 is the journal's head, 2 the intent, 3 the id."""
    files = PausingFileSystem(number)
    async with engines(fs=files) as bench:
        await _cancel_in_write(files, bench.engine.submit(IMAGE_REQUEST))
        _check_charges(bench)
        (job,) = bench.engine.store.newest_first()
        assert (str(job.state), len(sandbox.posts)) == (("rejected", 0) if number == 2 else ("running", 1))


async def test_change_cancelled_during_its_write_is_shown(engines: Engines) -> None:
    files = PausingFileSystem(5)
    async with engines(fs=files) as bench:
        job = await bench.engine.submit(IMAGE_REQUEST)
        await _cancel_in_write(files, bench.engine.annotate(job.id, starred=True))
        await bench.wait_until_published(lambda: bench.engine.store[job.id].starred)
        assert bench.history.get(job.id)["starred"]  # type: ignore[index]


async def test_closing_during_a_post_leaves_one_unconfirmed_job(
    engines: Engines, sandbox: Sandbox, clock: FakeClock
) -> None:
    """The rest of the batch stays queued."""
    async with engines() as bench:
        sandbox.inject(Fault.SLOW, times=1, on=FaultPlace.POST)
        submitting = asyncio.create_task(bench.engine.submit_many([IMAGE_REQUEST, IMAGE_REQUEST, IMAGE_REQUEST]))
        await sandbox.wait_until(lambda: bool(sandbox.charged))
        closing = asyncio.create_task(bench.engine.close(grace_seconds=0.05))
        await run_ready_tasks()
        with pytest.raises(ShuttingDown):
            await bench.engine.submit(IMAGE_REQUEST)
        await closing
        assert [str(job.state) for job in await submitting] == ["unconfirmed", "queued", "queued"]
    async with engines() as bench:
        await clock.advance(300)
        assert [str(job.state) for job in bench.engine.store.newest_first()] == ["queued", "queued", "unconfirmed"]
    assert len(sandbox.posts) == 1


async def test_closing_with_patience_takes_the_answer_along(engines: Engines, sandbox: Sandbox) -> None:
    async with engines(grace_seconds=5.0) as bench:
        submitting = asyncio.create_task(bench.engine.submit(IMAGE_REQUEST))
        await sandbox.wait_until(lambda: bool(sandbox.posts))
    assert (await submitting).request_id == sandbox.charged[0]


async def test_a_kill_between_intent_and_answer_is_one_unconfirmed_job(
    engines: Engines, tmp_path: Path, sandbox: Sandbox, clock: FakeClock
) -> None:
    """The folder as it stands on disk at each moment is what kill -9 leaves."""
    moments = {}
    files = PausingFileSystem(3)
    async with engines(fs=files) as bench:
        sandbox.inject(Fault.SLOW, times=1, on=FaultPlace.POST)
        submitting = asyncio.create_task(bench.engine.submit(IMAGE_REQUEST))
        await sandbox.wait_until(lambda: bool(sandbox.posts))
        moments["post arrived"] = shutil.copytree(tmp_path / "data", tmp_path / "arrived")
        await sandbox.wait_until(lambda: bool(sandbox.charged))
        moments["charged"] = shutil.copytree(tmp_path / "data", tmp_path / "charged")
        sandbox.state.closing.set()
        assert await asyncio.to_thread(files.reached.wait, 60.0)
        moments["answered"] = shutil.copytree(tmp_path / "data", tmp_path / "answered")
        files.resume.set()
        job = await submitting
        moments["written"] = shutil.copytree(tmp_path / "data", tmp_path / "written")
        sandbox.state.closing.clear()
    for moment, folder in moments.items():
        async with run_engine(folder, sandbox, clock=clock) as after:
            expected = ("running", job.request_id) if moment == "written" else ("unconfirmed", None)
            assert [(str(j.state), j.request_id) for j in after.engine.store.newest_first()] == [expected], moment
            assert after.engine.billing.totals().unconfirmed == (moment != "written")
    assert len(sandbox.posts) == 1


async def test_two_presses_are_two_jobs_and_two_posts(bench: Bench) -> None:
    one, two = await asyncio.gather(bench.engine.submit(IMAGE_REQUEST), bench.engine.submit(IMAGE_REQUEST))
    assert {one.request_id, two.request_id} == set(bench.sandbox.charged)
    assert len(bench.sandbox.posts) == 2
    assert len(bench.engine.store.newest_first()) == 2


async def test_unconfirmed_job_is_retried_once(engines: Engines, sandbox: Sandbox) -> None:
    """Four presses at once in two instances."""
    async with engines() as one, engines(compact=False) as two:
        sandbox.inject(Fault.LOST_ANSWER, times=1)
        old = await one.engine.submit(IMAGE_REQUEST)
        await two.advance_until(lambda: bool(two.engine.store.newest_first()))
        retries = await asyncio.gather(
            *(bench.engine.submitter.retry_unconfirmed(old.id) for bench in (one, two, one, two)),
            return_exceptions=True,
        )
        sent = [job for job in retries if not isinstance(job, BaseException)]
        assert len(sent) == 1
        assert all(isinstance(each, InvalidJobState) for each in retries if isinstance(each, BaseException))
        assert sent[0].retry_of == old.id
        for bench in (one, two):
            await bench.advance_until(lambda bench=bench: bench.engine.store[old.id].retried_by == sent[0].id)  # type: ignore[misc]
    assert len(sandbox.posts) == 2


async def test_a_job_that_is_being_sent_cannot_be_deleted(bench: Bench) -> None:
    bench.sandbox.inject(Fault.SLOW, times=1, on=FaultPlace.POST)
    submitting = asyncio.create_task(bench.engine.submit(IMAGE_REQUEST))
    await bench.sandbox.wait_until(lambda: bool(bench.sandbox.charged))
    (intent,) = bench.engine.store.newest_first()
    with pytest.raises(InvalidJobState):
        await bench.engine.delete([intent.id])
    bench.history.delete(intent.id)
    bench.engine.store._remove_from_memory(intent.id)
    bench.sandbox.state.closing.set()
    job = await submitting
    bench.sandbox.state.closing.clear()
    assert job.request_id == bench.sandbox.charged[0]
    assert bench.history.get(intent.id)["request_id"] == job.request_id  # type: ignore[index]
