"""The sandbox for tests of the engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from eternal_tui.sandbox.server import Sandbox
from eternal_tui.sandbox.settings import SandboxSettings
from tests.history.faults import UnsyncedFileSystem
from tests.jobs.bench import Bench, Engines, run_engine
from tests.jobs.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def sandbox(clock: FakeClock) -> AsyncIterator[Sandbox]:
    settings = SandboxSettings(
        seed=7,
        clock=clock.time,
        image_size=(96, 128),
        video_size=(64, 96),
        video_fps=8,
        avatar_size=(32, 32),
        # Held exchanges are released by the test, or at its end.
        slow_seconds=600.0,
    )
    async with Sandbox(settings) as sandbox:
        yield sandbox


@pytest.fixture
def engines(tmp_path: Path, sandbox: Sandbox, clock: FakeClock) -> Engines:
    return partial(run_engine, tmp_path / "data", sandbox, clock=clock, fs=UnsyncedFileSystem())


@pytest.fixture
async def bench(engines: Engines) -> AsyncIterator[Bench]:
    async with engines() as bench:
        yield bench
