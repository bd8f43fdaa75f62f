"""What is spent, and the limits on it: over midnight, across instances, with prices that are unknown or change."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from eternal_tui.api.models import GenerateRequest
from eternal_tui.jobs.billing.charges import rows_of_old_jobs
from eternal_tui.jobs.billing.ledger import Ledger
from eternal_tui.jobs.billing.statistics import day_bounds
from eternal_tui.jobs.errors import CapUndeterminable, ConfirmationRequired, DailyCapExceeded
from eternal_tui.jobs.model import Job, JobState, Verdict
from eternal_tui.jobs.ports import JobPolicy
from eternal_tui.sandbox import state as sandbox_service
from eternal_tui.sandbox.faults import Fault, FaultPlace
from eternal_tui.sandbox.server import Sandbox
from tests.history.faults import UnsyncedFileSystem
from tests.jobs.bench import IMAGE_REQUEST, VIDEO_REQUEST, run_engine
from tests.jobs.clock import FakeClock

HIGH_QUALITY_REQUEST = GenerateRequest(character="6870", prompt="In the snow", type="image", quality="high")


def _run_engine(
    folder: Path, sandbox: Sandbox, clock: FakeClock, policy: JobPolicy | None = None, **options: Any
) -> Any:
    return run_engine(folder, sandbox, clock=clock, policy=policy, fs=UnsyncedFileSystem(), **options)


async def test_cap_restarts_at_midnight_and_total_stays(tmp_path: Path, sandbox: Sandbox, clock: FakeClock) -> None:
    clock.jump_wall_clock(day_bounds(clock.time())[1] - clock.time() - 300)
    async with _run_engine(tmp_path, sandbox, clock, JobPolicy(requests_per_second=1e6, daily_cap=0.1)) as bench:
        await bench.engine.submit(IMAGE_REQUEST)
        await bench.engine.submit(IMAGE_REQUEST)
        with pytest.raises(DailyCapExceeded):
            await bench.engine.submit(IMAGE_REQUEST)
        assert bench.engine.billing.totals().spent_today == pytest.approx(0.08)
        await bench.advance_until(lambda: bench.engine.billing.totals().spent_today == 0.0, step_seconds=60.0)
        await bench.engine.submit(IMAGE_REQUEST)
        assert bench.engine.billing.totals().spent_today == pytest.approx(0.04)
        assert bench.engine.billing.totals().spent_total == pytest.approx(0.12)


async def test_cap_holds_after_a_start_with_many_jobs(tmp_path: Path, sandbox: Sandbox, clock: FakeClock) -> None:
    async with _run_engine(tmp_path, sandbox, clock) as bench:
        job = await bench.engine.submit(IMAGE_REQUEST)
        record = {**bench.history.get(job.id), "state": "failed", "cost": 0.04}
        bench.history.add_many([record] * 299)
    async with _run_engine(tmp_path, sandbox, clock, JobPolicy(requests_per_second=1e6, daily_cap=11.0)) as bench:
        with pytest.raises(DailyCapExceeded):
            await bench.engine.submit(IMAGE_REQUEST)
    assert len(sandbox.posts) == 1


async def test_batch_is_held_at_the_cap(tmp_path: Path, sandbox: Sandbox, clock: FakeClock) -> None:
    """Nothing was known of the price when it began."""
    async with _run_engine(tmp_path, sandbox, clock, JobPolicy(requests_per_second=1e6, daily_cap=0.1)) as bench:
        jobs = await bench.engine.submit_many([IMAGE_REQUEST] * 20)
        assert [str(job.state) for job in jobs] == ["running"] * 2 + ["queued"] * 18
        assert "daily_cap is 0.10" in bench.engine.queue.summary().reason
    assert len(sandbox.posts) == 2


async def test_cap_with_unknown_costs_refuses(tmp_path: Path, sandbox: Sandbox, clock: FakeClock) -> None:
    """A service that never tells its credits, and one whose answers are all lost: what was spent is not known."""
    sandbox.inject(Fault.NO_CREDITS, times=None)
    async with _run_engine(
        tmp_path / "silent", sandbox, clock, JobPolicy(requests_per_second=1e6, daily_cap=0.1)
    ) as bench:
        jobs = await bench.engine.submit_many([IMAGE_REQUEST] * 20)
        assert [str(job.state) for job in jobs] == ["running"] * 2 + ["queued"] * 18
        assert "cannot be checked" in bench.engine.queue.summary().reason
        with pytest.raises(CapUndeterminable):
            await bench.engine.submit(IMAGE_REQUEST, confirmed=True)
    assert len(sandbox.posts) == 2
    sandbox.heal()
    sandbox.inject(Fault.LOST_ANSWER, times=None)
    async with _run_engine(
        tmp_path / "lost", sandbox, clock, JobPolicy(requests_per_second=1e6, daily_cap=0.1)
    ) as bench:
        for _ in range(2):
            assert (await bench.engine.submit(IMAGE_REQUEST)).state is JobState.UNCONFIRMED
        with pytest.raises(CapUndeterminable):
            await bench.engine.submit(IMAGE_REQUEST)
        clock.jump_wall_clock(86_400)
        sandbox.heal()
        assert (await bench.engine.submit(IMAGE_REQUEST)).state is JobState.RUNNING
    assert len(sandbox.posts) == 5


async def test_cap_holds_across_instances(tmp_path: Path, sandbox: Sandbox, clock: FakeClock) -> None:
    """Three instances, twelve submits at once."""
    policy = JobPolicy(requests_per_second=1e6, daily_cap=0.25)
    async with (
        _run_engine(tmp_path, sandbox, clock, policy) as one,
        _run_engine(tmp_path, sandbox, clock, policy, compact=False) as two,
        _run_engine(tmp_path, sandbox, clock, policy, compact=False) as three,
    ):
        await one.engine.submit(IMAGE_REQUEST)
        await one.engine.submit(IMAGE_REQUEST)
        for bench in (two, three):
            await bench.advance_until(lambda bench=bench: bench.engine.billing.estimate(IMAGE_REQUEST) is not None)
        sending = asyncio.gather(
            *(bench.engine.submit(IMAGE_REQUEST) for _ in range(4) for bench in (one, two, three)),
            return_exceptions=True,
        )
        await one.advance_until(sending.done)
        assert sandbox.settings.credits - sandbox.credits <= 0.25 + 1e-9
        assert 3 <= len(sandbox.posts) <= 6


async def test_price_ignores_charges_of_other_instances(tmp_path: Path, sandbox: Sandbox, clock: FakeClock) -> None:
    """Three instances that hear of one another only now and then, as processes do."""
    async with (
        _run_engine(tmp_path, sandbox, clock, JobPolicy(requests_per_second=1e6)) as one,
        _run_engine(tmp_path, sandbox, clock, JobPolicy(requests_per_second=1e6), compact=False) as two,
        _run_engine(tmp_path, sandbox, clock, JobPolicy(requests_per_second=1e6), compact=False) as three,
    ):
        benches = (one, two, three)
        for _ in range(4):
            await asyncio.gather(*(bench.engine.submit(IMAGE_REQUEST) for bench in benches))
        assert all(bench.engine.billing.estimate(IMAGE_REQUEST) in (None, 0.04) for bench in benches)
        await one.engine.submit(IMAGE_REQUEST)
        await one.engine.submit(IMAGE_REQUEST)
        assert one.engine.billing.estimate(IMAGE_REQUEST) == pytest.approx(0.04)
    async with _run_engine(tmp_path, sandbox, clock, JobPolicy(requests_per_second=1e6)) as later:
        assert later.engine.billing.estimate(IMAGE_REQUEST) == pytest.approx(0.04)
        await later.advance_until(lambda: later.engine.billing.totals().spent_total == pytest.approx(14 * 0.04))
    assert len(sandbox.posts) == 14


async def test_unknown_price_asks_and_counts_once_known(tmp_path: Path, sandbox: Sandbox, clock: FakeClock) -> None:
    async with _run_engine(tmp_path, sandbox, clock, JobPolicy(requests_per_second=1e6, confirm_above=1.0)) as bench:
        with pytest.raises(ConfirmationRequired):
            await bench.engine.submit(IMAGE_REQUEST)
        sandbox.inject(Fault.LOST_ANSWER, times=1)
        lost = await bench.engine.submit(IMAGE_REQUEST, confirmed=True)
        assert lost.cost is None
        await bench.engine.submit(IMAGE_REQUEST, confirmed=True)
        await bench.engine.submit(IMAGE_REQUEST, confirmed=True)
        await bench.wait_until_published(lambda: bench.engine.store.get(lost.id).cost is not None)
        assert bench.engine.billing.totals().spent_today == pytest.approx(0.12)
        assert len(await bench.engine.submit_many([IMAGE_REQUEST] * 20)) == 20
        with pytest.raises(ConfirmationRequired):
            await bench.engine.submit_many([IMAGE_REQUEST] * 26)


async def test_unconfirmed_job_counts_until_judged_not_charged(
    tmp_path: Path, sandbox: Sandbox, clock: FakeClock
) -> None:
    async with _run_engine(tmp_path, sandbox, clock) as bench:
        await bench.engine.submit(IMAGE_REQUEST)
        await bench.engine.submit(IMAGE_REQUEST)
        sandbox.inject(Fault.DROP_BEFORE, times=1, on=FaultPlace.POST)
        unclear = await bench.engine.submit(IMAGE_REQUEST)
        assert bench.engine.billing.totals().spent_today == pytest.approx(0.12)
        await bench.engine.submit(IMAGE_REQUEST)
        await bench.advance_until(lambda: bench.engine.store.get(unclear.id).verdict is Verdict.NOT_CHARGED)
        assert bench.engine.billing.totals().spent_today == pytest.approx(0.12)
        assert bench.engine.billing.totals().spent_total == pytest.approx(
            float(sandbox.settings.credits) - sandbox.credits
        )


async def test_deleted_job_of_unknown_price_is_harmless(tmp_path: Path, sandbox: Sandbox, clock: FakeClock) -> None:
    async with _run_engine(tmp_path, sandbox, clock) as bench:
        await bench.engine.delete([(await bench.engine.submit(IMAGE_REQUEST)).id])
        for _ in range(3):
            assert (await bench.engine.submit(IMAGE_REQUEST)).state is JobState.RUNNING


async def test_estimate_follows_a_price_change(
    tmp_path: Path, sandbox: Sandbox, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within five submits: the median of nine."""
    async with _run_engine(tmp_path, sandbox, clock) as bench:
        for _ in range(10):
            await bench.engine.submit(IMAGE_REQUEST)
        assert bench.engine.billing.estimate(IMAGE_REQUEST) == pytest.approx(0.04)
        monkeypatch.setattr(sandbox_service, "price", lambda _order: Decimal("0.10"))
        for _ in range(5):
            await bench.engine.submit(IMAGE_REQUEST)
        assert bench.engine.billing.estimate(IMAGE_REQUEST) == pytest.approx(0.10)
        assert bench.engine.billing.totals().spent_today == pytest.approx(0.9)


