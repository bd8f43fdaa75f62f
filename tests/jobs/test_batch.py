"""Many requests from one form."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eternal_tui.api.models import GenerateRequest
from eternal_tui.drafts.matrix import MAX_REQUESTS, Matrix, Settings, TooManyRequests, expand, one_a_line
from eternal_tui.jobs.batch import BatchFigures, figures, new_batch
from eternal_tui.jobs.model import FileState, Job, JobState

PICTURE = Settings(type="image", quality="low")


@given(
    st.lists(st.text(min_size=1), min_size=1, max_size=4, unique=True),
    st.lists(st.text(min_size=1), min_size=1, max_size=4, unique=True),
    st.integers(1, 6),
)
def test_every_combination_is_there_as_often_as_asked(characters: list[str], prompts: list[str], times: int) -> None:
    settings = (PICTURE, Settings(type="video", duration=2, audio=False))
    matrix = Matrix(characters=tuple(characters), prompts=tuple(prompts), settings=settings, times=times)
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
        expand(Matrix(characters=("1",), prompts=("x",) * prompts, settings=(PICTURE,), times=times))


def test_blank_lines_are_no_prompts() -> None:
    assert one_a_line("  one \n\n \t\ntwo\r\n") == ("one", "two")
    assert one_a_line(" \n") == ()


def a_job(number: int, **fields: Any) -> Job:
    request = GenerateRequest(character="6870", prompt="At sea", type="image")
    return Job(id=number, request=request, created_at=0.0, batch="b", **fields)


def test_the_figures_of_a_batch_count_every_job_once() -> None:
    """Seen to fail with a result still to be fetched counted as done, and with a rejected job's price in the sum."""
    done = {"state": JobState.SUCCEEDED, "file_state": FileState.SAVED, "cost": 0.04}
    jobs = [
        a_job(1, **done),
        a_job(2, **done),
        a_job(3, state=JobState.SUCCEEDED, file_state=FileState.PENDING, progress=100, cost=0.04),
        a_job(4, state=JobState.SUCCEEDED, file_state=FileState.EXPIRED, cost=0.04),
        a_job(5, state=JobState.FAILED, cost=0.04),
        a_job(6, state=JobState.REJECTED, cost=0.04),
        a_job(7, state=JobState.UNCONFIRMED, cost=0.04),
        a_job(8, state=JobState.RUNNING, progress=51, cost=0.04),
    ]
    now = figures(jobs)
    assert (now.jobs, now.done, now.failed, now.unclear, now.under_way) == (8, 2, 3, 1, 2)
    assert now.percent == (6 * 100 + 99 + 51) // 8
    assert now.cost == pytest.approx(0.28)
    assert figures([a_job(1)]).cost is None
    assert figures([]) == BatchFigures(0, 0, 0, 0, 0, None)


def test_only_several_requests_are_a_batch() -> None:
    assert new_batch(1) == ""
    assert len({new_batch(2), new_batch(2), new_batch(20)} - {""}) == 3
