"""Base of the app: flow-controlled output, crashes, notifications, focus, filters and memory."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from rich.console import RenderableType
from textual import events
from textual._styles_cache import StylesCache
from textual.app import App, ScreenStackError
from textual.await_complete import AwaitComplete
from textual.filter import LineFilter
from textual.notifications import Notify
from textual.screen import Screen

from eternal_tui.tui.graphics.probe import read_cell_size
from eternal_tui.tui.terminal.compositor import DiffUpdate, force_repaint
from eternal_tui.tui.terminal.driver import FlowControlledDriver
from eternal_tui.tui.terminal.flow_control import REPLY_TIMEOUT_SECONDS
from eternal_tui.tui.terminal.guard import TerminalGuard
from eternal_tui.tui.terminal.overlays import PixelOverlays

_MALLOC_OPTIONS = {-8: 2, -1: 1 << 20, -3: 1 << 20}
"""M_ARENA_MAX, M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc's malloc.h. By itself it has an arena for each thread and
keeps twice the largest piece it has seen at the end of each."""


def limit_freed_memory() -> None:
    """Have threads started from now on share memory arenas that keep little, where the C library is glibc."""
    if sys.platform.startswith("linux"):
        import ctypes

        if (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
            for option, value in _MALLOC_OPTIONS.items():
                mallopt(option, value)


class TerminalApp(App[None]):
    """App that writes no more than its terminal takes, never waits for it, and shows one notification at a time.

    `remote`: the terminal is behind a network. `unread_input`: bytes that were read before the app started. The
    exception that ended the app is stored in `internal_error`.
    """

    internal_error: Exception | None = None

    def __init__(self, *, remote: bool = False, unread_input: bytes = b"", guard: TerminalGuard | None = None) -> None:
        super().__init__(driver_class=FlowControlledDriver)
        self.remote = remote
        self.guard = guard
        self.unread_input = unread_input
        self.overlays = PixelOverlays(self)
        self._was_resized = False
        self._repaint_timer: asyncio.TimerHandle | None = None

    def on_ready(self) -> None:
        limit_freed_memory()

    def on_mount(self) -> None:
        self.app_resume_signal.subscribe(self, lambda _: force_repaint(self.screen))

    # Output

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        """Write as much of an update as flow control allows, and schedule the rest."""
        driver = self._driver
        if renderable is None or self._batch_count or not isinstance(driver, FlowControlledDriver):
            super()._display(screen, renderable)
            return
        available = driver.available()
        update = renderable if isinstance(renderable, DiffUpdate) else None
        if update is not None:
            update.max_chars = available
        if available:
            super()._display(screen, renderable)
            self.overlays.invalidate(update.written if update is not None else [])
        unwritten = update.unwritten if update is not None else [] if available else [screen.size.region]
        if unwritten:
            screen._compositor._dirty_regions.update(unwritten)
            driver.request_wakeup()
            if self._repaint_timer is None and self.remote:
                # A reply may be lost.
                self._repaint_timer = asyncio.get_running_loop().call_later(
                    REPLY_TIMEOUT_SECONDS + 0.1, self.repaint_deferred
                )

    def repaint_deferred(self) -> None:
        """Paint the updates that flow control held back."""
        if self._repaint_timer is not None:
            self._repaint_timer.cancel()
            self._repaint_timer = None
        if self.is_running and self.screen_stack and not self._batch_count:
            self.screen._compositor_refresh()

    def on_resize(self, _: events.Resize) -> None:
        """Repaint everything, even at the same size.

        A terminal that was made small and large again within a moment has lost cells, and Textual sees one size only.
        """
        first, self._was_resized = not self._was_resized, True
        if not first and self.screen_stack:
            force_repaint(self.screen)

    def write_sequence(self, sequence: str) -> None:
        """Write control sequences that are no part of the screen."""
        if self._driver is not None:
            self._driver.write(sequence)

    def is_congested(self) -> bool:
        """Whether flow control allows no output now."""
        return isinstance(self._driver, FlowControlledDriver) and not self._driver.available()

    def cell_size(self) -> tuple[int, int]:
        """Return the size of a cell in pixels now, (0, 0) where that is not known."""
        return read_cell_size(self._driver.fileno) if isinstance(self._driver, FlowControlledDriver) else (0, 0)

    def restore_terminal(self) -> None:
        """Restore the terminal just before the process ends; called from any thread."""
        if isinstance(self._driver, FlowControlledDriver):
            self._driver.restore_terminal()

    # Crashes

    def report_internal_error(self, error: Exception) -> None:
        """End the app with this exception."""
        self._handle_exception(error)

    def _handle_exception(self, error: Exception) -> None:
        """Store the exception; the caller of the app writes the report."""
        from textual.worker import WorkerFailed

        cause = error.error if isinstance(error, WorkerFailed) else error
        if self.internal_error is None and isinstance(cause, Exception):
            self.internal_error = cause
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """Exit without Textual's report, which shows the variables of every frame, API keys among them."""
        self._close_messages_no_wait()

    def panic(self, *renderables: object) -> None:  # noqa: ARG002
        """Exit; the caller of the app prints the error."""
        self._close_messages_no_wait()

    # Notifications and focus

    def on_notify(self, event: Notify) -> None:
        """Show each text once: a new notification replaces information, and older ones whose text it contains."""
        fresh = event.notification
        for old in tuple(self._notifications):
            if fresh.message != old.message and fresh.message in old.message:
                event.prevent_default()
                return
            if old.message in fresh.message or old.severity == fresh.severity == "information":
                self._unnotify(old, refresh=False)
        self._remove_empty_toast_holders()
        StylesCache.get_inner_outer.cache_clear()

    def pop_screen(self) -> AwaitComplete:
        """Pop a screen and free its lines: the cache of style pairs holds on to every widget that asked it."""
        StylesCache.get_inner_outer.cache_clear()
        return super().pop_screen()

    def _remove_empty_toast_holders(self) -> None:
        """Remove holders without a notification, which Textual leaves on the screen."""
        for screen in self.screen_stack:
            for holder in screen.query("ToastHolder"):
                shown = [
                    toast._notification for toast in holder.query("Toast").results() if hasattr(toast, "_notification")
                ]
                if not any(notification in self._notifications for notification in shown):
                    holder.remove()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Stop the cursor of text fields from blinking: without changes nothing is written."""
        widget: Any = event.widget
        if getattr(widget, "cursor_blink", False):
            widget.cursor_blink = False

    def restore_focus(self) -> None:
        """Restore the focus after the terminal had lost it."""
        if self.app_focus:
            return
        self.app_focus = True
        with suppress(ScreenStackError):
            self.screen._update_auto_focus()

    def replace_filters(self, is_replaced: Callable[[LineFilter], bool], filters: Iterable[LineFilter]) -> None:
        """Replace filters by `filters`, which go last."""
        self._filters = [*(each for each in self._filters if not is_replaced(each)), *filters]
