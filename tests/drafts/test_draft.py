"""The form as data: only what applies is sent, and nothing typed is lost."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from eternal_tui.api.models import GenerateRequest, validation_errors
from eternal_tui.drafts.draft import MAX_PROMPT_CHARS, Draft

drafts = st.builds(
    Draft,
    character=st.just("6870"),
    prompt=st.just("x"),
    type=st.sampled_from(["image", "video"]),
    duration=st.integers(1, 5),
    audio=st.booleans(),
    quality=st.sampled_from(["low", "high"]),
    count=st.integers(1, 20),
    one_per_line=st.booleans(),
    extra_durations=st.lists(st.integers(1, 5), max_size=4).map(tuple),
    extra_qualities=st.lists(st.sampled_from(["low", "high"]), max_size=2).map(tuple),
    both_audio=st.booleans(),
    both_types=st.booleans(),
)


@given(drafts)
def test_request_has_only_the_fields_of_its_type(draft: Draft) -> None:
    for request in draft.requests("6870", "x"):
        chosen = {
            "quality": request.quality == "high",
            "duration": request.type == "video",
            "audio": request.audio is False,
        }
        assert validation_errors(request) == {}
        assert set(request.body()) == {"images", "prompt", "type"} | {name for name, said in chosen.items() if said}


@given(drafts)
def test_requests_has_each_combination_once(draft: Draft) -> None:
    requests = draft.requests("6870", "x")
    assert len(set(requests)) == len(requests)
    clips = {(each.duration, each.audio) for each in requests if each.type == "video"}
    stills = {each.quality for each in requests if each.type == "image"}
    seconds = {draft.duration, *draft.extra_durations}
    sounds = {draft.audio, *([not draft.audio] if draft.both_audio else [])}
    wants_clips, wants_stills = (draft.both_types or draft.type == each for each in ("video", "image"))
    assert clips == ({(s, a) for s in seconds for a in sounds} if wants_clips else set())
    assert stills == ({draft.quality, *draft.extra_qualities} if wants_stills else set())
    first = requests[0]
    assert first.type == draft.type
    assert (first.duration or draft.duration, first.quality or draft.quality) == (draft.duration, draft.quality)


@given(drafts)
def test_draft_round_trips_json(draft: Draft) -> None:
    assert msgspec.json.decode(msgspec.json.encode(draft), type=Draft) == draft


def test_with_request_fills_the_form_and_keeps_other_settings() -> None:
    draft = Draft(duration=2, audio=False, quality="high", one_per_line=True, both_types=True, count=3)
    refilled = draft.with_request(GenerateRequest(character="1", prompt="y", type="video", duration=4))
    assert refilled.requests("1", "y") == (
        GenerateRequest(character="1", prompt="y", type="video", duration=4, audio=False),
    )
    assert (refilled.quality, refilled.one_per_line, refilled.count) == ("high", False, 3)


def test_clamped_limits_numbers() -> None:
    draft = Draft(duration=99, count=-4, prompt="x" * (MAX_PROMPT_CHARS + 1), extra_durations=(-1, 99, 3)).clamped()
    assert draft.extra_durations == (1, 5, 3)
    assert (draft.duration, draft.count, len(draft.prompt)) == (5, 1, MAX_PROMPT_CHARS)
