"""Results: whole or not at all, one poll for an expired link, and downloads resumed when a storage is back."""

from __future__ import annotations

import asyncio
import gc

import pytest

from eternal_tui.jobs.errors import InvalidJobState
from eternal_tui.jobs.model import FileState, Job, JobState
from eternal_tui.media.errors import ResultError
from eternal_tui.sandbox.faults import Fault, FaultPlace
from eternal_tui.sandbox.server import Sandbox
from tests.history.faults import limit_file_size
from tests.jobs.bench import IMAGE_REQUEST, Bench, Engines
from tests.jobs.quiet import wait_idle


def _result_names(bench: Bench) -> set[str]:
    """Return the names in the results folder that are meant to be seen."""
    folder = bench.engine.results_dir
    return {path.name for path in folder.iterdir() if path.name[0] != "."} if folder.exists() else set()


async def _submit_image(bench: Bench) -> Job:
    job = await bench.engine.submit(IMAGE_REQUEST)
    assert job.request_id is not None
    return job


def _polls_after_success(bench: Bench, job: Job) -> int:
    return len(bench.sandbox.polls(job.request_id)) - bench.engine.store[job.id].polls


@pytest.mark.parametrize(
    "fault", [Fault.TRUNCATED, Fault.WRONG_LENGTH, Fault.SERVER_ERROR, Fault.DROP_BEFORE, Fault.RATE_LIMITED]
)
async def test_a_transfer_that_breaks_off_is_gone_on_with(bench: Bench, fault: Fault) -> None:
    bench.sandbox.inject(fault, times=3, on=FaultPlace.CDN)
    job = await bench.wait_for_state((await _submit_image(bench)).id, "saved")
    assert job.file is not None
    assert _result_names(bench) == {job.file}
    assert (bench.engine.results_dir / job.file).read_bytes().startswith(b"\xff\xd8\xff")
    assert len(bench.sandbox.posts) == 1


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.WRONG_TYPE, Fault.HUGE_BODY])
async def test_a_file_that_is_not_the_result_is_never_kept_and_t_fetches_it(bench: Bench, fault: Fault) -> None:
    """Half a file with an honest length, a login page with 200, a file beyond the limit: broken, with nothing saved."""
    bench.sandbox.inject(fault, times=1, on=FaultPlace.CDN)
    job = await bench.wait_for_state((await _submit_image(bench)).id, "broken")
    assert job.error
    assert _result_names(bench) == set()
    await bench.engine.retry_download(job.id)
    saved = await bench.wait_for_state(job.id, "saved")
    assert _result_names(bench) == {saved.file}
    assert saved.error == ""
    assert len(bench.sandbox.posts) == 1


async def test_an_expired_link_is_asked_for_again_exactly_once_and_never_paid_again(bench: Bench) -> None:
    bench.sandbox.inject(Fault.EXPIRED_LINK, times=1)
    job = await bench.wait_for_state((await _submit_image(bench)).id, "saved")
    assert _polls_after_success(bench, job) == 1
    assert "link had expired, asked for a fresh one" in [event.summary for event in job.timeline]
    assert len(bench.sandbox.posts) == 1


async def test_a_link_that_stays_the_same_is_followed_once_more(bench: Bench) -> None:
    """A storage that is a moment late refuses a good link."""
    bench.sandbox.inject(Fault.NOT_READY, times=1)
    job = await bench.wait_for_state((await _submit_image(bench)).id, "saved")
    assert _polls_after_success(bench, job) == 1
    assert len(bench.sandbox.downloads) == 2
    assert "link had expired, asked for a fresh one" not in [event.summary for event in job.timeline]
    assert len(bench.sandbox.posts) == 1


