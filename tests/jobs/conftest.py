"""The sandbox for tests of the engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from eternal_tui.sandbox.server import Sandbox
from eternal_tui.sandbox.settings import SandboxSettings
from tests.jobs.bench import Bench, run_engine
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
        # What is held stays so until the test, or its end, lets it go.
        slow_seconds=600.0,
    )
    async with Sandbox(settings) as sandbox:
        yield sandbox


@pytest.fixture
async def bench(tmp_path: Path, sandbox: Sandbox, clock: FakeClock) -> AsyncIterator[Bench]:
    async with run_engine(tmp_path / "data", sandbox, clock=clock) as bench:
        yield bench
