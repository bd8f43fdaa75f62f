"""Clocks that jump, machines that sleep, and a thousand jobs at once: no storm, no false alarm, no blocked loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from eternal_tui.jobs.billing.ledger import Ledger
from eternal_tui.jobs.billing.statistics import compute_statistics, day_bounds
from eternal_tui.jobs.model import JobState
from eternal_tui.jobs.polling.monitor import job_kind
from eternal_tui.jobs.ports import JobPolicy
from eternal_tui.sandbox.faults import Fault
from eternal_tui.sandbox.server import Sandbox
from tests.history.faults import UnsyncedFileSystem
from tests.jobs.bench import IMAGE_REQUEST, Bench, Engines, run_engine
from tests.jobs.clock import FakeClock
from tests.jobs.quiet import wait_idle

DAY_SECONDS = 86_400.0


async def _count_polls_in_a_minute(bench: Bench) -> int:
    """Return how many polls arrive in a minute of the clock."""
    before = len(bench.sandbox.polls())
    for _ in range(60):
        await bench.clock.advance(1.0)
        await wait_idle()
    return len(bench.sandbox.polls()) - before


@pytest.mark.parametrize("jump", [DAY_SECONDS, -DAY_SECONDS, 3600.0])
async def test_wall_clock_jump_changes_only_dates(bench: Bench, jump: float) -> None:
    """Set by hand, by a time server, by a suspended machine, by a change to summer time."""
    bench.sandbox.inject(Fault.STUCK, times=None)
    jobs = [await bench.engine.submit(IMAGE_REQUEST) for _ in range(4)]
    await _count_polls_in_a_minute(bench)
    usual = await _count_polls_in_a_minute(bench)
    bench.clock.jump_wall_clock(jump)
    after = await _count_polls_in_a_minute(bench)
    assert after <= usual + 4
    assert after >= 1
    assert {job.state for job in bench.engine.store.newest_first()} == {JobState.RUNNING}
    newer = await bench.engine.submit(IMAGE_REQUEST)
    assert [job.id for job in bench.engine.store.newest_first()] == [newer.id, *(job.id for job in reversed(jobs))]
    bench.sandbox.heal()
    bench.sandbox.finish()
    for job in [*jobs, newer]:
        await bench.wait_for_state(job.id, "saved")
    assert len(bench.sandbox.posts) == 5


@pytest.mark.parametrize("jump", [DAY_SECONDS, -DAY_SECONDS])
async def test_duration_ignores_a_wall_clock_jump(bench: Bench, jump: float) -> None:
    job = await bench.engine.submit(IMAGE_REQUEST)
    bench.clock.jump_wall_clock(jump)
    bench.sandbox.finish()
    done = await bench.wait_for_state(job.id, "saved")
    assert done.run_seconds is not None
    assert 0 < done.run_seconds < 120
    assert done.finished_at is not None
    assert done.finished_at >= done.created_at
    (images,) = compute_statistics([done], bench.clock.time(), Ledger()).kinds
    assert images.median == done.run_seconds


@pytest.mark.parametrize(("closed_seconds", "is_known"), [(609.0, False), (3.0, True)])
async def test_duration_is_unknown_without_polls(
    engines: Engines, sandbox: Sandbox, clock: FakeClock, closed_seconds: float, is_known: bool
) -> None:
    async with engines() as bench:
        job = await bench.engine.submit(IMAGE_REQUEST)
    await clock.advance(closed_seconds)
    sandbox.finish()
    async with engines() as bench:
        done = await bench.wait_for_state(job.id, "saved")
        assert (done.run_seconds is not None) is is_known
        assert bench.engine.monitor.durations.model(job_kind(job)).job_count == is_known
        assert compute_statistics([done], clock.time(), Ledger()).kinds[0].durations == (
            (done.run_seconds,) if is_known else ()
        )


async def test_eight_hours_suspended_is_one_poll_per_job(bench: Bench) -> None:
    """The monotonic clock counts sleep on some systems."""
    jobs = [await bench.engine.submit(IMAGE_REQUEST) for _ in range(6)]
    before = len(bench.sandbox.polls())
    bench.clock.suspend(8 * 3600)
    for job in jobs:
        await bench.wait_for_state(job.id, "saved")
    assert len(bench.sandbox.polls()) - before <= 2 * len(jobs)
    assert all(job.state is JobState.SUCCEEDED for job in bench.engine.store.newest_first())


async def test_stalled_by_a_wrong_clock_runs_again(engines: Engines, sandbox: Sandbox, clock: FakeClock) -> None:
    sandbox.inject(Fault.STUCK, times=None)
    async with engines() as bench:
        job = await bench.engine.submit(IMAGE_REQUEST)
    clock.jump_wall_clock(DAY_SECONDS)
    async with engines() as bench:
        await bench.wait_for_state(job.id, "stalled")
    clock.jump_wall_clock(-DAY_SECONDS)
    async with engines() as bench:
        await bench.wait_for_state(job.id, "running")
    assert len(sandbox.posts) == 1


@pytest.mark.parametrize(
    ("zone", "noon", "hours"),
    [("Europe/Berlin", "2027-03-28T12", 23), ("Europe/Berlin", "2027-10-31T12", 25), ("UTC", "2027-03-28T12", 24)],
)
def test_day_bounds_follow_the_calendar(monkeypatch: pytest.MonkeyPatch, zone: str, noon: str, hours: int) -> None:
    """Also the two in which the clocks change."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        begin, end = day_bounds(datetime.fromisoformat(noon).replace(tzinfo=ZoneInfo(zone)).timestamp())
        assert (end - begin) / 3600 == hours
        assert day_bounds(begin) == day_bounds(end - 1) == (begin, end)
        assert day_bounds(end)[0] == end
        assert day_bounds(begin - 1)[1] == begin
    finally:
        monkeypatch.undo()
        time.tzset()