async def test_a_link_that_is_always_expired_is_asked_for_once_and_then_said(bench: Bench) -> None:
    bench.sandbox.inject(Fault.EXPIRED_LINK, times=None)
    job = await bench.wait_for_state((await _submit_image(bench)).id, "expired")
    await bench.clock.advance(600)
    assert _polls_after_success(bench, job) == 1
    assert len(bench.sandbox.downloads) == 2
    assert "t" in job.error
    bench.sandbox.heal()
    await bench.engine.retry_download(job.id)
    await bench.wait_for_state(job.id, "saved")
    with pytest.raises(InvalidJobState):
        await bench.engine.retry_download(job.id)
    assert len(bench.sandbox.posts) == 1


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.DROP_BEFORE, Fault.RATE_LIMITED])
async def test_a_link_expired_while_the_service_is_away_is_not_called_expired(bench: Bench, fault: Fault) -> None:
    """The service cannot be reached: it waits."""
    job = await _submit_image(bench)
    bench.sandbox.inject(Fault.EXPIRED_LINK, times=1)
    bench.sandbox.finish()
    await bench.advance_until(lambda: bench.engine.store[job.id].state is JobState.SUCCEEDED, step_seconds=0.2)
    bench.sandbox.inject(fault, times=2, on=FaultPlace.POLL)
    await bench.wait_for_state(job.id, "saved")
    assert len(bench.sandbox.posts) == 1


async def test_a_repoll_for_a_link_keeps_to_the_pause(bench: Bench) -> None:
    job = await _submit_image(bench)
    bench.sandbox.inject(Fault.EXPIRED_LINK, times=1)
    bench.sandbox.finish()
    held: list[int] = []

    def hold(_ids: frozenset[int]) -> None:
        if not held and bench.engine.store[job.id].state is JobState.SUCCEEDED:
            held.append(len(bench.sandbox.polls()))
            bench.engine.monitor.hold(40.0)

    bench.engine.store.subscribe(hold)
    await bench.advance_until(lambda: bool(bench.sandbox.downloads))
    for _ in range(30):
        await bench.clock.advance(1)
        await wait_idle()
    assert [len(bench.sandbox.polls())] == held
    await bench.wait_for_state(job.id, "saved")


async def test_a_storage_that_is_down_for_hours_is_gone_on_with_by_itself(bench: Bench) -> None:
    """One notification, none afterwards."""
    ended: list[Job] = []
    bench.engine.events.settled.connect(ended.append)
    bench.sandbox.inject(Fault.DROP_BEFORE, times=None, on=FaultPlace.CDN)
    job = await _submit_image(bench)
    await bench.advance_until(lambda: bool(ended))
    assert (ended[0].file_state, bool(ended[0].waiting_reason)) == (FileState.PENDING, True)
    asked = len(bench.sandbox.downloads)
    began = bench.clock.monotonic()
    while bench.clock.monotonic() - began < 2 * 3600:
        await bench.advance_until(lambda: not bench.engine.downloads.active_count)
        await bench.clock.advance(120)
        await wait_idle()
    assert len(ended) == 1
    assert len(bench.sandbox.downloads) - asked <= 5 * 2 * 3600 / 300
    bench.sandbox.heal()
    await bench.wait_for_state(job.id, "saved")
    assert len(bench.sandbox.posts) == 1


async def test_storage_is_tried_again_when_asked_and_after_a_restart(engines: Engines, sandbox: Sandbox) -> None:
    sandbox.inject(Fault.DROP_BEFORE, times=None, on=FaultPlace.CDN)
    async with engines() as bench:
        jobs = [await _submit_image(bench) for _ in range(2)]
        await bench.advance_until(lambda: all(bench.engine.downloads.is_abandoned(job.id) for job in jobs))
        sandbox.heal()
        await bench.engine.retry_download(jobs[0].id)
        await bench.advance_until(
            lambda: bench.engine.store[jobs[0].id].file_state is FileState.SAVED, step_seconds=0.0
        )
    async with engines() as bench:
        await bench.wait_for_state(jobs[1].id, "saved")
    assert len(sandbox.posts) == 2


async def test_result_waits_with_its_reason_on_a_full_disk(engines: Engines, sandbox: Sandbox) -> None:
    """The limit on file sizes stands for a full disk; the history is full with it, and catches up."""
    async with engines() as bench:
        job = await _submit_image(bench)
        with limit_file_size(0):
            await bench.advance_until(lambda: bench.engine.downloads.is_abandoned(job.id))
            held = bench.engine.store[job.id]
            assert (held.state, held.file_state) == (JobState.SUCCEEDED, FileState.PENDING)
            assert "Free some space" in held.waiting_reason
            assert _result_names(bench) == set()
        await bench.advance_until(lambda: bench.engine.store.is_durable(job.id))
        await bench.engine.retry_download(job.id)
        saved = await bench.wait_for_state(job.id, "saved")
        assert saved.waiting_reason == ""
    assert len(sandbox.posts) == 1


