"""What a job is called is what is known of it: odd words, odd progress, ids that come and go."""

from __future__ import annotations

from itertools import pairwise

import pytest

from eternal_tui.jobs.errors import InvalidJobState
from eternal_tui.jobs.model import FileState, Job, JobState
from eternal_tui.sandbox.faults import Fault, FaultPlace
from tests.jobs.bench import IMAGE_REQUEST, VIDEO_REQUEST, Bench
from tests.jobs.quiet import wait_idle


async def _submit_video(bench: Bench, fault: Fault | None = None) -> Job:
    if fault is not None:
        bench.sandbox.inject(fault, times=1)
    return await bench.engine.submit(VIDEO_REQUEST)


def _record_snapshots(bench: Bench, job: Job) -> list[Job]:
    """Return every snapshot of the job that is shown from now on."""
    seen: list[Job] = []

    def note(ids: frozenset[int]) -> None:
        shown = bench.engine.store.get(job.id)
        if job.id in ids and shown is not None:
            seen.append(shown)

    bench.engine.store.subscribe(note)
    return seen


async def test_an_unknown_word_is_shown_and_the_job_lives(bench: Bench) -> None:
    job = await _submit_video(bench, Fault.UNKNOWN_WORD)
    seen = _record_snapshots(bench, job)
    await bench.wait_for_state(job.id, "saved")
    assert "transmogrifying" in {snapshot.status_text for snapshot in seen if snapshot.state is JobState.RUNNING}


@pytest.mark.parametrize("fault", [Fault.NULL_PROGRESS, Fault.BACKWARDS_PROGRESS])
async def test_progress_never_runs_backwards_on_screen(bench: Bench, fault: Fault) -> None:
    job = await _submit_video(bench, fault)
    seen = _record_snapshots(bench, job)
    bench.engine.monitor.set_visible([job.id], job.id)
    await bench.wait_for_state(job.id, "saved")
    assert len(seen) > 3
    assert all(before.progress <= after.progress for before, after in pairwise(seen))
    assert seen[-1].progress == 100


@pytest.mark.parametrize("fault", [Fault.UNKNOWN_END, Fault.URL_WITHOUT_SUCCESS, Fault.DONE_WORD, Fault.COMPLETED_WORD])
async def test_a_link_is_evidence_of_success_under_any_word(bench: Bench, fault: Fault) -> None:
    job = await bench.wait_for_state((await _submit_video(bench, fault)).id, "saved")
    assert (job.state, job.progress) == (JobState.SUCCEEDED, 100)


async def test_success_without_a_link_is_not_called_done(bench: Bench) -> None:
    """It lives, says so, then ends with no file; `t` finds the link."""
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


async def test_an_id_unknown_for_a_moment_is_asked_for_again(bench: Bench) -> None:
    job = await _submit_video(bench)
    bench.sandbox.inject(Fault.POLL_404, times=4)
    await bench.advance_until(lambda: bool(bench.engine.store[job.id].waiting_reason))
    assert (await bench.wait_for_state(job.id, "saved")).waiting_reason == ""


async def test_an_id_unknown_for_a_minute_is_lost_with_its_id_kept_and_can_be_watched_again(bench: Bench) -> None:
    """Not before a minute."""
    job = await _submit_video(bench)
    bench.sandbox.inject(Fault.POLL_404, times=None)
    ended: list[Job] = []
    bench.engine.events.settled.connect(ended.append)
    await bench.advance_until(lambda: bool(bench.engine.store[job.id].waiting_reason))
    began = bench.clock.monotonic()
    lost = await bench.wait_for_state(job.id, "lost")
    assert 59 <= bench.clock.monotonic() - began <= 100
    assert lost.request_id == job.request_id
    assert "charged" in lost.error
    await bench.advance_until(lambda: bool(ended), step_seconds=0.0)
    assert [each.id for each in ended] == [job.id]
    polls = len(bench.sandbox.polls())
    await bench.clock.advance(600)
    assert len(bench.sandbox.polls()) == polls
    bench.sandbox.heal()
    await bench.engine.watch_now(job.id)
    back = await bench.wait_for_state(job.id, "saved")
    assert back.error == ""
    assert len(bench.sandbox.posts) == 1


async def test_a_stuck_job_is_stalled_after_its_deadline_never_failed_and_recovers(bench: Bench) -> None:
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
    assert (await bench.wait_for_state(job.id, "saved")).file_state is FileState.SAVED


@pytest.mark.parametrize(
    "fault", [Fault.SERVER_ERROR, Fault.HTML_502, Fault.DROP_BEFORE, Fault.GARBAGE_JSON, Fault.REDIRECT]
)
async def test_a_poll_that_goes_wrong_says_why_and_loses_nothing(bench: Bench, fault: Fault) -> None:
    job = await bench.engine.submit(IMAGE_REQUEST)
    bench.sandbox.inject(fault, times=5, on=FaultPlace.POLL)
    await bench.advance_until(lambda: bool(bench.engine.store[job.id].waiting_reason))
    assert bench.engine.store[job.id].state is JobState.RUNNING
    saved = await bench.wait_for_state(job.id, "saved")
    assert saved.waiting_reason == ""
    assert len(bench.sandbox.posts) == 1
