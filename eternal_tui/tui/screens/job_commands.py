"""Commands on jobs: calls of the engine, with the confirmations they need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, Protocol

from eternal_tui.api.errors import ApiError
from eternal_tui.api.models import GenerateRequest, InvalidRequest
from eternal_tui.config.credentials import environ_without_keys
from eternal_tui.core.formatting import format_cost
from eternal_tui.core.process import open_in_viewer
from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, sanitize
from eternal_tui.history.errors import HistoryError
from eternal_tui.jobs.batch import RetryCandidates, find_retryable, new_batch_id
from eternal_tui.jobs.engine import JobEngine
from eternal_tui.jobs.errors import ConfirmationRequired, InvalidJobState, JobNotFound, NoApiKey, SubmitRejected
from eternal_tui.jobs.files import result_path
from eternal_tui.jobs.formatting import pluralize, state_label
from eternal_tui.jobs.model import POLLED_STATES, Job, JobState
from eternal_tui.jobs.submit.submitter import SubmitDetails
from eternal_tui.tui.notifications import Severity
from eternal_tui.tui.widgets.dialog import ConfirmDialog

CREATION_RERUN_MESSAGE = SafeText("Characters are created in the character browser: f2, then n.")

_RERUN_STATES = frozenset({JobState.FAILED, JobState.REJECTED})


class ScreenApi(Protocol):
    """The part of the screen that commands use."""

    def notify_user(self, text: SafeText, severity: Severity = "information") -> None: ...

    async def ask_confirmation(self, question: ConfirmDialog) -> bool: ...

    async def check_characters(self, requests: Sequence[GenerateRequest]) -> bool:
        """Check the characters, loading the list where needed; False where nothing may be sent."""


class JobCommands:
    """Acts on jobs through the engine. Expected errors become a notification."""

    def __init__(self, jobs: JobEngine, screen: ScreenApi, environ: Mapping[str, str]) -> None:
        self._jobs = jobs
        self._screen = screen
        self._notify = screen.notify_user
        self._environ = environ
        self._commands: dict[str, Callable[[Sequence[Job]], Awaitable[None]]] = {
            "again": self.rerun,
            "delete": self.delete,
            "star": self.star,
            "reject": self.reject,
            "retry": self.retry_all,
            "watch": self.watch,
            "outside": self.open_externally,
        }

    def notify_result(self, text: SafeText | None) -> None:
        """Show the sentence that a small screen was left with, if any."""
        if text:
            self._notify(text)

    async def submit(
        self,
        requests: Sequence[GenerateRequest],
        character_names: Sequence[str],
        templates: Sequence[str],
        *,
        confirmed: bool = False,
    ) -> bool:
        """Send requests, asking first where a setting requires it; return whether they were sent."""
        if not await self._screen.check_characters(requests):
            return False
        try:
            batch = new_batch_id(len(requests))
            details = [
                SubmitDetails(
                    character_name=name, batch=batch, batch_index=number if batch else None, template=template
                )
                for number, (name, template) in enumerate(zip(character_names, templates, strict=True), 1)
            ]
            await self._jobs.submit_many(requests, details, confirmed=confirmed, wait_seconds=None)
        except ConfirmationRequired as question:
            if await self.confirm_cost(sanitize(question.question), count=len(requests)):
                return await self.submit(requests, character_names, templates, confirmed=True)
            self._notify(SafeText("Nothing was sent."))
            return False
        except NoApiKey:
            # The API key screen opens and explains it.
            return False
        except (SubmitRejected, InvalidRequest, HistoryError) as error:
            self._notify(sanitize(str(error)), "error")
            return False
        return True

    async def confirm_cost(self, question: SafeText, *, count: int = 1) -> bool:
        """Ask whether to pay."""
        yes = format_safe("send {n} requests", n=count) if count != 1 else SafeText("send it")
        return await self._screen.ask_confirmation(
            ConfirmDialog(question, title=SafeText("This costs credits"), yes=yes)
        )

    async def rerun(self, jobs: Sequence[Job]) -> None:
        """Submit the same requests again; several ask first, with their cost.

        An unconfirmed one may have been paid already: for it this is a retry, which asks and links both jobs.
        """
        if any(job.is_creation for job in jobs):
            self._notify(CREATION_RERUN_MESSAGE, "warning")
            return
        undecided = [job for job in jobs if job.state is JobState.UNCONFIRMED and _is_retryable(job)]
        for job in undecided:
            await self._resolve_unconfirmed(job)
        if jobs := [job for job in jobs if job not in undecided]:
            await self._confirm_and_resend(jobs, ask=len(jobs) > 1)

    async def _confirm_and_resend(self, jobs: Sequence[Job], *, ask: bool) -> None:
        if ask:
            cost = self.cost_text([job.request for job in jobs])
            question = format_safe("Run {jobs} again? {cost}", jobs=_name_jobs(jobs), cost=cost)
            if not await self.confirm_cost(question, count=len(jobs)):
                return
        await self._resend(jobs, confirmed=ask)

    async def retry_failed(self, listed: Sequence[Job]) -> None:
        """Submit the failed and rejected ones of these jobs again, after one question with their cost."""
        found = find_retryable(listed, self._jobs.store.newest_first())
        if not found.retryable:
            self._notify(_nothing_to_retry_message(found))
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
        """Return the mean estimated cost in credits, None where a price is unknown."""
        prices = self._estimates(requests)
        return sum(prices) / len(prices) if prices else None

    def cost_text(self, requests: Sequence[GenerateRequest]) -> SafeText:
        """Return the estimated total cost as a sentence."""
        prices = self._estimates(requests)
        if prices is None:
            return SafeText("Price unknown.")
        return format_safe("Costs {sum}.", sum=format_cost(sum(prices)))

    def _estimates(self, requests: Sequence[GenerateRequest]) -> list[float] | None:
        """Return the estimated cost of each request, None where a price is unknown."""
        prices = [price for price in map(self._jobs.billing.estimate, requests) if price is not None]
        return prices if len(prices) == len(requests) else None

    async def retry(self, job: Job) -> None:
        """Retry a download, poll or request; a paid request asks first."""
        if job.state is JobState.UNCONFIRMED:
            await self._resolve_unconfirmed(job)
        elif job.state is JobState.LOST:
            await self._jobs.watch_now(job.id)
        elif job.state is JobState.SUCCEEDED and not job.is_delivered:
            await self._jobs.retry_download(job.id)
            self._notify(format_safe("Downloading job {id} again (free).", id=job.id))
        elif job.state in _RERUN_STATES and not job.is_creation and job.retried_by is None:
            question = format_safe("Retry job {id}? {cost}", id=job.id, cost=self.cost_text([job.request]))
            if await self.confirm_cost(question) and await self._screen.check_characters([job.request]):
                await self._jobs.submitter.retry_unconfirmed(job.id, confirmed=True)
        elif job.state in _RERUN_STATES:
            await self.rerun([job]) if job.is_creation else await self._confirm_and_resend([job], ask=True)
        else:
            self._notify(_refusal("retry", [job]))

    async def retry_all(self, jobs: Sequence[Job]) -> None:
        """Retry jobs; one question covers all failed ones, with their cost."""
        if len(jobs) == 1:
            await self.retry(jobs[0])
            return
        failed = [job for job in jobs if job.state in _RERUN_STATES]
        others = [job for job in jobs if job not in failed and _is_retryable(job)]
        for job in others:
            await self.retry(job)
        if failed:
            await self.rerun(failed)
        elif not others:
            self._notify(_refusal("retry", jobs))

    async def _resolve_unconfirmed(self, job: Job) -> None:
        """Ask whether to retry or dismiss an unconfirmed job."""
        if not _is_retryable(job):
            self._notify(format_safe("Job {id} is already resolved.", id=job.id))
            return
        dialog = ConfirmDialog(
            join_safe(
                " ",
                format_safe("No response for job {id}.", id=job.id),
                _charge_text(job),
                SafeText("Retrying may charge you twice."),
                self.cost_text([job.request]),
            ),
            title=SafeText("Unconfirmed job"),
            yes=SafeText("retry as a new job"),
            other=SafeText("dismiss: leave it, and stop asking"),
        )
        confirmed = await self._screen.ask_confirmation(dialog)
        if dialog.chose_other:
            await self._jobs.dismiss(job.id)
            self._notify(format_safe("Job {id} dismissed.", id=job.id))
        elif confirmed and await self._screen.check_characters([job.request]):
            await self._jobs.submitter.retry_unconfirmed(job.id, confirmed=True)

    async def watch(self, jobs: Sequence[Job]) -> None:
        """Poll jobs now; where all of them are polled already, ask whether to stop."""
        idle = [job for job in jobs if job.state is JobState.LOST or (job.state in POLLED_STATES and not job.watched)]
        polled = [job for job in jobs if job.state in POLLED_STATES and job.watched]
        if idle:
            for job in idle:
                await self._jobs.watch_now(job.id)
            self._notify(format_safe("Polling {jobs}.", jobs=_name_jobs(idle)))
            return
        if not polled:
            self._notify(_refusal("poll", jobs))
            return
        dialog = ConfirmDialog(
            format_safe("Stop polling {jobs}? What runs stays charged; w polls it again.", jobs=_name_jobs(polled)),
            title=SafeText("Stop polling"),
            yes=SafeText("stop polling"),
            no=SafeText("poll now"),
        )
        change = self._jobs.stop_watching if await self._screen.ask_confirmation(dialog) else self._jobs.watch_now
        for job in polled:
            await change(job.id)

    async def delete(self, jobs: Sequence[Job]) -> None:
        """Remove jobs from the history, asking where one is not ended or may have been charged."""
        if any(job.state is JobState.SUBMITTING for job in jobs):
            self._notify(SafeText("A job being sent cannot be deleted; wait for the response."), "warning")
            return
        running = sum((not job.is_ended and job.state is not JobState.QUEUED) or job.needs_download for job in jobs)
        unconfirmed = sum(job.state is JobState.UNCONFIRMED and _is_retryable(job) for job in jobs)
        reasons = [
            *([format_safe("{n} running: stays charged, is not downloaded.", n=running)] if running else ()),
            *([format_safe("{n} unconfirmed: may have been charged.", n=unconfirmed)] if unconfirmed else ()),
        ]
        what = _name_jobs(jobs)
        if reasons:
            dialog = ConfirmDialog(
                join_safe(" ", format_safe("Delete {what}?", what=what), *reasons),
                title=SafeText("Delete"),
                yes=SafeText("delete"),
            )
            if not await self._screen.ask_confirmation(dialog):
                return
        are_queued = all(job.state is JobState.QUEUED for job in jobs)
        await self._jobs.delete([job.id for job in jobs])
        self._notify(
            format_safe("Cancelled {what}, not sent (u to undo).", what=what)
            if are_queued
            else format_safe("Deleted {what} (u to undo). Files are kept.", what=what)
        )

    async def toggle_queue(self) -> None:
        """Hold the queue; where it is held, ask with count and cost and send what is queued."""
        queue = self._jobs.queue
        try:
            summary = queue.summary()
            if not summary.is_held and (summary.held < summary.count or not summary.count):
                queue.hold("by hand")
                self._notify(SafeText("Queue held: nothing is sent until H releases it."))
                return
            if summary.held:
                cost = "Price unknown" if summary.cost is None else f"Costs {format_cost(summary.cost)}"
                question = format_safe(
                    "Send {requests}? {cost}.{reason}",
                    requests=pluralize(summary.held, "queued request"),
                    cost=cost,
                    reason=f" Held: {summary.reason}" if summary.reason not in ("", "by hand") else "",
                )
                if not await self.confirm_cost(question, count=summary.held):
                    return
            await self._jobs.release_queue()
            self._notify(SafeText("Queue released."))
        except (OSError, HistoryError) as error:
            self._notify(sanitize(f"The queue could not be changed: {error}"), "error")

    async def move_queued(self, job_ids: Sequence[int], places: int) -> None:
        """Send queued jobs sooner, or later; several move together."""
        queue = self._jobs.queue
        where = [queue.place(job) for job in self._queued(job_ids)]
        # Among the others: what moves together counts as one.
        edge = min(where, default=0) if places < 0 else max(where, default=0) - len(where) + 1
        await self._move_queued(job_ids, edge + places)

    async def run_next(self, job_ids: Sequence[int]) -> None:
        """Send queued jobs before all others."""
        await self._move_queued(job_ids, 0)

    def _queued(self, job_ids: Sequence[int]) -> list[Job]:
        queued = [job for job in self._jobs.store.get_many(job_ids) if job.state is JobState.QUEUED]
        return sorted(queued, key=self._jobs.queue.place)

    async def _move_queued(self, job_ids: Sequence[int], place: int) -> None:
        queue, jobs = self._jobs.queue, self._queued(job_ids)
        if not jobs:
            self._notify(SafeText("Only queued jobs have an order."))
            return
        try:
            await queue.move([job.id for job in jobs], place)
            first = min(map(queue.place, self._queued(job_ids)))
        except (InvalidJobState, ValueError, HistoryError) as error:
            self._notify(sanitize(str(error)), "error")
            return
        what = format_safe("Job {id} is", id=jobs[0].id) if len(jobs) == 1 else format_safe("{n} jobs are", n=len(jobs))
        to = f" to {first + len(jobs)}" if len(jobs) > 1 else ""
        self._notify(
            format_safe(
                "{what} number {n}{to} of {count} in the queue.", what=what, n=first + 1, to=to, count=len(queue)
            )
        )

    async def star(self, jobs: Sequence[Job]) -> None:
        """Star jobs, or remove the star where all have one."""
        is_starred = all(job.starred for job in jobs)
        for job in jobs:
            await self._jobs.annotate(job.id, starred=not is_starred)

    async def reject(self, jobs: Sequence[Job]) -> None:
        """Reject jobs, or undo that where all are rejected."""
        rating = 0 if all(job.rating < 0 for job in jobs) else -1
        for job in jobs:
            await self._jobs.annotate(job.id, rating=rating)

    async def cull(self, job_ids: Sequence[int], command: Literal["star", "reject"]) -> bool:
        """Star or reject jobs; True where it was one that now has that mark, and the next is to be shown."""
        await self.run(job_ids, command)
        job = self._jobs.store.get(job_ids[0]) if len(job_ids) == 1 else None
        return job is not None and (job.starred if command == "star" else job.rating < 0)

    async def open_externally(self, jobs: Sequence[Job]) -> None:
        """Open the verified files in the system's own viewer: no shell, no key in its environment."""
        for job in jobs:
            path = result_path(job, self._jobs.results_dir)
            if path is None or not path.is_file():
                self._notify(format_safe("Job {id} has no file to open.", id=job.id), "warning")
                continue
            try:
                open_in_viewer(path, environ_without_keys(self._environ))
            except OSError as error:
                message = format_safe("{why}. The file is {path}", why=error.strerror, path=path)
                self._notify(message, "warning")

    async def run(self, job_ids: Sequence[int], command: str) -> None:
        """Do the action `command` on these jobs."""
        jobs = self._jobs.store.get_many(job_ids)
        if not jobs:
            self._notify(SafeText("No job selected. Press n to create one."))
            return
        try:
            await self._commands[command](jobs)
        except (InvalidJobState, JobNotFound, SubmitRejected, HistoryError, ApiError) as error:
            self._notify(sanitize(str(error)), "error")


