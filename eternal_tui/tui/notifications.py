"""Telling that jobs ended: one toast a batch; unseen ones also by bell, notification and title."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal

from eternal_tui.config import Settings
from eternal_tui.core.sanitize import Shown, say, shown
from eternal_tui.jobs.billing.totals import Totals
from eternal_tui.jobs.formatting import counted
from eternal_tui.jobs.model import Job, JobState
from eternal_tui.tui.terminal import escape_codes

GATHER = 0.6
"""Seconds ends are gathered before they are told: a batch that ends together is one sentence and one bell."""

Severity = Literal["information", "warning", "error"]
Toast = Callable[[str, Severity], None]


def sentence(job: Job) -> Shown:
    """Return one sentence on how a job ended."""
    what = "clip" if job.request.type == "video" else "picture"
    who = job.name or job.request.character
    if job.delivered and job.is_creation:
        if not who:
            return say("Job {id}: the list will have the new character when it is made.", id=job.id)
        return say("Job {id}: character {who} was created.", id=job.id, who=who)
    if job.delivered:
        return say("Job {id}, {who}'s {what}, is saved.", id=job.id, who=who, what=what)
    if job.state is JobState.UNCONFIRMED:
        return say("Job {id}: the answer was lost, it may be charged. t decides.", id=job.id)
    if job.state is JobState.STALLED:
        return say("Job {id} is past its deadline; it is watched on, more slowly.", id=job.id)
    reason = shown(job.error or job.trouble or "no reason was given", limit=120)
    state = job.file_state if job.state is JobState.SUCCEEDED and job.file_state else job.state
    return say("Job {id} {state}: {reason}", id=job.id, state=state, reason=reason)


def summary(jobs: list[Job]) -> tuple[Shown, Severity]:
    """Return one sentence for a batch of ended jobs, and how grave it is."""
    good = sum(job.delivered for job in jobs)
    bad = len(jobs) - good
    severity: Severity = "information" if not bad else "error" if not good else "warning"
    if len(jobs) == 1:
        return sentence(jobs[0]), severity
    if not bad:
        return say("{good} jobs are done.", good=good), severity
    worst = next(job for job in jobs if not job.delivered)
    told = say("{good} saved, {bad} not: {worst}", good=counted(good, "job"), bad=bad, worst=sentence(worst))
    return told, severity


class Announcer:
    """Gathers ends and tells them once, those of a batch when the whole of it is through.

    `write` puts a sequence on the terminal, `focused` says if it is looked at, `goes_on` if a batch does.
    """

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        *,
        toast: Toast,
        write: Callable[[str], None],
        focused: Callable[[], bool],
        goes_on: Callable[[str], bool],
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._toast = toast
        self._write = write
        self._focused = focused
        self._goes_on = goes_on
        self._ended: list[Job] = []
        self._telling: asyncio.TimerHandle | None = None
        self._title = Shown("")

    def ended(self, job: Job) -> None:
        """Tell soon that the job ended."""
        self._ended.append(job)
        self._tell_soon()

    def _tell_soon(self) -> None:
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(GATHER, self._tell)

    def totals(self, totals: Totals) -> None:
        """Keep the terminal's title in step."""
        if not self._settings.notify.title:
            return
        words = say("{running} running · {done} done", running=totals.running, done=totals.done_today)
        text = words if totals.running or totals.done_today else Shown("eternal-tui")
        if text != self._title:
            if not self._title:
                self._write(escape_codes.SAVE_TITLE)
            self._title = text
            self._write(escape_codes.title(text))

    def stop(self) -> None:
        """Tell nothing more and give the title back."""
        if self._telling is not None:
            self._telling.cancel()
        if self._title:
            self._write(escape_codes.RESTORE_TITLE)

    def _tell(self) -> None:
        self._telling = None
        ended, self._ended = self._ended, []
        jobs: list[Job] = []
        for job in ended:
            (self._ended if self._goes_on(job.batch) else jobs).append(job)
        if self._ended:
            # The last of a batch may end in another window, or be deleted: nobody else would tell the others.
            self._tell_soon()
        if not jobs:
            return
        text, severity = summary(jobs)
        self._toast(text, severity)
        now = datetime.now().astimezone()
        notify = self._settings.notify
        if self._focused() or escape_codes.in_quiet_hours(notify.quiet_hours, now.hour * 60 + now.minute):
            return
        if notify.desktop:
            self._write(escape_codes.notification(text, self._environ))
        if notify.bell:
            self._write("\a")
