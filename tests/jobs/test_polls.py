"""The cadence as it is lived: the real engine over real sockets, on a clock of the test's own; counts, not times."""

from __future__ import annotations

import asyncio

import pytest

from eternal_tui.api.models import GenerateRequest
from eternal_tui.jobs.model import Job
from eternal_tui.sandbox.faults import Fault
from eternal_tui.sandbox.server import Sandbox
from eternal_tui.sandbox.state import ProgressShape
from tests.benchmarks.cadence_simulation import bound
from tests.jobs.bench import IMAGE_REQUEST, VIDEO_REQUEST, Bench, Engines
from tests.jobs.clock import FakeClock
from tests.jobs.quiet import wait_idle
from tests.jobs.test_interval import poll_goals

JOBS = 25
TAUGHT, COUNTED = 8, 4
"""Rounds of a long trial, those that teach and those that count."""

ROUNDS = 2
"""The first teaches, the last counts."""


async def run_to_end(
    bench: Bench, shape: ProgressShape | None, request: GenerateRequest = IMAGE_REQUEST
) -> tuple[float, float]:
    """Submit JOBS requests at once, and return polls a job and seconds between the end and the look that found it.

    Progress is of that shape, or null.
    """
    sent = await bench.engine.submit_many([request] * JOBS, confirmed=True)
    lives = [bench.sandbox.state.jobs[str(job.request_id)] for job in sent]
    for life in lives:
        if shape is None:
            life.faults.add(Fault.NULL_PROGRESS)
        else:
            life.shape = shape

    def current() -> list[Job]:
        return [bench.engine.store[job.id] for job in sent]

    async with asyncio.timeout(300):
        while not all(job.state == "succeeded" for job in current()):
            # Time stands still while a poll is under way: its answer comes over a real socket.
            await wait_idle()
            await bench.clock.advance_to_next_wake()
    ended = current()
    late = [(job.finished_at or 0) - life.created_at - life.run_seconds for job, life in zip(ended, lives, strict=True)]
    return sum(job.polls for job in ended) / JOBS, sum(late) / JOBS


@pytest.mark.parametrize(("shape", "looks", "seconds"), [(ProgressShape.LINEAR, 3, 0.7), (ProgressShape.NOISY, 4, 1.2)])
async def test_polls_and_lateness_of_the_real_monitor(
    engines: Engines, sandbox: Sandbox, shape: ProgressShape, looks: int, seconds: float
) -> None:
    """Found 1.9 polls and 0.52 s late where progress is linear, 2.2 and 0.66 where it is noisy.

    The sandbox's linear progress ends at 98, which takes dozens of jobs to tell from one that ends at 100.
    """
    async with engines() as bench:
        found = (0.0, 0.0)
        for _ in range(ROUNDS):
            found = await run_to_end(bench, shape)
    assert found[0] <= looks
    assert found[1] <= seconds
    assert len(sandbox.polls()) >= ROUNDS * JOBS


@pytest.mark.long
@pytest.mark.parametrize("shape", [*ProgressShape, None])
@pytest.mark.parametrize("request_", [IMAGE_REQUEST, VIDEO_REQUEST], ids=["image", "video"])
async def test_polls_and_lateness_of_every_cell(
    engines: Engines, clock: FakeClock, request_: GenerateRequest, shape: ProgressShape | None
) -> None:
    """The goals of the simulation for the real poller, on a clock that leaps from one due time to the next."""
    async with engines() as bench:
        for _ in range(TAUGHT):
            await run_to_end(bench, shape, request_)
        counted = [await run_to_end(bench, shape, request_) for _ in range(COUNTED)]
    looks, late = (sum(column) / COUNTED for column in zip(*counted, strict=True))
    if shape is None:
        assert looks + late <= 1.15 * bound(request_.type).cost
    else:
        most_looks, most_late = poll_goals(request_.type, str(shape))
        assert looks <= most_looks
        assert late <= most_late


@pytest.mark.parametrize("in_view", [10, 20])
async def test_visible_jobs_share_their_polls(
    engines: Engines, sandbox: Sandbox, clock: FakeClock, in_view: int
) -> None:
    """Ten are each polled every five seconds, twenty twice a second together."""
    async with engines() as bench:
        sent = await bench.engine.submit_many([IMAGE_REQUEST] * in_view, confirmed=True)
        for job in sent:
            sandbox.state.jobs[str(job.request_id)].run_seconds = 36_000.0
        began, counts = clock.monotonic(), []
        # Long beyond any learned duration, where nothing but being in view asks for a poll.
        for until, seen in ((150.0, []), (160.0, sent), (192.0, sent)):
            bench.engine.monitor.set_visible([job.id for job in seen], None)
            while clock.monotonic() < began + until:
                await wait_idle()
                await clock.advance_to_next_wake()
            counts.append(len(sandbox.polls()))
    looks_a_second = (counts[2] - counts[1]) / (192.0 - 160.0)
    assert looks_a_second == pytest.approx(min(in_view / 5, 2.0), rel=0.15)
