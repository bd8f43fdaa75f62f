"""Characters made from a prompt: paid like any job, so recorded, counted, limited and doubted like one."""

from __future__ import annotations

import asyncio

import pytest

from eternal_tui.api.models import InvalidRequest, character_request
from eternal_tui.jobs.errors import ConfirmationRequired, DailyCapExceeded, InvalidJobState, NoApiKey
from eternal_tui.jobs.model import FileState, JobState, Verdict
from eternal_tui.sandbox.faults import Fault, FaultPlace
from eternal_tui.sandbox.server import Sandbox
from tests.jobs.bench import IMAGE_REQUEST, Bench, Engines, unhurried

CHARACTER_PROMPT = "a harbour pilot in her forties, calm, weathered"


def create_request_count(sandbox: Sandbox) -> int:
    return sum(call.path == "/v2/character/create" for call in sandbox.requests)


async def test_the_intent_is_on_disk_before_the_request_leaves(bench: Bench) -> None:
    bench.sandbox.inject(Fault.SLOW, times=1, on=FaultPlace.POST)
    making = asyncio.create_task(bench.engine.create_character(CHARACTER_PROMPT))
    await bench.sandbox.wait_until(lambda: create_request_count(bench.sandbox) == 1)
    record = bench.history.recent(1)[0][1]
    assert (record["state"], record["request"]["prompt"]) == ("submitting", CHARACTER_PROMPT)
    making.cancel()
    await asyncio.gather(making, return_exceptions=True)
    assert [str(job.state) for job in bench.engine.store.newest_first()] == ["unconfirmed"]


async def test_a_character_is_one_request_and_one_job(engines: Engines, sandbox: Sandbox) -> None:
    """Nothing is polled or fetched for it, also after a restart."""
    async with engines() as bench:
        job = await bench.engine.create_character(CHARACTER_PROMPT)
        assert (job.state, job.file_state, job.request.character) == (JobState.SUCCEEDED, None, sandbox.created[0])
        assert (await bench.engine.wait_until_done(job.id)) == job
        for wish in (bench.engine.retry_download, bench.engine.watch_now, bench.engine.submitter.retry_unconfirmed):
            with pytest.raises(InvalidJobState):
                await wish(job.id)
        assert bench.engine.billing.totals().done_today == 1
        assert "data" in (await bench.engine.load_raw_responses(job.id))["submit_answer"]
    async with engines() as bench:
        await bench.clock.advance(60)
        assert bench.engine.store[job.id].request.character == sandbox.created[0]
    assert create_request_count(sandbox) == 1
    assert not sandbox.polls()
    assert not sandbox.downloads


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.CHARGED_502, Fault.GARBAGE_JSON, Fault.SERVER_ERROR])
async def test_a_lost_answer_is_one_unconfirmed_job_that_the_counter_settles(bench: Bench, fault: Fault) -> None:
    for _ in range(2):
        await bench.engine.submit(IMAGE_REQUEST)
    bench.sandbox.inject(fault, times=1, on=FaultPlace.POST)
    making = asyncio.ensure_future(bench.engine.create_character(CHARACTER_PROMPT, confirmed=True))
    await bench.advance_until(making.done)
    job = await making
    assert (job.state, create_request_count(bench.sandbox)) == (JobState.UNCONFIRMED, 1)
    assert bench.engine.billing.totals().unconfirmed == 1
    await bench.engine.submit(IMAGE_REQUEST)
    await bench.advance_until(lambda: bench.engine.store[job.id].verdict is not None)
    judged, is_charged = bench.engine.store[job.id], bool(bench.sandbox.created)
    assert judged.verdict is (Verdict.CHARGED if is_charged else Verdict.NOT_CHARGED)
    assert not is_charged or judged.cost == pytest.approx(1.0)
    assert bench.engine.billing.totals().spent_total == pytest.approx(is_charged + 3 * 0.04)
    again = await bench.engine.submitter.retry_unconfirmed(job.id, confirmed=True)
    assert (again.state, again.retry_of) == (JobState.SUCCEEDED, job.id)
    assert bench.engine.store[job.id].retried_by == again.id
    assert create_request_count(bench.sandbox) == 2


