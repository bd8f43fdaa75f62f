"""The line to the terminal: written by a thread of its own, which nothing waits for.

Textual 8.2.8 hands its output to a thread through a queue of 30 writes and waits where that is full: with a terminal
that is not read, as after ctrl+s or on a dead SSH line, the event loop stands, and with it polling and saving. Here the
queue takes everything, and whoever paints asks first whether the line is behind. What is not painted then is painted
once, as it stands, when the line is free again.
"""

from __future__ import annotations

import os
import select
import termios
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import IO, Any

from rich.console import RenderableType
from textual import events
from textual.app import App
from textual.drivers._writer_thread import WriterThread
from textual.drivers.linux_driver import LinuxDriver
from textual.screen import Screen

from eternal_tui.tui.compositor import draw_anew, touched_by
from eternal_tui.tui.graphics.probe import cell_of
from eternal_tui.tui.hang_up import InputEnd
from eternal_tui.tui.overlays import Overlays

PATIENCE = 0.1
"""Seconds for which a write may be under way before the line counts as behind."""

MOST_WAITING = 64 * 1024
"""Characters that may wait before the line counts as behind, however short they have waited."""

MOST_KEPT = 4 * 1024 * 1024
"""Characters kept for a line that stands still; what comes on top, such as titles for hours, is dropped."""

STOP_WITHIN = 1.0
"""Seconds the end of the program waits for what is still to be written."""


AS_IT_WAS = (
    b"\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l\x1b[?2004l\x1b[?7h\x1b[?2048l\x1b[<u"
    b"\x1b[?1049l\x1b[?25h\x1b[?1004l"
)
"""Undoes what Textual's driver asks of a terminal: mouse, paste, wrapping, resize reports, keyboard, screen, focus."""


class LinkWriter(WriterThread):
    """Writes in the background, taking everything at once; `on_free` is called in this thread after being behind."""

    def __init__(
        self, file: IO[str], on_free: Callable[[], object], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(file)
        self._waiting: SimpleQueue[str | None] = SimpleQueue()
        self._on_free = on_free
        self._monotonic = monotonic
        self._count = threading.Lock()
        self._characters = 0
        self._since = 0.0
        self._owed = False

    def write(self, text: str) -> None:
        """Take text to be written; returns at once."""
        with self._count:
            if self._characters > MOST_KEPT:
                return
            if not self._characters:
                self._since = self._monotonic()
            self._characters += len(text)
        self._waiting.put(text)

    def behind(self) -> bool:
        """Tell whether painting now would only add to what waits; `on_free` is called when it would not."""
        with self._count:
            late = self._characters and self._monotonic() - self._since > PATIENCE
            self._owed = bool(late or self._characters > MOST_WAITING)
            return self._owed

    def run(self) -> None:
        """Write until told to stop."""
        while (text := self._waiting.get()) is not None:
            self._file.write(text)
            if self._waiting.empty():
                self._file.flush()
            with self._count:
                self._characters -= len(text)
                self._since = self._monotonic()
                free, self._owed = self._owed and not self._characters, self._owed and bool(self._characters)
            if free:
                self._on_free()
        self._file.flush()

    def stop(self) -> None:
        """Write what waits and end, but do not wait for a line that stands still."""
        self._waiting.put(None)
        self.join(STOP_WITHIN)


class LinkDriver(LinuxDriver):
    """Textual's driver over a LinkWriter; `on_free` runs on the event loop when the line is free again."""

    on_free: Callable[[], object] | None = None
    _link: LinkWriter | None = None

    def __init__(self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self.exit_event = InputEnd()

    @property
    def _writer_thread(self) -> LinkWriter | None:
        return self._link

    @_writer_thread.setter
    def _writer_thread(self, thread: WriterThread | None) -> None:
        self._link = None if thread is None else LinkWriter(thread._file, self._free)

    def behind(self) -> bool:
        """Tell whether the terminal takes its time with what was written before."""
        return self._link is not None and self._link.behind()

    def release(self) -> None:
        """Give the terminal back as it was, from any thread, as far as it takes that at once."""
        with suppress(OSError, termios.error):
            if self.attrs_before is not None:
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
            # Waiting for a terminal that is not read would be the end of this end.
            if select.select([], [self.fileno], [], 0)[1]:
                os.write(self.fileno, AS_IT_WAS)

    def _free(self) -> None:
        if self.on_free is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.on_free)


class LinkApp(App[None]):
    """An app that paints no faster than the terminal takes it, and never waits for it."""

    def __init__(self) -> None:
        super().__init__(driver_class=LinkDriver)
        self._resized = False
        self.overlays = Overlays(self, self._write_raw, self._takes_more, self._cell_now)

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        """Write an update, or leave it out and paint everything once when the line is free again."""
        driver = self._driver
        if renderable is not None and isinstance(driver, LinkDriver):
            driver.on_free = self._catch_up
            if not self._takes_more():
                return
        super()._display(screen, renderable)
        if renderable is not None:
            self.overlays.displayed(touched_by(renderable))

    def _write_raw(self, sequence: str) -> None:
        if self._driver is not None:
            self._driver.write(sequence)

    def _cell_now(self) -> tuple[int, int]:
        return cell_of(self._driver.fileno) if isinstance(self._driver, LinkDriver) else (0, 0)

    def release_terminal(self) -> None:
        """Give the terminal back where the event loop no longer can; called from any thread, just before the end."""
        if isinstance(self._driver, LinkDriver):
            self._driver.release()

    def _takes_more(self) -> bool:
        return not (isinstance(self._driver, LinkDriver) and self._driver.behind())

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Hold the cursor of a text still: while nothing changes nothing is written."""
        widget: Any = event.widget
        if getattr(widget, "cursor_blink", False):
            widget.cursor_blink = False

    def on_resize(self, _: events.Resize) -> None:
        """Draw everything anew, also where the size is the same as before.

        A terminal that was made small and large again within a moment has lost what stood outside, and Textual, which
        sees one size, leaves it so.
        """
        first, self._resized = not self._resized, True
        if not first and self.screen_stack:
            draw_anew(self.screen)

    def _catch_up(self) -> None:
        if self.is_running and self.screen_stack:
            self.screen.refresh()
