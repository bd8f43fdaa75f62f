"""What a terminal is told when jobs end: only when nobody looks, once a batch, in the night nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime

import msgspec
import pytest

import eternal_tui.tui.notifications as announcing
from eternal_tui.config import NotifySettings, Settings
from eternal_tui.jobs.billing.statistics import Totals
from eternal_tui.jobs.model import FileState, Job, JobState
from eternal_tui.tui.notifications import Notifier, batch_end_message
from tests.tui.jobs import make_job

SAVED_JOB = make_job(1, state=JobState.SUCCEEDED, file_state=FileState.SAVED)
FAILED_JOB = make_job(2, state=JobState.FAILED, error="The prompt could not be drawn.\x1b]0;owned\x07")

_HOUR = datetime.now().astimezone().hour
QUIET_HOURS_NOW = f"{(_HOUR - 1) % 24:02}:00-{(_HOUR + 2) % 24:02}:00"


class NotificationRecorder:
    """Everything that was said, and to whom."""

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

    async def end_jobs(self, *jobs: Job) -> str:
        for job in jobs:
            self.notifier.notify_soon(job)
        await asyncio.wait_for(self.notified.wait(), 60)
        return "".join(self.written)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcing, "COALESCE_SECONDS", 0.01)


async def test_a_batch_is_told_once_and_failure_too() -> None:
    """Seen to fail with a bell for each job, and with the service's own words written raw."""
    ears = NotificationRecorder()
    told = await ears.end_jobs(SAVED_JOB, SAVED_JOB, FAILED_JOB)
    assert told.count("\a") == 3  # the ends of two notifications, and one bell
    assert told.startswith("\x1b]9;2 done, 1 failed. Job 2 failed: The prompt could not be drawn.")
    assert "\x1b]777;notify;eternal-tui;2 done, 1 failed" in told
    assert "\x1b]0;" not in told
    assert [severity for _, severity in ears.toasts] == ["warning"]
    assert batch_end_message([SAVED_JOB, FAILED_JOB])[0].startswith("1 done, 1 failed. ")


async def test_a_batch_is_told_when_the_whole_of_it_is_through() -> None:
    """However quickly or slowly its jobs end, one toast and one bell; what is no part of it is told meanwhile.

    Seen to fail with the ends gathered by time alone: a batch that took a second rang for each job.
    """
    ears = NotificationRecorder()
    ears.active_batches.add("b")
    first, last = (msgspec.structs.replace(SAVED_JOB, id=job_id, batch="b") for job_id in (3, 4))
    assert (await ears.end_jobs(first, FAILED_JOB)).count("\a") == 3
    (told,) = ears.toasts
    assert told[0].startswith("Job 2 failed")
    ears.active_batches.clear()
    ears.notified.clear()
    assert (await ears.end_jobs(last)).count("\a") == 6
    assert [text for text, _ in ears.toasts[1:]] == ["2 jobs done"]


@pytest.mark.parametrize(
    "ears",
    [
        NotificationRecorder(focused=True),
        NotificationRecorder(notify=NotifySettings(bell=False, desktop=False)),
        NotificationRecorder(notify=NotifySettings(quiet_hours=QUIET_HOURS_NOW)),
    ],
    ids=["focused", "off", "quiet hours"],
)
async def test_no_sound_where_none_is_wanted(ears: NotificationRecorder) -> None:
    """A toast there is; bell and notification only where nobody looks, by day, and not switched off."""
    assert await ears.end_jobs(FAILED_JOB) == ""
    assert len(ears.toasts) == 1


async def test_tmux_hands_it_on() -> None:
    """Seen to fail with single ESCs inside tmux's envelope, at which tmux stops."""
    told = await NotificationRecorder(environ={"TMUX": "/tmp/s,1,0"}).end_jobs(SAVED_JOB)
    assert told.startswith("\x1bPtmux;\x1b\x1b]9;Job 1 done: Astrid\x07\x1b\\")
    assert told.endswith("\x07\x1b\\\a")


async def test_the_title_is_given_back() -> None:
    """Seen to fail without the terminal's own title pushed first."""
    ears = NotificationRecorder()
    ears.notifier.update_title(Totals(running=3, done_today=2))
    ears.notifier.update_title(Totals(running=3, done_today=2))
    ears.notifier.update_title(Totals())
    ears.notifier.stop()
    assert ears.written == [
        "\x1b[22;2t", "\x1b]2;3 running · 2 done\x07", "\x1b]2;eternal-tui\x07", "\x1b[23;2t"
    ]  # fmt: skip
