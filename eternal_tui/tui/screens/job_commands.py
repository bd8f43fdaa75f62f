"""What can be done with jobs: each wish of a person turned into calls of the desk, with the questions it needs."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from eternal_tui.api.errors import ApiError
from eternal_tui.api.models import GenerateRequest, InvalidRequest
from eternal_tui.config.credentials import scrubbed_environ
from eternal_tui.core.sanitize import Shown, join, say, shown
from eternal_tui.history.errors import HistoryError
from eternal_tui.jobs.batch import Failures, failures, new_batch
from eternal_tui.jobs.engine import JobDesk
from eternal_tui.jobs.errors import NeedsConfirmation, NoSuchJob, NotPossible, SubmitRefused
from eternal_tui.jobs.files import copy_to, result_path
from eternal_tui.jobs.model import POLLED, Job, JobState
from eternal_tui.tui.notifications import Severity
from eternal_tui.tui.widgets.dialog import Confirm

ANOTHER_CHARACTER = Shown("A character is not made like a picture. Another one is made among the characters: f2, n.")


class Face(Protocol):
    """What the actions need of the screen they work for."""

    def tell(self, text: Shown, severity: Severity = "information") -> None:
        """Show one sentence."""

    async def ask(self, question: Confirm) -> bool:
        """Show a question and return the answer."""

    async def looked_up(self, requests: Sequence[GenerateRequest]) -> bool:
        """Look the characters up where that has to be waited for; False where nothing may be sent."""


class JobActions:
    """Acts on jobs through the desk. Every foreseeable failure ends in one sentence on the face."""

    def __init__(self, desk: JobDesk, face: Face, environ: Mapping[str, str]) -> None:
        self._desk = desk
        self._face = face
        self._environ = environ

    def tell(self, text: Shown | None) -> None:
        """Show on the face the sentence that a small screen was left with, if it was left with one."""
        if text:
            self._face.tell(text)

    async def submit(
        self, requests: Sequence[GenerateRequest], names: Sequence[str], *, confirmed: bool = False
    ) -> bool:
        """Send requests, asking first where they cost more than is sent unasked; tell whether they were sent."""
        if not await self._face.looked_up(requests):
            return False
        try:
            batch = new_batch(len(requests))
            await self._desk.submit_many(requests, names=names, confirmed=confirmed, batch=batch)
        except NeedsConfirmation as question:
            if await self.confirmed(shown(str(question)), count=len(requests)):
                return await self.submit(requests, names, confirmed=True)
            self._face.tell(Shown("Nothing was sent."))
            return False
        except (SubmitRefused, InvalidRequest, HistoryError) as error:
            self._face.tell(shown(str(error)), "error")
            return False
        return True

    async def confirmed(self, question: Shown, *, count: int = 1) -> bool:
        """Ask whether to pay."""
        yes = say("send {n} requests", n=count) if count != 1 else Shown("send it")
        return await self._face.ask(
            Confirm(question, title=Shown("This costs credits"), yes=yes, no=Shown("do not send"))
        )

    async def again(self, jobs: Sequence[Job]) -> None:
        """Run jobs again exactly as they were; more than one asks first, with about what it costs.

        Of one that may have been paid already this is a retry, whatever the key: it asks, and links both.
        """
        if any(job.is_creation for job in jobs):
            self._face.tell(ANOTHER_CHARACTER, "warning")
            return
        undecided = [job for job in jobs if job.state is JobState.UNCONFIRMED and _can_be_retried(job)]
        for job in undecided:
            await self._decide(job)
        jobs = [job for job in jobs if job not in undecided]
        if not jobs:
            return
        requests = [job.request for job in jobs]
        if len(jobs) > 1:
            question = join(" ", say("Run {n} jobs again?", n=len(jobs)), self.about(requests))
            if not await self.confirmed(question, count=len(jobs)):
                return
        await self._send_again(jobs, confirmed=len(jobs) > 1)

    async def retry_failed(self, listed: Sequence[Job]) -> None:
        """Run again what failed or was not taken among the jobs listed, after one question with what it costs."""
        found = failures(listed, self._desk.listing())
        if not found.open:
            self._face.tell(_nothing_to_retry(found))
            return
        question = join(" ", _which(found), self.about([job.request for job in found.open]))
        if await self.confirmed(question, count=len(found.open)):
            await self._send_again(found.open, confirmed=True)

    async def _send_again(self, jobs: Sequence[Job], *, confirmed: bool) -> None:
        await self.submit([job.request for job in jobs], [job.name for job in jobs], confirmed=confirmed)

    def mean_price(self, requests: Sequence[GenerateRequest]) -> float | None:
        """Return about what one of these requests costs in credits, None where one's price is not known yet."""
        prices = self._prices(requests)
        return sum(prices) / len(prices) if prices else None

    def about(self, requests: Sequence[GenerateRequest]) -> Shown:
        """Return about what requests cost together, in words."""
        prices = self._prices(requests)
        if prices is None:
            return Shown("The price is not known yet.")
        return say("About {sum} credits.", sum=f"{sum(prices):.2f}")

    def _prices(self, requests: Sequence[GenerateRequest]) -> list[float] | None:
        """Return about what each request costs, None where one's price is not known yet."""
        prices = [price for price in map(self._desk.estimate, requests) if price is not None]
        return prices if len(prices) == len(requests) else None

    async def retry(self, job: Job) -> None:
        """Do what `t` means for the job: fetch its file again, decide an unconfirmed one, ask after a lost one."""
        if job.state is JobState.UNCONFIRMED:
            await self._decide(job)
        elif job.state is JobState.LOST:
            await self._desk.watch_now(job.id)
        elif job.state is JobState.SUCCEEDED and not job.delivered:
            await self._desk.fetch_again(job.id)
            self._face.tell(say("Fetching job {id} again. Nothing is charged.", id=job.id))
        elif job.state in (JobState.FAILED, JobState.REJECTED):
            await self.again([job])
        else:
            self._face.tell(say("Job {id} is {state}; there is nothing to retry.", id=job.id, state=job.state))

    async def retry_all(self, jobs: Sequence[Job]) -> None:
        """Retry what there is to retry among jobs; those that failed are asked about once, with their cost."""
        if len(jobs) == 1:
            await self.retry(jobs[0])
            return
        failed = [job for job in jobs if job.state in (JobState.FAILED, JobState.REJECTED)]
        others = [job for job in jobs if job not in failed and _can_be_retried(job)]
        for job in others:
            await self.retry(job)
        if failed:
            await self.again(failed)
        elif not others:
            self._face.tell(Shown("There is nothing to retry among these jobs."))

    async def _decide(self, job: Job) -> None:
        verdict = (
            say("{verdict}: {reason}", verdict=job.verdict, reason=job.verdict_reason)
            if job.verdict
            else Shown("Whether it was charged is not known.")
        )
        question = join(
            " ",
            say("The answer to job {id} was lost.", id=job.id),
            verdict,
            Shown("Sending it again may pay twice."),
            self.about([job.request]),
        )
        asked = Confirm(
            question,
            title=Shown("Unconfirmed job"),
            yes=Shown("send it again, as a new job linked to this one"),
            no=Shown("leave it as it is"),
        )
        if await self._face.ask(asked) and await self._face.looked_up([job.request]):
            await self._desk.retry_unconfirmed(job.id, confirmed=True)

    async def watch(self, job: Job) -> None:
        """Look at the job now; one that is watched already is let go after a question."""
        if job.state is JobState.LOST or (job.state in POLLED and not job.watched):
            await self._desk.watch_now(job.id)
            self._face.tell(say("Watching job {id}.", id=job.id))
            return
        if job.state not in POLLED:
            self._face.tell(say("Job {id} is {state}; there is nothing to watch.", id=job.id, state=job.state))
            return
        asked = Confirm(
            say("Stop watching job {id}? It goes on at the service and stays charged; w watches it again.", id=job.id),
            title=Shown("Stop watching"),
            yes=Shown("stop watching here"),
            no=Shown("look at it now"),
        )
        if await self._face.ask(asked):
            await self._desk.stop_watching(job.id)
        else:
            await self._desk.watch_now(job.id)

    async def delete(self, jobs: Sequence[Job]) -> None:
        """Remove jobs from the history, asking where one is not ended."""
        alive = [job for job in jobs if not job.ended or job.wants_file]
        if any(job.state is JobState.SUBMITTING for job in jobs):
            self._face.tell(Shown("A job that is being sent cannot be deleted; wait for its answer."), "warning")
            return
        if alive:
            asked = Confirm(
                say(
                    "{n} of these still run. They go on at the service, charged, and will not be fetched.", n=len(alive)
                ),
                title=Shown("Delete running jobs"),
                yes=Shown("delete"),
                no=Shown("keep"),
            )
            if not await self._face.ask(asked):
                return
        await self._desk.delete([job.id for job in jobs])
        what = say("job {id}", id=jobs[0].id) if len(jobs) == 1 else say("{n} jobs", n=len(jobs))
        self._face.tell(say("Deleted {what}. u brings back. Files stay in the results folder.", what=what))

    async def star(self, jobs: Sequence[Job]) -> None:
        """Star jobs, or take the star away where all have one."""
        on = not all(job.starred for job in jobs)
        for job in jobs:
            await self._desk.annotate(job.id, starred=on)

    def open_outside(self, job: Job) -> None:
        """Open the verified file in the system's own viewer: no shell, no key in its environment."""
        path = result_path(job, self._desk.results)
        if path is None or not path.is_file():
            self._face.tell(say("Job {id} has no verified file to open.", id=job.id), "warning")
            return
        command = "open" if sys.platform == "darwin" else "xdg-open"
        try:
            viewer = subprocess.Popen(  # noqa: S603 - a fixed program, and a path of our own making
                [command, str(path.resolve())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=scrubbed_environ(self._environ),
                start_new_session=True,
            )
        except OSError:
            self._face.tell(say("{command} was not found. The file is {path}", command=command, path=path), "warning")
        else:
            # Whoever starts a program has to hear of its end, or its name stays in the list of processes.
            threading.Thread(target=viewer.wait, daemon=True, name="viewer").start()

    async def guarded(self, job_ids: Sequence[int], name: str) -> None:
        """Do the action `name` on these jobs."""
        jobs = [job for job_id in job_ids if (job := self._desk.job(job_id)) is not None]
        if not jobs:
            self._face.tell(Shown("There is no job here yet. ctrl+n writes a request."))
            return
        try:
            await self._act(name, jobs)
        except (NotPossible, NoSuchJob, SubmitRefused, HistoryError, ApiError) as error:
            self._face.tell(shown(str(error)), "error")

    async def _act(self, name: str, jobs: Sequence[Job]) -> None:
        match name:
            case "again":
                await self.again(jobs)
            case "delete":
                await self.delete(jobs)
            case "star":
                await self.star(jobs)
            case "retry":
                await self.retry_all(jobs)
            case "watch":
                for job in jobs:
                    await self.watch(job)
            case "outside":
                for job in jobs:
                    self.open_outside(job)
            case _:
                raise ValueError(name)

    def file_of(self, job: Job) -> Path | None:
        """Return where the job's verified file is, None where it has none."""
        return result_path(job, self._desk.results)

    def save_copy(self, job: Job, target: Path) -> Path:
        """Copy the verified file to `target`, numbered where that is taken, and return where; raise OSError."""
        path = self.file_of(job)
        if path is None:
            raise FileNotFoundError(f"job {job.id} has no verified file")
        return copy_to(path, target)


def _which(found: Failures) -> Shown:
    """Ask about the jobs to run again, and say which are left as they are."""
    count = len(found.open)
    jobs = Shown("the job that failed or was not taken")
    if count > 1:
        jobs = say("the {n} jobs that failed or were not taken", n=count)
    left = say("{n} refused for what they ask stay as they are.", n=len(found.refused)) if found.refused else Shown("")
    return join(" ", say("Run {jobs} again?", jobs=jobs), left) if left else say("Run {jobs} again?", jobs=jobs)


def _nothing_to_retry(found: Failures) -> Shown:
    if found.refused:
        return Shown("What failed here was refused for what it asks: e changes it and sends it anew.")
    if found.run_since:
        return Shown("Every failed job of this list was run again already.")
    return Shown("No job in this list has failed.")


def _can_be_retried(job: Job) -> bool:
    if job.state is JobState.UNCONFIRMED:
        return job.retried_by is None and not job.dismissed
    if job.state is JobState.SUCCEEDED:
        return not job.delivered
    return job.state is JobState.LOST