async def test_totals_and_prices_survive_a_restart(tmp_path: Path, sandbox: Sandbox, clock: FakeClock) -> None:
    """A mixed day."""
    async with _run_engine(tmp_path, sandbox, clock) as bench:
        saved = await bench.wait_for_state((await bench.engine.submit(IMAGE_REQUEST)).id, "saved")
        for request in (IMAGE_REQUEST, VIDEO_REQUEST, HIGH_QUALITY_REQUEST, VIDEO_REQUEST):
            await bench.engine.submit(request)
        sandbox.inject(Fault.LOST_ANSWER, times=1)
        await bench.engine.submit(VIDEO_REQUEST)
        sandbox.inject(Fault.NO_CREDITS, times=1)
        await bench.engine.submit(HIGH_QUALITY_REQUEST)
        bench.sandbox.inject(Fault.HOSTILE_TEXT, times=1, on=FaultPlace.POST)
        assert (await bench.engine.submit(IMAGE_REQUEST)).state is JobState.REJECTED
        await bench.engine.delete([saved.id])
        await bench.engine.undo_delete()
        before, estimates = (
            bench.engine.billing.totals(),
            [bench.engine.billing.estimate(each) for each in (IMAGE_REQUEST, HIGH_QUALITY_REQUEST, VIDEO_REQUEST)],
        )
        assert before.spent_total == pytest.approx(float(sandbox.settings.credits) - sandbox.credits, abs=0.005)
    async with _run_engine(tmp_path, sandbox, clock) as bench:
        await bench.advance_until(lambda: bench.engine.store.is_fully_loaded)
        assert bench.engine.billing.totals() == before
        assert [
            bench.engine.billing.estimate(each) for each in (IMAGE_REQUEST, HIGH_QUALITY_REQUEST, VIDEO_REQUEST)
        ] == estimates


