"""A disk that refuses at each step of the engine: nothing is sent without a trace, nothing known is dropped."""

from __future__ import annotations

import asyncio
import errno
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from eternal_tui.history.errors import (
    DataFolderMissingError,
    DiskFullError,
    HistoryError,
    LockUnavailableError,
    ReadOnlyError,
)
from eternal_tui.history.history import History
from eternal_tui.jobs.model import JobState
from eternal_tui.sandbox.faults import Fault, FaultPlace
from eternal_tui.sandbox.server import Sandbox
from tests.history.faults import WRITE_CALLS, FailingFileSystem
from tests.jobs.bench import IMAGE_REQUEST, Bench, Engines, run_engine
from tests.jobs.clock import FakeClock

FAILURES = [
    (errno.ENOSPC, WRITE_CALLS, DiskFullError),
    (errno.EDQUOT, WRITE_CALLS, DiskFullError),
    (errno.EROFS, WRITE_CALLS, ReadOnlyError),
    (errno.EACCES, WRITE_CALLS, ReadOnlyError),
    (errno.ENOENT, frozenset({"stat"}), DataFolderMissingError),
    (errno.ESTALE, frozenset({"stat", "fstat"}), DataFolderMissingError),
    (errno.ENOLCK, frozenset({"try_lock"}), LockUnavailableError),
    (errno.EIO, frozenset({"sync"}), HistoryError),
]


@pytest.fixture
def files() -> FailingFileSystem:
    return FailingFileSystem()


@pytest.fixture
async def bench(tmp_path: Path, sandbox: Sandbox, clock: FakeClock, files: FailingFileSystem) -> AsyncIterator[Bench]:
    async with run_engine(tmp_path / "data", sandbox, clock=clock, fs=files) as bench:
        yield bench


@pytest.mark.parametrize(("code", "kinds", "kind"), FAILURES)
async def test_unwritten_intent_is_not_sent(
    bench: Bench, files: FailingFileSystem, code: int, kinds: frozenset[str], kind: type[HistoryError]
) -> None:
    """Said as what it is, and the next submit works."""
    with files.fail_calls(code, kinds), pytest.raises(kind):
        await bench.engine.submit(IMAGE_REQUEST)
    assert bench.sandbox.posts == []
    assert bench.engine.store.newest_first() == []
    assert (await bench.engine.submit(IMAGE_REQUEST)).state is JobState.RUNNING


@pytest.mark.parametrize(("code", "kinds", "kind"), FAILURES)
async def test_unwritten_id_is_shown_and_written_later(
    bench: Bench, files: FailingFileSystem, tmp_path: Path, code: int, kinds: frozenset[str], kind: type[HistoryError]
) -> None:
    """Through polls that would clear its trouble, until the disk takes it; then it survives a kill."""
    bench.sandbox.inject(Fault.SLOW, times=1, on=FaultPlace.POST)
    bench.sandbox.inject(Fault.STUCK, times=None)
    submitting = asyncio.create_task(bench.engine.submit(IMAGE_REQUEST))
    await bench.sandbox.wait_until(lambda: bool(bench.sandbox.charged))
    with files.fail_calls(code, kinds):
        bench.sandbox.state.closing.set()
        job = await submitting
        bench.sandbox.state.closing.clear()
        assert (job.state, job.request_id) == (JobState.RUNNING, bench.sandbox.charged[0])
        assert bench.sandbox.charged[0] in job.waiting_reason
        assert not bench.engine.store.is_durable(job.id)
        await bench.advance_until(lambda: len(bench.sandbox.polls()) >= 2)
        assert "Not on disk yet" in bench.engine.store[job.id].waiting_reason
    await bench.advance_until(lambda: bench.engine.store.is_durable(job.id))
    assert bench.engine.store[job.id].waiting_reason == ""
    with_history = History.open(shutil.copytree(tmp_path / "data", tmp_path / "killed"))
    assert with_history.recent(1)[0][1]["request_id"] == bench.sandbox.charged[0]
    with_history.close(compact=False)
    assert (await bench.engine.load_raw_responses(job.id))["submit_answer"]
    assert len(bench.sandbox.posts) == 1


