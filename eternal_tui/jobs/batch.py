"""Many requests from one form: characters × prompts × settings × times, written out before anything is sent."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import product

import msgspec

from eternal_tui.api.request import GenerateRequest, MediaType, Quality
from eternal_tui.jobs.job import FileState, Job, JobState

MAX_TIMES = 20
MAX_REQUESTS = 100
"""The most one submit may send: a slip of the hand in a matrix must not empty an account."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a request says beside its character and prompt; fields that do not apply to the type stay None."""

    type: MediaType
    duration: int | None = None
    audio: bool | None = None
    quality: Quality | None = None


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be combined with what: each combination is sent `times` times."""

    characters: tuple[str, ...]
    prompts: tuple[str, ...]
    settings: tuple[Settings, ...]
    times: int = 1

    def __len__(self) -> int:
        return len(self.characters) * len(self.prompts) * len(self.settings) * self.times


class TooManyRequests(ValueError):
    """A matrix of more than MAX_REQUESTS, or a count outside 1–MAX_TIMES. Nothing was sent."""


def expand(matrix: Matrix) -> list[GenerateRequest]:
    """Return every request of the matrix, repetitions side by side, in the order it was written.

    Raises TooManyRequests before anything is built.
    """
    if not 1 <= matrix.times <= MAX_TIMES:
        raise TooManyRequests(f"Each request can be sent 1 to {MAX_TIMES} times.")
    if len(matrix) > MAX_REQUESTS:
        raise TooManyRequests(f"That makes {len(matrix)} requests; one submit sends {MAX_REQUESTS} at most.")
    combinations = product(matrix.characters, matrix.prompts, matrix.settings, range(matrix.times))
    return [
        GenerateRequest(character=character, prompt=prompt, **msgspec.structs.asdict(settings))
        for character, prompt, settings, _ in combinations
    ]


def one_a_line(text: str) -> tuple[str, ...]:
    """Return the prompts of a text that holds one on each line; blank lines are none."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())


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
