"""One run of the command line: what was asked for, and the settings, history and workbench it works with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from eternal_tui.cli.exit_codes import ExitCode
from eternal_tui.cli.output import Output
from eternal_tui.config import Settings, load_settings
from eternal_tui.core.sanitize import format_safe
from eternal_tui.history.errors import HistoryError
from eternal_tui.history.history import History
from eternal_tui.jobs.model import Job, from_record

if TYPE_CHECKING:
    import argparse

    from eternal_tui.history.history import History
    from eternal_tui.sandbox.launch import DemoService
    from eternal_tui.services import Services


class UsageError(Exception):
    """Arguments that mean nothing; the text is a sentence."""


class CommandError(Exception):
    """A verb cannot go on: `exit_code` to end with and the sentence for the error stream."""

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Context:
    """What a verb is given. Settings are read when first asked for; SettingsError then."""

    def __init__(self, arguments: argparse.Namespace, environ: Mapping[str, str], output: Output) -> None:
        self.arguments = arguments
        self.environ = environ
        self.output = output

    @cached_property
    def settings(self) -> Settings:
        """The settings in force for this run."""
        given = vars(self.arguments)
        names = ("config", "data_dir", "base_url", "images", "media_bytes_per_second")
        flags = {name: given.get(name) for name in names}
        return load_settings(flags, self.environ)

    @property
    def is_demo(self) -> bool:
        """Whether the sandbox stands in for the service."""
        return bool(getattr(self.arguments, "demo", False))

    @property
    def is_ephemeral(self) -> bool:
        """Whether the history lives for this run only: a demo that was given no folder of its own."""
        return self.is_demo and getattr(self.arguments, "data_dir", None) is None

    @property
    def results_dir(self) -> Path:
        """The folder of the results."""
        return self.settings.data_dir / "results"

    def open_services(self) -> Services:
        """Open everything a paying or watching verb needs; raises HistoryError."""
        from eternal_tui.services import DEMO_SPEED, Services

        settings = self.settings
        self.warn_custom_host()
        demo = self._start_demo(DEMO_SPEED) if self.is_demo else None
        try:
            return Services(settings, self.environ, demo=demo, ephemeral=self.is_ephemeral)
        except BaseException:
            if demo is not None:
                demo.close()
            raise

    def warn_custom_host(self) -> None:
        """Say where the key goes, if that is neither EternalAI nor this machine."""
        if not self.is_demo and self.settings.is_remote and not self.settings.is_official:
            self.output.info(
                format_safe("This goes to {host}, not to EternalAI's own service.", host=self.settings.host)
            )

    def launch_demo(self) -> DemoService:
        """Start the sandbox and return it ready; raises DemoStartError."""
        return self._start_demo(1.0).wait_ready_blocking()

    def _start_demo(self, speed: float) -> DemoService:
        from eternal_tui.sandbox.launch import STATE_FILE_NAME, launch_demo

        state = None if self.is_ephemeral else self.settings.data_dir / STATE_FILE_NAME
        return launch_demo(environ=self.environ, speed=speed, state_file=state)

    @contextmanager
    def open_history(self) -> Iterator[History]:
        """Open the history for a verb that only reads it; raises HistoryError."""
        if self.is_ephemeral:
            raise CommandError(
                2, "A demo without --data-dir keeps no history. Name the folder of the one that is meant."
            )
        from eternal_tui.history.history import History

        history = History.open(self.settings.data_dir)
        try:
            self.output.print_notices(history.notices)
            yield history
        finally:
            history.close(compact=history.is_small and history.journal_size > 0)


async def close_services(services: Services, output: Output) -> None:
    """Close it, folding the history while it is small, and tell what could not be written."""
    try:
        await services.close(compact=services.history.is_small)
    except HistoryError as error:
        output.error(
            format_safe("The history could not be tidied up: {error} The changes wait in its journal.", error=error)
        )
    output.print_notices(services.jobs.notices)


MIN_REQUEST_ID_PREFIX_CHARS = 4
"""Characters of a request id that must be given: fewer are more likely a slip than an id."""

LAST_JOB_KEYWORD = "last"


def iter_jobs(history: History) -> Iterator[Job]:
    """Yield every job of the history, newest first; records that are not jobs are left out."""
    for page in history.iter_pages():
        for job_id, record in page:
            try:
                yield from_record(job_id, record)
            except msgspec.ValidationError:
                continue


def find_job(history: History, reference: str) -> Job:
    """Return the job that `reference` names: its number, `last`, its request id, or the beginning of that alone."""
    if reference == LAST_JOB_KEYWORD:
        newest = next(iter_jobs(history), None)
        if newest is None:
            raise CommandError(ExitCode.USAGE, "There is no job in this history yet.")
        return newest
    if reference.isascii() and reference.isdigit() and len(reference) <= 18:
        record = history.get(int(reference))
        if record is not None:
            return _parse_job(int(reference), record)
    return _find_by_request_id(history, reference)


def _parse_job(job_id: int, record: dict[str, object]) -> Job:
    try:
        return from_record(job_id, record)
    except msgspec.ValidationError:
        raise CommandError(
            ExitCode.USAGE, f"The record {job_id} of this history is not a job of this program."
        ) from None


def _find_by_request_id(history: History, request_id: str) -> Job:
    found = []
    if len(request_id) >= MIN_REQUEST_ID_PREFIX_CHARS:
        for job in iter_jobs(history):
            if job.request_id == request_id:
                return job
            if job.request_id is not None and job.request_id.startswith(request_id):
                found.append(job)
    if len(found) == 1:
        return found[0]
    if found:
        raise CommandError(
            ExitCode.USAGE,
            format_safe("{count} jobs have request ids that begin with {wanted}.", count=len(found), wanted=request_id),
        )
    raise CommandError(
        ExitCode.USAGE,
        format_safe(
            "There is no job {wanted} in this history; `eternal-tui jobs` lists what there is.", wanted=request_id
        ),
    )
