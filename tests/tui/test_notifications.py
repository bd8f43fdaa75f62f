"""Notifications of ended jobs: one toast per batch; bell and desktop only without focus and outside quiet hours."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
import pytest

from eternal_tui.config.settings import NotifySettings, Settings
from eternal_tui.jobs.billing.statistics import Totals
from eternal_tui.jobs.model import FileState, Job, JobState
from eternal_tui.tui.notifications import Notifier
from tests.tui.jobs import make_job

SAVED_JOB = make_job(1, state=JobState.SUCCEEDED, file_state=FileState.SAVED)
FAILED_JOB = make_job(2, state=JobState.FAILED, error="The prompt could not be drawn.\x1b]0;owned\x07")

_HOUR = datetime.now().astimezone().hour
QUIET_HOURS_NOW = f"{(_HOUR - 1) % 24:02}:00-{(_HOUR + 2) % 24:02}:00"


class NotificationRecorder:
    """Records toasts and what is written to the terminal."""

    def __init__(
        self, *, focused: bool = False, environ: Mapping[str, str] | None = None, notify: NotifySettings | None = None
    ) -> None:
        self.toasts: list[tuple[str, str]] = []
        self.written: list[str] = []
        self.notified = asyncio.Event()
        self.active_batches: set[str] = set()
        self.notifier = Notifier(
            Settings(notify=notify or NotifySettings()),
            environ or {},
            show_toast=self._toast,
            write=self.written.append,
            has_focus=lambda: focused,
            is_batch_active=lambda batch: batch in self.active_batches,
        )

    def _toast(self, text: str, severity: str) -> None:
        self.toasts.append((text, severity))
        self.notified.set()

    def end_jobs(self, *jobs: Job) -> str:
        for job in jobs:
            self.notifier.notify_soon(job)
        self.notifier.notify_now()
        return "".join(self.written)


async def test_ended_jobs_are_notified_once_with_the_failure() -> None:
    recorder = NotificationRecorder()
    for job in (SAVED_JOB, SAVED_JOB, FAILED_JOB):
        recorder.notifier.notify_soon(job)
    await asyncio.wait_for(recorder.notified.wait(), 60)
    written = "".join(recorder.written)
    assert written.count("\a") == 3  # the ends of two notifications, and one bell
    assert written.startswith("\x1b]9;2 done, 1 failed. Job 2 failed: The prompt could not be drawn.")
    assert "\x1b]777;notify;eternal-tui;2 done, 1 failed" in written
    assert "\x1b]0;" not in written
    assert [severity for _, severity in recorder.toasts] == ["warning"]


async def test_a_batch_is_notified_when_all_of_it_has_ended() -> None:
    """However quickly or slowly its jobs end, one toast and one bell; other jobs are notified meanwhile."""
    recorder = NotificationRecorder()
    recorder.active_batches.add("b")
    first, last = (msgspec.structs.replace(SAVED_JOB, id=job_id, batch="b") for job_id in (3, 4))
    assert recorder.end_jobs(first, FAILED_JOB).count("\a") == 3
    recorder.active_batches.clear()
    assert recorder.end_jobs(last).count("\a") == 6
    assert [text.partition(":")[0] for text, _ in recorder.toasts] == ["Job 2 failed", "2 jobs done"]


@pytest.mark.parametrize(
    ("focused", "notify"),
    [(True, {}), (False, {"bell": False, "desktop": False}), (False, {"quiet_hours": QUIET_HOURS_NOW})],
    ids=["focused", "off", "quiet hours"],
)
async def test_no_bell_with_focus_or_by_settings(focused: bool, notify: dict[str, Any]) -> None:
    recorder = NotificationRecorder(focused=focused, notify=NotifySettings(**notify))
    assert recorder.end_jobs(FAILED_JOB) == ""
    assert len(recorder.toasts) == 1


async def test_tmux_passes_notifications_on() -> None:
    written = NotificationRecorder(environ={"TMUX": "/tmp/s,1,0"}).end_jobs(SAVED_JOB)
    assert written.startswith("\x1bPtmux;\x1b\x1b]9;Job 1 done: Astrid\x07\x1b\\")
    assert written.endswith("\x07\x1b\\\a")


async def test_the_title_is_restored() -> None:
    recorder = NotificationRecorder()
    recorder.notifier.update_title(Totals(running=3, done_today=2))
    recorder.notifier.update_title(Totals(running=3, done_today=2))
    recorder.notifier.update_title(Totals())
    recorder.notifier.stop()
    assert recorder.written == [
        "\x1b[22;2t", "\x1b]2;3 running · 2 done\x07", "\x1b]2;eternal-tui\x07", "\x1b[23;2t"
    ]  # fmt: skip
