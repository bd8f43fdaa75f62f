"""EternalApp: wires the main screen to the terminal, the services and the settings, and shuts down on signals."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from textual.app import ScreenStackError, SystemCommand
from textual.events import Event, Key, Paste
from textual.filter import LineFilter, Monochrome, NoColor
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.widget import Widget

from eternal_tui.config.settings import Settings, SettingsError
from eternal_tui.core.process import hard_exit_after, on_signals
from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, sanitize
from eternal_tui.jobs.formatting import pluralize
from eternal_tui.jobs.model import UNFINISHED_STATES, JobState
from eternal_tui.services import Services
from eternal_tui.tui import config_watch, themes
from eternal_tui.tui.config_watch import ConfigWatcher, ThemeStore
from eternal_tui.tui.context import TerminalContext
from eternal_tui.tui.graphics.base import GraphicsBackend
from eternal_tui.tui.graphics.probe import is_remote
from eternal_tui.tui.input.key_queue import KeyQueue
from eternal_tui.tui.picture.pacing import frame_budget_for
from eternal_tui.tui.screens.main import MainScreen
from eternal_tui.tui.terminal.base_app import TerminalApp
from eternal_tui.tui.terminal.driver import is_hung_up
from eternal_tui.tui.terminal.filters import AsciiFilter, draws_utf8, to_ascii
from eternal_tui.tui.terminal.guard import TerminalGuard
from eternal_tui.tui.terminal.textual_internals import PatientPalette, write_to_terminal
from eternal_tui.tui.widgets.footer import TOUR_ACTION_IDS

if TYPE_CHECKING:
    from textual.actions import ActionParseResult
    from textual.command import Provider
    from textual.dom import DOMNode
    from textual.types import AnimationLevel


_log = logging.getLogger(__name__)

STOP_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)

SHUTDOWN_DEADLINE_SECONDS = 1.4
"""Seconds from a signal to the end of the process, less than the two promised: both are late on a busy machine."""

GRACE_SECONDS = 0.3
"""Seconds of these for the response to a paid request, and for the demo's service to end."""

HANGUP_CHECK_SECONDS = 1.0
"""Interval of checks for a hang-up that sends no signal."""


class GracefulShutdown:
    """Ends the app by `exit_app`, and the process where that takes too long.

    Then a thread restores the terminal by `release_terminal` and ends the demo's service.
    """

    def __init__(self, services: Services, exit_app: Callable[[], None], release_terminal: Callable[[], None]) -> None:
        self._services = services
        self._exit_app = exit_app
        self._release_terminal = release_terminal
        self._remove_signal_handlers: Callable[[], None] = lambda: None
        self._hangup_timer: asyncio.TimerHandle | None = None
        self.signal_number: int | None = None

    def install(self, loop: asyncio.AbstractEventLoop) -> None:
        """Handle signals, even a SIGHUP that the parent process ignored, and hang-ups."""
        self._remove_signal_handlers = on_signals(STOP_SIGNALS, lambda number: self._on_signal(loop, number))
        self._check_hangup(loop)

    async def close(self) -> None:
        if self._hangup_timer is not None:
            self._hangup_timer.cancel()
        try:
            if self.signal_number is None:
                await self._services.close()
            else:
                await self._services.close(compact=False, grace_seconds=GRACE_SECONDS)
        finally:
            self._remove_signal_handlers()

    def _on_signal(self, loop: asyncio.AbstractEventLoop, number: int) -> None:
        if self.signal_number is not None:
            return
        self.signal_number = number
        hard_exit_after(SHUTDOWN_DEADLINE_SECONDS, 128 + number, self._release_resources)
        loop.call_soon_threadsafe(self._request_exit, number)

    def _request_exit(self, number: int) -> None:
        _log.warning("signal", extra={"signal": number})
        self._exit_app()

    def _release_resources(self) -> None:
        try:
            self._release_terminal()
        finally:
            self._services.abandon()

    def _check_hangup(self, loop: asyncio.AbstractEventLoop) -> None:
        if is_hung_up():
            self._on_signal(loop, signal.SIGHUP)
            return
        self._hangup_timer = loop.call_later(HANGUP_CHECK_SECONDS, self._check_hangup, loop)


