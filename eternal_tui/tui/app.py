"""The application: wires the screen to the terminal and the desk. It decides nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
from textual.app import App, ScreenStackError, SystemCommand
from textual.events import Event, Key, Paste
from textual.filter import LineFilter, Monochrome, NoColor
from textual.message_pump import MessagePump
from textual.notifications import Notify
from textual.screen import Screen
from textual.widget import Widget

from eternal_tui.config import Settings, SettingsError
from eternal_tui.core.sanitize import Shown, say, shown
from eternal_tui.jobs.model import UNFINISHED
from eternal_tui.services import Workbench
from eternal_tui.tui import config_watch, themes
from eternal_tui.tui.config_watch import ConfigFile, ThemeChoice
from eternal_tui.tui.context import Surroundings
from eternal_tui.tui.graphics.base import Graphics
from eternal_tui.tui.graphics.pacing import pace_for
from eternal_tui.tui.input.key_queue import KeyOrder
from eternal_tui.tui.refresh import clock_step_for, interval_for, is_remote
from eternal_tui.tui.screens.main import WorkbenchScreen
from eternal_tui.tui.shutdown import Departure
from eternal_tui.tui.terminal.driver import LinkApp
from eternal_tui.tui.terminal.filters import AsciiLines, ascii_cells
from eternal_tui.tui.terminal.glyphs import ASCII, glyphs_for
from eternal_tui.tui.terminal.later import arrive

if TYPE_CHECKING:
    from textual.command import Provider
    from textual.types import AnimationLevel


_log = logging.getLogger(__name__)


def _takes_anything(focused: Widget | None) -> bool:
    """Tell whether the focus is in a line of Textual's own, which would show pasted control characters raw."""
    from textual.widgets import Input

    return isinstance(focused, Input) and type(focused)._on_paste is Input._on_paste


def _finder() -> type[Provider]:
    from eternal_tui.tui.screens.palette import Finder

    return Finder


