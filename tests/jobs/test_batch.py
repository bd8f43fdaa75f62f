"""Many requests from one form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eternal_tui.jobs.batch import MAX_REQUESTS, Matrix, Settings, TooManyRequests, expand, one_a_line

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