def _accepts_raw_paste(focused: Widget | None) -> bool:
    """Tell whether the focused widget is a plain Input, which would show pasted control characters raw."""
    from textual.widgets import Input

    return isinstance(focused, Input) and not hasattr(focused, "on_paste")


def _load_command_provider() -> type[Provider]:
    from eternal_tui.tui.screens.palette import WorkbenchProvider

    return WorkbenchProvider


class EternalApp(TerminalApp):
    """The app."""

    TITLE = "eternal-tui"
    CSS_PATH = "workbench.tcss"
    COMMANDS: ClassVar[set[Any]] = {_load_command_provider}
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"

    def __init__(
        self,
        services: Services,
        graphics: GraphicsBackend,
        environ: Mapping[str, str],
        *,
        unread_input: bytes = b"",
        guard: TerminalGuard | None = None,
        has_tour: bool = False,
    ) -> None:
        super().__init__(remote=is_remote(environ), unread_input=unread_input, guard=guard)
        self.services = services
        self.animation_level: AnimationLevel = "none"
        self.terminal = TerminalContext(
            environ=environ,
            graphics=graphics,
            is_remote=is_remote(environ),
            write_sequence=self._write_sequence,
            frame_budget=frame_budget_for(environ, services.settings.media_bytes_per_second, services.settings.fps),
        )
        self.graceful_shutdown = GracefulShutdown(services, exit_app=self.exit, release_terminal=self.restore_terminal)
        self._has_tour = has_tour
        self._config_watcher = ConfigWatcher(services.settings, environ)
        self._theme_store = ThemeStore(services.data_dir)
        self._key_queue = KeyQueue(
            super().on_event, self._pending_pumps, self._has_unmounted_widgets, self.report_internal_error
        )
        themes.register_themes(self)
        self._apply_theme(services.settings)

    def get_default_screen(self) -> Screen[None]:
        self._main_screen = MainScreen(self.services, self.terminal)
        self._main_screen.tour_action_ids = list(TOUR_ACTION_IDS) if self._has_tour else []
        return self._main_screen

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Run an action, and leave it out of the tour of a demo."""
        if self._main_screen.tour_action_ids and isinstance(action, str):
            self._main_screen.leave_out_of_tour(action)
        return await super().run_action(action, default_namespace, namespaces)

    def on_mount(self) -> None:
        """Watch config.toml, task errors, signals and suspension."""
        self.set_interval(config_watch.CONFIG_POLL_SECONDS, self._reload_config)
        self.call_after_refresh(self._notify_config_problems)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._report_task_error)
        self.graceful_shutdown.install(loop)
        self.app_suspend_signal.subscribe(self, lambda _: self.services.instance.release())
        self.app_resume_signal.subscribe(self, lambda _: self._resume())

    def action_command_palette(self) -> None:
        """Open the palette over any screen."""
        if not isinstance(self.screen, PatientPalette):
            self.push_screen(PatientPalette(id="--command-palette"))

    async def action_quit(self) -> None:
        """Quit as the list does, which asks while a request is being sent."""
        self._main_screen.action_leave()

    def action_help_quit(self) -> None:
        """Answer ctrl+c with the key that quits."""
        self.notify("ctrl+q quits; jobs keep running at the service.", markup=False)

    async def on_event(self, event: Event) -> None:
        """Queue keys, so that each finds the focus as the one before left it; sanitize pastes into plain Inputs."""
        if isinstance(event, Key) and not event.is_forwarded:
            # A key proves the focus: not every terminal reports that it is back.
            self.restore_focus()
            await self._key_queue.put(event)
        elif isinstance(event, Paste) and not event.is_forwarded and _accepts_raw_paste(self.focused):
            lines = event.text.strip().splitlines()
            await super().on_event(Paste(sanitize(lines[0], limit=400) if lines else ""))
        else:
            await super().on_event(event)

    def _pending_pumps(self) -> Iterable[MessagePump]:
        try:
            yield from (self.screen.focused or self.screen).ancestors_with_self
        except ScreenStackError:
            return

    def _has_unmounted_widgets(self) -> bool:
        """Tell whether a widget of the screen is not mounted yet."""
        return bool(self.screen_stack) and any(
            not each.is_mounted for each in self.screen.walk_children(Widget, with_self=True)
        )

    def on_app_focus(self) -> None:
        """Read the settings again: they may have been edited in another window."""
        self.restore_focus()
        self._reload_config()

    def _reload_config(self) -> None:
        try:
            fresh = self._config_watcher.read_if_changed()
        except SettingsError as error:
            self.notify(config_watch.rejection_message(error), severity="error", markup=False, timeout=10)
            return
        if fresh is None:
            return
        now = self.services.settings
        self.services.settings = msgspec.structs.replace(now, theme=fresh.theme, keys=fresh.keys)
        self._apply_theme(self.services.settings)
        self._notify_config_problems()
        if isinstance(self.screen, MainScreen):
            self.screen.refresh_keys()

    def _apply_theme(self, settings: Settings) -> None:
        configured = self._configured_theme(settings)
        chosen = self._theme_store.effective(configured)
        self.theme = chosen if chosen in self.available_themes else configured
        self.set_class(self.theme == themes.MONO.name, "-mono")
        self.set_class(not draws_utf8(self.terminal.environ), "-ascii")
        # Textual's filter for NO_COLOR draws ANSI colours black on black.
        replaced = (NoColor, AsciiFilter, *((Monochrome,) if self.native_ansi_color else ()))
        self.replace_filters(lambda each: isinstance(each, replaced), self._own_filters())
        self.set_keymap(config_watch.effective_keymap(settings))

    def refresh_css(self, animate: bool = True) -> None:
        """Restyle everything; before the first screen only set the theme's colours."""
        if self.screen_stack:
            super().refresh_css(animate)
        else:
            self.stylesheet.set_variables(self.get_css_variables())

    def _configured_theme(self, settings: Settings) -> str:
        return settings.theme if settings.theme in self.available_themes else themes.default_for(self.terminal.environ)

    def choose_theme(self, name: str) -> None:
        """Apply and save a theme."""
        try:
            self._theme_store.save(self._configured_theme(self.services.settings), name)
        except OSError as error:
            message = format_safe("Theme not saved: {reason}.", reason=error.strerror or error)
            self.notify(message, severity="warning", markup=False)
        self._apply_theme(self.services.settings)

    def _own_filters(self) -> Iterable[LineFilter]:
        if self.theme == themes.MONO.name:
            from eternal_tui.tui.terminal.filters import GreyscaleFilter

            yield GreyscaleFilter()
        if not draws_utf8(self.terminal.environ):
            yield AsciiFilter()

    def _notify_config_problems(self) -> None:
        for sentence in config_watch.preference_errors(self.services.settings):
            self.notify(sentence, severity="warning", markup=False, timeout=10)

    def _report_task_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log and show the exception of a task that nothing awaits; the app continues."""
        error = context.get("exception")
        _log.error(str(context.get("message")), exc_info=error)
        if error is not None and self.is_running:
            message = format_safe("Internal error: {kind}. The app continues; see the log.", kind=type(error).__name__)
            self.notify(message, severity="error", markup=False, timeout=10)

    def _resume(self) -> None:
        self.services.instance.reacquire()
        self._reload_config()
        self.services.jobs.resume_after_suspend()

    async def on_unmount(self) -> None:
        self._key_queue.stop()
        await self.graceful_shutdown.close()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer every action in the palette."""
        from eternal_tui.tui.screens.palette import system_commands

        yield from system_commands(screen, self.services.settings, self.choose_theme)

    @property
    def exit_message(self) -> SafeText:
        """Return what is unfinished, for the terminal that the app leaves; "" where nothing is."""
        if self.services.demo is not None:
            return SafeText("")
        states = [job.state for job in self.services.jobs.store.newest_first() if job.state in UNFINISHED_STATES]
        running, queued, sentences = len(states) - states.count(JobState.QUEUED), len(self.services.jobs.queue), []
        if running:
            go = SafeText("goes") if running == 1 else SafeText("go")
            sentences.append(format_safe("{jobs} {go} on at the service.", jobs=pluralize(running, "job"), go=go))
            sentences.append(SafeText("`eternal-tui watch`, or the app, picks up what is unfinished."))
        if queued:
            held = format_safe("{requests} held, not sent.", requests=pluralize(queued, "queued request"))
            sentences += [held, SafeText("`eternal-tui queue run` sends.")]
        return join_safe(" ", *sentences)

    def _write_sequence(self, sequence: str) -> None:
        write_to_terminal(self, sequence if draws_utf8(self.terminal.environ) else to_ascii(sequence))
