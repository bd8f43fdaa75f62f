"""The context of one command: its arguments, settings, streams, history and services."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from eternal_tui.cli.errors import CommandError, ExitCode, UsageError
from eternal_tui.cli.output import Output
from eternal_tui.config.loader import load_settings
from eternal_tui.config.settings import Settings
from eternal_tui.core.files import create_private
from eternal_tui.core.sanitize import SafeText, format_safe, sanitize
from eternal_tui.history.errors import HistoryError

if TYPE_CHECKING:
    import argparse

    from eternal_tui.api.client import ApiClient
    from eternal_tui.cli.signals import Shutdown
    from eternal_tui.core.secret import Secret
    from eternal_tui.history.history import History
    from eternal_tui.sandbox.launch import DemoService
    from eternal_tui.services import Services


_NO_DIR = Path("/nonexistent")
"""Home of users without one, by Debian's convention: no file of it is ever there."""


GLOBAL_OPTIONS: dict[str, Any] = {
    "demo": False, "empty": False, "data_dir": None, "base_url": None, "config": None, "images": None,
    "media_bytes_per_second": None, "color": "auto", "quiet": False,
}  # fmt: skip
"""Defaults of the options that may come before or after the command."""


class Context:
    """Arguments, environment and streams of a command. Settings are read at first use (SettingsError)."""

    def __init__(self, arguments: argparse.Namespace, environ: Mapping[str, str], output: Output) -> None:
        self.arguments = arguments
        self.environ = environ
        self.output = output

    @cached_property
    def settings(self) -> Settings:
        """The settings in force for this run."""
        names = ("config", "data_dir", "base_url", "images", "media_bytes_per_second")
        flags = {name: getattr(self.arguments, name) for name in names}
        return load_settings(flags, self.environ, homeless_dir=_NO_DIR if self.is_ephemeral else None)

    @property
    def is_ephemeral(self) -> bool:
        """Whether the history exists for this run only: a demo without --data-dir."""
        return self.arguments.demo and self.arguments.data_dir is None

    @property
    def results_dir(self) -> Path:
        """The folder of the results."""
        return self.settings.data_dir / "results"

    def require_consent(self, fact: SafeText, question: str, consequence: str = "") -> None:
        """Raise UsageError unless `--yes` was given or the user agrees on the terminal."""
        if not self.arguments.yes and not self.output.confirm(sanitize(f"{fact} {question}")):
            raise UsageError(f"{fact} Add --yes.{consequence}")

    def open_services(self) -> Services:
        """Open everything a command that submits or waits needs; raises HistoryError."""
        from eternal_tui.services import Services

        settings = self.settings
        self.warn_custom_host()
        demo = self.start_demo()
        try:
            return Services(settings, self.environ, demo=demo, ephemeral=self.is_ephemeral)
        except BaseException:
            if demo is not None:
                demo.close()
            raise

    def warn_custom_host(self) -> None:
        """Name the host where it is neither EternalAI nor this machine."""
        if not self.arguments.demo and self.settings.is_remote and not self.settings.is_official:
            self.output.info(format_safe("Using {host}, not EternalAI.", host=self.settings.host))

    def start_demo(self) -> DemoService | None:
        """Start the sandbox where --demo asks for it."""
        if not self.arguments.demo:
            return None
        from eternal_tui.sandbox.launch import STATE_FILE_NAME, launch_demo
        from eternal_tui.services import DEMO_SPEED

        state = None if self.is_ephemeral else self.settings.data_dir / STATE_FILE_NAME
        return launch_demo(environ=self.environ, speed=DEMO_SPEED, state_file=state)

    @contextmanager
    def open_history(self) -> Iterator[History]:
        """Open the history without the engine; raises HistoryError."""
        if self.is_ephemeral:
            raise UsageError("--demo without --data-dir has no history. Name a folder with --data-dir.")
        from eternal_tui.history.history import History

        history = History.open(self.settings.data_dir)
        try:
            self.output.print_notices(history.notices)
            yield history
        finally:
            with _report_failed_compaction(self.output):
                history.close(compact=history.is_small and history.journal_size > 0)


class Command(NamedTuple):
    """The epilog, options and function of a command."""

    epilog: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[Context], int]
    """Do it and return the exit code."""


@contextmanager
def _report_failed_compaction(output: Output) -> Iterator[None]:
    """Print why a history was not compacted; the command did its work, and its changes are in the journal."""
    try:
        yield
    except HistoryError as error:
        output.info(format_safe("The history was not compacted: {error} No change is lost.", error=error))


async def require_key(services: Services) -> None:
    """Raise CommandError or NoApiKey where there is no usable key."""
    from eternal_tui.jobs.errors import NoApiKey

    if not await services.client.has_key():
        problem = services.client.key_error
        raise CommandError(ExitCode.KEY_ERROR, problem) if problem else NoApiKey


@asynccontextmanager
async def open_client(context: Context, key: Secret | None = None) -> AsyncIterator[tuple[ApiClient, str]]:
    """Yield a client of the service, or of a sandbox with --demo, and its base URL; the history is not opened."""
    import asyncio

    from eternal_tui.api.client import ApiClient
    from eternal_tui.core.network import Network

    settings, demo = context.settings, context.start_demo()
    base_url = settings.base_url if demo is None else (await demo.wait_ready()).api_url
    client = ApiClient(base_url, key, header=settings.key_header, network=Network(context.environ))
    try:
        yield client, base_url
    finally:
        await client.close()
        if demo is not None:
            await asyncio.to_thread(demo.close)


def run_with_services(context: Context, command: Callable[[Services, Shutdown], Coroutine[Any, Any, int]]) -> int:
    """Run an asynchronous command with open services and return its exit code; a small history is compacted."""
    from eternal_tui.cli.signals import run_with_shutdown

    async def run(shutdown: Shutdown) -> int:
        services = context.open_services()
        context.output.print_notices(services.jobs.notices)
        try:
            return await command(services, shutdown)
        finally:
            with _report_failed_compaction(context.output):
                await services.close(compact=services.history.is_small)
            context.output.print_notices(services.jobs.notices)

    return run_with_shutdown(run, own_process=context.arguments.own_process)


@contextmanager
def new_file(path: Path) -> Iterator[TextIO]:
    """Open a new 0600 text file; raises UsageError where it exists or cannot be written whole, and removes it then."""
    try:
        handle = create_private(path)
    except FileExistsError:
        raise UsageError(f"{path} exists and is not overwritten. Name another file.") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{path} cannot be written: {why}.") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            yield file
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise UsageError(f"{path} cannot be written: {error.strerror}. The partial file was removed.") from None
        raise
