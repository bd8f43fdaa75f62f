"""Which failed and rejected jobs `T` runs again, and which it leaves as they are."""

from __future__ import annotations

from typing import Any

from eternal_tui.jobs.batch import find_retryable
from eternal_tui.jobs.model import FileState, Job, JobState
from tests.tui.jobs import NOW, make_job


def _ended_job(job_id: int, state: JobState, **fields: Any) -> Job:
    return make_job(job_id, state=state, created_at=NOW + job_id, finished_at=NOW + job_id + 0.5, **fields)


def test_what_failed_or_was_not_taken_is_run_again() -> None:
    """Seen to fail with only the failed ones taken, and with those refused for their prompt among them."""
    failed = _ended_job(1, JobState.FAILED, prompt="one")
    passing = [
        _ended_job(number, JobState.REJECTED, prompt=cause, cause=cause)
        for number, cause in enumerate(("key", "credits", "unreachable", "stopped", "cap"), start=2)
    ]
    refused = _ended_job(8, JobState.REJECTED, prompt="two", cause="refused")
    others = [
        _ended_job(9, JobState.SUCCEEDED, prompt="three", file_state=FileState.SAVED),
        _ended_job(10, JobState.UNCONFIRMED, prompt="four"),
        _ended_job(11, JobState.LOST, prompt="five"),
        make_job(12, prompt="six", state=JobState.RUNNING),
        make_job(13, prompt="seven", kind="character", state=JobState.FAILED),
    ]
    every = [*others, refused, *passing, failed]
    found = find_retryable(every, every)
    assert found.retryable == (failed, *passing)
    assert found.rejected == (refused,)
    assert found.retried == ()


def test_what_was_run_again_since_is_not_paid_twice() -> None:
    """Seen to fail without a look at later jobs: a second press of T sent all of them once more."""
    first, again = _ended_job(1, JobState.FAILED), _ended_job(2, JobState.SUCCEEDED, file_state=FileState.SAVED)
    assert find_retryable([first], [again, first]).retried == (first,)
    # One that failed again stands for both.
    second = _ended_job(3, JobState.FAILED)
    found = find_retryable([first, second], [second, first])
    assert (found.retryable, found.retried) == ((second,), (first,))


def test_jobs_sent_together_are_no_runs_of_each_other() -> None:
    """Seen to fail with any later job of the same request taken for a run again: one of three was."""
    three = [_ended_job(number, JobState.FAILED, batch="b") for number in (1, 2, 3)]
    assert find_retryable(three, three[::-1]).retryable == tuple(three)
    # Nor is one that was sent before the first had failed.
    slow = make_job(1, state=JobState.FAILED, created_at=NOW, finished_at=NOW + 60)
    beside = make_job(2, state=JobState.FAILED, created_at=NOW + 5, finished_at=NOW + 65)
    assert find_retryable([slow, beside], [beside, slow]).retryable == (slow, beside)
