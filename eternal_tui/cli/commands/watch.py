"""`watch`: follow jobs until each has ended and its file is here. Sends nothing that costs."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from eternal_tui.cli.context import Invocation, Refused, close, find_job, jobs_of
from eternal_tui.cli.exit_codes import Exit, code_of, gravest
from eternal_tui.cli.formatting import going_on, job_fields, job_line, trouble_sentence
from eternal_tui.cli.output import is_terminal
from eternal_tui.cli.progress import Progress
from eternal_tui.cli.signals import Stopped, Stopping
from eternal_tui.core.sanitize import join, say, shown
from eternal_tui.jobs.errors import NoKey, NoSuchJob, NotPossible
from eternal_tui.jobs.model import POLLED, UNFINISHED, FileState, Job, JobState

if TYPE_CHECKING:
    from eternal_tui.jobs.engine import JobDesk
    from eternal_tui.services import Workbench


Tell = Callable[["asyncio.Future[Job]"], None]


async def until_ended(desk: JobDesk, ids: Sequence[int], stopping: Stopping, tell: Tell) -> str:
    """Hand each job to `tell` as it ends, and return an empty string; or why the key was refused, with jobs left.

    Raises Stopped.
    """
    refused = asyncio.Event()

    def hear(_ids: frozenset[int]) -> None:
        if desk.key_refused:
            refused.set()

    unsubscribe = desk.subscribe(hear)
    pending = {asyncio.ensure_future(desk.settled(job_id)) for job_id in ids}
    refusal = asyncio.ensure_future(refused.wait())
    try:
        hear(frozenset())
        while pending:
            waiting = asyncio.wait({*pending, refusal}, return_when=asyncio.FIRST_COMPLETED)
            done, _ = await stopping.unless_stopped(waiting)
            for end in pending & done:
                tell(end)
            pending -= done
            if pending and refusal in done:
                return _why(desk, ids)
        return ""
    finally:
        unsubscribe()
        for task in (*pending, refusal):
            task.cancel()
        await asyncio.gather(*pending, refusal, return_exceptions=True)


def _why(desk: JobDesk, ids: Sequence[int]) -> str:
    jobs = (job for job in map(desk.job, ids) if job is not None)
    return next((job.trouble for job in jobs if job.trouble), "The key was refused.")


async def follow(invocation: Invocation, stopping: Stopping) -> int:
    """Follow what the arguments name and return the exit code."""
    workbench = invocation.open_workbench()
    try:
        return await _Following(invocation, workbench, stopping).run()
    finally:
        await close(workbench, invocation.streams)


class _Following:
    def __init__(self, invocation: Invocation, workbench: Workbench, stopping: Stopping) -> None:
        self._workbench = workbench
        self._desk = workbench.desk
        self._streams = invocation.streams
        self._named: list[str] = invocation.arguments.ids
        wanted: bool | None = invocation.arguments.json
        self._json = not is_terminal(invocation.streams.stdout) if wanted is None else wanted
        self._stopping = stopping
        self._told: dict[int, tuple[JobState, FileState | None] | None] = {}

    async def run(self) -> int:
        self._streams.notices(self._desk.notices)
        ids = await asyncio.to_thread(self._wanted)
        if not ids:
            self._streams.note(shown("Nothing is unfinished."))
            return Exit.DONE
        await self._desk.start(only=ids)
        await self._stopping.unless_stopped(self._resume(ids))
        unsubscribe = self._desk.subscribe(self._news)
        try:
            with Progress(self._desk, self._streams, ids):
                self._told = dict.fromkeys(ids)
                self._news(frozenset(ids))
                await self._until_ended(ids)
        except Stopped:
            jobs = [job for job in map(self._desk.job, ids) if job is not None]
            rest = going_on(jobs)
            self._streams.note(join(" ", shown("Stopped following."), *([rest] if rest else ())))
            raise
        finally:
            unsubscribe()
        jobs = [job for job in map(self._desk.job, ids) if job is not None]
        return gravest(map(code_of, jobs))

    def _wanted(self) -> list[int]:
        history = self._workbench.history
        if self._named:
            jobs = [find_job(history, text) for text in self._named]
        else:
            jobs = [job for job in jobs_of(history) if (job.state in UNFINISHED and job.watched) or job.wants_file]
        elsewhere = [job for job in jobs if not self._is_here(job) and (not job.ended or job.wants_file)]
        for job in elsewhere:
            self._streams.note(
                say("Job {id} belongs to the service at {host}, not followed here.", id=job.id, host=job.service)
            )
        ids = list(dict.fromkeys(job.id for job in jobs if job not in elsewhere))
        if elsewhere and self._named and not ids:
            raise Refused(Exit.USAGE, "None of these jobs belongs to this service; --base-url names another.")
        return ids

    def _is_here(self, job: Job) -> bool:
        return job.service in ("", self._workbench.service)

    async def _resume(self, ids: list[int]) -> None:
        if any(self._job(job_id).state in POLLED for job_id in ids) and not await self._workbench.connection.has_key():
            problem = self._workbench.connection.key_problem
            raise Refused(Exit.KEY, problem) if problem else NoKey
        for job_id in ids if self._named else ():
            job = self._job(job_id)
            try:
                if job.state is JobState.LOST or (job.state in POLLED and not job.watched):
                    await self._desk.watch_now(job_id)
                elif job.file_state in (FileState.EXPIRED, FileState.BROKEN):
                    await self._desk.fetch_again(job_id)
            except NotPossible:
                continue  # another instance is at it, and its news arrive here

    def _job(self, job_id: int) -> Job:
        job = self._desk.job(job_id)
        if job is None:
            raise NoSuchJob(job_id)
        return job

    def _news(self, ids: frozenset[int]) -> None:
        for job_id in self._told:
            if job_id not in ids or (job := self._desk.job(job_id)) is None:
                continue
            stands = (job.state, job.file_state)
            if self._told[job_id] != stands:
                self._told[job_id] = stands
                self._tell(job)

    def _tell(self, job: Job) -> None:
        if self._json:
            self._streams.json(job_fields(job, self._desk.results))
        else:
            self._streams.line(job_line(job, self._desk.results))

    async def _until_ended(self, ids: list[int]) -> None:
        if refusal := await until_ended(self._desk, ids, self._stopping, self._tell_end):
            raise Refused(Exit.KEY, f"{refusal} The jobs go on at the service; give another key and watch again.")

    def _tell_end(self, end: asyncio.Future[Job]) -> None:
        try:
            job = end.result()
        except NoSuchJob as gone:
            self._streams.note(shown(f"{gone} It was deleted meanwhile."))
            return
        self._told.pop(job.id, None)
        if job.wants_file:
            self._tell(job)
        if (sentence := trouble_sentence(job)) is not None:
            self._streams.error(sentence)


EPILOG = """\
examples:
  eternal-tui watch                                every unfinished job
  eternal-tui watch 12 13 --json                   a JSON object at every change of state
  eternal-tui watch | jq -r .file                  the same, as ever where the output is no terminal
  eternal-tui watch last && eternal-tui show last

A lost job is asked about again, and a file that expired or broke is fetched again, if the job is named.
ctrl+c stops following; the service goes on with the jobs.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `watch`."""
    parser.add_argument("ids", metavar="ID", nargs="*", help="job numbers or request ids, or 'last'; none: unfinished")
    parser.add_argument(
        "--json",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="print a JSON object at every change of state, or a line; into a file or a pipe objects are usual",
    )


def run(invocation: Invocation) -> int:
    """Follow the jobs and end by the exit codes of what became of them."""
    from eternal_tui.cli.signals import run_until_stopped

    return run_until_stopped(
        lambda stopping: follow(invocation, stopping), own_process=invocation.arguments.own_process
    )