async def test_its_price_is_read_off_the_next_answer_and_known_from_then_on(engines: Engines) -> None:
    """The answer to a creation says no credits."""
    async with engines() as bench:
        for _ in range(3):
            await bench.engine.submit(IMAGE_REQUEST)
        first = await bench.engine.create_character(CHARACTER_PROMPT)
        assert first.cost is None
        assert bench.engine.billing.estimate(character_request(CHARACTER_PROMPT)) is None
        after = await bench.engine.submit(IMAGE_REQUEST)
        assert after.cost == pytest.approx(0.04)
        assert bench.engine.billing.estimate(IMAGE_REQUEST) == pytest.approx(0.04)
        assert bench.engine.store[first.id].cost == pytest.approx(1.0)
        assert bench.engine.billing.estimate(character_request(CHARACTER_PROMPT)) == pytest.approx(1.0)
        second = await bench.engine.create_character(CHARACTER_PROMPT)
        assert second.cost == pytest.approx(1.0)
        assert bench.engine.billing.totals().spent_today == pytest.approx(2 + 4 * 0.04)
    async with engines() as bench:
        assert bench.engine.billing.totals().spent_total == pytest.approx(2 + 4 * 0.04)
        assert bench.engine.billing.estimate(character_request(CHARACTER_PROMPT)) == pytest.approx(1.0)


async def test_a_silent_charge_is_not_laid_on_an_unconfirmed_job(bench: Bench) -> None:
    for _ in range(2):
        await bench.engine.submit(IMAGE_REQUEST)
    await bench.engine.create_character(CHARACTER_PROMPT)
    bench.sandbox.inject(Fault.HTML_502, times=1, on=FaultPlace.POST)
    doubtful = await bench.engine.submit(IMAGE_REQUEST)
    assert doubtful.state is JobState.UNCONFIRMED
    await bench.engine.submit(IMAGE_REQUEST)
    await bench.wait_until_published(lambda: bench.engine.store[doubtful.id].verdict is not None)
    assert bench.engine.store[doubtful.id].verdict is Verdict.UNKNOWN


async def test_the_limits_hold_for_creations_too(engines: Engines, sandbox: Sandbox) -> None:
    async with engines(policy=unhurried(daily_cap=1.3, confirm_above=0.5)) as bench:
        for _ in range(2):
            await bench.engine.submit(IMAGE_REQUEST, confirmed=True)
        with pytest.raises(ConfirmationRequired, match="price unknown"):
            await bench.engine.create_character(CHARACTER_PROMPT)
        await bench.engine.create_character(CHARACTER_PROMPT, confirmed=True)
        await bench.engine.submit(IMAGE_REQUEST)
        with pytest.raises(DailyCapExceeded):
            await bench.engine.create_character(CHARACTER_PROMPT, confirmed=True)
        with pytest.raises(InvalidRequest):
            await bench.engine.create_character("  ", confirmed=True)
        bench.client.has_api_key = False
        with pytest.raises(NoApiKey):
            await bench.engine.create_character(CHARACTER_PROMPT, confirmed=True)
    assert create_request_count(sandbox) == 1


async def test_a_refused_one_costs_nothing_and_says_why(bench: Bench) -> None:
    bench.sandbox.inject(Fault.HOSTILE_TEXT, times=1, on=FaultPlace.POST)
    job = await bench.engine.create_character(CHARACTER_PROMPT)
    assert (job.state, job.cost, bench.engine.billing.totals().spent_total) == (JobState.REJECTED, 0.0, 0.0)
    assert job.error
    assert job.file_state is not FileState.SAVED
