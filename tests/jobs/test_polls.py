"""The cadence as it is lived: the real desk over real sockets, on a clock of the test's own; counts, not times."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from eternal_tui.jobs.job import Job
from eternal_tui.sandbox.engine import ProgressShape
from eternal_tui.sandbox.server import Sandbox
from tests.jobs.bench import PICTURE, Bench, running
from tests.jobs.clock import FakeClock
from tests.jobs.quiet import quiet

JOBS = 25
ROUNDS = 2
"""The first teaches, the last counts."""


async def see_to_the_end(bench: Bench, shape: ProgressShape) -> tuple[float, float]:
    """Submit JOBS pictures at once, and return looks a job and seconds between the end and the look that found it."""
    sent = await bench.desk.submit_many([PICTURE] * JOBS)
    lives = [bench.sandbox.service.engine.jobs[str(job.request_id)] for job in sent]
    for life in lives:
        life.shape = shape
    async with asyncio.timeout(30):
        while not all(job.state == "succeeded" for job in _now(bench, sent)):
            # Time stands still while a look is under way: its answer comes over a real socket.
            await quiet()
            await bench.clock.advance(0.05)
    ended = _now(bench, sent)
    late = [(job.finished_at or 0) - life.created_at - life.takes for job, life in zip(ended, lives, strict=True)]
    return sum(job.polls for job in ended) / JOBS, sum(late) / JOBS


def _now(bench: Bench, sent: list[Job]) -> list[Job]:
    return [job for each in sent if (job := bench.desk.job(each.id)) is not None]


@pytest.mark.parametrize(("shape", "looks", "seconds"), [(ProgressShape.LINEAR, 3, 0.7), (ProgressShape.NOISY, 4, 1.2)])
async def test_looks_and_lateness_of_the_real_poller(
    tmp_path: Path, sandbox: Sandbox, clock: FakeClock, shape: ProgressShape, looks: int, seconds: float
) -> None:
    """Found 1.9 looks and 0.56 s late where progress is linear, 2.1 and 0.9 where it is noisy.

    The sandbox's linear progress ends at 98, which takes dozens of jobs to tell from one that ends at 100; the
    simulation of the same jobs is 0.44 s late, and looks are spread by half of JITTER besides. Seen to fail with
    progress left out of the sightings, and with waits of two fifths.
    """
    async with running(tmp_path / "data", sandbox, clock=clock) as bench:
        found = (0.0, 0.0)
        for _ in range(ROUNDS):
            found = await see_to_the_end(bench, shape)
    assert found[0] <= looks
    assert found[1] <= seconds
    assert len(sandbox.polls()) >= ROUNDS * JOBS
