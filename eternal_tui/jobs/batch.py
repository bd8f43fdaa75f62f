"""Many requests from one form: characters × prompts × settings × times, written out before anything is sent."""

from __future__ import annotations

import os
from collections.abc import Iterable

import msgspec

from eternal_tui.jobs.model import FileState, Job, JobState


def new_batch(requests: int) -> str:
    """Return the name that so many requests sent together carry in the history; a single one needs none."""
    return os.urandom(4).hex() if requests > 1 else ""


class BatchFigures(msgspec.Struct, frozen=True):
    """How a batch stands: its jobs, those with their file, those ended without one, those to decide, in percent.

    `cost` is the sum in credits of what is known or estimated, None where nothing is.
    """

    jobs: int
    done: int
    failed: int
    unclear: int
    percent: int
    cost: float | None

    @property
    def under_way(self) -> int:
        """Jobs that are still going on."""
        return self.jobs - self.done - self.failed - self.unclear


_ENDED_BADLY = frozenset({JobState.FAILED, JobState.REJECTED})
_UNCLEAR = frozenset({JobState.UNCONFIRMED, JobState.LOST})
_NO_FILE = frozenset({FileState.EXPIRED, FileState.BROKEN})


def figures(jobs: Iterable[Job]) -> BatchFigures:
    """Return how these jobs stand together."""
    count = done = failed = unclear = progress = 0
    costs: list[float] = []
    for job in jobs:
        count += 1
        ended = job.ended and not job.wants_file
        progress += 100 if ended else min(max(job.progress, 0), 99)
        failed += job.state in _ENDED_BADLY or job.file_state in _NO_FILE
        unclear += job.state in _UNCLEAR
        done += ended and job.state is JobState.SUCCEEDED and job.file_state not in _NO_FILE
        if job.cost is not None and job.state is not JobState.REJECTED:
            costs.append(job.cost)
    return BatchFigures(count, done, failed, unclear, progress // count if count else 0, sum(costs) if costs else None)
