"""Driver whose output never blocks the event loop.

Textual 8.2.8 passes output to a thread through a queue of 30 writes and blocks where that is full: with a terminal that
is not read, as after ctrl+s or on a dead SSH connection, polling and saving stop. Here the queue is unbounded, and each
update is cut to what the terminal takes now. The rest is painted in its newest state later: text first, then pictures.
"""

from __future__ import annotations

import os
import select
import sys
import termios
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import IO, TYPE_CHECKING

from textual import events
from textual.drivers._writer_thread import WriterThread
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from eternal_tui.tui.terminal.flow_control import FlowController, cursor_query, split_chunks
from eternal_tui.tui.terminal.guard import RESET_SEQUENCE, Changed
from eternal_tui.tui.terminal.input_parser import InputParser

if TYPE_CHECKING:
    from eternal_tui.tui.terminal.base_app import TerminalApp

MAX_QUEUED_CHARS = 4 * 1024 * 1024
"""Characters queued for a terminal that is not read; output beyond them is dropped."""

REPLY_WAIT_SECONDS = 0.4
"""Wait for pending replies before another program gets the terminal."""

INPUT_POLL_SECONDS = 0.1
"""Interval at which the input thread checks whether to stop."""

INPUT_CHUNK_BYTES = 4096

STOP_TIMEOUT_SECONDS = 1.0
"""Wait for queued output at exit."""


def is_hung_up() -> bool:
    """Whether standard input was a terminal that has hung up; not every hang-up sends a signal."""
    poller = select.poll()
    # The mask is empty: hang-ups and errors are reported without being asked for.
    poller.register(0, 0)
    return bool(poller.poll(0))


class HangupEvent(threading.Event):
    """Event that ends the input thread; also set by a hang-up, after which Textual would read end of file for ever."""

    def is_set(self) -> bool:
        return super().is_set() or is_hung_up()


class BackgroundWriter(WriterThread):
    """Writer thread with an unbounded queue; calls `on_writable`, in that thread, when a congested terminal is free."""

    def __init__(self, file: IO[str], flow_controller: FlowController, on_writable: Callable[[], object]) -> None:
        super().__init__(file)
        self._pending_writes: SimpleQueue[tuple[str, str] | None] = SimpleQueue()
        self._on_writable = on_writable
        self._flow_controller = flow_controller
        self._condition = threading.Condition()
        self._wakeup_requested = False

    def write(self, text: str) -> None:
        with self._condition:
            if self._flow_controller.unwritten > MAX_QUEUED_CHARS:
                return
            chunks = split_chunks(text) if self._flow_controller.uses_probes else [text]
            columns = [self._flow_controller.record_send(len(chunk)) for chunk in chunks]
        for chunk, column in zip(chunks, columns, strict=True):
            self._pending_writes.put((chunk, cursor_query(column) if column else ""))

    def available(self) -> int:
        """Return how many characters may be written now."""
        with self._condition:
            return self._flow_controller.available()

    def request_wakeup(self) -> None:
        """Have `on_writable` called when more may be written."""
        with self._condition:
            self._wakeup_requested = True

    def record_reply(self, column: int) -> None:
        """Record a cursor report."""
        with self._condition:
            self._flow_controller.record_reply(column)
        self._notify_writable()

    def run(self) -> None:
        """Write until stopped."""
        while (entry := self._pending_writes.get()) is not None:
            text, query = entry
            self._file.write(text + query)
            if self._pending_writes.empty():
                self._file.flush()
            with self._condition:
                self._flow_controller.record_write(len(text))
            self._notify_writable()
        self._file.flush()

    def _notify_writable(self) -> None:
        with self._condition:
            self._condition.notify_all()
            is_free = self._wakeup_requested and self._flow_controller.available() > 0
            self._wakeup_requested = self._wakeup_requested and not is_free
        if is_free:
            self._on_writable()

    def wait_for_replies(self) -> None:
        """Wait for pending replies, which the next program on the terminal must not get."""
        with self._condition:
            self._condition.wait_for(lambda: not self._flow_controller.is_awaiting_reply, REPLY_WAIT_SECONDS)
            self._flow_controller.reset()

    def stop(self) -> None:
        """Write what is queued and end; give up after STOP_TIMEOUT_SECONDS."""
        self._pending_writes.put(None)
        self.join(STOP_TIMEOUT_SECONDS)


