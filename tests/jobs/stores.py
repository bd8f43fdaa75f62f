"""A store over a real history of ended jobs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from eternal_tui.history.history import History
from eternal_tui.jobs.model import to_record
from eternal_tui.jobs.store import JobStore
from tests.benchmarks.full_history import ended_job

NOW = 1_700_000_000.0

H = TypeVar("H", bound=History)


@contextmanager
def open_ended_jobs(
    history_type: type[H], folder: Path, count: int, *, compact: bool = False
) -> Iterator[tuple[JobStore, H]]:
    """Open a history of that kind with ended jobs from 1 to `count`, and a store that has read them."""
    history = history_type.open(folder)
    store = JobStore(history)
    try:
        history.add_many(to_record(ended_job(number, count, NOW)) for number in range(1, count + 1))
        store.load(history.recent(count), compact=compact)
        yield store, history
    finally:
        store.close()
        history.close(compact=False)
