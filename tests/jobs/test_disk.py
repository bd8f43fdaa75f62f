"""A disk that refuses at each step of the desk: nothing is sent without a trace, nothing known is dropped."""

from __future__ import annotations

import asyncio
import errno
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from eternal_tui.history.errors import (
    HistoryError,
    HistoryFull,
    HistoryGone,
    HistoryLockUnavailable,
    HistoryReadOnly,
)
from eternal_tui.history.history import History
from eternal_tui.jobs.model import JobState
from eternal_tui.sandbox.faults import Fault, Place
from eternal_tui.sandbox.server import Sandbox
from tests.history.faults import CHANGING
from tests.jobs.bench import PICTURE, Bench, running
from tests.jobs.clock import FakeClock
from tests.jobs.disk import RefusingFiles

REFUSALS = [
    (errno.ENOSPC, CHANGING, HistoryFull),
    (errno.EDQUOT, CHANGING, HistoryFull),
    (errno.EROFS, CHANGING, HistoryReadOnly),
    (errno.EACCES, CHANGING, HistoryReadOnly),
    (errno.ENOENT, frozenset({"stat"}), HistoryGone),
    (errno.ESTALE, frozenset({"stat", "fstat"}), HistoryGone),
    (errno.ENOLCK, frozenset({"lock"}), HistoryLockUnavailable),
    (errno.EIO, frozenset({"sync"}), HistoryError),
]


@pytest.fixture
def files() -> RefusingFiles:
    return RefusingFiles()


@pytest.fixture
async def bench(tmp_path: Path, sandbox: Sandbox, clock: FakeClock, files: RefusingFiles) -> AsyncIterator[Bench]:
    async with running(tmp_path / "data", sandbox, clock=clock, files=files) as bench:
        yield bench


@pytest.mark.parametrize(("code", "kinds", "kind"), REFUSALS)
async def test_an_intent_that_cannot_be_written_is_not_sent(
    bench: Bench, files: RefusingFiles, code: int, kinds: frozenset[str], kind: type[HistoryError]
) -> None:
    """Said as what it is, and the next submit works. Seen to fail with the POST before the intent."""
    with files.refusing(code, kinds), pytest.raises(kind):
        await bench.desk.submit(PICTURE)
    assert bench.sandbox.posts == []
    assert bench.desk.listing() == []
    assert (await bench.desk.submit(PICTURE)).state is JobState.RUNNING


@pytest.mark.parametrize(("code", "kinds", "kind"), REFUSALS)
async def test_an_id_that_cannot_be_written_is_shown_and_written_later(
    bench: Bench, files: RefusingFiles, tmp_path: Path, code: int, kinds: frozenset[str], kind: type[HistoryError]
) -> None:
    """Through polls that would clear its trouble, until the disk takes it; then it survives a kill.

    Seen to fail with a look that overwrites the trouble, with the answer's fields dropped when the disk refuses,
    and with the trouble left standing once the id is written.
    """
    bench.sandbox.inject(Fault.SLOW, times=1, on=Place.POST)
    bench.sandbox.inject(Fault.STUCK, times=None)
    submitting = asyncio.create_task(bench.desk.submit(PICTURE))
    await bench.sandbox.until(lambda: bool(bench.sandbox.charged))
    with files.refusing(code, kinds):
        bench.sandbox.service.closing.set()
        job = await submitting
        bench.sandbox.service.closing.clear()
        assert (job.state, job.request_id) == (JobState.RUNNING, bench.sandbox.charged[0])
        assert bench.sandbox.charged[0] in job.trouble
        assert not bench.desk.recorded(job.id)
        await bench.until(lambda: len(bench.sandbox.polls()) >= 2)
        held = bench.desk.job(job.id)
        assert held is not None
        assert "Not on disk yet" in held.trouble
    await bench.until(lambda: bench.desk.recorded(job.id))
    assert bench.desk.job(job.id).trouble == ""  # type: ignore[union-attr]
    with_history = History.open(shutil.copytree(tmp_path / "data", tmp_path / "killed"))
    assert with_history.recent(1)[0][1]["request_id"] == bench.sandbox.charged[0]
    with_history.close(fold=False)
    assert (await bench.desk.answers(job.id))["submit_answer"]
    assert len(bench.sandbox.posts) == 1


async def test_progress_that_cannot_be_written_is_told_once_and_recovers(bench: Bench, files: RefusingFiles) -> None:
    """Seen to fail with the memory of what was told wiped by any other chore that went well: told every second."""
    bench.sandbox.inject(Fault.STUCK, times=None)
    job = await bench.desk.submit(PICTURE)
    with files.refusing(errno.ENOSPC):
        for _ in range(20):
            await bench.desk.watch_now(job.id)
            polls = len(bench.sandbox.polls())
            await bench.until(lambda polls=polls: len(bench.sandbox.polls()) > polls)  # type: ignore[misc]
            await bench.clock.advance(1.0)
        assert len([notice for notice in bench.desk.notices if "No room" in notice]) == 1
    bench.sandbox.heal()
    bench.sandbox.finish()
    await bench.job(job.id, "saved")
    await bench.until(lambda: bench.desk.recorded(job.id))
    record = bench.history.get(job.id)
    assert record is not None
    assert (record["state"], record["file_state"]) == ("succeeded", "saved")