async def test_unwritten_progress_is_reported_once(bench: Bench, files: FailingFileSystem) -> None:
    bench.sandbox.inject(Fault.STUCK, times=None)
    job = await bench.engine.submit(IMAGE_REQUEST)
    with files.fail_calls(errno.ENOSPC):
        for _ in range(20):
            await bench.engine.watch_now(job.id)
            polls = len(bench.sandbox.polls())
            await bench.advance_until(lambda polls=polls: len(bench.sandbox.polls()) > polls)  # type: ignore[misc]
            await bench.clock.advance(1.0)
        assert len([notice for notice in bench.engine.notices if "No space" in notice]) == 1
    bench.sandbox.heal()
    bench.sandbox.finish()
    await bench.wait_for_state(job.id, "saved")
    await bench.advance_until(lambda: bench.engine.store.is_durable(job.id))
    assert bench.history.get(job.id)["file_state"] == "saved"  # type: ignore[index]


async def test_unwritten_result_is_recorded_later(bench: Bench, files: FailingFileSystem) -> None:
    job = await bench.engine.submit(IMAGE_REQUEST)
    with files.fail_calls(errno.ENOSPC):
        await bench.wait_for_state(job.id, "saved")
        assert bench.history.get(job.id)["state"] == "running"  # type: ignore[index]
    await bench.advance_until(lambda: bench.history.get(job.id)["state"] == "succeeded")  # type: ignore[index]
    assert bench.history.get(job.id)["file_state"] == "saved"  # type: ignore[index]
    assert len(bench.sandbox.downloads) == 1
    assert len(bench.sandbox.posts) == 1


async def test_unconfirmed_job_is_recorded_later(bench: Bench, files: FailingFileSystem) -> None:
    bench.sandbox.inject(Fault.LOST_ANSWER, times=1, on=FaultPlace.POST)
    with files.fail_calls(errno.ENOSPC, skip=2):
        job = await bench.engine.submit(IMAGE_REQUEST)
        assert (str(job.state), bench.engine.store.is_durable(job.id)) == ("unconfirmed", False)
        assert "Not on disk yet" in job.waiting_reason
    await bench.advance_until(lambda: bench.engine.store.is_durable(job.id))
    assert bench.history.get(job.id)["state"] == "unconfirmed"  # type: ignore[index]


async def test_refused_deletion_and_undo_can_be_tried_again(bench: Bench, files: FailingFileSystem) -> None:
    bench.sandbox.inject(Fault.STUCK, times=None)
    job = await bench.engine.submit(IMAGE_REQUEST)
    with files.fail_calls(errno.ENOSPC), pytest.raises(DiskFullError):
        await bench.engine.delete([job.id])
    assert bench.engine.store.get(job.id) is not None
    polls = len(bench.sandbox.polls())
    await bench.advance_until(lambda: len(bench.sandbox.polls()) > polls)
    await bench.engine.delete([job.id])
    with files.fail_calls(errno.ENOSPC), pytest.raises(DiskFullError):
        await bench.engine.undo_delete()
    assert await bench.engine.undo_delete() == [job.id]
    bench.sandbox.heal()
    bench.sandbox.finish()
    await bench.wait_for_state(job.id, "saved")


async def test_disturbed_start_reads_every_job(engines: Engines, sandbox: Sandbox) -> None:
    async with engines() as bench:
        sandbox.inject(Fault.STUCK, times=None)
        job = await bench.engine.submit(IMAGE_REQUEST)
        for _ in range(3):
            bench.history.add_many([{**bench.history.get(job.id), "state": "failed"} for _ in range(100)])  # type: ignore[dict-item]
    files = FailingFileSystem()
    async with engines(fs=files, start=False) as bench:
        with_old = frozenset({"read", "stat", "fstat"})
        await bench.engine.start()
        with files.fail_calls(errno.EIO, with_old):
            await bench.advance_until(lambda: bool(bench.engine.notices))
        await bench.advance_until(lambda: bench.engine.store.is_fully_loaded)
        polls = len(sandbox.polls())
        await bench.advance_until(lambda: len(sandbox.polls()) > polls)
        assert bench.engine.context.owns(bench.engine.store.get(job.id))  # type: ignore[arg-type]


async def test_deleted_folder_is_reported_and_nothing_is_sent(
    tmp_path: Path, sandbox: Sandbox, clock: FakeClock
) -> None:
    """Closing then ends with a sentence, and with every file and thread let go."""
    async with run_engine(tmp_path / "data", sandbox, clock=clock) as bench:
        await bench.engine.submit(IMAGE_REQUEST)
        shutil.rmtree(tmp_path / "data")
        with pytest.raises(HistoryError):
            await bench.engine.submit(IMAGE_REQUEST)
        await bench.advance_until(lambda: bool(bench.engine.notices))
        with pytest.raises(HistoryError):
            await bench.engine.close()
    assert len(sandbox.posts) == 1
