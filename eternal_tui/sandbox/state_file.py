"""What a sandbox remembers from one run to the next, so that a demo left with jobs under way can be returned to."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

import msgspec

from eternal_tui.sandbox.faults import Fault
from eternal_tui.sandbox.simulator import ProgressShape, SandboxJob
from eternal_tui.sandbox.validation import Order

MOST_JOBS = 10_000
"""Jobs remembered, the newest: a demo played with for weeks stays a small file."""

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW


class _Job(msgspec.Struct, frozen=True):
    request_id: str
    order: Order
    created_at: float
    takes: float
    shape: ProgressShape
    faults: tuple[Fault, ...]


class _Kept(msgspec.Struct, frozen=True):
    credits: str
    jobs: tuple[_Job, ...]


class Memory:
    """A file with the credits and every accepted order; written whole after each, read once at the start.

    Unreadable memory is forgotten: it belongs to a demo.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def recall(self) -> tuple[Decimal, list[SandboxJob]] | None:
        """Return the credits and the jobs that were kept, None where there is nothing readable."""
        try:
            kept = msgspec.json.decode(self._path.read_bytes(), type=_Kept)
            credits_left = Decimal(kept.credits)
        except (OSError, msgspec.MsgspecError, InvalidOperation):
            return None
        return credits_left, [
            SandboxJob(
                request_id=each.request_id,
                order=each.order,
                created_at=each.created_at,
                takes=each.takes,
                shape=each.shape,
                faults=set(each.faults),
            )
            for each in kept.jobs
        ]

    def check(self) -> None:
        """Raise OSError where nothing can be kept under this path."""
        if self._path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(self._path))
        fresh = self._fresh()
        os.close(os.open(fresh, _FLAGS, 0o600))
        fresh.unlink()

    def keep(self, credits_left: Decimal, every: Sequence[SandboxJob]) -> None:
        """Write the state of a sandbox; raises OSError."""
        newest = every[-MOST_JOBS:]
        jobs = tuple(
            _Job(job.request_id, job.order, job.created_at, job.takes, job.shape, tuple(sorted(job.faults)))
            for job in newest
        )
        fresh = self._fresh()
        with os.fdopen(os.open(fresh, _FLAGS, 0o600), "wb") as file:
            file.write(msgspec.json.encode(_Kept(str(credits_left), jobs)))
        fresh.replace(self._path)

    def _fresh(self) -> Path:
        return self._path.with_name(f".{self._path.name}.{os.getpid()}")
