"""How a process ends: told by a signal, heard at once, and gone when its work is done.

Everything that must survive is on disk before it is shown, so an end never has to finish anything.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import FrameType


class Ending:
    """Ends this process without taking the interpreter apart, when everything else that waits for its end is done.

    That teardown was measured to take 0.3 s of a processor for the app, a second and more on a busy machine, and
    nobody gains by it. Made before anything else registers at `atexit`, it comes after all of it.
    """

    def __init__(self) -> None:
        self._code: int | None = None
        atexit.register(self._end)

    def with_code(self, code: int) -> int:
        """Note the exit code and return it; without one the interpreter ends in its own way, with its traceback."""
        self._code = code
        return code

    def _end(self) -> None:
        if self._code is None:
            return
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(self._code)


def hear(numbers: Iterable[int], heard: Callable[[int], None]) -> Callable[[], None]:
    """Call `heard` with the number of each of these signals, in a thread of its own; return what ends that.

    A handler of the event loop's own waits until whatever the loop is busy with is done: on a busy machine most of a
    second, behind an editor for ever. One of Python's waits for the main thread, which does not wake where the kernel
    gave the signal to another.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    wanted = frozenset(numbers)
    before = {number: signal.signal(number, _heard_elsewhere) for number in wanted}
    earlier = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def listen() -> None:
        while (number := os.read(reading, 1)[0]) != _STOP:
            if number in wanted:
                heard(number)

    listening = threading.Thread(target=listen, name="signals", daemon=True)
    listening.start()

    def stop() -> None:
        signal.set_wakeup_fd(earlier)
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        os.write(writing, bytes([_STOP]))
        listening.join()
        os.close(reading)
        os.close(writing)

    return stop


_STOP = 0
"""No signal's number."""


def _heard_elsewhere(_number: int, _frame: FrameType | None) -> None:
    """Keep the signal from doing what it does by default; the thread that listens has its number."""


def cut_off_after(seconds: float, code: int, last_act: Callable[[], object] = lambda: None) -> None:
    """End the process with `code` in so many seconds, whatever hangs then; `last_act` may take a tenth of one."""

    def cut_off() -> None:
        _timer(0.1, os._exit, code)
        try:
            last_act()
        finally:
            os._exit(code)

    _timer(seconds, cut_off)


def _timer(seconds: float, act: Callable[..., object], *arguments: object) -> None:
    timer = threading.Timer(seconds, act, arguments)
    timer.daemon = True
    timer.start()
