"""Ten thousand jobs through one desk at high speed: none lost, none doubled, memory flat and no handle left open."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.clock import SystemClock
from eternal_tui.core.secret import Secret
from eternal_tui.history.history import History
from eternal_tui.history.lock import Instance
from eternal_tui.jobs.engine import JobDesk
from eternal_tui.jobs.model import FileState
from eternal_tui.jobs.policy import Policy
from eternal_tui.media.download.downloader import ResultFetcher
from tests.jobs.bench import KeyedClient

JOBS = int(os.environ.get("SOAK_JOBS", "10000"))
AT_ONCE = 50
SAMPLES = 10
SETTLED = 3
"""Samples after which memory counts: pools and caches are full by then."""

A_JOB = 1536
"""Bytes of memory a job may cost for good: it stays in the list, small but for the last two hundred to settle."""


class Service:
    """The sandbox in its own process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        ready = self._line()
        self.url, self.key = str(ready["url"]), str(ready["key"])

    def account(self) -> dict[str, Any]:
        """Return which requests were paid for, and how many were sent."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._line()

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line: dict[str, Any] = json.loads(self._process.stdout.readline())
        return line


@contextmanager
def serving() -> Iterator[Service]:
    command = [sys.executable, "-m", "tests.jobs.soak_service"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Service(process)
        finally:
            process.terminate()


def _resident() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _handles() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.long
async def test_soak(tmp_path: Path) -> None:
    clock = SystemClock()
    with serving() as service:
        history = History.open(tmp_path)
        instance = Instance.acquire(tmp_path, clock.time, os.getpid())
        client = KeyedClient(service.url, Secret(service.key))
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
        every = max(AT_ONCE, JOBS // SAMPLES)
        samples: list[tuple[int, int, int]] = []
        for first in range(0, JOBS, AT_ONCE):
            requests = [
                GenerateRequest(character="6870", prompt=f"At the harbour, take {number}", type="image", quality="low")
                for number in range(first, first + AT_ONCE)
            ]
            jobs = await desk.submit_many(requests, confirmed=True)
            assert len(jobs) == AT_ONCE
            async with asyncio.timeout(120):
                await asyncio.gather(*(desk.settled(job.id) for job in jobs))
            if (first + AT_ONCE) % every == 0:
                # Changes wait in memory for a fold, up to 4 MB of them: 4 KB a job, which is not for good.
                await asyncio.to_thread(history.fold)
                samples.append((first + AT_ONCE, _resident(), _handles()))
                print(f"{samples[-1][0]:6} jobs {samples[-1][1] / 2**20:7.1f} MB {samples[-1][2]} handles", flush=True)
        begun, last = samples[min(SETTLED, len(samples)) - 1], samples[-1]
        a_job = (last[1] - begun[1]) / max(1, last[0] - begun[0])
        saved = [job for job in desk.listing() if job.file_state is FileState.SAVED]
        account = await asyncio.to_thread(service.account)
        assert len(saved) == JOBS
        assert sorted(account["charged"]) == sorted(job.request_id or "" for job in saved)
        assert len({job.request_id for job in saved}) == JOBS
        assert account["posts"] == JOBS
        assert a_job < A_JOB, samples
        assert last[2] - begun[2] <= 4, samples
        await desk.close()
        await fetcher.close()
        await client.close()
    assert len({job.file for job in saved}) == len(list((tmp_path / "results").glob("*.*"))) == JOBS