async def test_missing_credits_hold_the_rest_of_a_batch(tmp_path: Path, sandbox: Sandbox, clock: FakeClock) -> None:
    sandbox.state.credits = Decimal("0.10")
    async with _run_engine(tmp_path, sandbox, clock) as bench:
        jobs: list[Job] = await bench.engine.submit_many([IMAGE_REQUEST] * 10)
        assert [str(job.state) for job in jobs] == ["running"] * 2 + ["queued"] * 8
        assert bench.engine.queue.summary().held == 8
    assert len(sandbox.posts) == 3


def test_balance_of_an_older_history_is_that_of_its_last_job() -> None:
    ledger = Ledger()
    jobs = [
        Job(id=number, request=IMAGE_REQUEST, state=JobState.SUCCEEDED, created_at=number, credits_after=10 - number)
        for number in (1, 2, 3)
    ]
    for number, row in enumerate(rows_of_old_jobs(jobs, "service"), 1):
        ledger.apply(number, row)
    assert ledger.newest_balance == 7


async def test_restart_lists_unconfirmed_and_sends_nothing(tmp_path: Path, sandbox: Sandbox, clock: FakeClock) -> None:
    sandbox.inject(Fault.LOST_ANSWER, times=1)
    async with run_engine(tmp_path, sandbox, clock=clock) as bench:
        await bench.engine.submit(IMAGE_REQUEST)
    async with run_engine(tmp_path, sandbox, clock=clock) as bench:
        await clock.advance(120)
        assert [str(job.state) for job in bench.engine.store.newest_first()] == ["unconfirmed"]
    assert len(sandbox.posts) == 1


