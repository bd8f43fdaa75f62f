"""What ctrl+C does to this process: end it at once, or raise KeyboardInterrupt where there is something to clean up.

A KeyboardInterrupt within an import, a destructor or the interpreter's end is a traceback, and now and then a crash.
"""

from __future__ import annotations

# Not `signal`, which takes 3 ms in which ctrl+C is a traceback.
import _signal as signal  # type: ignore[import-not-found]
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

SIGINT_EXIT_CODE = 130
"""128 and SIGINT's number, as shells expect it."""


def exit_on_interrupt() -> None:
    """Let ctrl+C end the process from now on, without cleaning up; an ignored SIGINT stays ignored."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _exit)


def raise_on_interrupt() -> None:
    """Let ctrl+C raise KeyboardInterrupt where `exit_on_interrupt` was called before."""
    if signal.getsignal(signal.SIGINT) is _exit:
        sys.unraisablehook = _exit_if_interrupted
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _exit(_number: int, _frame: FrameType | None) -> None:
    os._exit(SIGINT_EXIT_CODE)


def _exit_if_interrupted(unraisable: sys.UnraisableHookArgs) -> None:
    """A KeyboardInterrupt within a destructor or callback goes nowhere: end here."""
    if unraisable.exc_type is KeyboardInterrupt:
        os._exit(SIGINT_EXIT_CODE)
    sys.__unraisablehook__(unraisable)
