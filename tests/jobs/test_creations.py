"""Characters made from a prompt: paid like any job, so recorded, counted, limited and doubted like one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from eternal_tui.api.models import InvalidRequest, creation
from eternal_tui.jobs.errors import NeedsConfirmation, NoKey, NotPossible, OverCap
from eternal_tui.jobs.model import FileState, JobState, Verdict
from eternal_tui.jobs.policy import Policy
from eternal_tui.sandbox.faults import Fault, Place
from eternal_tui.sandbox.server import Sandbox
from tests.history.faults import SwiftFiles
from tests.jobs.bench import PICTURE, Bench, running
from tests.jobs.clock import FakeClock

PILOT = "a harbour pilot in her forties, calm, weathered"


def creations(sandbox: Sandbox) -> int:
    return sum(call.path == "/v2/character/create" for call in sandbox.calls)


async def test_the_intent_is_on_disk_before_the_request_leaves(bench: Bench) -> None:
    """Seen to fail with an outbox that posts a creation before it is recorded."""
    bench.sandbox.inject(Fault.SLOW, times=1, on=Place.POST)
    making = asyncio.create_task(bench.desk.create_character(PILOT))
    await bench.sandbox.until(lambda: creations(bench.sandbox) == 1)
    record = bench.history.recent(1)[0][1]
    assert (record["state"], record["request"]["type"], record["request"]["prompt"]) == (
        "submitting",
        "character",
        PILOT,
    )
    making.cancel()
    await asyncio.gather(making, return_exceptions=True)
    assert [str(job.state) for job in bench.desk.listing()] == ["unconfirmed"]


async def test_a_character_is_one_request_and_one_job_with_its_id(
    tmp_path: Path, sandbox: Sandbox, clock: FakeClock
) -> None:
    """Nothing is polled or fetched for it, also after a restart."""
    async with running(tmp_path, sandbox, clock=clock) as bench:
        job = await bench.desk.create_character(PILOT)
        assert (job.state, job.file_state, job.request.character) == (JobState.SUCCEEDED, None, sandbox.created[0])
        assert (await bench.desk.settled(job.id)) == job
        for wish in (bench.desk.fetch_again, bench.desk.watch_now, bench.desk.retry_unconfirmed):
            with pytest.raises(NotPossible):
                await wish(job.id)
        assert bench.desk.totals().done_today == 1
        assert "data" in (await bench.desk.answers(job.id))["submit_answer"]
    async with running(tmp_path, sandbox, clock=clock) as bench:
        await clock.advance(60)
        assert bench.desk.job(job.id) is not None
        assert bench.desk.job(job.id).request.character == sandbox.created[0]  # type: ignore[union-attr]
    assert creations(sandbox) == 1
    assert not sandbox.polls()
    assert not sandbox.downloads


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.CHARGED_502, Fault.GARBAGE_JSON, Fault.SERVER_ERROR])
async def test_a_lost_answer_is_one_unconfirmed_job_that_the_counter_settles(bench: Bench, fault: Fault) -> None:
    """Seen to fail with an unclear creation sent again, and with one judged to be charged that counts as nothing."""
    await bench.desk.submit(PICTURE)
    await bench.desk.submit(PICTURE)
    bench.sandbox.inject(fault, times=1, on=Place.POST)
    making = asyncio.ensure_future(bench.desk.create_character(PILOT, confirmed=True))
    await bench.until(making.done)
    job = await making
    assert (job.state, creations(bench.sandbox)) == (JobState.UNCONFIRMED, 1)
    assert bench.desk.totals().unconfirmed == 1
    await bench.desk.submit(PICTURE)
    await bench.shown(lambda: bench.desk.job(job.id).verdict is not None)  # type: ignore[union-attr]
    judged = bench.desk.job(job.id)
    assert judged is not None
    if bench.sandbox.created:
        assert judged.verdict is Verdict.CHARGED
        assert judged.cost == pytest.approx(1.0)
        assert bench.desk.totals().spent_in_all == pytest.approx(1.0 + 3 * 0.04)
    else:
        assert judged.verdict is Verdict.NOT_CHARGED
        assert bench.desk.totals().spent_in_all == pytest.approx(3 * 0.04)
    again = await bench.desk.retry_unconfirmed(job.id, confirmed=True)
    assert (again.state, again.retry_of) == (JobState.SUCCEEDED, job.id)
    assert bench.desk.job(job.id).retried_by == again.id  # type: ignore[union-attr]
    assert creations(bench.sandbox) == 2


async def test_its_price_is_read_off_the_next_answer_and_known_from_then_on(
    tmp_path: Path, sandbox: Sandbox, clock: FakeClock
) -> None:
    """The answer to a creation says no credits. Seen to fail with the drop laid on the picture sent next."""
    async with running(tmp_path, sandbox, clock=clock) as bench:
        for _ in range(3):
            await bench.desk.submit(PICTURE)
        first = await bench.desk.create_character(PILOT)
        assert first.cost is None
        assert bench.desk.estimate(creation(PILOT)) is None
        after = await bench.desk.submit(PICTURE)
        assert after.cost == pytest.approx(0.04)
        assert bench.desk.estimate(PICTURE) == pytest.approx(0.04)
        assert bench.desk.job(first.id).cost == pytest.approx(1.0)  # type: ignore[union-attr]
        assert bench.desk.estimate(creation(PILOT)) == pytest.approx(1.0)
        second = await bench.desk.create_character(PILOT)
        assert second.cost == pytest.approx(1.0)
        assert bench.desk.totals().spent_today == pytest.approx(2 + 4 * 0.04)
        spent = bench.desk.totals()
    async with running(tmp_path, sandbox, clock=clock) as bench:
        assert bench.desk.totals().spent_today == pytest.approx(spent.spent_today)
        assert bench.desk.totals().spent_in_all == pytest.approx(spent.spent_in_all)
        assert bench.desk.estimate(creation(PILOT)) == pytest.approx(1.0)


async def test_a_silent_charge_is_not_laid_on_an_unconfirmed_job(bench: Bench) -> None:
    """Seen to fail with a counter that stays certain after a creation: "probably charged" for a refused picture."""
    await bench.desk.submit(PICTURE)
    await bench.desk.submit(PICTURE)
    await bench.desk.create_character(PILOT)
    bench.sandbox.inject(Fault.HTML_502, times=1, on=Place.POST)
    doubtful = await bench.desk.submit(PICTURE)
    assert doubtful.state is JobState.UNCONFIRMED
    await bench.desk.submit(PICTURE)
    await bench.shown(lambda: bench.desk.job(doubtful.id).verdict is not None)  # type: ignore[union-attr]
    assert bench.desk.job(doubtful.id).verdict is Verdict.UNKNOWN  # type: ignore[union-attr]


async def test_the_limits_hold_for_creations_too(tmp_path: Path, sandbox: Sandbox, clock: FakeClock) -> None:
    """Seen to fail with a creation that goes past the checks of a submit."""
    policy = Policy(daily_cap=1.3, confirm_above=0.5)
    async with running(tmp_path, sandbox, clock=clock, policy=policy, files=SwiftFiles()) as bench:
        for _ in range(2):
            await bench.desk.submit(PICTURE, confirmed=True)
        with pytest.raises(NeedsConfirmation, match="not known yet"):
            await bench.desk.create_character(PILOT)
        await bench.desk.create_character(PILOT, confirmed=True)
        await bench.desk.submit(PICTURE)
        with pytest.raises(OverCap):
            await bench.desk.create_character(PILOT, confirmed=True)
        with pytest.raises(InvalidRequest):
            await bench.desk.create_character("  ", confirmed=True)
        bench.client.keyed = False
        with pytest.raises(NoKey):
            await bench.desk.create_character(PILOT, confirmed=True)
    assert creations(sandbox) == 1


async def test_a_refused_one_costs_nothing_and_says_why(bench: Bench) -> None:
    bench.sandbox.inject(Fault.HOSTILE_TEXT, times=1, on=Place.POST)
    job = await bench.desk.create_character(PILOT)
    assert (job.state, job.cost, bench.desk.totals().spent_in_all) == (JobState.REJECTED, 0.0, 0.0)
    assert job.error
    assert job.file_state is not FileState.SAVED
