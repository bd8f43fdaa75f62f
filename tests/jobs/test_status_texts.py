"""States of a job after polls: unusual status words and progress, ids that appear and vanish, failed polls."""

from __future__ import annotations

from itertools import pairwise

import pytest

from eternal_tui.jobs.errors import InvalidJobState
from eternal_tui.jobs.model import Job, JobState
from eternal_tui.sandbox.faults import Fault, FaultPlace
from tests.jobs.bench import IMAGE_REQUEST, VIDEO_REQUEST, Bench
from tests.jobs.quiet import wait_idle


async def _submit_video(bench: Bench, fault: Fault | None = None) -> Job:
    if fault is not None:
        bench.sandbox.inject(fault, times=1)
    return await bench.engine.submit(VIDEO_REQUEST)


@pytest.mark.parametrize(
    "fault",
    [
        Fault.UNKNOWN_WORD,
        Fault.NULL_PROGRESS,
        Fault.BACKWARDS_PROGRESS,
        Fault.UNKNOWN_END,
        Fault.URL_WITHOUT_SUCCESS,
        Fault.DONE_WORD,
        Fault.COMPLETED_WORD,
    ],
)
async def test_unusual_words_and_progress_end_in_success(bench: Bench, fault: Fault) -> None:
    """A link is evidence of success under any word, and progress never runs backwards on screen."""
    job = await _submit_video(bench, fault)
    shown: list[Job] = []
    bench.engine.store.subscribe(lambda ids: shown.append(bench.engine.store[job.id]) if job.id in ids else None)
    bench.engine.monitor.set_visible([job.id], job.id)
    await bench.wait_for_state(job.id, "saved")
    assert len(shown) > 3
    assert all(before.progress <= after.progress for before, after in pairwise(shown))
    assert (shown[-1].state, shown[-1].progress) == (JobState.SUCCEEDED, 100)
    words = {each.status_text for each in shown if each.state is JobState.RUNNING}
    assert ("transmogrifying" in words) is (fault is Fault.UNKNOWN_WORD)


async def test_success_without_a_link_is_polled_again(bench: Bench) -> None:
    """It runs on, then ends with no file; polling it again finds the link."""
    job = await _submit_video(bench, Fault.SUCCESS_WITHOUT_URL)
    bench.sandbox.finish()
    await bench.advance_until(lambda: bench.engine.store[job.id].status_text == "success")
    assert bench.engine.store[job.id].state is JobState.RUNNING
    await bench.wait_for_state(job.id, "missing")
    bench.sandbox.heal()
    await bench.engine.retry_download(job.id)
    await bench.wait_for_state(job.id, "saved")


@pytest.mark.parametrize("fault", [Fault.FAILED, Fault.ERROR_WORD])
async def test_a_failure_carries_the_services_reason(bench: Bench, fault: Fault) -> None:
    job = await bench.wait_for_state((await _submit_video(bench, fault)).id, "failed")
    assert job.error == "The model could not follow the prompt."
    assert job.request_id is not None
    with pytest.raises(InvalidJobState):
        await bench.engine.watch_now(job.id)


async def test_id_unknown_for_a_minute_is_lost_and_can_be_polled_again(bench: Bench) -> None:
    job = await _submit_video(bench)
    bench.sandbox.inject(Fault.POLL_404, times=None)
    ended: list[int] = []
    bench.engine.events.settled.connect(lambda job: ended.append(job.id))
    await bench.advance_until(lambda: bool(bench.engine.store[job.id].waiting_reason))
    began = bench.clock.monotonic()
    lost = await bench.wait_for_state(job.id, "lost")
    assert 59 <= bench.clock.monotonic() - began <= 100
    assert (lost.request_id, "charged" in lost.error) == (job.request_id, True)
    await bench.advance_until(lambda: ended == [job.id], step_seconds=0.0)
    polls = len(bench.sandbox.polls())
    await bench.clock.advance(600)
    assert len(bench.sandbox.polls()) == polls
    bench.sandbox.heal()
    await bench.engine.watch_now(job.id)
    assert (await bench.wait_for_state(job.id, "saved")).error == ""
    assert len(bench.sandbox.posts) == 1


async def test_a_stuck_job_is_stalled_and_recovers(bench: Bench) -> None:
    job = await _submit_video(bench, Fault.STUCK)
    began = bench.clock.monotonic()
    await bench.advance_until(lambda: bench.engine.store[job.id].state is not JobState.RUNNING, step_seconds=20.0)
    assert bench.engine.store[job.id].state is JobState.STALLED
    assert bench.clock.monotonic() - began >= 1800
    polls = len(bench.sandbox.polls())
    for _ in range(60):
        await bench.clock.advance(60)
        await wait_idle()
    assert 20 <= len(bench.sandbox.polls()) - polls <= 130
    bench.sandbox.heal()
    bench.sandbox.finish()
    await bench.wait_for_state(job.id, "saved")


@pytest.mark.parametrize(
    "fault", [Fault.SERVER_ERROR, Fault.HTML_502, Fault.DROP_BEFORE, Fault.GARBAGE_JSON, Fault.REDIRECT, Fault.POLL_404]
)
async def test_a_failed_poll_says_why_and_loses_nothing(bench: Bench, fault: Fault) -> None:
    job = await bench.engine.submit(IMAGE_REQUEST)
    bench.sandbox.inject(fault, times=4, on=FaultPlace.POLL)
    await bench.advance_until(lambda: bool(bench.engine.store[job.id].waiting_reason))
    assert bench.engine.store[job.id].state is JobState.RUNNING
    assert (await bench.wait_for_state(job.id, "saved")).waiting_reason == ""
    assert len(bench.sandbox.posts) == 1
