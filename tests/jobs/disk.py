"""A disk that can be told to refuse, under a real history."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.history.faults import WRITE_CALLS, UnsyncedFileSystem


class FailingCallsFileSystem(UnsyncedFileSystem):
    """The real calls without waiting for the disk; while `errno` is set, `failing_calls` of them fail with it.

    `calls_before_failure` calls of those kinds are let through first.
    """

    def __init__(self) -> None:
        super().__init__()
        self.errno = 0
        self.failing_calls = WRITE_CALLS
        self.calls_before_failure = 0

    @contextmanager
    def fail_calls(
        self, errno: int, failing_calls: frozenset[str] = WRITE_CALLS, *, calls_before_failure: int = 0
    ) -> Iterator[None]:
        """Refuse for the block."""
        self.errno, self.failing_calls, self.calls_before_failure = errno, failing_calls, calls_before_failure
        try:
            yield
        finally:
            self.errno = 0

    def check(self, name: str) -> None:
        """Raise where this call is to fail."""
        if self.errno and name in self.failing_calls:
            if self.calls_before_failure:
                self.calls_before_failure -= 1
            else:
                raise OSError(self.errno, os.strerror(self.errno))


def _checked_call(name: str) -> Any:
    def call(self: FailingCallsFileSystem, *args: Any, **kwargs: Any) -> Any:
        self.check(name)
        return getattr(super(FailingCallsFileSystem, self), name)(*args, **kwargs)

    return call


for _name in (*sorted(WRITE_CALLS), "try_lock", "stat", "fstat", "read"):
    setattr(FailingCallsFileSystem, _name, _checked_call(_name))
