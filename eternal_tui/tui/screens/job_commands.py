"""What can be done with jobs: each wish of a person turned into calls of the desk, with the questions it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from eternal_tui.api.errors import ApiError
from eternal_tui.api.models import GenerateRequest, InvalidRequest
from eternal_tui.config.credentials import environ_without_keys
from eternal_tui.core.process import open_in_viewer
from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, sanitize
from eternal_tui.history.errors import HistoryError
from eternal_tui.jobs.batch import RetryCandidates, find_retryable, new_batch_id
from eternal_tui.jobs.engine import JobEngine
from eternal_tui.jobs.errors import ConfirmationRequired, InvalidJobState, JobNotFound, SubmitRejected
from eternal_tui.jobs.files import copy_to, result_path
from eternal_tui.jobs.model import POLLED_STATES, Job, JobState
from eternal_tui.jobs.submit.submitter import SubmitDetails
from eternal_tui.tui.notifications import Severity
from eternal_tui.tui.widgets.dialog import ConfirmDialog

CREATION_RERUN_MESSAGE = SafeText(
    "A character is not made like a picture. Another one is made among the characters: f2, n."
)


class ScreenApi(Protocol):
    """What the actions need of the screen they work for."""

    def notify_user(self, text: SafeText, severity: Severity = "information") -> None:
        """Show one sentence."""

    async def ask_confirmation(self, question: ConfirmDialog) -> bool:
        """Show a question and return the answer."""

    async def check_characters(self, requests: Sequence[GenerateRequest]) -> bool:
        """Look the characters up where that has to be waited for; False where nothing may be sent."""


class JobCommands:
    """Acts on jobs through the desk. Every foreseeable failure ends in one sentence on the face."""

    def __init__(self, jobs: JobEngine, screen: ScreenApi, environ: Mapping[str, str]) -> None:
        self._jobs = jobs
        self._screen = screen
        self._environ = environ

    def notify_result(self, text: SafeText | None) -> None:
        """Show on the face the sentence that a small screen was left with, if it was left with one."""
        if text:
            self._screen.notify_user(text)

    async def submit(
        self,
        requests: Sequence[GenerateRequest],
        character_names: Sequence[str],
        templates: Sequence[str] = (),
        *,
        confirmed: bool = False,
    ) -> bool:
        """Send requests, asking first where they cost more than is sent unasked; tell whether they were sent."""
        if not await self._screen.check_characters(requests):
            return False
        try:
            batch = new_batch_id(len(requests))
            details = [
                SubmitDetails(
                    character_name=name, batch=batch, batch_index=number if batch else None, template=template
                )
                for number, (name, template) in enumerate(
                    zip(character_names, templates or [""] * len(requests), strict=True), 1
                )
            ]
            await self._jobs.submit_many(requests, details, confirmed=confirmed)
        except ConfirmationRequired as question:
            if await self.confirm_cost(sanitize(str(question)), count=len(requests)):
                return await self.submit(requests, character_names, templates, confirmed=True)
            self._screen.notify_user(SafeText("Nothing was sent."))
            return False
        except (SubmitRejected, InvalidRequest, HistoryError) as error:
            self._screen.notify_user(sanitize(str(error)), "error")
            return False
        return True

    async def confirm_cost(self, question: SafeText, *, count: int = 1) -> bool:
        """Ask whether to pay."""
        yes = format_safe("send {n} requests", n=count) if count != 1 else SafeText("send it")
        return await self._screen.ask_confirmation(
            ConfirmDialog(question, title=SafeText("This costs credits"), yes=yes, no=SafeText("do not send"))
        )

    async def rerun(self, jobs: Sequence[Job]) -> None:
        """Run jobs again exactly as they were; more than one asks first, with about what it costs.

        Of one that may have been paid already this is a retry, whatever the key: it asks, and links both.
        """
        if any(job.is_creation for job in jobs):
            self._screen.notify_user(CREATION_RERUN_MESSAGE, "warning")
            return
        undecided = [job for job in jobs if job.state is JobState.UNCONFIRMED and _is_retryable(job)]
        for job in undecided:
            await self._decide_unconfirmed(job)
        jobs = [job for job in jobs if job not in undecided]
        if not jobs:
            return
        requests = [job.request for job in jobs]
        if len(jobs) > 1:
            question = join_safe(" ", format_safe("Run {n} jobs again?", n=len(jobs)), self.cost_text(requests))
            if not await self.confirm_cost(question, count=len(jobs)):
                return
        await self._resend(jobs, confirmed=len(jobs) > 1)

    async def retry_failed(self, listed: Sequence[Job]) -> None:
        """Run again what failed or was not taken among the jobs listed, after one question with what it costs."""
        found = find_retryable(listed, self._jobs.store.newest_first())
        if not found.retryable:
            self._screen.notify_user(_nothing_to_retry_message(found))
            return
        question = join_safe(" ", _rerun_question(found), self.cost_text([job.request for job in found.retryable]))
        if await self.confirm_cost(question, count=len(found.retryable)):
            await self._resend(found.retryable, confirmed=True)

    async def _resend(self, jobs: Sequence[Job], *, confirmed: bool) -> None:
        await self.submit(
            [job.request for job in jobs],
            [job.name for job in jobs],
            [job.template for job in jobs],
            confirmed=confirmed,
        )

    def mean_price(self, requests: Sequence[GenerateRequest]) -> float | None:
        """Return about what one of these requests costs in credits, None where one's price is not known yet."""
        prices = self._estimates(requests)
        return sum(prices) / len(prices) if prices else None

    def cost_text(self, requests: Sequence[GenerateRequest]) -> SafeText:
        """Return about what requests cost together, in words."""
        prices = self._estimates(requests)
        if prices is None:
            return SafeText("The price is not known yet.")
        return format_safe("About {sum} credits.", sum=f"{sum(prices):.2f}")

    def _estimates(self, requests: Sequence[GenerateRequest]) -> list[float] | None:
        """Return about what each request costs, None where one's price is not known yet."""
        prices = [price for price in map(self._jobs.billing.estimate, requests) if price is not None]
        return prices if len(prices) == len(requests) else None

    async def retry(self, job: Job) -> None:
        """Do what `t` means for the job: fetch its file again, decide an unconfirmed one, ask after a lost one."""
        if job.state is JobState.UNCONFIRMED:
            await self._decide_unconfirmed(job)
        elif job.state is JobState.LOST:
            await self._jobs.watch_now(job.id)
        elif job.state is JobState.SUCCEEDED and not job.is_delivered:
            await self._jobs.retry_download(job.id)
            self._screen.notify_user(format_safe("Fetching job {id} again. Nothing is charged.", id=job.id))
        elif job.state in (JobState.FAILED, JobState.REJECTED):
            await self.rerun([job])
        else:
            self._screen.notify_user(
                format_safe("Job {id} is {state}; there is nothing to retry.", id=job.id, state=job.state)
            )

    async def retry_all(self, jobs: Sequence[Job]) -> None:
        """Retry what there is to retry among jobs; those that failed are asked about once, with their cost."""
        if len(jobs) == 1:
            await self.retry(jobs[0])
            return
        failed = [job for job in jobs if job.state in (JobState.FAILED, JobState.REJECTED)]
        others = [job for job in jobs if job not in failed and _is_retryable(job)]
        for job in others:
            await self.retry(job)
        if failed:
            await self.rerun(failed)
        elif not others:
            self._screen.notify_user(SafeText("There is nothing to retry among these jobs."))

    async def _decide_unconfirmed(self, job: Job) -> None:
        verdict = (
            format_safe("{verdict}: {reason}", verdict=job.verdict, reason=job.verdict_reason)
            if job.verdict
            else SafeText("Whether it was charged is not known.")
        )
        question = join_safe(
            " ",
            format_safe("The answer to job {id} was lost.", id=job.id),
            verdict,
            SafeText("Sending it again may pay twice."),
            self.cost_text([job.request]),
        )
        asked = ConfirmDialog(
            question,
            title=SafeText("Unconfirmed job"),
            yes=SafeText("send it again, as a new job linked to this one"),
            no=SafeText("leave it as it is"),
        )
        if await self._screen.ask_confirmation(asked) and await self._screen.check_characters([job.request]):
            await self._jobs.submitter.retry_unconfirmed(job.id, confirmed=True)

    async def watch(self, job: Job) -> None:
        """Look at the job now; one that is watched already is let go after a question."""
        if job.state is JobState.LOST or (job.state in POLLED_STATES and not job.watched):
            await self._jobs.watch_now(job.id)
            self._screen.notify_user(format_safe("Watching job {id}.", id=job.id))
            return
        if job.state not in POLLED_STATES:
            self._screen.notify_user(
                format_safe("Job {id} is {state}; there is nothing to watch.", id=job.id, state=job.state)
            )
            return
        asked = ConfirmDialog(
            format_safe(
                "Stop watching job {id}? It goes on at the service and stays charged; w watches it again.", id=job.id
            ),
            title=SafeText("Stop watching"),
            yes=SafeText("stop watching here"),
            no=SafeText("look at it now"),
        )
        if await self._screen.ask_confirmation(asked):
            await self._jobs.stop_watching(job.id)
        else:
            await self._jobs.watch_now(job.id)

    async def delete(self, jobs: Sequence[Job]) -> None:
        """Remove jobs from the history, asking where one is not ended."""
        alive = [job for job in jobs if not job.is_ended or job.needs_download]
        if any(job.state is JobState.SUBMITTING for job in jobs):
            self._screen.notify_user(
                SafeText("A job that is being sent cannot be deleted; wait for its answer."), "warning"
            )
            return
        if alive:
            asked = ConfirmDialog(
                format_safe(
                    "{n} of these still run. They go on at the service, charged, and will not be fetched.", n=len(alive)
                ),
                title=SafeText("Delete running jobs"),
                yes=SafeText("delete"),
                no=SafeText("keep"),
            )
            if not await self._screen.ask_confirmation(asked):
                return
        await self._jobs.delete([job.id for job in jobs])
        what = format_safe("job {id}", id=jobs[0].id) if len(jobs) == 1 else format_safe("{n} jobs", n=len(jobs))
        self._screen.notify_user(
            format_safe("Deleted {what}. u brings back. Files stay in the results folder.", what=what)
        )

    async def star(self, jobs: Sequence[Job]) -> None:
        """Star jobs, or take the star away where all have one."""
        on = not all(job.starred for job in jobs)
        for job in jobs:
            await self._jobs.annotate(job.id, starred=on)

    def open_externally(self, job: Job) -> None:
        """Open the verified file in the system's own viewer: no shell, no key in its environment."""
        path = self.file_path(job)
        if path is None or not path.is_file():
            self._screen.notify_user(format_safe("Job {id} has no verified file to open.", id=job.id), "warning")
            return
        try:
            open_in_viewer(path, environ_without_keys(self._environ))
        except OSError as error:
            self._screen.notify_user(format_safe("{why}. The file is {path}", why=error.strerror, path=path), "warning")

    async def run(self, job_ids: Sequence[int], command: str) -> None:
        """Do the action `command` on these jobs."""
        jobs = [job for job_id in job_ids if (job := self._jobs.store.get(job_id)) is not None]
        if not jobs:
            self._screen.notify_user(SafeText("There is no job here yet. ctrl+n writes a request."))
            return
        try:
            await self._dispatch(command, jobs)
        except (InvalidJobState, JobNotFound, SubmitRejected, HistoryError, ApiError) as error:
            self._screen.notify_user(sanitize(str(error)), "error")

    async def _dispatch(self, command: str, jobs: Sequence[Job]) -> None:
        match command:
            case "again":
                await self.rerun(jobs)
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
                    self.open_externally(job)
            case _:
                raise ValueError(command)

    def file_path(self, job: Job) -> Path | None:
        """Return where the job's verified file is, None where it has none."""
        return result_path(job, self._jobs.results_dir, encrypted=True)

    def save_copy(self, job: Job, target: Path) -> Path:
        """Copy the verified file to `target`, numbered where that is taken, and return where; raise OSError."""
        path = self.file_path(job)
        if path is None:
            raise FileNotFoundError(f"job {job.id} has no verified file")
        return copy_to(path, target)


def _rerun_question(candidates: RetryCandidates) -> SafeText:
    """Ask about the jobs to run again, and say which are left as they are."""
    count = len(candidates.retryable)
    jobs = SafeText("the job that failed or was not taken")
    if count > 1:
        jobs = format_safe("the {n} jobs that failed or were not taken", n=count)
    left = (
        format_safe("{n} refused for what they ask stay as they are.", n=len(candidates.rejected))
        if candidates.rejected
        else SafeText("")
    )
    return (
        join_safe(" ", format_safe("Run {jobs} again?", jobs=jobs), left)
        if left
        else format_safe("Run {jobs} again?", jobs=jobs)
    )


def _nothing_to_retry_message(candidates: RetryCandidates) -> SafeText:
    if candidates.rejected:
        return SafeText("What failed here was refused for what it asks: e changes it and sends it anew.")
    if candidates.retried:
        return SafeText("Every failed job of this list was run again already.")
    return SafeText("No job in this list has failed.")


def _is_retryable(job: Job) -> bool:
    if job.state is JobState.UNCONFIRMED:
        return job.retried_by is None and not job.dismissed
    if job.state is JobState.SUCCEEDED:
        return not job.is_delivered
    return job.state is JobState.LOST
