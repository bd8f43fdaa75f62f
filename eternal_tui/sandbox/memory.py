"""What a sandbox remembers from one run to the next, so that a demo left with jobs under way can be returned to."""

from __future__ import annotations

import contextlib
import os
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from eternal_tui.sandbox.engine import ProgressShape, SandboxJob
from eternal_tui.sandbox.faults import Fault
from eternal_tui.sandbox.rules import Order

if TYPE_CHECKING:
    from eternal_tui.sandbox.service import Service

MOST_JOBS = 10_000
"""Jobs remembered, the newest: a demo played with for weeks stays a small file."""


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

    def recall(self, service: Service) -> None:
        """Put what was kept into a new service."""
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            kept = msgspec.json.decode(self._path.read_bytes(), type=_Kept)
            service.credits = Decimal(kept.credits)
            for each in kept.jobs:
                service.engine.jobs[each.request_id] = SandboxJob(
                    request_id=each.request_id,
                    order=each.order,
                    created_at=each.created_at,
                    takes=each.takes,
                    shape=each.shape,
                    faults=set(each.faults),
                )

    def keep(self, service: Service) -> None:
        """Write the state of a service; raises OSError."""
        newest = tuple(service.engine.jobs.values())[-MOST_JOBS:]
        jobs = tuple(
            _Job(job.request_id, job.order, job.created_at, job.takes, job.shape, tuple(sorted(job.faults)))
            for job in newest
        )
        fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(_Kept(str(service.credits), jobs)))
        fresh.replace(self._path)
