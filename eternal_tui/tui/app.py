"""The application: wires the screen to the terminal and the desk. It decides nothing."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from eternal_tui.tui import theme
from eternal_tui.tui.departure import Departure
from eternal_tui.tui.glyphs import glyphs_for
from eternal_tui.tui.graphics.protocol import Graphics
from eternal_tui.tui.surroundings import Surroundings
from eternal_tui.tui.tick import clock_step_for, interval_for, is_remote
from eternal_tui.tui.workbench_screen import WorkbenchScreen
from eternal_tui.workbench import Workbench

if TYPE_CHECKING:
    from textual.types import AnimationLevel


class EternalApp(App[None]):
    """The workbench on a terminal."""

    TITLE = "eternal-tui"
    CSS_PATH = "workbench.tcss"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+z", "suspend_process", "Suspend", show=False, id="app.suspend"),
    ]

    def __init__(self, bench: Workbench, graphics: Graphics, graphics_why: str, environ: Mapping[str, str]) -> None:
        super().__init__()
        self.bench = bench
        self.animation_level: AnimationLevel = "none"
        self.around = Surroundings(
            environ=environ,
            glyphs=glyphs_for(environ),
            graphics=graphics,
            graphics_why=graphics_why,
            remote=is_remote(environ),
            interval=interval_for(environ),
            clock_step=clock_step_for(environ),
            write=self._write,
        )
        self.departure = Departure(bench, leave=self.exit)
        theme.register(self)
        self.theme = bench.settings.theme if bench.settings.theme in self.available_themes else theme.DARK.name

    def get_default_screen(self) -> Screen[None]:
        """Return the one screen."""
        return WorkbenchScreen(self.bench, self.around)

    def on_mount(self) -> None:
        """Take the person's keys, and the signals that end the app."""
        self.set_keymap(dict(self.bench.settings.keys))
        self.departure.arm(asyncio.get_running_loop())
        self.app_suspend_signal.subscribe(self, lambda _: self.bench.instance.release())
        self.app_resume_signal.subscribe(self, lambda _: self._back())

    def _back(self) -> None:
        self.bench.instance.reacquire()
        self.bench.desk.resume_after_suspend()

    async def on_unmount(self) -> None:
        """Record and close everything before the process ends."""
        await self.departure.close()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer every action of the registry in the palette."""
        from eternal_tui.tui.palette import commands

        yield from commands(self, screen)

    def _write(self, sequence: str) -> None:
        if self._driver is not None:
            self._driver.write(sequence)


SIGNALS = (signal.SIGTERM, signal.SIGHUP)
