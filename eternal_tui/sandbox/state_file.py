"""The state a sandbox keeps between runs, so that a demo left with running jobs can be continued."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

import msgspec

from eternal_tui.sandbox.characters import Character
from eternal_tui.sandbox.faults import Fault
from eternal_tui.sandbox.simulator import ProgressShape, SandboxJob
from eternal_tui.sandbox.validation import ParsedRequest

MAX_JOBS = 10_000
"""Jobs remembered, the newest: a demo played with for weeks stays a small file."""

_OPEN_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW


class _StoredJob(msgspec.Struct, frozen=True):
    request_id: str
    request: ParsedRequest = msgspec.field(name="order")
    created_at: float
    run_seconds: float = msgspec.field(name="takes")
    shape: ProgressShape
    faults: tuple[Fault, ...]


class _StoredState(msgspec.Struct, frozen=True):
    credits: str
    jobs: tuple[_StoredJob, ...]
    characters: tuple[Character, ...] = ()


class StateFile:
    """A file with credits, jobs and created characters; written whole after each paid request, read at the start.

    Unreadable memory is forgotten: it belongs to a demo.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> tuple[Decimal, list[SandboxJob], tuple[Character, ...]] | None:
        """Return credits, jobs and created characters, None where there is nothing readable."""
        try:
            kept = msgspec.json.decode(self._path.read_bytes(), type=_StoredState)
            credits_left = Decimal(kept.credits)
        except (OSError, msgspec.MsgspecError, InvalidOperation):
            return None
        jobs = [
            SandboxJob(
                request_id=each.request_id,
                request=each.request,
                created_at=each.created_at,
                run_seconds=each.run_seconds,
                shape=each.shape,
                faults=set(each.faults),
            )
            for each in kept.jobs
        ]
        return credits_left, jobs, kept.characters

    def check_writable(self) -> None:
        """Raise OSError where nothing can be kept under this path."""
        if self._path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(self._path))
        fresh = self._temporary_path()
        os.close(os.open(fresh, _OPEN_FLAGS, 0o600))
        fresh.unlink()

    def save(self, credits_left: Decimal, all_jobs: Sequence[SandboxJob], characters: Sequence[Character]) -> None:
        """Write the state of a sandbox; raises OSError."""
        newest = all_jobs[-MAX_JOBS:]
        jobs = tuple(
            _StoredJob(
                job.request_id, job.request, job.created_at, job.run_seconds, job.shape, tuple(sorted(job.faults))
            )
            for job in newest
        )
        fresh = self._temporary_path()
        with os.fdopen(os.open(fresh, _OPEN_FLAGS, 0o600), "wb") as file:
            file.write(msgspec.json.encode(_StoredState(str(credits_left), jobs, tuple(characters))))
        fresh.replace(self._path)

    def _temporary_path(self) -> Path:
        return self._path.with_name(f".{self._path.name}.{os.getpid()}")
