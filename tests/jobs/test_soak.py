"""Ten thousand jobs through one engine at high speed: none lost, none doubled, memory flat and no handle left open."""

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
from eternal_tui.core.clock import Clock
from eternal_tui.core.secret import Secret
from eternal_tui.history.history import History
from eternal_tui.history.lock import InstanceLock
from eternal_tui.jobs.context import Ports
from eternal_tui.jobs.engine import JobEngine
from eternal_tui.jobs.model import FileState
from eternal_tui.jobs.ports import JobPolicy
from eternal_tui.media.download.downloader import ResultDownloader
from eternal_tui.media.limits import OPEN_POLICY
from tests.jobs.bench import KeyedClient

JOB_COUNT = int(os.environ.get("SOAK_JOBS", "10000"))
BATCH_SIZE = 50
SAMPLE_COUNT = 10
WARM_UP_SAMPLES = 3
"""Samples after which memory counts: pools and caches are full by then."""

MAX_BYTES_PER_JOB = 1536
"""Bytes of memory a job may cost for good: it stays in the list, small but for the last two hundred to settle."""


class SandboxProcess:
    """The sandbox in its own process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        ready = self._read_line()
        self.url, self.key = str(ready["url"]), str(ready["key"])

    def charges_and_posts(self) -> dict[str, Any]:
        """Return which requests were paid for, and how many were sent."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._read_line()

    def _read_line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line: dict[str, Any] = json.loads(self._process.stdout.readline())
        return line


@contextmanager
def run_sandbox_process() -> Iterator[SandboxProcess]:
    command = [sys.executable, "-m", "tests.jobs.soak_service"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield SandboxProcess(process)
        finally:
            process.terminate()


def _resident_bytes() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _open_file_count() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.long
async def test_soak(tmp_path: Path) -> None:
    clock = Clock()
    with run_sandbox_process() as service:
        history = History.open(tmp_path)
        instance = InstanceLock.acquire(tmp_path, clock.time)
        client = KeyedClient(service.url, Secret(service.key))
        fetcher = ResultDownloader(tmp_path / "results", policy=OPEN_POLICY)
        engine = JobEngine(
            Ports(history, instance, client, fetcher, clock, random.Random(7), "loopback"),
            JobPolicy(confirm_above=1e9, requests_per_second=1e6),
            results_dir=tmp_path / "results",
        )
        await engine.start()
        every = max(BATCH_SIZE, JOB_COUNT // SAMPLE_COUNT)
        samples: list[tuple[int, int, int]] = []
        for first in range(0, JOB_COUNT, BATCH_SIZE):
            requests = [
                GenerateRequest(character="6870", prompt=f"At the harbour, take {number}", type="image", quality="low")
                for number in range(first, first + BATCH_SIZE)
            ]
            jobs = await engine.submit_many(requests, confirmed=True)
            assert len(jobs) == BATCH_SIZE
            async with asyncio.timeout(120):
                await asyncio.gather(*(engine.wait_until_done(job.id) for job in jobs))
            if (first + BATCH_SIZE) % every == 0:
                # Changes wait in memory for a fold, up to 4 MB of them: 4 KB a job, which is not for good.
                await asyncio.to_thread(history.compact)
                samples.append((first + BATCH_SIZE, _resident_bytes(), _open_file_count()))
                print(f"{samples[-1][0]:6} jobs {samples[-1][1] / 2**20:7.1f} MB {samples[-1][2]} handles", flush=True)
        begun, last = samples[min(WARM_UP_SAMPLES, len(samples)) - 1], samples[-1]
        a_job = (last[1] - begun[1]) / max(1, last[0] - begun[0])
        saved = [job for job in engine.store.newest_first() if job.file_state is FileState.SAVED]
        account = await asyncio.to_thread(service.charges_and_posts)
        assert len(saved) == JOB_COUNT
        assert sorted(account["charged"]) == sorted(job.request_id or "" for job in saved)
        assert len({job.request_id for job in saved}) == JOB_COUNT
        assert account["posts"] == JOB_COUNT
        assert a_job < MAX_BYTES_PER_JOB, samples
        assert last[2] - begun[2] <= 4, samples
        await engine.close()
        await fetcher.close()
        await client.close()
    assert len({job.file for job in saved}) == len(list((tmp_path / "results").glob("*.*"))) == JOB_COUNT