def _rerun_question(candidates: RetryCandidates) -> SafeText:
    """Return the question about jobs to retry, with the number left out."""
    question = format_safe("Run {jobs} again?", jobs=pluralize(len(candidates.retryable), "failed job"))
    if not candidates.rejected:
        return question
    left = pluralize(len(candidates.rejected), "job")
    return format_safe("{question} {left} rejected by the API left out: edit with e.", question=question, left=left)


def _nothing_to_retry_message(candidates: RetryCandidates) -> SafeText:
    if candidates.rejected:
        return SafeText("Rejected by the API as they are: press e to change the request.")
    if candidates.retried:
        return SafeText("Every failed job in this list was already run again.")
    return SafeText("No failed job in this list.")


def _name_jobs(jobs: Sequence[Job]) -> SafeText:
    return format_safe("job {id}", id=jobs[0].id) if len(jobs) == 1 else format_safe("{n} jobs", n=len(jobs))


def _refusal(verb: str, jobs: Sequence[Job]) -> SafeText:
    if len(jobs) > 1:
        return format_safe("Nothing to {verb} among these jobs.", verb=verb)
    return format_safe("Nothing to {verb}: job {id} is {state}.", verb=verb, id=jobs[0].id, state=state_label(jobs[0]))


def _charge_text(job: Job) -> SafeText:
    if job.verdict is None:
        return SafeText("Charged? unknown.")
    return format_safe("Charged? {verdict}: {reason}", verdict=job.verdict, reason=job.verdict_reason)


def _is_retryable(job: Job) -> bool:
    if job.state is JobState.UNCONFIRMED:
        return job.retried_by is None and not job.dismissed
    if job.state is JobState.SUCCEEDED:
        return not job.is_delivered
    return job.state is JobState.LOST