class FlowControlledDriver(LinuxDriver):
    """Textual's driver with a BackgroundWriter."""

    _app: TerminalApp
    _background_writer: BackgroundWriter | None = None

    def __init__(self, app: TerminalApp, *, debug: bool, mouse: bool, size: tuple[int, int] | None) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        # The stream that was checked to be a terminal; Textual would use standard error.
        self._file = sys.__stdout__
        self.exit_event = HangupEvent()
        self._flow_controller = FlowController(time.monotonic, remote=app.remote)
        self._input_parser = InputParser(remote=app.remote)
        # Keys pressed before the first screen are dropped; a reply may have its second half still to come.
        deque(self._input_parser.feed(app.unread_input, time.monotonic()), maxlen=0)

    def _get_terminal_size(self) -> tuple[int, int]:
        try:
            columns, rows = os.get_terminal_size(self.fileno)
        except OSError:
            return 80, 24
        return columns or 80, rows or 24

    def _query_in_band_window_resize(self) -> None:
        """Request no resize reports: SIGWINCH suffices, and a faked report would turn it off."""

    @property
    def _writer_thread(self) -> BackgroundWriter | None:
        return self._background_writer

    @_writer_thread.setter
    def _writer_thread(self, thread: WriterThread | None) -> None:
        self._background_writer = (
            None if thread is None else BackgroundWriter(thread._file, self._flow_controller, self._notify_writable)
        )

    def write(self, data: str) -> None:
        """Write; drop titles and bells while another program has the terminal."""
        if self._background_writer is not None:
            self._background_writer.write(data)

    def close(self) -> None:
        super().close()
        self._background_writer = None

    def available(self) -> int:
        """Return how many characters may be written now."""
        return sys.maxsize if self._background_writer is None else self._background_writer.available()

    def request_wakeup(self) -> None:
        if self._background_writer is not None:
            self._background_writer.request_wakeup()

    def run_input_thread(self) -> None:
        """Read and parse until stopped or hung up."""
        parser = self._input_parser
        while not self.exit_event.is_set():
            wait = parser.timeout(time.monotonic())
            seconds = INPUT_POLL_SECONDS if wait is None else min(wait, INPUT_POLL_SECONDS)
            if not select.select([self.fileno], [], [], seconds)[0]:
                messages = parser.tick(time.monotonic())
            elif data := os.read(self.fileno, INPUT_CHUNK_BYTES):
                messages = parser.feed(data, time.monotonic())
            else:
                return
            for message in messages:
                self.process_message(message)

    def _run_input_thread(self) -> None:
        """End the app where its keys can no longer be read."""
        try:
            self.run_input_thread()
        except Exception as error:  # noqa: BLE001 - reported by the app
            if not is_hung_up():
                with suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(self._app._handle_exception, error)

    def process_message(self, message: Message) -> None:
        """Handle replies to our cursor queries; pass on everything else."""
        if isinstance(message, events.CursorPosition) and self._background_writer is not None:
            self._background_writer.record_reply(message.x + 1)
            if self._app.remote:
                self._input_parser.note_delay(self._flow_controller.min_round_trip)
        else:
            super().process_message(message)

    def start_application_mode(self) -> None:
        """Notify the guard, then set up the terminal."""
        self._note_changed("screen")
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def stop_application_mode(self) -> None:
        super().stop_application_mode()
        self._note_changed("nothing")

    def _note_changed(self, changed: Changed) -> None:
        if self._app.guard is not None:
            self._app.guard.note(changed)

    def disable_input(self) -> None:
        """Stop reading, after pending replies."""
        if self._background_writer is not None:
            self._background_writer.wait_for_replies()
        super().disable_input()

    def restore_terminal(self) -> None:
        """Restore the terminal, from any thread, without waiting for it."""
        with suppress(OSError, termios.error):
            if self.attrs_before is not None:
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
            # A write to a terminal that is not read would block.
            if select.select([], [self.fileno], [], 0)[1]:
                os.write(self.fileno, RESET_SEQUENCE.encode())
                self._note_changed("nothing")

    def _notify_writable(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._app.repaint_deferred)
