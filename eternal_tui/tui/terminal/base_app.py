"""Base of the app: crashes, notifications, focus, filters and memory, by private names of Textual."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import suppress

from textual._styles_cache import StylesCache
from textual.app import ScreenStackError
from textual.await_complete import AwaitComplete
from textual.filter import LineFilter
from textual.notifications import Notify

from eternal_tui.tui.terminal.driver import FlowControlledApp

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


class TerminalApp(FlowControlledApp):
    """App that stores the exception which ended it in `internal_error`, and shows one notification at a time."""

    internal_error: Exception | None = None

    def on_ready(self) -> None:
        limit_freed_memory()

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

    def on_notify(self, event: Notify) -> None:
        """Say nothing twice: the newest replaces the information before it, and what it says again in full."""
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
