"""One run of the command line: what was asked for, and the settings, history and workbench it works with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from eternal_tui.cli.exit_codes import Exit
from eternal_tui.cli.output import Streams
from eternal_tui.config import Settings, load_settings
from eternal_tui.core.sanitize import say
from eternal_tui.history.errors import HistoryError
from eternal_tui.history.history import History
from eternal_tui.jobs.model import Job, from_record

if TYPE_CHECKING:
    import argparse

    from eternal_tui.history.history import History
    from eternal_tui.sandbox.launch import DemoService
    from eternal_tui.services import Workbench


class UsageError(Exception):
    """Arguments that mean nothing; the text is a sentence."""


class Refused(Exception):
    """A verb cannot go on: `code` to end with and the sentence for the error stream."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Invocation:
    """What a verb is given. Settings are read when first asked for; SettingsError then."""

    def __init__(self, arguments: argparse.Namespace, environ: Mapping[str, str], streams: Streams) -> None:
        self.arguments = arguments
        self.environ = environ
        self.streams = streams

    @cached_property
    def settings(self) -> Settings:
        """The settings in force for this run."""
        given = vars(self.arguments)
        names = ("config", "data_dir", "base_url", "images", "media_bytes_per_second")
        flags = {name: given.get(name) for name in names}
        return load_settings(flags, self.environ)

    @property
    def demo(self) -> bool:
        """Whether the sandbox stands in for the service."""
        return bool(getattr(self.arguments, "demo", False))

    @property
    def throw_away(self) -> bool:
        """Whether the history lives for this run only: a demo that was given no folder of its own."""
        return self.demo and getattr(self.arguments, "data_dir", None) is None

    @property
    def results(self) -> Path:
        """The folder of the results."""
        return self.settings.data_dir / "results"

    def open_workbench(self) -> Workbench:
        """Open everything a paying or watching verb needs; raises HistoryError."""
        from eternal_tui.services import DEMO_SPEED, Workbench

        settings = self.settings
        self.tell_another_host()
        demo = self._launch_demo(DEMO_SPEED) if self.demo else None
        try:
            return Workbench(settings, self.environ, demo=demo, throw_away=self.throw_away)
        except BaseException:
            if demo is not None:
                demo.close()
            raise

    def tell_another_host(self) -> None:
        """Say where the key goes, if that is neither EternalAI nor this machine."""
        if not self.demo and self.settings.public and not self.settings.official:
            self.streams.note(say("This goes to {host}, not to EternalAI's own service.", host=self.settings.host))

    def launch_demo(self) -> DemoService:
        """Start the sandbox and return it ready; raises DemoStartError."""
        return self._launch_demo(1.0).wait_ready_blocking()

    def _launch_demo(self, speed: float) -> DemoService:
        from eternal_tui.sandbox.launch import STATE_NAME, launch_demo

        state = None if self.throw_away else self.settings.data_dir / STATE_NAME
        return launch_demo(environ=self.environ, speed=speed, state=state)

    @contextmanager
    def history(self) -> Iterator[History]:
        """Open the history for a verb that only reads it; raises HistoryError."""
        if self.throw_away:
            raise Refused(2, "A demo without --data-dir keeps no history. Name the folder of the one that is meant.")
        from eternal_tui.history.history import History

        history = History.open(self.settings.data_dir)
        try:
            self.streams.notices(history.notices)
            yield history
        finally:
            history.close(fold=history.small and history.journal_size > 0)


async def close(workbench: Workbench, streams: Streams) -> None:
    """Close it, folding the history while it is small, and tell what could not be written."""
    try:
        await workbench.close(fold=workbench.history.small)
    except HistoryError as error:
        streams.error(say("The history could not be tidied up: {error} The changes wait in its journal.", error=error))
    streams.notices(workbench.desk.notices)


SHORTEST_PREFIX = 4
"""Characters of a request id that must be given: fewer are more likely a slip than an id."""

LAST = "last"


def jobs_of(history: History) -> Iterator[Job]:
    """Yield every job of the history, newest first; records that are not jobs are left out."""
    for page in history.slices():
        for job_id, record in page:
            try:
                yield from_record(job_id, record)
            except msgspec.ValidationError:
                continue


def find_job(history: History, wanted: str) -> Job:
    """Return the job that `wanted` names: its number, `last`, its request id, or the beginning of that alone."""
    if wanted == LAST:
        newest = next(jobs_of(history), None)
        if newest is None:
            raise Refused(Exit.USAGE, "There is no job in this history yet.")
        return newest
    if wanted.isascii() and wanted.isdigit() and len(wanted) <= 18:
        record = history.get(int(wanted))
        if record is not None:
            return _as_job(int(wanted), record)
    return _by_request_id(history, wanted)


def _as_job(job_id: int, record: dict[str, object]) -> Job:
    try:
        return from_record(job_id, record)
    except msgspec.ValidationError:
        raise Refused(Exit.USAGE, f"The record {job_id} of this history is not a job of this program.") from None


def _by_request_id(history: History, wanted: str) -> Job:
    found = []
    if len(wanted) >= SHORTEST_PREFIX:
        for job in jobs_of(history):
            if job.request_id == wanted:
                return job
            if job.request_id is not None and job.request_id.startswith(wanted):
                found.append(job)
    if len(found) == 1:
        return found[0]
    if found:
        raise Refused(
            Exit.USAGE, say("{count} jobs have request ids that begin with {wanted}.", count=len(found), wanted=wanted)
        )
    raise Refused(
        Exit.USAGE,
        say("There is no job {wanted} in this history; `eternal-tui jobs` lists what there is.", wanted=wanted),
    )
