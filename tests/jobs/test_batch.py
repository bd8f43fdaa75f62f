"""Many requests from one form."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eternal_tui.api.models import GenerateRequest
from eternal_tui.drafts.expansion import (
    MAX_REQUESTS,
    RequestMatrix,
    RequestSettings,
    TooManyRequests,
    expand,
    split_lines,
)
from eternal_tui.jobs.batch import BatchSummary, new_batch_id, summarize
from eternal_tui.jobs.model import FileState, Job, JobState

IMAGE_SETTINGS = RequestSettings(type="image", quality="low")


@given(
    st.lists(st.text(min_size=1), min_size=1, max_size=4, unique=True),
    st.lists(st.text(min_size=1), min_size=1, max_size=4, unique=True),
    st.integers(1, 6),
)
def test_every_combination_is_there_as_often_as_asked(characters: list[str], prompts: list[str], times: int) -> None:
    settings = (IMAGE_SETTINGS, RequestSettings(type="video", duration=2, audio=False))
    matrix = RequestMatrix(characters=tuple(characters), prompts=tuple(prompts), settings=settings, count=times)
    if len(matrix) > MAX_REQUESTS:
        return
    requests = expand(matrix)
    assert len(requests) == len(matrix)
    assert all(requests.count(request) == times for request in requests)
    assert {(each.character, each.prompt) for each in requests} == {(c, p) for c in characters for p in prompts}


@pytest.mark.parametrize(("prompts", "times"), [(MAX_REQUESTS + 1, 1), (10, 11), (1, 0), (1, 21), (1, -1)])
def test_too_many_are_refused_before_anything_is_built(prompts: int, times: int) -> None:
    """Seen to fail with the bounds taken out of `expand`."""
    with pytest.raises(TooManyRequests):
        expand(RequestMatrix(characters=("1",), prompts=("x",) * prompts, settings=(IMAGE_SETTINGS,), count=times))


def test_blank_lines_are_no_prompts() -> None:
    assert split_lines("  one \n\n \t\ntwo\r\n") == ("one", "two")
    assert split_lines(" \n") == ()


def make_job(number: int, **fields: Any) -> Job:
    request = GenerateRequest(character="6870", prompt="At sea", type="image")
    return Job(id=number, request=request, created_at=0.0, batch="b", **fields)


def test_the_figures_of_a_batch_count_every_job_once() -> None:
    """Seen to fail with a result still to be fetched counted as done, and with a rejected job's price in the sum."""
    done = {"state": JobState.SUCCEEDED, "file_state": FileState.SAVED, "cost": 0.04}
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
