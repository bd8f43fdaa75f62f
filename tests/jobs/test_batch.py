"""Batches: summaries, and which failed jobs `T` runs again."""

from __future__ import annotations

from typing import Any

import pytest

from eternal_tui.drafts.expansion import split_lines
from eternal_tui.jobs.batch import BatchSummary, find_retryable, new_batch_id, summarize
from eternal_tui.jobs.model import FileState, Job, JobState
from tests.tui.jobs import NOW, make_job


def test_blank_lines_are_no_prompts() -> None:
    assert split_lines("  one \n\n \t\ntwo\r\n") == ("one", "two")
    assert split_lines(" \n") == ()


def test_the_figures_of_a_batch_count_every_job_once() -> None:
    done: dict[str, Any] = {"state": JobState.SUCCEEDED, "file_state": FileState.SAVED, "cost": 0.04}
    jobs = [
        make_job(1, **done),
        make_job(2, **done),
        make_job(3, state=JobState.SUCCEEDED, file_state=FileState.PENDING, progress=100, cost=0.04),
        make_job(4, state=JobState.SUCCEEDED, file_state=FileState.EXPIRED, cost=0.04),
        make_job(5, state=JobState.FAILED, cost=0.04),
        make_job(6, state=JobState.REJECTED, cost=0.04),
        make_job(7, state=JobState.UNCONFIRMED, cost=0.04),
        make_job(8, state=JobState.RUNNING, progress=51, cost=0.04),
    ]
    now = summarize(jobs)
    assert (now.job_count, now.done, now.failed, now.rejected) == (8, 4, 1, 1)
    assert (now.unconfirmed, now.lost, now.without_file, now.in_progress) == (1, 0, 1, 2)
    assert (now.fetching, now.queued) == (1, 0)
    assert now.percent == (6 * 100 + 99 + 51) // 8
    assert now.cost == pytest.approx(0.28)
    assert summarize([make_job(1)]).cost is None
    assert summarize([]) == BatchSummary(0, 0, 0, 0, 0, 0, 0, 0, 0, None, 0)


def test_only_several_requests_are_a_batch() -> None:
    assert new_batch_id(1) == ""
    assert len({new_batch_id(2), new_batch_id(2), new_batch_id(20)} - {""}) == 3


def _ended_job(job_id: int, state: JobState, **fields: Any) -> Job:
    return make_job(job_id, state=state, created_at=NOW + job_id, finished_at=NOW + job_id + 0.5, **fields)


def test_what_failed_or_was_not_taken_is_run_again() -> None:
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
    first, again = _ended_job(1, JobState.FAILED), _ended_job(2, JobState.SUCCEEDED, file_state=FileState.SAVED)
    assert find_retryable([first], [again, first]).retried == (first,)
    # One that failed again stands for both.
    second = _ended_job(3, JobState.FAILED)
    found = find_retryable([first, second], [second, first])
    assert (found.retryable, found.retried) == ((second,), (first,))


def test_jobs_sent_together_are_no_runs_of_each_other() -> None:
    three = [_ended_job(number, JobState.FAILED, batch="b") for number in (1, 2, 3)]
    assert find_retryable(three, three[::-1]).retryable == tuple(three)
    # Nor is one that was sent before the first had failed.
    slow = make_job(1, state=JobState.FAILED, created_at=NOW, finished_at=NOW + 60)
    beside = make_job(2, state=JobState.FAILED, created_at=NOW + 5, finished_at=NOW + 65)
    assert find_retryable([slow, beside], [beside, slow]).retryable == (slow, beside)
