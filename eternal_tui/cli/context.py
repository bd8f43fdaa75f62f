"""The context of one command: its arguments, settings, streams, history and services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from eternal_tui.cli.output import Output
from eternal_tui.config import Settings, load_settings
from eternal_tui.core.sanitize import format_safe
from eternal_tui.history.errors import HistoryError
from eternal_tui.history.history import History

if TYPE_CHECKING:
    import argparse

    from eternal_tui.history.history import History
    from eternal_tui.sandbox.launch import DemoService
    from eternal_tui.services import Services


_NO_DIR = Path("/nonexistent")
"""Home of users without one, by Debian's convention: no file of it is ever there."""


class UsageError(Exception):
    """Invalid arguments; the text is a sentence."""


class CommandError(Exception):
    """A command cannot go on: its exit code, and the sentence for stderr."""

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Context:
    """Arguments, environment and streams of a command. Settings are read at first use (SettingsError)."""

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
        return load_settings(flags, self.environ, homeless_dir=_NO_DIR if self.is_ephemeral else None)

    @property
    def is_demo(self) -> bool:
        """Whether the command runs against the sandbox."""
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
        """Open everything a command that submits or waits needs; raises HistoryError."""
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
        """Name the host where it is neither EternalAI nor this machine."""
        if not self.is_demo and self.settings.is_remote and not self.settings.is_official:
            self.output.info(format_safe("Using {host}, not EternalAI.", host=self.settings.host))

    def launch_demo(self) -> DemoService:
        """Start the sandbox and return it ready; raises DemoStartError."""
        return self._start_demo(1.0).wait_ready_blocking()

    def _start_demo(self, speed: float) -> DemoService:
        from eternal_tui.sandbox.launch import STATE_FILE_NAME, launch_demo

        state = None if self.is_ephemeral else self.settings.data_dir / STATE_FILE_NAME
        return launch_demo(environ=self.environ, speed=speed, state_file=state)

    @contextmanager
    def open_history(self) -> Iterator[History]:
        """Open the history without the engine; raises HistoryError."""
        if self.is_ephemeral:
            raise CommandError(2, "--demo without --data-dir has no history. Name a folder with --data-dir.")
        from eternal_tui.history.history import History

        history = History.open(self.settings.data_dir)
        try:
            self.output.print_notices(history.notices)
            yield history
        finally:
            history.close(compact=history.is_small and history.journal_size > 0)


async def close_services(services: Services, output: Output) -> None:
    """Close the services, compacting a small history, and report what could not be written."""
    try:
        await services.close(compact=services.history.is_small)
    except HistoryError as error:
        output.error(format_safe("Cannot compact the history: {error} Its changes are in the journal.", error=error))
    output.print_notices(services.jobs.notices)
