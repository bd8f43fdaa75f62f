"""A job engine on real parts: sandbox, sockets, history, downloads; only the clock is a fake one."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eternal_tui.api.client import ApiClient
from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.secret import Secret
from eternal_tui.history.filesystem import FileSystem
from eternal_tui.history.history import History
from eternal_tui.history.lock import InstanceLock
from eternal_tui.jobs.context import Ports
from eternal_tui.jobs.engine import JobEngine
from eternal_tui.jobs.model import Job
from eternal_tui.jobs.ports import JobPolicy
from eternal_tui.jobs.submit.submitter import CharacterCheck, allow_all
from eternal_tui.media.download.downloader import ResultDownloader
from eternal_tui.media.limits import OPEN_POLICY, DownloadLimits
from eternal_tui.sandbox.server import Sandbox
from tests.jobs.clock import FakeClock
from tests.jobs.quiet import loop_activity, wait_idle

IMAGE_REQUEST = GenerateRequest(character="6870", prompt="At the harbour, morning", type="image")
VIDEO_REQUEST = GenerateRequest(character="6870", prompt="The person waves and smiles", type="video", duration=1)


def unhurried(**limits: Any) -> JobPolicy:
    """Return a policy under which no test waits for the next POST on a clock that it does not move."""
    return JobPolicy(requests_per_second=1e6, **limits)


Engines = Callable[..., AbstractAsyncContextManager["Bench"]]
"""Runs an engine on the folder of the test, with the options of `run_engine`."""

TIMEOUT_SECONDS = 60.0
"""Seconds a test waits for something to happen: they only end what hangs."""


class KeyedClient(ApiClient):
    """The real client, answering the engine's question whether it has a key, and telling when it is at work."""

    has_api_key = True
    account = "test"

    async def has_key(self) -> bool:
        """Whether there is an API key."""
        return self.has_api_key

    async def _call(self, *arguments: Any, **options: Any) -> Any:
        around = loop_activity()
        around.begin_exchange()
        try:
            return await super()._call(*arguments, **options)
        finally:
            around.end_exchange()


@dataclass
class Bench:
    """One running engine with everything under it."""

    engine: JobEngine
    clock: FakeClock
    sandbox: Sandbox
    data_dir: Path
    client: KeyedClient
    history: History
    instance: InstanceLock

    async def advance_until(
        self, condition: Callable[[], bool], *, step_seconds: float = 0.5, limit_seconds: float = 3_600.0
    ) -> None:
        """Move the clock on in steps until `condition` holds.

        Threads and sockets end what they do between the steps.
        """
        moved = 0.0
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while not condition():
                await wait_idle()
                if not condition():
                    assert moved < limit_seconds, "the clock was moved for longer than the test has patience"
                    await self.clock.advance(step_seconds)
                    moved += step_seconds

    async def wait_until_published(self, condition: Callable[[], bool]) -> None:
        """Wait until what the engine shows makes `condition` hold, without moving the clock."""
        changed = asyncio.Event()
        end = self.engine.store.subscribe(lambda _: changed.set())
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                while not condition():
                    await changed.wait()
                    changed.clear()
        finally:
            end()

    async def wait_for_state(self, job_id: int, state: str) -> Job:
        """Wait until the job has this state, or a file in it, and return it."""

        def reached() -> bool:
            job = self.engine.store.get(job_id)
            return job is not None and state in (str(job.state), str(job.file_state))

        await self.advance_until(reached)
        job = self.engine.store.get(job_id)
        assert job is not None
        return job


@asynccontextmanager
async def run_engine(
    data_dir: Path,
    sandbox: Sandbox,
    *,
    clock: FakeClock | None = None,
    policy: JobPolicy | None = None,
    seed: int = 1,
    start: bool = True,
    compact: bool = True,
    fs: FileSystem | None = None,
    base_url: str = "",
    grace_seconds: float = 0.05,
    limits: DownloadLimits | None = None,
    check_character: CharacterCheck = allow_all,
) -> AsyncIterator[Bench]:
    """Run a engine on `data_dir` against the sandbox, and close it in order."""
    loop_activity().add_sandbox(sandbox.state)
    clock = clock or FakeClock()
    history = History.open(data_dir, now=clock.time, fs=fs)
    instance = InstanceLock.acquire(data_dir, clock.time)
    client = KeyedClient(base_url or sandbox.api_url, Secret(sandbox.key), now=clock.time)
    fetcher = ResultDownloader(data_dir / "results", limits, policy=OPEN_POLICY, sleep=clock.sleep)
    engine = JobEngine(
        Ports(history, instance, client, fetcher, clock, random.Random(seed), "loopback"),
        policy or unhurried(),
        results_dir=data_dir / "results",
        check_character=check_character,
    )
    if start:
        await engine.start()
    try:
        yield Bench(engine, clock, sandbox, data_dir, client, history, instance)
    finally:
        await engine.close(compact=compact, grace_seconds=grace_seconds)
        await fetcher.close()
        await client.close()
