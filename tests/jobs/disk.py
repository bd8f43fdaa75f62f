"""A disk that can be told to refuse, under a real history."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.history.faults import CHANGING, SwiftFiles


class RefusingFiles(SwiftFiles):
    """The real calls without waiting for the disk; while `errno` is set, `kinds` of them fail with it.

    `after` calls of those kinds are let through first.
    """

    def __init__(self) -> None:
        super().__init__()
        self.errno = 0
        self.kinds = CHANGING
        self.after = 0

    @contextmanager
    def refusing(self, errno: int, kinds: frozenset[str] = CHANGING, *, after: int = 0) -> Iterator[None]:
        """Refuse for the block."""
        self.errno, self.kinds, self.after = errno, kinds, after
        try:
            yield
        finally:
            self.errno = 0

    def check(self, name: str) -> None:
        """Raise where this call is to fail."""
        if self.errno and name in self.kinds:
            if self.after:
                self.after -= 1
            else:
                raise OSError(self.errno, os.strerror(self.errno))


def _checked(name: str) -> Any:
    def call(self: RefusingFiles, *args: Any, **kwargs: Any) -> Any:
        self.check(name)
        return getattr(super(RefusingFiles, self), name)(*args, **kwargs)

    return call


for _name in (*sorted(CHANGING), "lock", "stat", "fstat", "read"):
    setattr(RefusingFiles, _name, _checked(_name))