async def test_an_encrypted_result_is_kept_as_it_came(bench: Bench) -> None:
    bench.sandbox.inject(Fault.ENCRYPTED, times=None)
    job = await bench.wait_for_state((await _submit_image(bench)).id, "saved")
    assert job.encrypted
    assert job.file is not None
    assert job.file.endswith(".bin")


async def test_a_name_that_is_taken_is_not_overwritten(bench: Bench) -> None:
    job = await _submit_image(bench)
    bench.engine.results_dir.mkdir(exist_ok=True)
    taken = bench.engine.results_dir / f"{job.id:07d}.jpg"
    taken.write_bytes(b"somebody's own image")
    saved = await bench.wait_for_state(job.id, "saved")
    assert taken.read_bytes() == b"somebody's own image"
    assert saved.file not in (None, taken.name)
    assert (bench.engine.results_dir / str(saved.file)).stat().st_size == saved.file_info.bytes  # type: ignore[union-attr]


async def test_job_deleted_during_its_download_comes_back_with_undo(bench: Bench) -> None:
    defects: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: defects.append(context))
    bench.sandbox.inject(Fault.SLOW, times=1, on=FaultPlace.CDN)
    job = await _submit_image(bench)
    bench.sandbox.finish()
    await bench.advance_until(lambda: bool(bench.sandbox.downloads), step_seconds=0.2)
    await bench.engine.delete([job.id])
    bench.sandbox.state.closing.set()
    await wait_idle()
    bench.sandbox.state.closing.clear()
    assert bench.engine.store.get(job.id) is None
    await bench.advance_until(lambda: not bench.engine.downloads._tasks)
    gc.collect()
    assert not defects
    assert await bench.engine.undo_delete() == [job.id]
    await bench.wait_for_state(job.id, "saved")


@pytest.mark.parametrize("damage", ["deleted", "changed"])
async def test_lost_file_is_missing_and_fetched_again(engines: Engines, sandbox: Sandbox, damage: str) -> None:
    """In the running engine and after a start."""
    async with engines() as bench:
        job = await bench.wait_for_state((await _submit_image(bench)).id, "saved")
        assert job.file is not None
        path = bench.engine.results_dir / job.file
        path.unlink()
        if damage == "changed":
            path.write_bytes(b"something else")
        gone = await bench.wait_for_state(job.id, "missing")
        assert damage in gone.error or "no longer" in gone.error
        assert not gone.is_delivered
    async with engines() as bench:
        assert bench.engine.store[job.id].file_state is FileState.MISSING
        await bench.engine.retry_download(job.id)
        again = await bench.wait_for_state(job.id, "saved")
        assert again.file is not None
        assert (bench.engine.results_dir / again.file).read_bytes().startswith(b"\xff\xd8\xff")
        assert again.error == ""
    assert len(sandbox.posts) == 1


async def test_a_link_given_by_hand_is_verified_and_saved(bench: Bench) -> None:
    """Of a lost job, a link that leads nowhere changes nothing."""
    done = await bench.wait_for_state((await _submit_image(bench)).id, "saved")
    bench.sandbox.inject(Fault.POLL_404, times=None)
    lost = await bench.wait_for_state((await _submit_image(bench)).id, "lost")
    with pytest.raises(ResultError):
        await bench.engine.download_from(lost.id, f"{bench.sandbox.cdn_url}/nothing.png")
    assert bench.engine.store[lost.id].state is JobState.LOST
    assert done.result_url is not None
    found = await bench.engine.download_from(lost.id, done.result_url)
    assert (found.state, found.file_state, found.error) == (JobState.SUCCEEDED, FileState.SAVED, "")
    assert _result_names(bench) == {done.file, found.file}
    assert len(bench.sandbox.posts) == 2