async def test_confirmation_does_not_lift_the_cap(tmp_path: Path, sandbox: Sandbox, clock: FakeClock) -> None:
    async with run_engine(
        tmp_path, sandbox, clock=clock, policy=JobPolicy(requests_per_second=1e6, daily_cap=0.13)
    ) as bench:
        for _ in range(3):
            await bench.engine.submit(IMAGE_REQUEST)
        with pytest.raises(DailyCapExceeded):
            await bench.engine.submit(HIGH_QUALITY_REQUEST, confirmed=True)
        with pytest.raises(DailyCapExceeded):
            await bench.engine.submit_many([IMAGE_REQUEST, IMAGE_REQUEST], confirmed=True)
    assert len(sandbox.posts) == 3


async def test_confirm_above_asks_also_for_unknown_prices(tmp_path: Path, sandbox: Sandbox, clock: FakeClock) -> None:
    async with run_engine(
        tmp_path, sandbox, clock=clock, policy=JobPolicy(requests_per_second=1e6, confirm_above=0.05)
    ) as bench:
        with pytest.raises(ConfirmationRequired):
            await bench.engine.submit(IMAGE_REQUEST)
        await bench.engine.submit(IMAGE_REQUEST, confirmed=True)
        await bench.engine.submit(IMAGE_REQUEST, confirmed=True)
        await bench.engine.submit(IMAGE_REQUEST)
        with pytest.raises(ConfirmationRequired):
            await bench.engine.submit(HIGH_QUALITY_REQUEST)
    assert len(sandbox.posts) == 3
