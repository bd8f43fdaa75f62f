"""Sending what `generate` was asked for, one request after the other, and telling what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from eternal_tui.cli.casting import cast
from eternal_tui.cli.closing import close
from eternal_tui.cli.context import Invocation, Refused
from eternal_tui.cli.ends import until_ended
from eternal_tui.cli.exit_codes import Exit, code_of, gravest
from eternal_tui.cli.formatting import going_on, job_fields, job_line, trouble_sentence
from eternal_tui.cli.progress import Progress
from eternal_tui.cli.signals import PATIENCE, Stopped, Stopping
from eternal_tui.core.sanitize import say, shown
from eternal_tui.history.errors import HistoryError
from eternal_tui.jobs.batch import new_batch
from eternal_tui.jobs.errors import NeedsConfirmation, NoKey, OverCap
from eternal_tui.jobs.formatting import counted
from eternal_tui.jobs.model import Job, JobState

if TYPE_CHECKING:
    from eternal_tui.api.models import GenerateRequest
    from eternal_tui.services import Workbench

_MEETS_ALL = frozenset({"key", "credits", "unreachable", "stopped"})
"""Causes of a rejection that the next request would meet too."""


async def send(invocation: Invocation, requests: Sequence[GenerateRequest], stopping: Stopping) -> int:
    """Send the requests and return the exit code."""
    workbench = invocation.open_workbench()
    try:
        return await _Sending(invocation, workbench, stopping).run(requests)
    finally:
        await close(workbench, invocation.streams)


class _Sending:
    def __init__(self, invocation: Invocation, workbench: Workbench, stopping: Stopping) -> None:
        self._workbench = workbench
        self._desk = workbench.desk
        self._streams = invocation.streams
        self._given = invocation.arguments
        self._stopping = stopping
        self._throw_away = invocation.throw_away
        self._mine: list[int] = []
        self._printed: set[int] = set()
        self._cut_short = False
        self._key_refused = False

    async def run(self, requests: Sequence[GenerateRequest]) -> int:
        self._streams.notices(self._desk.notices)
        if self._throw_away:
            self._streams.note(shown("This is the demo: its files are gone when it ends. --data-dir DIR keeps them."))
        await self._desk.start(only=())
        requests, name = await self._stopping.unless_stopped(self._checked(requests))
        with Progress(self._desk, self._streams, self._mine):
            try:
                await self._send_all(requests, name)
                if self._given.wait:
                    await self._wait()
            except Stopped as stopped:
                return self._told_stopped(stopped)
        codes = [self._code(job) for job in self._jobs()]
        if self._cut_short:
            codes.append(Exit.FAILED)
        if self._key_refused:
            codes.append(Exit.KEY)
        return gravest(codes)

    async def _checked(self, requests: Sequence[GenerateRequest]) -> tuple[list[GenerateRequest], str]:
        if not await self._workbench.connection.has_key():
            problem = self._workbench.connection.key_problem
            raise Refused(Exit.KEY, f"{problem} Nothing was sent.") if problem else NoKey
        workbench = self._workbench
        role = await cast(workbench.book, requests[0].character, workbench.clock, self._streams.note)
        chosen = [msgspec.structs.replace(request, character=role.id) for request in requests]
        try:
            await self._desk.may_submit(chosen, confirmed=self._given.yes)
        except NeedsConfirmation as refusal:
            raise Refused(Exit.USAGE, f"{refusal} Add --yes to send it.") from None
        return chosen, role.name

    async def _send_all(self, requests: Sequence[GenerateRequest], name: str) -> None:
        batch = new_batch(len(requests))
        unsubscribe = self._desk.subscribe(self._note_mine)
        try:
            for number, request in enumerate(requests, 1):
                if self._stopping.stopped:
                    raise Stopped(self._stopping.number)
                try:
                    # Confirmed together before; the cap is looked at again for each.
                    submitting = self._desk.submit(request, name=name, confirmed=True, batch=batch)
                    job = await self._stopping.unless_stopped(submitting, patience=PATIENCE)
                except (OverCap, HistoryError) as refusal:
                    if not self._mine:
                        raise
                    self._cut_short = True
                    self._streams.error(shown(str(refusal)))
                    self._rest_unsent(len(requests) - number + 1)
                    return
                self._tell_sent(job)
                if job.state is JobState.UNCONFIRMED or job.cause in _MEETS_ALL:
                    self._rest_unsent(len(requests) - number)
                    return
        finally:
            unsubscribe()

    def _note_mine(self, ids: frozenset[int]) -> None:
        for job_id in sorted(ids - set(self._mine)):
            job = self._desk.job(job_id)
            if job is not None and self._desk.owns(job):
                self._mine.append(job_id)

    def _jobs(self) -> list[Job]:
        return [job for job in map(self._desk.job, self._mine) if job is not None]

    def _code(self, job: Job) -> Exit:
        return code_of(job) if self._desk.recorded(job.id) else Exit.UNCONFIRMED

    def _tell_sent(self, job: Job) -> None:
        if not self._desk.recorded(job.id):
            self._streams.error(
                say(
                    "Job {id} was taken by the service, but could not be written down: {trouble} "
                    "Its request id is {request}. Free some space and keep that id.",
                    id=job.id,
                    trouble=job.trouble,
                    request=job.request_id,
                )
            )
        if not self._given.json:
            self._streams.line(job_line(job, self._desk.results))
        elif not self._given.wait or job.state is not JobState.RUNNING:
            self._print(job)
        self._tell_trouble(job)

    def _tell_trouble(self, job: Job) -> None:
        if (sentence := trouble_sentence(job)) is not None:
            self._streams.error(sentence)

    def _rest_unsent(self, count: int) -> None:
        if count:
            verb = "was" if count == 1 else "were"
            rest = counted(count, "more request")
            self._streams.note(say("{rest} {verb} not sent; nothing was charged for that.", rest=rest, verb=verb))

    async def _wait(self) -> None:
        waiting = [job.id for job in self._jobs() if job.state is JobState.RUNNING or job.wants_file]
        refusal = await until_ended(self._desk, waiting, self._stopping, lambda end: self._tell_end(end.result()))
        if refusal:
            self._key_refused = True
            self._print_rest()
            self._streams.error(
                say("{refusal} {rest} Give another key first.", refusal=refusal, rest=going_on(self._jobs()))
            )

    def _tell_end(self, job: Job) -> None:
        if self._given.json:
            self._print(job)
        else:
            self._streams.line(job_line(job, self._desk.results))
        self._tell_trouble(job)

    def _print(self, job: Job) -> None:
        self._printed.add(job.id)
        self._streams.json(job_fields(job, self._desk.results))

    def _print_rest(self) -> None:
        """Print the jobs that this run waits for no longer as they stand: a script wants their ids."""
        for job in self._jobs():
            if self._given.json and job.id not in self._printed:
                self._print(job)

    def _told_stopped(self, stopped: Stopped) -> int:
        self._print_rest()
        jobs = self._jobs()
        unclear = [job for job in jobs if job.state is JobState.UNCONFIRMED]
        for job in unclear:
            self._tell_trouble(job)
        if rest := going_on(jobs):
            self._streams.note(say("Stopped here. {rest}", rest=rest))
        elif not unclear:
            self._streams.note(shown("Stopped. Nothing is under way."))
        return Exit.UNCONFIRMED if unclear else stopped.code
