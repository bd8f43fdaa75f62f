"""A job list alone, driven by keys, that says on the terminal when it has drawn: for counting what drawing costs."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import msgspec
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType

from eternal_tui.jobs.model import Job, JobState
from eternal_tui.tui import themes
from eternal_tui.tui.job_list.widget import JobList
from eternal_tui.tui.terminal.compositor import DiffScreen
from tests.tui.jobs import NOW, make_job

ROW_COUNT = 20
DRAWN_MARKER = "\x1b]777;drawn\x07"


class ListApp(App[None]):
    """Twenty running jobs; `x` moves one on, `b` all of them, `s` lets a second pass, `o` nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "step(1, 0)"),
        Binding("b", "step(20, 1)"),
        Binding("s", "step(0, 1)"),
        Binding("o", "step(0, 0)"),
    ]

    def __init__(self) -> None:
        super().__init__()
        themes.register_themes(self)
        self.theme = "eternal-dark"
        self._now = NOW
        self._jobs: list[Job] = [
            make_job(place, state=JobState.RUNNING, submitted_at=NOW - 7 * place, progress=2 * place)
            for place in range(ROW_COUNT, 0, -1)
        ]

    def compose(self) -> ComposeResult:
        yield JobList(estimate_remaining=lambda job: 0.6 * (100 - job.progress))

    def get_default_screen(self) -> DiffScreen:
        return DiffScreen(id="_default")

    async def on_ready(self) -> None:
        jobs = self.query_one(JobList)
        jobs.set_jobs(self._jobs, self._now)
        jobs.focus()
        await self._report_drawn()

    async def action_step(self, moved: int, seconds: int) -> None:
        self._now += seconds
        self._jobs = [
            msgspec.structs.replace(job, progress=job.progress + 1) if place < moved else job
            for place, job in enumerate(self._jobs)
        ]
        self.query_one(JobList).apply_changes(self._jobs[:moved], self._now)
        await self._report_drawn()

    async def _report_drawn(self) -> None:
        driver = self._driver
        assert driver is not None
        # The list tells its screen that it changed through two message queues; only then is there a frame to wait for.
        for _ in range(20):
            await asyncio.sleep(0)
        self.screen.call_after_refresh(driver.write, DRAWN_MARKER)
        self.screen.call_after_refresh(driver.flush)


if __name__ == "__main__":
    ListApp().run()
