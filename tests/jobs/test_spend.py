"""Spending and its limits: over midnight, across instances, with prices that are unknown or change."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import msgspec
import pytest

from eternal_tui.api.models import GenerateRequest
from eternal_tui.jobs.billing.charges import rows_of_old_jobs
from eternal_tui.jobs.billing.ledger import Ledger
from eternal_tui.jobs.billing.statistics import day_bounds
from eternal_tui.jobs.errors import CapUndeterminable, ConfirmationRequired, DailyCapExceeded
from eternal_tui.jobs.model import Job, JobState, Verdict
from eternal_tui.sandbox import state as sandbox_service
from eternal_tui.sandbox.faults import Fault, FaultPlace
from eternal_tui.sandbox.server import Sandbox
from tests.jobs.bench import IMAGE_REQUEST, VIDEO_REQUEST, Bench, Engines, unhurried
from tests.jobs.clock import FakeClock

HIGH_QUALITY_REQUEST = GenerateRequest(character="6870", prompt="In the snow", type="image", quality="high")


async def _submit(bench: Bench, count: int) -> None:
    for _ in range(count):
        assert (await bench.engine.submit(IMAGE_REQUEST, confirmed=True)).state is JobState.RUNNING


async def test_cap_restarts_at_midnight_and_total_stays(engines: Engines, clock: FakeClock) -> None:
    clock.jump_wall_clock(day_bounds(clock.time())[1] - clock.time() - 300)
    async with engines(policy=unhurried(daily_cap=0.1)) as bench:
        await _submit(bench, 2)
        with pytest.raises(DailyCapExceeded):
            await bench.engine.submit(IMAGE_REQUEST)
        assert bench.engine.billing.totals().spent_today == pytest.approx(0.08)
        await bench.advance_until(lambda: bench.engine.billing.totals().spent_today == 0.0, step_seconds=60.0)
        await _submit(bench, 1)
        assert bench.engine.billing.totals().spent_today == pytest.approx(0.04)
        assert bench.engine.billing.totals().spent_total == pytest.approx(0.12)


async def test_cap_holds_after_a_start_with_many_jobs(engines: Engines, sandbox: Sandbox) -> None:
    async with engines() as bench:
        job = await bench.engine.submit(IMAGE_REQUEST)
        bench.history.add_many([{**(bench.history.get(job.id) or {}), "state": "failed", "cost": 0.04}] * 299)
    async with engines(policy=unhurried(daily_cap=11.0)) as bench:
        with pytest.raises(DailyCapExceeded):
            await bench.engine.submit(IMAGE_REQUEST)
    assert len(sandbox.posts) == 1


@pytest.mark.parametrize(
    ("fault", "reason"), [(None, "daily_cap is 0.10"), (Fault.NO_CREDITS, "cannot be checked")], ids=["known", "silent"]
)
async def test_batch_is_held_at_the_cap(engines: Engines, sandbox: Sandbox, fault: Fault | None, reason: str) -> None:
    """Nothing is known of the price when it begins, or ever, where the service does not report the balance."""
    if fault is not None:
        sandbox.inject(fault, times=None)
    async with engines(policy=unhurried(daily_cap=0.1)) as bench:
        jobs = await bench.engine.submit_many([IMAGE_REQUEST] * 20)
        assert [str(job.state) for job in jobs] == ["running"] * 2 + ["queued"] * 18
        assert reason in bench.engine.queue.summary().reason
        with pytest.raises(DailyCapExceeded):
            await bench.engine.submit(IMAGE_REQUEST, confirmed=True)
    assert len(sandbox.posts) == 2


async def test_cap_with_unknown_costs_refuses_until_midnight(
    engines: Engines, sandbox: Sandbox, clock: FakeClock
) -> None:
    sandbox.inject(Fault.LOST_ANSWER, times=None)
    async with engines(policy=unhurried(daily_cap=0.1)) as bench:
        for _ in range(2):
            assert (await bench.engine.submit(IMAGE_REQUEST)).state is JobState.UNCONFIRMED
        with pytest.raises(CapUndeterminable):
            await bench.engine.submit(IMAGE_REQUEST)
        clock.jump_wall_clock(86_400)
        sandbox.heal()
        await _submit(bench, 1)
    assert len(sandbox.posts) == 3


async def test_cap_holds_across_instances(engines: Engines, sandbox: Sandbox) -> None:
    """Three instances, twelve submits at once."""
    policy = unhurried(daily_cap=0.25)
    async with (
        engines(policy=policy) as one,
        engines(policy=policy, compact=False) as two,
        engines(policy=policy, compact=False) as three,
    ):
        await _submit(one, 2)
        await two.advance_until(
            lambda: None not in [each.engine.billing.estimate(IMAGE_REQUEST) for each in (two, three)]
        )
        sending = asyncio.gather(
            *(bench.engine.submit(IMAGE_REQUEST) for _ in range(4) for bench in (one, two, three)),
            return_exceptions=True,
        )
        await one.advance_until(sending.done)
        assert sandbox.settings.credits - sandbox.credits <= 0.25 + 1e-9
        assert 3 <= len(sandbox.posts) <= 6


async def test_price_ignores_charges_of_other_instances(engines: Engines, sandbox: Sandbox) -> None:
    """Three instances that read one another's charges only now and then."""
    async with engines() as one, engines(compact=False) as two, engines(compact=False) as three:
        benches = (one, two, three)
        for _ in range(4):
            await asyncio.gather(*(bench.engine.submit(IMAGE_REQUEST) for bench in benches))
        assert all(bench.engine.billing.estimate(IMAGE_REQUEST) in (None, 0.04) for bench in benches)
        await _submit(one, 2)
        assert one.engine.billing.estimate(IMAGE_REQUEST) == pytest.approx(0.04)
    async with engines() as later:
        assert later.engine.billing.estimate(IMAGE_REQUEST) == pytest.approx(0.04)
        await later.advance_until(lambda: later.engine.billing.totals().spent_total == pytest.approx(14 * 0.04))
    assert len(sandbox.posts) == 14


