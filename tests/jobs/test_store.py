"""What is told of a change, and with how many writes it reaches the disk."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import msgspec

from eternal_tui.history.history import History
from eternal_tui.history.journal import Change
from eternal_tui.jobs.model import Job
from tests.jobs.stores import open_ended_jobs


class WriteCountingHistory(History):
    """A real history that notes how many changes each write brought."""

    @cached_property
    def write_sizes(self) -> list[int]:
        """The changes of each write, oldest first."""
        return []

    def update_many(self, changes: Iterable[Change], *, durable: bool = True) -> None:
        """Note them and write them."""
        listed = list(changes)
        self.write_sizes.append(len(listed))
        super().update_many(listed, durable=durable)


def _with_poll(job: Job) -> Job:
    return msgspec.structs.replace(job, polls=job.polls + 1, last_running_age=12.5)


async def test_a_look_that_brought_nothing_new_is_kept_and_not_told(tmp_path: Path) -> None:
    """Seen to fail while every look was told: each of twenty jobs in view was drawn at each of its looks."""
    told: list[frozenset[int]] = []
    with open_ended_jobs(WriteCountingHistory, tmp_path, 2) as (roster, history):
        roster.subscribe(told.append)
        before = roster[1].polls
        roster.change_in_memory(1, _with_poll)
        assert told == []
        roster.change_in_memory(1, lambda job: msgspec.structs.replace(_with_poll(job), progress=7))
        assert told == [frozenset({1})]
        await roster.flush()
        assert (history.get(1) or {})["polls"] == before + 2


async def test_what_may_be_lost_is_written_together(tmp_path: Path) -> None:
    """Seen to fail with a write, a lock and a change of threads for each job."""
    with open_ended_jobs(WriteCountingHistory, tmp_path, 20) as (roster, history):
        for job in roster.newest_first():
            roster.change_in_memory(job.id, _with_poll)
        roster.change_in_memory(7, lambda job: msgspec.structs.replace(job, file="another.jpg"))
        assert await roster.flush() == [7]
        assert history.write_sizes == [19, 1]
        assert await roster.flush() == []
        assert (history.get(7) or {})["file"] == "another.jpg"
        assert {(history.get(number) or {})["seen_running"] for number in range(1, 21)} == {12.5}