@contextmanager
def _record_loop_steps() -> Iterator[list[float]]:
    """Yield a list that grows by the seconds of a processor each step of the event loop takes."""
    steps: list[float] = []
    run = asyncio.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        began = time.thread_time()
        run(handle)
        steps.append(time.thread_time() - began)

    asyncio.Handle._run = timed  # type: ignore[method-assign, assignment]
    try:
        yield steps
    finally:
        asyncio.Handle._run = run  # type: ignore[method-assign]


async def _resume_thousand_jobs(tmp_path: Path, sandbox: Sandbox, clock: FakeClock, seconds: int) -> int:
    """Resume a thousand jobs, move the clock on, and return how many were polled; hold the budget meanwhile."""
    sandbox.inject(Fault.STUCK, times=None)
    files = UnsyncedFileSystem()
    async with run_engine(tmp_path, sandbox, clock=clock, fs=files) as bench:
        first = await bench.engine.submit(IMAGE_REQUEST)
        record = bench.history.get(first.id)
        assert record is not None
        known = sandbox.state.jobs[str(first.request_id)]
        ids = [f"{number:08d}-0000-4000-8000-000000000000" for number in range(999)]
        sandbox.state.jobs.update(dict.fromkeys(ids, known))
        bench.history.add_many({**record, "request_id": request_id} for request_id in ids)
    policy = JobPolicy(requests_per_second=10.0)
    async with run_engine(tmp_path, sandbox, clock=clock, fs=files, policy=policy, start=False) as bench:
        with _record_loop_steps() as steps:
            await bench.engine.start()
            for _ in range(seconds):
                before = len(sandbox.polls())
                for _ in range(4):
                    await clock.advance(0.25)
                    await wait_idle()
                assert len(sandbox.polls()) - before <= 10 + policy.workers + 1
        assert len(bench.engine.store.newest_first()) == 1000
        assert max(steps) < 0.3, "the event loop was blocked"
        assert len(sandbox.posts) == 1
        return len({call.path for call in sandbox.polls()})


@pytest.mark.parametrize(("seconds", "least"), [(8, 50), pytest.param(240, 1000, marks=pytest.mark.long)])
async def test_thousand_jobs_resume_within_the_rate_limit(
    tmp_path: Path, sandbox: Sandbox, clock: FakeClock, seconds: int, least: int
) -> None:
    """Each second of the clock brings at most the budget's requests, and they go on; nothing stalls the loop."""
    assert await _resume_thousand_jobs(tmp_path, sandbox, clock, seconds) >= least