class EternalApp(LinkApp):
    """The workbench on a terminal."""

    TITLE = "eternal-tui"
    CSS_PATH = "workbench.tcss"
    COMMANDS = App.COMMANDS | {_finder}
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"

    def __init__(self, bench: Workbench, graphics: Graphics, graphics_why: str, environ: Mapping[str, str]) -> None:
        super().__init__(far=is_remote(environ))
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
            pace=pace_for(environ, bench.settings.media_bytes_per_second, bench.settings.fps),
        )
        self.departure = Departure(bench, leave=self.exit, release_terminal=self.release_terminal)
        self.defect: Exception | None = None
        self._config = ConfigFile(bench.settings, environ)
        self._choice = ThemeChoice(bench.folder)
        self._environ = environ
        self._keys = KeyOrder(super().on_event, self._woken_by_keys, self._opening, self._handle_exception)
        themes.register(self)
        self._wear(bench.settings)

    def get_default_screen(self) -> Screen[None]:
        """Return the one screen."""
        return WorkbenchScreen(self.bench, self.around)

    def on_mount(self) -> None:
        """Take the person's keys, and the signals that end the app."""
        self.set_interval(config_watch.LOOK_EVERY, self._read_config)
        self.call_after_refresh(self._tell_problems)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._met_defect)
        self.departure.arm(loop)
        self.app_suspend_signal.subscribe(self, lambda _: self.bench.instance.release())
        self.app_resume_signal.subscribe(self, lambda _: self._back())

    def action_command_palette(self) -> None:
        """Open the palette, be it before all of it is loaded: keys may have been typed ahead of the first frame."""
        arrive()
        from eternal_tui.tui.screens.palette import Palette

        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(id="--command-palette"))

    async def action_quit(self) -> None:
        """Leave as the list's own key does: Textual's would not ask while a request is being sent."""
        for screen in self.screen_stack:
            if isinstance(screen, WorkbenchScreen):
                screen.action_leave()
                return
        self.exit()

    def action_help_quit(self) -> None:
        """Say how to leave, to a hand that pressed ctrl+c."""
        self.notify("ctrl+q leaves; what runs goes on at the service.", markup=False)

    async def on_event(self, event: Event) -> None:
        """Let each key find the focus where the one before put it, and no line show what was pasted as it came."""
        if isinstance(event, Key) and not event.is_forwarded:
            # Whoever types is there, though the terminal said that the focus left: not every one says it is back.
            self._attended()
            await self._keys.key(event)
        elif isinstance(event, Paste) and not event.is_forwarded and _takes_anything(self.focused):
            lines = event.text.strip().splitlines()
            await super().on_event(Paste(shown(lines[0], limit=400) if lines else ""))
        else:
            await super().on_event(event)

    def on_notify(self, event: Notify) -> None:
        """Let the newest word stand alone: it takes the place of the answer before it, and of itself."""
        fresh = event.notification
        for old in tuple(self._notifications):
            if old.message == fresh.message or old.severity == fresh.severity == "information":
                self._unnotify(old, refresh=False)
        self._clear_away()

    def _clear_away(self) -> None:
        """Remove the notifications that are over with what holds them: Textual leaves that for good, empty."""
        for screen in self.screen_stack:
            for holder in screen.query("ToastHolder"):
                told = [
                    toast._notification for toast in holder.query("Toast").results() if hasattr(toast, "_notification")
                ]
                if not any(notification in self._notifications for notification in told):
                    holder.remove()

    def _woken_by_keys(self) -> Iterable[MessagePump]:
        try:
            yield from (self.screen.focused or self.screen).ancestors_with_self
        except ScreenStackError:
            return

    def _opening(self) -> bool:
        """Tell whether a screen, or something on it, is not laid out yet."""
        return bool(self.screen_stack) and any(
            not each.is_mounted for each in self.screen.walk_children(Widget, with_self=True)
        )

    def on_app_focus(self) -> None:
        """Read the settings again when the person comes back, perhaps from an editor beside this terminal."""
        self._attended()
        self._read_config()

    def _attended(self) -> None:
        """Put the focus back where it was, or where it belongs on a screen that was begun behind somebody's back."""
        if self.app_focus:
            return
        self.app_focus = True
        with suppress(ScreenStackError):
            self.screen._update_auto_focus()

    def _read_config(self) -> None:
        try:
            fresh = self._config.changed()
        except SettingsError as error:
            self.notify(config_watch.refusal(error), severity="error", markup=False, timeout=10)
            return
        if fresh is None:
            return
        now = self.bench.settings
        self.bench.settings = msgspec.structs.replace(now, theme=fresh.theme, keys=fresh.keys)
        self._wear(self.bench.settings)
        self._tell_problems()
        if isinstance(self.screen, WorkbenchScreen):
            self.screen.keys_changed()

    def _wear(self, settings: Settings) -> None:
        usual = self._usual_theme(settings)
        chosen = self._choice.instead_of(usual)
        self.theme = chosen if chosen in self.available_themes else usual
        self.set_class(self.theme == themes.MONO.name, "-mono")
        self._filters = [*self._kept_filters(), *self._own_filters()]
        self.set_keymap(config_watch.keymap(settings))

    def refresh_css(self, animate: bool = True) -> None:
        """Style everything anew; before there is anything to style, only take the colours of the theme."""
        if self.screen_stack:
            super().refresh_css(animate)
        else:
            self.stylesheet.set_variables(self.get_css_variables())

    def _usual_theme(self, settings: Settings) -> str:
        named = settings.theme
        return named if named in self.available_themes else themes.fitting(self._environ)

    def choose_theme(self, name: str) -> None:
        """Wear a theme of the person's choice, now and at the next start."""
        try:
            self._choice.keep(self._usual_theme(self.bench.settings), name)
        except OSError as error:
            told = say("The theme could not be kept for the next start: {why}.", why=error.strerror or error)
            self.notify(told, severity="warning", markup=False)
        self._wear(self.bench.settings)

    def _kept_filters(self) -> Iterable[LineFilter]:
        # What the toolkit puts over everything under NO_COLOR draws the terminal's own colours black on black.
        ours = (NoColor, AsciiLines, *((Monochrome,) if self.native_ansi_color else ()))
        return (each for each in self._filters if not isinstance(each, ours))

    def _own_filters(self) -> Iterable[LineFilter]:
        if self.theme == themes.MONO.name:
            from eternal_tui.tui.terminal.filters import GreyPictures

            yield GreyPictures()
        if self.around.glyphs is ASCII:
            yield AsciiLines()

    def _tell_problems(self) -> None:
        for sentence in config_watch.problems(self.bench.settings):
            self.notify(sentence, severity="warning", markup=False, timeout=10)

    def _handle_exception(self, error: Exception) -> None:
        """Keep a defect for whoever started the app: it tells it in a sentence, and writes the report."""
        from textual.worker import WorkerFailed

        cause = error.error if isinstance(error, WorkerFailed) else error
        if self.defect is None and isinstance(cause, Exception):
            self.defect = cause
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """Leave without Textual's own report: it shows the variables of every frame, and keys are among them."""
        self._close_messages_no_wait()

    def panic(self, *renderables: object) -> None:  # noqa: ARG002
        """Leave; what it would show is told by whoever started the app."""
        self._close_messages_no_wait()

    def _met_defect(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Note a defect of something that nobody waits for; the rest of the app goes on."""
        error = context.get("exception")
        _log.error(str(context.get("message")), exc_info=error)
        if error is not None and self.is_running:
            told = say("A defect was met: {kind}. The app goes on; the log says more.", kind=type(error).__name__)
            self.notify(told, severity="error", markup=False, timeout=10)

    def _back(self) -> None:
        self.bench.instance.reacquire()
        self._read_config()
        self.bench.desk.resume_after_suspend()

    async def on_unmount(self) -> None:
        """Record and close everything before the process ends."""
        self._keys.stop()
        await self.departure.close()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer every action of the registry in the palette."""
        from eternal_tui.tui.screens.palette import commands

        yield from commands(screen, self.bench.settings, self.choose_theme)

    @property
    def farewell(self) -> Shown:
        """What goes on without this program, in a sentence for the terminal it leaves; empty where nothing does."""
        if self.bench.demo is not None:
            return Shown("")
        running = sum(job.state in UNFINISHED for job in self.bench.desk.listing())
        if not running:
            return Shown("")
        jobs = (
            Shown("1 job goes on at the service.") if running == 1 else say("{n} jobs go on at the service.", n=running)
        )
        return say("{jobs} `eternal-tui watch`, or the app, picks up what is unfinished.", jobs=jobs)

    def _write(self, sequence: str) -> None:
        if self._driver is not None:
            self._driver.write(ascii_cells(sequence) if self.around.glyphs is ASCII else sequence)
