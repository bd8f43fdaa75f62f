"""Ten thousand jobs through one desk at high speed: none lost, none doubled, memory flat and no handle left open."""

from __future__ import annotations

import asyncio
import gc
import os
import random
from pathlib import Path

import pytest

from eternal_tui.api.request import GenerateRequest
from eternal_tui.credentials import Secret
from eternal_tui.history.history import History
from eternal_tui.history.instances import Instance
from eternal_tui.jobs.desk import JobDesk
from eternal_tui.jobs.job import FileState
from eternal_tui.jobs.policy import Policy
from eternal_tui.jobs.ports import SystemClock
from eternal_tui.media.fetch import ResultFetcher
from eternal_tui.sandbox.server import Sandbox
from eternal_tui.sandbox.settings import SandboxSettings
from tests.jobs.bench import KeyedClient

JOBS = int(os.environ.get("SOAK_JOBS", "10000"))
AT_ONCE = 50
QUICK = SandboxSettings(seed=7, speed=400.0, credits=1e6, still_size=(16, 16), cache_bytes=1 << 20)
A_JOB = 24 * 1024
"""Bytes of memory a job may cost here, with the sandbox in the same process: it keeps every request, 4.5 KB a job as
traced, and the history keeps its changes until the next fold, 4 KB a job; 15 KB were measured."""


def _resident() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _handles() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.long
async def test_soak(tmp_path: Path) -> None:
    clock = SystemClock()
    async with Sandbox(QUICK) as sandbox:
        history = History.open(tmp_path)
        instance = Instance.acquire(tmp_path, clock.time, os.getpid())
        client = KeyedClient(sandbox.api_url, Secret(sandbox.key))
        fetcher = ResultFetcher(tmp_path / "results", public=False)
        desk = JobDesk(
            history=history,
            presence=instance,
            service=client,
            fetcher=fetcher,
            clock=clock,
            chance=random.Random(7),
            results=tmp_path / "results",
            service_name="loopback",
            policy=Policy(confirm_above=1e9, requests_per_second=1e4),
        )
        await desk.start()
        resident = handles = 0
        for first in range(0, JOBS, AT_ONCE):
            requests = [
                GenerateRequest(character="6870", prompt=f"At the harbour, take {number}", type="image", quality="low")
                for number in range(first, first + AT_ONCE)
            ]
            jobs = await desk.submit_many(requests, confirmed=True)
            assert len(jobs) == AT_ONCE
            async with asyncio.timeout(120):
                await asyncio.gather(*(desk.settled(job.id) for job in jobs))
            if first + AT_ONCE == max(AT_ONCE, JOBS // 5):
                resident, handles = _resident(), _handles()
        grown, opened = _resident() - resident, _handles() - handles
        figures = {"jobs": JOBS, "bytes a job": round(grown / (JOBS * 4 / 5)), "handles": opened}
        print(figures)
        saved = [job for job in desk.listing() if job.file_state is FileState.SAVED]
        assert len(saved) == JOBS
        assert sorted(sandbox.charged) == sorted(job.request_id or "" for job in saved)
        assert len({job.request_id for job in saved}) == JOBS
        assert len(sandbox.posts) == JOBS
        assert grown < A_JOB * JOBS, figures
        assert opened <= 4, figures
        await desk.close()
        await fetcher.close()
        await client.close()
    assert len({job.file for job in saved}) == len(list((tmp_path / "results").glob("*.*"))) == JOBS
