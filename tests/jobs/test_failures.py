"""Which failed and rejected jobs `T` runs again, and which it leaves as they are."""

from __future__ import annotations

from typing import Any

from eternal_tui.jobs.batch import failures
from eternal_tui.jobs.model import FileState, Job, JobState
from tests.tui.jobs import NOW, a_job


def _ended(job_id: int, state: JobState, **fields: Any) -> Job:
    return a_job(job_id, state=state, created_at=NOW + job_id, finished_at=NOW + job_id + 0.5, **fields)


def test_what_failed_or_was_not_taken_is_run_again() -> None:
    """Seen to fail with only the failed ones taken, and with those refused for their prompt among them."""
    failed = _ended(1, JobState.FAILED, prompt="one")
    passing = [
        _ended(number, JobState.REJECTED, prompt=cause, cause=cause)
        for number, cause in enumerate(("key", "credits", "unreachable", "stopped", "cap"), start=2)
    ]
    refused = _ended(8, JobState.REJECTED, prompt="two", cause="refused")
    others = [
        _ended(9, JobState.SUCCEEDED, prompt="three", file_state=FileState.SAVED),
        _ended(10, JobState.UNCONFIRMED, prompt="four"),
        _ended(11, JobState.LOST, prompt="five"),
        a_job(12, prompt="six", state=JobState.RUNNING),
        a_job(13, prompt="seven", kind="character", state=JobState.FAILED),
    ]
    every = [*others, refused, *passing, failed]
    found = failures(every, every)
    assert found.open == (failed, *passing)
    assert found.refused == (refused,)
    assert found.run_since == ()


def test_what_was_run_again_since_is_not_paid_twice() -> None:
    """Seen to fail without a look at later jobs: a second press of T sent all of them once more."""
    first, again = _ended(1, JobState.FAILED), _ended(2, JobState.SUCCEEDED, file_state=FileState.SAVED)
    assert failures([first], [again, first]).run_since == (first,)
    # One that failed again stands for both.
    second = _ended(3, JobState.FAILED)
    found = failures([first, second], [second, first])
    assert (found.open, found.run_since) == ((second,), (first,))


def test_jobs_sent_together_are_no_runs_of_each_other() -> None:
    """Seen to fail with any later job of the same request taken for a run again: one of three was."""
    three = [_ended(number, JobState.FAILED, batch="b") for number in (1, 2, 3)]
    assert failures(three, three[::-1]).open == tuple(three)
    # Nor is one that was sent before the first had failed.
    slow = a_job(1, state=JobState.FAILED, created_at=NOW, finished_at=NOW + 60)
    beside = a_job(2, state=JobState.FAILED, created_at=NOW + 5, finished_at=NOW + 65)
    assert failures([slow, beside], [beside, slow]).open == (slow, beside)