async def test_unknown_price_asks_and_counts_once_known(engines: Engines, sandbox: Sandbox) -> None:
    async with engines(policy=unhurried(confirm_above=1.0)) as bench:
        with pytest.raises(ConfirmationRequired):
            await bench.engine.submit(IMAGE_REQUEST)
        sandbox.inject(Fault.LOST_ANSWER, times=1)
        lost = await bench.engine.submit(IMAGE_REQUEST, confirmed=True)
        assert lost.cost is None
        await _submit(bench, 2)
        await bench.wait_until_published(lambda: bench.engine.store[lost.id].cost is not None)
        assert bench.engine.billing.totals().spent_today == pytest.approx(0.12)
        assert len(await bench.engine.submit_many([IMAGE_REQUEST] * 20)) == 20
        with pytest.raises(ConfirmationRequired):
            await bench.engine.submit_many([IMAGE_REQUEST] * 26)


async def test_unconfirmed_job_counts_until_judged_not_charged(bench: Bench, sandbox: Sandbox) -> None:
    billing = bench.engine.billing
    await _submit(bench, 2)
    sandbox.inject(Fault.DROP_BEFORE, times=1, on=FaultPlace.POST)
    unclear = await bench.engine.submit(IMAGE_REQUEST)
    assert billing.totals().spent_today == pytest.approx(0.12)
    await _submit(bench, 1)
    await bench.advance_until(lambda: bench.engine.store[unclear.id].verdict is Verdict.NOT_CHARGED)
    assert billing.totals().spent_today == pytest.approx(0.12)
    assert billing.totals().spent_total == pytest.approx(float(sandbox.settings.credits) - sandbox.credits)


async def test_refund_of_a_failed_job_is_taken_off_the_total(bench: Bench, sandbox: Sandbox) -> None:
    await _submit(bench, 2)
    sandbox.inject(Fault.FAILED, times=1)
    failed = await bench.wait_for_state((await bench.engine.submit(IMAGE_REQUEST)).id, "failed")
    assert bench.engine.billing.totals().spent_today == pytest.approx(0.12)
    sandbox.state.credits += Decimal("0.04")
    await _submit(bench, 1)
    await bench.wait_until_published(lambda: bench.engine.store[failed.id].cost == 0.0)
    assert bench.engine.billing.totals().spent_today == pytest.approx(0.12)


async def test_deleted_job_of_unknown_price_is_harmless(bench: Bench) -> None:
    await bench.engine.delete([(await bench.engine.submit(IMAGE_REQUEST)).id])
    await _submit(bench, 3)


