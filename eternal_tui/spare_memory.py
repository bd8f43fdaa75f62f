"""Memory that was freed, given back to the system."""

from __future__ import annotations

import sys


def give_back() -> None:
    """Give back what the C library keeps of memory that was freed: milliseconds, and only where it is glibc.

    It keeps the room of a large piece of work for the next one: 4 MB more of it stood free after 5,000 jobs than after
    500.
    """
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    # musl has no such call.
    if (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)
