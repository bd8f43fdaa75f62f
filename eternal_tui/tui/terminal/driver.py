"""The line to the terminal: written by a thread of its own, which nothing waits for.

Textual 8.2.8 hands its output to a thread through a queue of 30 writes and waits where that is full: with a terminal
that is not read, as after ctrl+s or on a dead SSH line, the event loop stands, and with it polling and saving. Here the
queue takes everything, and whoever paints asks first how much the line takes. What is not painted then is painted
once, as it stands, when the line is free again: words first, pictures row by row after them.
"""

from __future__ import annotations

import asyncio
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
from textual.message import Message
from textual.screen import Screen

from eternal_tui.tui.graphics.probe import cell_of
from eternal_tui.tui.terminal.compositor import CellCompositor, PartialUpdate, draw_anew, touched_by
from eternal_tui.tui.terminal.flow_control import ANSWER_WITHIN, MOST, Flow, ask, in_pieces
from eternal_tui.tui.terminal.hangup import InputEnd
from eternal_tui.tui.terminal.overlays import Overlays

MOST_KEPT = 4 * 1024 * 1024
"""Characters kept for a line that stands still; what comes on top, such as titles for hours, is dropped."""

SETTLE_WITHIN = 0.4
"""Seconds for which answers are waited for before somebody else gets the terminal."""

STOP_WITHIN = 1.0
"""Seconds the end of the program waits for what is still to be written."""


AS_IT_WAS = (
    b"\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l\x1b[?2004l\x1b[?7h\x1b[?2048l\x1b[<u"
    b"\x1b[?1049l\x1b[?25h\x1b[?1004l"
)
"""Undoes what Textual's driver asks of a terminal: mouse, paste, wrapping, resize reports, keyboard, screen, focus."""


class LinkWriter(WriterThread):
    """Writes in the background, taking everything at once; `on_free` is called in a thread after being behind."""

    def __init__(self, file: IO[str], flow: Flow, on_free: Callable[[], object]) -> None:
        super().__init__(file)
        self._waiting: SimpleQueue[tuple[str, str] | None] = SimpleQueue()
        self._on_free = on_free
        self._flow = flow
        self._count = threading.Condition()
        self._owed = False

    def write(self, text: str) -> None:
        """Take text to be written; returns at once."""
        with self._count:
            if self._flow.waiting > MOST_KEPT:
                return
            pieces = in_pieces(text) if self._flow.asks else [text]
            asked = [(piece, self._flow.send(len(piece))) for piece in pieces]
        for piece, number in asked:
            self._waiting.put((piece, ask(number) if number else ""))

    def room(self) -> int:
        """Return how many characters may be painted now; `on_free` is called when more may, where that was too few."""
        with self._count:
            room = self._flow.room()
            self._owed = self._owed or not room
            return room

    def owe(self) -> None:
        """Have `on_free` called when more may be painted."""
        with self._count:
            self._owed = True

    def answered(self, number: int) -> None:
        """Note that the terminal has answered."""
        with self._count:
            self._flow.answered(number)
        self._tell_free()

    def run(self) -> None:
        """Write until told to stop."""
        while (taken := self._waiting.get()) is not None:
            text, question = taken
            self._file.write(text + question)
            if self._waiting.empty():
                self._file.flush()
            with self._count:
                self._flow.wrote(len(text))
            self._tell_free()
        self._file.flush()

    def _tell_free(self) -> None:
        with self._count:
            self._count.notify_all()
            free = self._owed and self._flow.room() > 0
            self._owed = self._owed and not free
        if free:
            self._on_free()

    def settle(self) -> None:
        """Wait for answers that are on their way: they are not for who has the terminal next."""
        with self._count:
            self._count.wait_for(lambda: not self._flow.expects, SETTLE_WITHIN)
            self._flow.forget()

    def stop(self) -> None:
        """Write what waits and end, but do not wait for a line that stands still."""
        self._waiting.put(None)
        self.join(STOP_WITHIN)


class LinkDriver(LinuxDriver):
    """Textual's driver over a LinkWriter; `on_free` runs on the event loop when the line is free again."""

    on_free: Callable[[], object] | None = None
    _link: LinkWriter | None = None
    _flow: Flow | None = None

    def __init__(self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self.exit_event = InputEnd()

    @property
    def _writer_thread(self) -> LinkWriter | None:
        return self._link

    @_writer_thread.setter
    def _writer_thread(self, thread: WriterThread | None) -> None:
        if self._flow is None:
            self._flow = Flow(time.monotonic, far=isinstance(self._app, LinkApp) and self._app.far)
        self._link = None if thread is None else LinkWriter(thread._file, self._flow, self._free)

    def room(self) -> int:
        """Return how many characters the line takes now; MOST is no limit."""
        return MOST if self._link is None else self._link.room()

    def owe(self) -> None:
        """Have `on_free` called when the line takes more."""
        if self._link is not None:
            self._link.owe()

    def behind(self) -> bool:
        """Tell whether the terminal takes its time with what was written before."""
        return not self.room()

    def process_message(self, message: Message) -> None:
        """Take the terminal's answers to what this asks it; everything else is the app's."""
        if isinstance(message, events.CursorPosition) and self._link is not None:
            self._link.answered(message.x + 1)
        else:
            super().process_message(message)

    def disable_input(self) -> None:
        """Read no more, once what the terminal was asked is answered."""
        if self._link is not None:
            self._link.settle()
        super().disable_input()

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
    """An app that paints no faster than the terminal takes it, and never waits for it.

    `far` tells that the terminal is behind a line that may be slow.
    """

    def __init__(self, *, far: bool = False) -> None:
        super().__init__(driver_class=LinkDriver)
        self.far = far
        self._resized = self._missed = False
        self._again: asyncio.TimerHandle | None = None
        self.overlays = Overlays(self, self._write_raw, self._takes_more, self._cell_now)

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        """Write as much of an update as the line takes; the rest is painted when it is free, as it stands then."""
        driver = self._driver
        if renderable is None or self._batch_count or not isinstance(driver, LinkDriver):
            super()._display(screen, renderable)
            return
        driver.on_free = self._catch_up
        room, compositor = driver.room(), screen._compositor
        update = renderable if isinstance(renderable, PartialUpdate) else None
        if update is not None and room < MOST:
            update.room = room
        if room:
            super()._display(screen, renderable)
            self.overlays.displayed(touched_by(renderable))
        if update is not None and isinstance(compositor, CellCompositor):
            if not (left := update.left_over()):
                return
            compositor.owe(left)
        elif room:
            return
        else:
            self._missed = True
        driver.owe()
        self._look_again()

    def _look_again(self) -> None:
        """Paint what is owed also where an answer is lost that would have said when."""
        if self._again is None and self.far:
            self._again = asyncio.get_running_loop().call_later(ANSWER_WITHIN + 0.1, self._catch_up)

    def _catch_up(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if not self.is_running or not self.screen_stack:
            return
        if self._missed:
            self._missed = False
            self.screen.refresh()
        elif not self._batch_count:
            self.screen._compositor_refresh()

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
