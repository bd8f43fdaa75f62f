"""The polling workers alone, on a fake clock."""

from __future__ import annotations

import asyncio

from eternal_tui.jobs.polling.scheduler import MAX_CONCURRENT_POLLS, SLOT_TIMEOUT_SECONDS, PollScheduler
from tests.jobs.clock import FakeClock


async def test_hanging_polls_do_not_delay_others() -> None:
    clock, looked, never = FakeClock(), [], asyncio.Event()

    async def look(job_id: int) -> None:
        looked.append(job_id)
        if job_id < 10:
            await never.wait()

    poller = PollScheduler(look, clock, workers=4, requests_per_second=1000.0)
    for job_id in range(12):
        poller.poll_in(job_id, job_id / 100)
    polling = asyncio.create_task(poller.run())
    await clock.advance(0.0)
    await clock.advance(SLOT_TIMEOUT_SECONDS - 0.1)
    assert looked == [0, 1, 2, 3]
    await clock.advance(2 * SLOT_TIMEOUT_SECONDS)
    assert looked == list(range(12))
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)


async def test_hanging_polls_are_limited() -> None:
    clock, looked, answer = FakeClock(), [], asyncio.Event()

    async def look(job_id: int) -> None:
        looked.append(job_id)
        await answer.wait()

    poller = PollScheduler(look, clock, workers=4, requests_per_second=1000.0)
    for job_id in range(40):
        poller.poll_in(job_id, 0.0)
    polling = asyncio.create_task(poller.run())
    await clock.advance(0.0)
    await clock.advance(60.0)
    assert len(looked) == MAX_CONCURRENT_POLLS
    answer.set()
    for _ in range(10):
        await clock.advance(1.0)
    assert len(looked) == 40
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)
