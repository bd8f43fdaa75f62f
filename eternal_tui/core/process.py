"""Ctrl+C, signals, the end of the process, and the system's viewer.

What must survive is on disk before it is shown, so exiting never has to finish anything. Ctrl+C ends the process at
once, or raises KeyboardInterrupt where there is something to clean up: within an import, a destructor or the
interpreter's end that is a traceback, and now and then a crash.
"""

from __future__ import annotations

# Few imports, and not `signal`, which takes 3 ms: until then ctrl+c prints a traceback.
import _signal  # type: ignore[import-not-found]
import atexit
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path
    from types import FrameType

SIGINT_EXIT_CODE = 130
"""128 and SIGINT's number, as shells expect it."""


def exit_on_interrupt() -> None:
    """Let ctrl+C end the process from now on, without cleaning up; an ignored SIGINT stays ignored."""
    if _signal.getsignal(_signal.SIGINT) is not _signal.SIG_IGN:
        _signal.signal(_signal.SIGINT, _exit)


def raise_on_interrupt() -> None:
    """Let ctrl+C raise KeyboardInterrupt where `exit_on_interrupt` was called before."""
    if _signal.getsignal(_signal.SIGINT) is _exit:
        sys.unraisablehook = _exit_if_interrupted
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)


def _exit(_number: int, _frame: FrameType | None) -> None:
    os._exit(SIGINT_EXIT_CODE)


def _exit_if_interrupted(unraisable: sys.UnraisableHookArgs) -> None:
    """End the process on a KeyboardInterrupt in a destructor or callback, where Python ignores it."""
    if unraisable.exc_type is KeyboardInterrupt:
        os._exit(SIGINT_EXIT_CODE)
    sys.__unraisablehook__(unraisable)


def open_in_viewer(path: Path, environ: Mapping[str, str]) -> None:
    """Open a file with the system's own viewer, without a shell; raise OSError where there is none."""
    import subprocess
    import threading

    command = "open" if sys.platform == "darwin" else "xdg-open"
    try:
        viewer = subprocess.Popen(  # noqa: S603 - a fixed program and a path of our own making
            [command, str(path.resolve())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=dict(environ),
            start_new_session=True,
        )
    except OSError as error:
        raise FileNotFoundError(error.errno, f"{command} was not found", str(path)) from None
    # Reaped at its end, whenever that is.
    threading.Thread(target=viewer.wait, daemon=True, name="viewer").start()


class FastExit:
    """Ends this process without taking the interpreter apart, when everything else that waits for its end is done.

    That teardown was measured to take 0.3 s of a processor for the app, a second and more on a busy machine.
    Made before anything else registers at `atexit`, it comes after all of it.
    """

    def __init__(self) -> None:
        self._exit_code: int | None = None
        atexit.register(self._exit_now)

    def set_exit_code(self, code: int) -> int:
        """Note the exit code and return it; without one the interpreter ends in its own way, with its traceback."""
        self._exit_code = code
        return code

    def _exit_now(self) -> None:
        if self._exit_code is None:
            return
        from contextlib import suppress

        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(self._exit_code)


def on_signals(signal_numbers: Iterable[int], callback: Callable[[int], None]) -> Callable[[], None]:
    """Call `callback` with the number of each of these signals, in a thread of its own; return what ends that.

    A handler of the event loop's own waits until whatever the loop is busy with is done: on a busy machine most of a
    second, behind an editor for ever. One of Python's waits for the main thread, which does not wake where the kernel
    gave the signal to another.
    """
    import signal
    import threading

    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    wanted = frozenset(signal_numbers)
    before = {number: signal.signal(number, _ignore_signal) for number in wanted}
    earlier = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def listen() -> None:
        while (number := os.read(reading, 1)[0]) != _STOP_BYTE:
            if number in wanted:
                callback(number)

    listening = threading.Thread(target=listen, name="signals", daemon=True)
    listening.start()

    def stop() -> None:
        signal.set_wakeup_fd(earlier)
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        os.write(writing, bytes([_STOP_BYTE]))
        listening.join()
        os.close(reading)
        os.close(writing)

    return stop


_STOP_BYTE = 0
"""No signal's number."""


def _ignore_signal(_number: int, _frame: FrameType | None) -> None:
    """Suppress the default action of the signal; the listening thread gets its number."""


def hard_exit_after(seconds: float, code: int, cleanup: Callable[[], object] = lambda: None) -> None:
    """End the process with `code` after that many seconds, even if something hangs; `cleanup` may take 0.1 s."""

    def cut_off() -> None:
        _start_timer(0.1, os._exit, code)
        try:
            cleanup()
        finally:
            os._exit(code)

    _start_timer(seconds, cut_off)


def _start_timer(seconds: float, callback: Callable[..., object], *arguments: object) -> None:
    import threading

    timer = threading.Timer(seconds, callback, arguments)
    timer.daemon = True
    timer.start()