async def test_a_result_found_while_the_disk_is_full_is_shown_and_recorded_later(
    bench: Bench, files: RefusingFiles
) -> None:
    """Seen to fail with a look that ends in the error: the job was never asked about again."""
    job = await bench.desk.submit(PICTURE)
    with files.refusing(errno.ENOSPC):
        await bench.job(job.id, "saved")
        assert bench.history.get(job.id)["state"] == "running"  # type: ignore[index]
    await bench.until(lambda: bench.history.get(job.id)["state"] == "succeeded")  # type: ignore[index]
    assert bench.history.get(job.id)["file_state"] == "saved"  # type: ignore[index]
    assert len(bench.sandbox.downloads) == 1
    assert len(bench.sandbox.posts) == 1


async def test_a_refused_submit_ends_though_the_disk_is_full(bench: Bench, files: RefusingFiles) -> None:
    for fault, state in ((Fault.LOST_ANSWER, "unconfirmed"), (Fault.SERVER_ERROR, "unconfirmed")):
        bench.sandbox.inject(fault, times=1, on=Place.POST)
        with files.refusing(errno.ENOSPC, after=2):
            job = await bench.desk.submit(PICTURE)
            assert (str(job.state), bench.desk.recorded(job.id)) == (state, False)
            assert "Not on disk yet" in job.trouble
        await bench.until(lambda job_id=job.id: bench.desk.recorded(job_id))  # type: ignore[misc]
        assert bench.history.get(job.id)["state"] == state  # type: ignore[index]


async def test_a_deletion_the_disk_refuses_leaves_the_job_watched_and_undo_can_be_tried_again(
    bench: Bench, files: RefusingFiles
) -> None:
    """Seen to fail with jobs forgotten by the watcher first, and with an undo that drops what it could not write."""
    bench.sandbox.inject(Fault.STUCK, times=None)
    job = await bench.desk.submit(PICTURE)
    with files.refusing(errno.ENOSPC), pytest.raises(HistoryFull):
        await bench.desk.delete([job.id])
    assert bench.desk.job(job.id) is not None
    polls = len(bench.sandbox.polls())
    await bench.until(lambda: len(bench.sandbox.polls()) > polls)
    await bench.desk.delete([job.id])
    with files.refusing(errno.ENOSPC), pytest.raises(HistoryFull):
        await bench.desk.undo_delete()
    assert await bench.desk.undo_delete() == [job.id]
    bench.sandbox.heal()
    bench.sandbox.finish()
    await bench.job(job.id, "saved")


async def test_a_start_the_disk_disturbs_still_reads_every_job(
    tmp_path: Path, sandbox: Sandbox, clock: FakeClock
) -> None:
    """Seen to fail with older jobs read once and never again: unfinished ones among them were not resumed."""
    async with running(tmp_path, sandbox, clock=clock) as bench:
        sandbox.inject(Fault.STUCK, times=None)
        job = await bench.desk.submit(PICTURE)
        for _ in range(3):
            bench.history.add_many([{**bench.history.get(job.id), "state": "failed"} for _ in range(100)])  # type: ignore[dict-item]
    files = RefusingFiles()
    async with running(tmp_path, sandbox, clock=clock, files=files, start=False) as bench:
        with_old = frozenset({"read", "stat", "fstat"})
        await bench.desk.start()
        with files.refusing(errno.EIO, with_old):
            await bench.until(lambda: bool(bench.desk.notices))
        await bench.until(lambda: bench.desk.loaded)
        polls = len(sandbox.polls())
        await bench.until(lambda: len(sandbox.polls()) > polls)
        assert bench.desk.owns(bench.desk.job(job.id))  # type: ignore[arg-type]


async def test_a_folder_deleted_under_a_running_desk_is_said_and_nothing_is_sent(
    tmp_path: Path, sandbox: Sandbox, clock: FakeClock
) -> None:
    """Closing then ends with a sentence, and with every file and thread let go."""
    async with running(tmp_path / "data", sandbox, clock=clock) as bench:
        await bench.desk.submit(PICTURE)
        shutil.rmtree(tmp_path / "data")
        with pytest.raises(HistoryError):
            await bench.desk.submit(PICTURE)
        await bench.until(lambda: bool(bench.desk.notices))
        with pytest.raises(HistoryError):
            await bench.desk.close()
    assert len(sandbox.posts) == 1
