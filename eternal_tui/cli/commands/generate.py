"""`generate`: send requests, once each, and end when their ids are on disk or, if asked, their results."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from eternal_tui.cli.casting import cast
from eternal_tui.cli.commands.watch import until_ended
from eternal_tui.cli.context import Invocation, Refused, close
from eternal_tui.cli.exit_codes import Exit, code_of, gravest
from eternal_tui.cli.formatting import going_on, job_fields, job_line, trouble_sentence
from eternal_tui.cli.output import is_terminal
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


MOST_PROMPTS = 1_000
LONGEST = 100_000
"""Characters of a prompt, given or read: far more than any prompt, far less than a file given by mistake."""


def prompts_of(option: str | None, stdin: TextIO) -> list[str]:
    """Return the prompts; raise Refused where there is none."""
    if option is not None and option != "-":
        if len(option) > LONGEST:
            raise Refused(Exit.USAGE, f"The prompt is longer than {LONGEST} characters. Nothing was sent.")
        return [option]
    if option is None and is_terminal(stdin):
        raise Refused(Exit.USAGE, "Write a prompt: --prompt TEXT, or prompts on stdin, one a line. Nothing was sent.")
    return _read(stdin)


def _read(stdin: TextIO) -> list[str]:
    prompts = []
    try:
        while line := stdin.readline(LONGEST + 1):
            if len(line) > LONGEST:
                raise Refused(Exit.USAGE, f"A line of stdin is longer than {LONGEST} characters. Nothing was sent.")
            if line.strip():
                prompts.append(line.rstrip("\r\n"))
            if len(prompts) > MOST_PROMPTS:
                raise Refused(Exit.USAGE, f"Stdin holds more than {MOST_PROMPTS} prompts. Nothing was sent.")
    except UnicodeDecodeError:
        raise Refused(Exit.USAGE, "Standard input is not valid text. Nothing was sent.") from None
    except (OSError, ValueError):
        raise Refused(Exit.USAGE, "Standard input cannot be read. Nothing was sent.") from None
    if not prompts:
        raise Refused(Exit.USAGE, "Standard input holds no prompt. Give --prompt TEXT. Nothing was sent.")
    return prompts


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


EPILOG = """\
examples:
  eternal-tui generate --character 6870 --prompt "In a rain coat"
  eternal-tui generate --character 6870 --prompt "She waves" --type video --duration 3 --no-audio --wait --json
  eternal-tui generate --character Astrid --prompt - --quality high < prompts.txt

Without --wait it ends once each request id is on disk; `eternal-tui watch` follows the jobs later.
A request is sent once. If its answer is lost, the job is unconfirmed (exit code 5) and never sent again by itself.
"""

MOST_COPIES = 100
"""Jobs of one prompt: beyond this a slip of the finger is likelier than a wish."""

MOST_JOBS = 1_000
"""Jobs of one run, for the same reason."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `generate`."""
    parser.add_argument("--character", metavar="ID", default="", help="character ID, or a name from the public list")
    parser.add_argument("--prompt", metavar="TEXT", help="what is to change; '-' reads prompts from stdin, one a line")
    parser.add_argument("--type", metavar="image|video", default="image", help="what to make (default: image)")
    parser.add_argument("--duration", metavar="N", type=_number, help="seconds of a video, 1 to 5")
    parser.add_argument(
        "--audio", action=argparse.BooleanOptionalAction, default=None, help="a video with or without sound"
    )
    parser.add_argument("--quality", metavar="low|high", help="of an image; high costs twice as much")
    parser.add_argument("--count", metavar="N", type=_number, default=1, help="send each prompt N times (default: 1)")
    parser.add_argument("--wait", action="store_true", help="wait until every result is saved")
    parser.add_argument("--json", action="store_true", help="print one JSON object a job")
    parser.add_argument("--yes", action="store_true", help="send also what costs more than confirm_above")


def _number(text: str) -> int | str:
    # Whether it is one is for the rules of a request to say, which have the better sentence.
    return int(text) if text.isascii() and text.removeprefix("-").isdigit() and len(text) < 10 else text


def run(invocation: Invocation) -> int:
    """Check everything, then send; nothing was sent where it ends in 2."""
    from eternal_tui.cli.signals import run_until_stopped

    requests = _requests(invocation)
    return run_until_stopped(
        lambda stopping: send(invocation, requests, stopping), own_process=invocation.arguments.own_process
    )


def _requests(invocation: Invocation) -> list[GenerateRequest]:
    from eternal_tui.api.models import GenerateRequest, problems

    given = invocation.arguments
    if type(given.count) is not int or not 1 <= given.count <= MOST_COPIES:
        raise Refused(Exit.USAGE, f"--count is a whole number from 1 to {MOST_COPIES}. Nothing was sent.")
    fields: dict[str, Any] = {
        "type": given.type,
        "duration": given.duration,
        "audio": given.audio,
        "quality": given.quality,
    }
    # Everything but prompt and character first, so that a wrong option does not read the whole of stdin.
    _refuse(problems(GenerateRequest(character="1", prompt="a", **fields)))
    if not given.character.strip():
        _refuse(problems(GenerateRequest(character="", prompt="a", **fields)))
    requests = []
    for prompt in prompts_of(given.prompt, invocation.streams.stdin):
        request = GenerateRequest(character=given.character.strip(), prompt=prompt, **fields)
        found = problems(request)
        # A name is no ID yet; only what can be neither is refused here.
        if "character" in found and not _unusable(request.character):
            del found["character"]
        _refuse(found)
        requests += [request] * given.count
    if len(requests) > MOST_JOBS:
        raise Refused(
            Exit.USAGE, f"These are {len(requests)} jobs; one run sends {MOST_JOBS} at most. Nothing was sent."
        )
    return requests


def _unusable(character: str) -> bool:
    """Tell whether the text can be neither an ID nor a name: an address, a path or an encoded image."""
    return "/" in character or len(character) > 100 or character.lower().startswith(("http:", "https:", "data:"))


def _refuse(found: dict[str, str]) -> None:
    if found:
        raise Refused(Exit.USAGE, shown(f"{' '.join(found.values())} Nothing was sent."))
