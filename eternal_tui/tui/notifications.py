"""Notifications of ended jobs: one toast per batch; without focus also bell, desktop notification and title."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal

from eternal_tui.config.settings import Settings
from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, sanitize
from eternal_tui.jobs.billing.statistics import Totals
from eternal_tui.jobs.formatting import pluralize, state_label
from eternal_tui.jobs.model import Job, JobState
from eternal_tui.tui.terminal import desktop

COALESCE_SECONDS = 0.6
"""Seconds ended jobs are collected: jobs that end together are one sentence and one bell."""

Severity = Literal["information", "warning", "error"]
ShowToast = Callable[[SafeText, Severity], None]


def end_message(job: Job) -> SafeText:
    """Return one sentence on how a job ended, or why it needs attention."""
    who = job.name or job.request.character
    if job.is_delivered and job.is_creation:
        if not who:
            return format_safe("Job {id} accepted: the character is listed once it is created.", id=job.id)
        return format_safe("Job {id} created: character {who}", id=job.id, who=who)
    if job.is_delivered:
        return format_safe("Job {id} done: {who}", id=job.id, who=who)
    if job.state is JobState.UNCONFIRMED:
        return format_safe("Job {id} unconfirmed: may have been charged. t: retry or dismiss", id=job.id)
    if job.state is JobState.STALLED:
        return format_safe("Job {id} stalled; polling less often.", id=job.id)
    reason = sanitize(job.error or job.waiting_reason or "no reason given", limit=200)
    label = state_label(job)
    if label == "rejected":
        # The reason already names the rejection.
        return format_safe("Job {id}: {reason}", id=job.id, reason=reason)
    return format_safe("Job {id} {label}: {reason}", id=job.id, label=label, reason=reason)


def batch_end_message(jobs: list[Job]) -> tuple[SafeText, Severity]:
    """Return one sentence for a batch of ended jobs, and its severity."""
    bad = [job for job in jobs if not job.is_delivered]
    severity: Severity = "information" if not bad else "error" if len(bad) == len(jobs) else "warning"
    if len(jobs) == 1:
        return end_message(jobs[0]), severity
    if not bad:
        return format_safe("{jobs} done", jobs=pluralize(len(jobs), "job")), severity
    counts = Counter("done" if job.is_delivered else state_label(job) for job in jobs)
    summary = join_safe(", ", *(format_safe("{n} {label}", n=count, label=label) for label, count in counts.items()))
    return format_safe("{summary}. {worst}", summary=summary, worst=end_message(bad[0])), severity


class Notifier:
    """Collects ended jobs and notifies once, of a batch when all of it has ended.

    `write` puts a sequence on the terminal, `has_focus` tells whether the terminal has the focus, `is_batch_active`
    whether more jobs of a batch will end soon.
    """

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        *,
        show_toast: ShowToast,
        write: Callable[[str], None],
        has_focus: Callable[[], bool],
        is_batch_active: Callable[[str], bool],
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._show_toast = show_toast
        self._write = write
        self._has_focus = has_focus
        self._is_batch_active = is_batch_active
        self._ended_jobs: list[Job] = []
        self._timer: asyncio.TimerHandle | None = None
        self._title = SafeText("")

    def notify_soon(self, job: Job) -> None:
        """Notify soon; a rejected key has a screen of its own."""
        if job.state is not JobState.REJECTED or job.cause != "key":
            self._ended_jobs.append(job)
            self._schedule()

    def _schedule(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(COALESCE_SECONDS, self.notify_now)

    def update_title(self, totals: Totals) -> None:
        """Keep the terminal's title in step."""
        if not self._settings.notify.title:
            return
        words = format_safe("{running} running · {done} done", running=totals.running, done=totals.done_today)
        text = words if totals.running or totals.done_today else SafeText("eternal-tui")
        if text != self._title:
            if not self._title:
                self._write(desktop.SAVE_TITLE)
            self._title = text
            self._write(desktop.title_sequence(text))

    def stop(self) -> None:
        """Cancel notifications and restore the terminal's title."""
        if self._timer is not None:
            self._timer.cancel()
        if self._title:
            self._write(desktop.RESTORE_TITLE)

    def notify_now(self) -> None:
        """Notify of the jobs that have ended, except those of a batch still running."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        ended, self._ended_jobs = self._ended_jobs, []
        jobs: list[Job] = []
        for job in ended:
            (self._ended_jobs if self._is_batch_active(job.batch) else jobs).append(job)
        if self._ended_jobs:
            # The last of a batch may end in another instance, or be deleted.
            self._schedule()
        if not jobs:
            return
        text, severity = batch_end_message(jobs)
        self._show_toast(text, severity)
        now = datetime.now().astimezone()
        notify = self._settings.notify
        if self._has_focus() or is_in_quiet_hours(notify.quiet_hours, now.hour * 60 + now.minute):
            return
        if notify.desktop:
            self._write(desktop.notification_sequence(text, self._environ))
        if notify.bell:
            self._write("\a")


def is_in_quiet_hours(hours: str, minute_of_day: int) -> bool:
    """Tell whether a minute since local midnight lies in hours such as "22:00-07:00"; an empty text is never."""
    if not hours:
        return False
    begin, end = (int(part[:2]) * 60 + int(part[3:5]) for part in hours.split("-"))
    if begin <= end:
        return begin <= minute_of_day < end
    return minute_of_day >= begin or minute_of_day < end
