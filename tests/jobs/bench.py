"""A job desk on real parts: the sandbox over real sockets, a real history on disk, a real fetcher, and a fake clock."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eternal_tui.api.client import EternalClient
from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.secret import Secret
from eternal_tui.history.filesystem import Files
from eternal_tui.history.history import History
from eternal_tui.history.lock import Instance
from eternal_tui.jobs.engine import JobDesk
from eternal_tui.jobs.model import Job
from eternal_tui.jobs.policy import Policy
from eternal_tui.media.download.downloader import ResultFetcher
from eternal_tui.sandbox.server import Sandbox
from tests.jobs.clock import FakeClock
from tests.jobs.quiet import quiet, surroundings

PICTURE = GenerateRequest(character="6870", prompt="At the harbour, morning", type="image")
CLIP = GenerateRequest(character="6870", prompt="The person waves and smiles", type="video", duration=1)
WITHIN = 60.0
"""Seconds a test waits for something to happen: they only end what hangs."""


class KeyedClient(EternalClient):
    """The real client, answering the desk's question whether it has a key, and telling when it is at work."""

    keyed = True

    async def has_key(self) -> bool:
        """Tell whether there is a key to pay with."""
        return self.keyed

    async def _call(self, *arguments: Any, **options: Any) -> tuple[int, dict[str, str], bytes]:
        around = surroundings()
        around.exchange_began()
        try:
            return await super()._call(*arguments, **options)
        finally:
            around.exchange_ended()


@dataclass
class Bench:
    """One running desk with everything under it."""

    desk: JobDesk
    clock: FakeClock
    sandbox: Sandbox
    folder: Path
    client: KeyedClient
    history: History
    instance: Instance

    async def until(self, true: Callable[[], bool], *, step: float = 0.5, patience: float = 3_600.0) -> None:
        """Move the clock on in steps, letting threads and sockets end what they do between them, until `true` holds."""
        moved = 0.0
        async with asyncio.timeout(WITHIN):
            while not true():
                await quiet()
                if not true():
                    assert moved < patience, "the clock was moved for longer than the test has patience"
                    await self.clock.advance(step)
                    moved += step

    async def shown(self, true: Callable[[], bool]) -> None:
        """Wait until what the desk shows makes `true` hold, without moving the clock."""
        changed = asyncio.Event()
        end = self.desk.subscribe(lambda _: changed.set())
        try:
            async with asyncio.timeout(WITHIN):
                while not true():
                    await changed.wait()
                    changed.clear()
        finally:
            end()

    async def job(self, job_id: int, state: str) -> Job:
        """Wait until the job has this state, or a file in it, and return it."""

        def reached() -> bool:
            job = self.desk.job(job_id)
            return job is not None and state in (str(job.state), str(job.file_state))

        await self.until(reached)
        job = self.desk.job(job_id)
        assert job is not None
        return job


@asynccontextmanager
async def running(
    folder: Path,
    sandbox: Sandbox,
    *,
    clock: FakeClock | None = None,
    policy: Policy | None = None,
    seed: int = 1,
    start: bool = True,
    fold: bool = True,
    files: Files | None = None,
    base_url: str = "",
    patience: float = 0.05,
) -> AsyncIterator[Bench]:
    """Run a desk on `folder` against the sandbox, and close it in order."""
    surroundings().know(sandbox.service)
    clock = clock or FakeClock()
    history = History.open(folder, now=clock.time, files=files)
    instance = Instance.acquire(folder, clock.time, os.getpid())
    client = KeyedClient(base_url or sandbox.api_url, Secret(sandbox.key), now=clock.time)
    fetcher = ResultFetcher(folder / "results", public=False, sleep=clock.sleep)
    desk = JobDesk(
        history=history,
        presence=instance,
        service=client,
        fetcher=fetcher,
        clock=clock,
        chance=random.Random(seed),
        results=folder / "results",
        service_name="loopback",
        policy=policy or Policy(),
    )
    if start:
        await desk.start()
    try:
        yield Bench(desk, clock, sandbox, folder, client, history, instance)
    finally:
        await desk.close(fold=fold, patience=patience)
        await fetcher.close()
        await client.close()
