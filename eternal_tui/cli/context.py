"""One run of the command line: what was asked for, and the settings, history and workbench it works with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from eternal_tui.cli.output import Streams
from eternal_tui.config import Settings, load_settings
from eternal_tui.core.sanitize import say

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
