"""Words about jobs."""

from __future__ import annotations

import pytest

from eternal_tui.jobs.formatting import pluralize


@pytest.mark.parametrize(("number", "words"), [(0, "0 jobs"), (1, "1 job"), (2, "2 jobs")])
def test_one_is_not_said_as_several(number: int, words: str) -> None:
    """Seen to fail as it was: "1 results written", "1 jobs saved", "1 more requests were not sent"."""
    assert pluralize(number, "job") == words
