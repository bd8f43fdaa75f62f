"""Whether the terminal is still there: not every hang-up sends a signal."""

from __future__ import annotations

import select
import sys
import threading


def is_hung_up() -> bool:
    """Tell whether standard input was a terminal that has hung up."""
    stdin = sys.__stdin__
    if stdin is None or not hasattr(select, "poll"):
        return False
    try:
        descriptor = stdin.fileno()
    except (OSError, ValueError):
        return False
    poller = select.poll()
    poller.register(descriptor, select.POLLHUP | select.POLLERR)
    return any(event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in poller.poll(0))


class HangupEvent(threading.Event):
    """What the thread that reads keys looks at before each read, set by whoever ends it and by a hang-up.

    Of a terminal that is gone Textual reads the end over and over, with all of a processor, while the rest of the
    program tries to leave.
    """

    def is_set(self) -> bool:
        """Tell whether to read no more."""
        return super().is_set() or is_hung_up()