async def test_price_of_another_quality_or_duration_is_estimated(bench: Bench) -> None:
    await _submit(bench, 2)
    await bench.engine.submit(VIDEO_REQUEST)
    assert bench.engine.billing.estimate(HIGH_QUALITY_REQUEST) == pytest.approx(0.08)
    longer = msgspec.structs.replace(VIDEO_REQUEST, duration=3)
    assert bench.engine.billing.estimate(longer) == pytest.approx(0.15)


async def test_estimate_follows_a_price_change(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within five submits: the median of nine."""
    await _submit(bench, 10)
    assert bench.engine.billing.estimate(IMAGE_REQUEST) == pytest.approx(0.04)
    monkeypatch.setattr(sandbox_service, "price", lambda _order: Decimal("0.10"))
    await _submit(bench, 5)
    assert bench.engine.billing.estimate(IMAGE_REQUEST) == pytest.approx(0.10)
    assert bench.engine.billing.totals().spent_today == pytest.approx(0.9)


async def test_totals_and_prices_survive_a_restart(engines: Engines, sandbox: Sandbox) -> None:
    requests = (IMAGE_REQUEST, HIGH_QUALITY_REQUEST, VIDEO_REQUEST)
    async with engines() as bench:
        saved = await bench.wait_for_state((await bench.engine.submit(IMAGE_REQUEST)).id, "saved")
        for request in (IMAGE_REQUEST, VIDEO_REQUEST, HIGH_QUALITY_REQUEST, VIDEO_REQUEST):
            await bench.engine.submit(request)
        for fault, request in (
            (Fault.LOST_ANSWER, VIDEO_REQUEST),
            (Fault.NO_CREDITS, HIGH_QUALITY_REQUEST),
            (Fault.HOSTILE_TEXT, IMAGE_REQUEST),
        ):
            sandbox.inject(fault, times=1, on=FaultPlace.POST)
            await bench.engine.submit(request)
        await bench.engine.delete([saved.id])
        await bench.engine.undo_delete()
        before = bench.engine.billing.totals()
        estimates = [bench.engine.billing.estimate(each) for each in requests]
        assert before.spent_total == pytest.approx(float(sandbox.settings.credits) - sandbox.credits, abs=0.005)
    async with engines() as bench:
        await bench.advance_until(lambda: bench.engine.store.is_fully_loaded)
        assert bench.engine.billing.totals() == before
        assert [bench.engine.billing.estimate(each) for each in requests] == estimates


async def test_total_counts_rows_that_are_not_read_at_the_start(engines: Engines, clock: FakeClock) -> None:
    async with engines() as bench:
        await _submit(bench, 2)
        row = next(row for _, row in bench.history.charges() if row["kind"] == "intent")
        with bench.history.transaction() as transaction:
            for number in range(1_500):
                transaction.add_charge({**row, "job": 1_000 + number, "amount": "0.04"})
    clock.jump_wall_clock(3 * 86_400)
    async with engines() as bench:
        assert bench.engine.billing.totals().spent_total < 60
        await bench.advance_until(lambda: bench.engine.store.is_fully_loaded)
        assert bench.engine.billing.totals().spent_total == pytest.approx(60.08)


def test_balance_of_an_older_history_is_that_of_its_last_job() -> None:
    ledger = Ledger()
    jobs = [
        Job(id=number, request=IMAGE_REQUEST, state=JobState.SUCCEEDED, created_at=number, credits_after=10 - number)
        for number in (1, 2, 3)
    ]
    for number, row in enumerate(rows_of_old_jobs(jobs, "service"), 1):
        ledger.apply(number, row)
    assert ledger.newest_balance == 7


async def test_restart_lists_unconfirmed_and_sends_nothing(engines: Engines, sandbox: Sandbox) -> None:
    sandbox.inject(Fault.LOST_ANSWER, times=1)
    async with engines() as bench:
        await bench.engine.submit(IMAGE_REQUEST)
    async with engines() as bench:
        await bench.clock.advance(120)
        assert [str(job.state) for job in bench.engine.store.newest_first()] == ["unconfirmed"]
    assert len(sandbox.posts) == 1


async def test_confirmation_does_not_lift_the_cap(engines: Engines, sandbox: Sandbox) -> None:
    async with engines(policy=unhurried(daily_cap=0.13)) as bench:
        await _submit(bench, 3)
        for requests in ([HIGH_QUALITY_REQUEST], [IMAGE_REQUEST] * 2):
            with pytest.raises(DailyCapExceeded):
                await bench.engine.submit_many(requests, confirmed=True)
    assert len(sandbox.posts) == 3
