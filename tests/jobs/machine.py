"""A hypothesis state machine with engines on one folder, a sandbox and a fake clock, in an event loop of its own."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

from hypothesis.stateful import RuleBasedStateMachine

from eternal_tui.sandbox.server import Sandbox
from tests.jobs.bench import Bench
from tests.jobs.clock import FakeClock, run_ready_tasks
from tests.jobs.quiet import wait_idle

T = TypeVar("T")


class EngineMachine(RuleBasedStateMachine):
    """Open engines are in `benches`, in the order of their start. A subclass makes the sandbox in its first rule."""

    sandbox: Sandbox

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = FakeClock()
        self.root = Path(tempfile.mkdtemp())
        self.generation = 0
        self.benches: list[Bench] = []
        self.stack = AsyncExitStack()

    def run(self, step: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(step)

    @property
    def folder(self) -> Path:
        return self.root / f"data{self.generation}"

    async def close_all(self) -> None:
        self.benches.clear()
        await self.stack.aclose()
        self.stack = AsyncExitStack()

    async def open(self) -> None:
        """Open one more engine on the folder."""
        raise NotImplementedError

    async def reopen(self) -> None:
        await self.close_all()
        await self.open()

    async def advance(self, seconds: float) -> None:
        for _ in range(max(1, min(round(seconds / 2), 30))):
            await self.clock.advance(min(seconds, seconds / 30 if seconds > 60 else 2))
            await wait_idle()

    def check_folder(self) -> None:
        """Check what is on disk after the last engine has closed."""

    def teardown(self) -> None:
        try:
            if self.benches:
                self.run(self.close_all())
                self.check_folder()
                self.run(self.sandbox.__aexit__(None, None, None))
        finally:
            # Connections that were just closed still have a callback to run.
            self.run(run_ready_tasks())
            self.run(self.loop.shutdown_asyncgens())
            self.run(self.loop.shutdown_default_executor())
            self.loop.close()
            shutil.rmtree(self.root)
