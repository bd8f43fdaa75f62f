"""The form as data: only what applies is sent, and nothing typed is lost."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from eternal_tui.api.request import GenerateRequest, problems
from eternal_tui.jobs.drafts.draft import PROMPT_LIMIT, Draft

DRAFTS = st.builds(
    Draft,
    character=st.just("6870"),
    prompt=st.just("x"),
    type=st.sampled_from(["image", "video"]),
    duration=st.integers(1, 5),
    audio=st.booleans(),
    quality=st.sampled_from(["low", "high"]),
    times=st.integers(1, 20),
    by_line=st.booleans(),
)


@given(DRAFTS)
def test_a_request_carries_only_what_applies_to_its_type(draft: Draft) -> None:
    """Seen to fail with every field handed to the request."""
    request = draft.request("6870")
    assert problems(request) == {}
    extra = {"image": {"quality"}, "video": {"duration", "audio"}}[draft.type]
    assert set(request.body()) == {"images", "prompt", "type"} | extra


@given(DRAFTS)
def test_a_draft_survives_being_written_down(draft: Draft) -> None:
    assert msgspec.json.decode(msgspec.json.encode(draft), type=Draft) == draft


@given(DRAFTS)
def test_a_request_put_into_a_draft_comes_out_again(draft: Draft) -> None:
    request = GenerateRequest(character="1", prompt="y", type="video", duration=2, audio=False)
    refilled = draft.with_request(request)
    assert refilled.request("1") == request
    assert refilled.quality == draft.quality


def test_what_a_request_does_not_say_keeps_its_value() -> None:
    draft = Draft(duration=2, audio=False, by_line=True, times=3)
    refilled = draft.with_request(GenerateRequest(character="1", prompt="y", type="video"))
    assert (refilled.duration, refilled.audio, refilled.by_line, refilled.times) == (2, False, False, 3)


def test_numbers_from_a_file_are_brought_into_bounds() -> None:
    draft = Draft(duration=99, times=-4, prompt="x" * (PROMPT_LIMIT + 1)).sound()
    assert (draft.duration, draft.times, len(draft.prompt)) == (5, 1, PROMPT_LIMIT)
