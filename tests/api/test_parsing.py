"""Answers of every shape: documented ones, seen ones, and bytes that are no answer at all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eternal_tui.api import errors, parsing, reasons
from eternal_tui.api.errors import error_from_response
from eternal_tui.api.models import CharacterPage, CreateCharacterResponse, GenerateRequest, PollResponse, SubmitResponse
from eternal_tui.core.sanitize import UntrustedText

ID = "453ead2d-a09f-44fb-81df-b37dac9e401a"
LINK = "https://cdn.example.org/a.jpg?sig=1"


def to_json(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize("is_video", [False, True])
def test_the_documented_answer_to_a_submit(is_video: bool) -> None:
    job = {"request_id": ID, "status": "pending", "result": "", "progress": 0}
    body = to_json({**({"status": 1, "data": job, "request_id": ID} if is_video else job), "credits_remaining": 629.32})
    assert parsing.parse_submit(body) == SubmitResponse(
        request_id=ID,
        status_text=UntrustedText("pending"),
        progress=0,
        credits_remaining=629.32,
        raw=UntrustedText(body.decode()),
    )


@pytest.mark.parametrize("outer", ["data", "result"])
def test_fields_are_found_where_the_service_nests_them(outer: str) -> None:
    body = to_json(
        {"status": 1, outer: {"request_id": 77, "status": "pending", "progress": "45%", "credits_remaining": "3"}}
    )
    assert parsing.parse_submit(body) == SubmitResponse(
        request_id="77",
        status_text=UntrustedText("pending"),
        progress=45,
        credits_remaining=3.0,
        raw=UntrustedText(body.decode()),
    )


def test_one_thing_in_a_list_is_that_thing() -> None:
    assert parsing.parse_submit(to_json({"status": 1, "data": [{"request_id": ID}]})).request_id == ID
    assert parsing.parse_create_character(to_json({"result": [{"id": 77}]})).character_id == "77"
    with pytest.raises(errors.InvalidResponse):
        parsing.parse_submit(to_json({"data": [{"request_id": ID}, {"request_id": "other"}]}))


def test_what_was_charged_keeps_its_id_whatever_else_is_wrong() -> None:
    """An id lost to a neighbour's defect is a paid job lost."""
    for body in (
        b'{"request_id": "abc", "progress": NaN, "status": Infinity}',
        b'{"request_id": "abc", "result": "\\ud800"}',
        b'\xef\xbb\xbf{"request_id": "abc"}',
        b'{"request_id": "no", "request_id": "abc"}',
        b'{"request_id": "abc", "result": "\xff\xfe"}',
        b'{"request_id": "abc", "progress": ' + b"9" * 5_000 + b"}",
        '{"request_id": "abc"}'.encode("utf-16"),
    ):
        assert parsing.parse_submit(body).request_id == "abc"


@pytest.mark.parametrize(
    "request_id",
    ["", "  ", None, True, 1.5, [], {}, ["x"], "a\x00b", "a\nb", "\x1b[2J", "a\u202eb", "x" * 201, "\ud800", 10**300],
)
def test_an_id_that_cannot_be_polled_makes_the_submit_unclear(request_id: object) -> None:
    with pytest.raises(errors.InvalidResponse) as caught:
        parsing.parse_submit(to_json({"request_id": request_id, "message": "queued"}))
    assert "may have been charged" in str(caught.value).replace("\n", " ")
    assert caught.value.service_message == "queued"


@pytest.mark.parametrize(
    ("answer", "is_ours"),
    [
        *(({"request_id": named, "result_url": LINK}, True) for named in (None, ID, ID.upper(), f" {ID} ")),
        ({"request_id": "trace-7", "data": {"request_id": ID, "result_url": LINK}}, True),
        *(({"request_id": named, "result_url": LINK}, False) for named in ("another", 7)),
    ],
)
def test_a_poll_answer_must_be_about_this_request(answer: dict[str, Any], is_ours: bool) -> None:
    """An envelope may have an id of its own."""
    if is_ours:
        assert parsing.parse_poll(to_json(answer), expected_id=ID).outcome == "succeeded"
        return
    with pytest.raises(errors.InvalidResponse, match="about another request"):
        parsing.parse_poll(to_json(answer), expected_id=ID)


@pytest.mark.parametrize(("key", "encrypted"), [("", False), (" ", False), (None, False), (1, False), ("k", True)])
def test_a_file_is_encrypted_if_a_key_came_with_it(key: object, encrypted: bool) -> None:
    answer = parsing.parse_poll(to_json({"status": "success", "result_url": LINK, "encrypted_aes_key": key}))
    assert answer.encrypted is encrypted


@pytest.mark.parametrize(
    ("progress", "percent"),
    [
        (0, 0), (45, 45), (45.9, 45), ("45", 45), ("45%", 45), (" 45.5 % ", 45), (-3, 0), (250, 100), (10**200, 100),
        (True, None), (None, None), ("", None), ("half", None), ([], None), (float("nan"), None), (float("inf"), None),
        ("nan", None), ("1e9", None), ("٤٥", None),
    ],
)  # fmt: skip
def test_progress_is_whole_percent_or_nothing(progress: object, percent: int | None) -> None:
    assert parsing.parse_poll(to_json({"progress": progress})).progress == percent


@pytest.mark.parametrize(
    ("credit", "read"),
    [(3, 3.0), (0, 0.0), (-1.5, -1.5), ("629.32", 629.32), ("nan", None), ("inf", None), (float("inf"), None),
     (True, None), (None, None), ("", None), ("much", None), ("1_0", None), ([], None), (10**400, None),
     (1e300, None), ("-1e12", None), (1e9, 1e9)],
)  # fmt: skip
def test_credits_are_a_finite_number_or_nothing(credit: object, read: float | None) -> None:
    assert parsing.parse_submit(to_json({"request_id": "a", "credits_remaining": credit})).credits_remaining == read


def test_hostile_pages_cost_linear_time_and_bounded_words() -> None:
    """A pattern such as <[^>]*> takes minutes for these; the suite's own time-out is the proof."""
    for page in (b"<" * 4_000_000, b"<title" * 500_000, b"<html>" + b"<script" * 500_000, b"<html>" + b"&" * 4_000_000):
        assert len(error_from_response(502, {}, page).service_message) <= 500
    assert len(error_from_response(500, {}, to_json({"error": "x" * 1_000_000})).service_message) == 500


@pytest.mark.parametrize("paid", [True, False])
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 408, 410, 422, 429])
def test_a_rejection_ends_in_advice_and_promises_nothing(status: int, paid: bool) -> None:
    """A rejected poll must not read as if its paid job were not charged, or were to be sent again."""
    sentence = str(error_from_response(status, {}, b"", paid=paid))
    assert ("Not charged." in sentence) is paid
    assert sentence.endswith(".")
    assert not sentence.endswith("Not charged.")
    assert "the program waits" not in sentence
    assert paid or not re.search("(?i)send|not charged|request rejected", sentence)


def _error_type_for(status: int) -> type[errors.ApiError]:
    special: dict[int, type[errors.ApiError]] = {
        401: errors.KeyRejected, 402: errors.InsufficientCredits, 404: errors.NotFound,
        410: errors.NotFound, 429: errors.RateLimited,
    }  # fmt: skip
    ranges: dict[int, type[errors.ApiError]] = {
        1: errors.InvalidResponse, 3: errors.Redirected, 4: errors.RequestRejected, 5: errors.ServerError,
    }  # fmt: skip
    return special.get(status, ranges[status // 100])


@pytest.mark.parametrize("paid", [True, False])
def test_every_status_outside_200_to_299_has_one_meaning(paid: bool) -> None:
    body = to_json({"request_id": "abc", "result": [], "error": "why"})
    for status in [*range(100, 200), *range(300, 600)]:
        error = error_from_response(status, {}, body, paid=paid)
        assert type(error) is _error_type_for(status), status
        assert isinstance(error, errors.RequestRejected) == (400 <= status < 500)
        assert isinstance(error, errors.OutcomeUnknown) == (not 400 <= status < 500)
        assert error.service_message == "why"
        assert ("may have been charged" in str(error)) == (paid and not 400 <= status < 500)


def test_429_and_503_carry_the_wait() -> None:
    for status in (429, 503):
        error = error_from_response(status, {"retry-after": "7"}, b"")
        assert isinstance(error, errors.RateLimited | errors.ServerError)
        assert error.retry_after == 7.0


def test_a_redirect_tells_where_without_its_query() -> None:
    error = error_from_response(302, {"location": "https://other.example/x?sig=secret"}, b"")
    assert error.service_message == "https://other.example/x"


def test_a_field_with_several_faults_names_each_also_the_short_ones() -> None:
    text = reasons.extract_reason({"errors": {"prompt": ["is too long", "invalid"]}})
    assert text == "prompt: is too long; prompt: invalid"
    assert reasons.extract_reason({"errors": {"prompt": ["required"]}}) == "prompt: required"
    assert reasons.extract_reason({"images": ["6870"]}) == ""


def character_row(**fields: object) -> dict[str, object]:
    return {"id": 6790, "username": "astrid", "display_name": "Astrid", "age": 27, **fields}


def test_an_age_under_18_counts_whatever_the_case_of_its_name() -> None:
    rows = [{"id": 7, "Age": 16}, {"id": 8, "age": 24, "AGE": "16"}, {"id": 9, "Age": 24}]
    found = parsing.parse_characters(to_json({"result": rows})).characters
    assert [one.is_adult for one in found] == [False, False, True]


def test_a_page_of_characters() -> None:
    rows = [
        character_row(description="Reads maps.", gender="female", status="approved", category="default"),
        "junk", None, 5, {}, {"id": None}, {"id": "../../etc"}, {"id": True}, {"id": 1.5},
        {"id": "abc", "username": "only"},
        {"id": "7", "age": None},
    ]  # fmt: skip
    page = parsing.parse_characters(to_json({"result": rows}))
    assert [(found.id, found.name, found.age) for found in page.characters] == [
        ("6790", "Astrid", 27), ("abc", "only", None), ("7", "7", None),
    ]  # fmt: skip
    assert page.row_count == len(rows)


@pytest.mark.parametrize(
    ("age", "years"),
    [
        (18, 18), (17, 17), (0, 0), (-3, 0), ("17", 17), ("25", 25), ("17 years", 17), (17.9, 17), (18.0, 18),
        ("25 (looks 17)", 17), ("sixteen", 16), ("Twenty-five", 25), ("twenty", 20), ([16], 16), ({"years": 16}, 16),
        ([25, "17"], 17), ("１７", 17), ("18.5", 18), ("18,5", 18), (True, None), ([], None), ({}, None),
        ("unknown", None), ([True], None), (float("nan"), None),
    ],
)  # fmt: skip
def test_an_age_is_read_in_every_form_and_the_illegible_is_not_allowed(age: object, years: int | None) -> None:
    (found,) = parsing.parse_characters(to_json({"result": [character_row(age=age)]})).characters
    assert (found.age, found.is_age_readable) == (years, years is not None)
    assert found.is_adult is found.is_allowed is (years is not None and years >= 18)
    for missing in (None, ""):
        (found,) = parsing.parse_characters(to_json({"result": [character_row(age=missing)]})).characters
        assert (found.age, found.is_allowed) == (None, True)


@pytest.mark.parametrize(
    ("status", "offered"), [("approved", True), ("", True), ("APPROVED", True), ("pending", False)]
)
def test_parse_characters_offers_only_approved(status: str, offered: bool) -> None:
    (found,) = parsing.parse_characters(to_json({"result": [character_row(status=status)]})).characters
    assert found.is_allowed is offered


@pytest.mark.parametrize(
    ("number", "identity"), [("06999", "6999"), (" 6999 ", "6999"), (6999.0, "6999"), ("000", "0")]
)
def test_parse_characters_gives_an_id_its_one_spelling(number: object, identity: str) -> None:
    (found,) = parsing.parse_characters(to_json({"result": [character_row(id=number)]})).characters
    assert found.id == identity


@pytest.mark.parametrize("body", [b"", b"null", b"5", b'{"result": null}', b'{"result": {}}', b"<html>"])
def test_a_response_without_a_list_is_invalid(body: bytes) -> None:
    with pytest.raises(errors.InvalidResponse):
        parsing.parse_characters(body)


@pytest.mark.parametrize(
    ("answer", "character_id", "request_id"),
    [
        ({"id": 6900}, "6900", None),
        ({"result": {"id": "6900"}}, "6900", None),
        ({"status": 1, "data": {"character_id": 6900, "request_id": "r"}}, "6900", "r"),
        ({"request_id": "r", "status": "pending"}, None, "r"),
        ({"data": {"character": {"id": 5}}}, "5", None),
    ],
)
def test_a_created_character_is_found(answer: object, character_id: str | None, request_id: str | None) -> None:
    created = parsing.parse_create_character(to_json(answer))
    assert (created.character_id, created.request_id) == (character_id, request_id)
    assert json.loads(created.raw) == answer


def test_a_created_character_without_any_id_is_unclear() -> None:
    with pytest.raises(errors.InvalidResponse, match="may have been created"):
        parsing.parse_create_character(b"{}")


def test_bodies_carry_only_what_applies() -> None:
    request = GenerateRequest(character="6870", prompt="é", type="video", duration=4, audio=False)
    assert request.body() == {"images": ["6870"], "prompt": "é", "type": "video", "duration": 4, "audio": False}


_names = st.sampled_from(
    ["request_id", "status", "progress", "result", "result_url", "data", "credits_remaining", "error", "message",
     "detail", "id", "age", "character", "encrypted_aes_key", "effect_type", "display_name", "description"]
)  # fmt: skip
_leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.sampled_from(["success", "failed", LINK, "45%"])
)
_values = st.recursive(
    _leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_names, inner, max_size=6)),
    max_leaves=20,
)
_bodies = st.one_of(
    st.binary(),
    st.dictionaries(_names, _values).map(to_json),
    _values.map(to_json),
    st.lists(st.dictionaries(_names, _values), max_size=4).map(lambda rows: to_json({"result": rows})),
    st.text().map(lambda text: text.encode("utf-8", "surrogatepass")),
)

PARSERS: dict[Callable[..., object], type] = {
    parsing.parse_submit: SubmitResponse,
    parsing.parse_poll: PollResponse,
    parsing.parse_characters: CharacterPage,
    parsing.parse_create_character: CreateCharacterResponse,
}


@settings(max_examples=120, deadline=None)
@given(st.one_of(st.just(200), st.integers(100, 599)), _bodies)
@example(200, b"[" * 200_000)
@example(200, b'{"data":' * 200_000)
@example(200, b'{"request_id": ' + b"1" * 1_000_000 + b"}")
@example(200, b"\x00\x00\xfe\xff")
@example(200, b"\xff\xfe\x00")
@example(500, b"[" * 200_000)
def test_no_bytes_make_a_parser_raise_anything_but_an_api_error(status: int, body: bytes) -> None:
    for parse, kind in PARSERS.items():
        try:
            answer: object = parse(body) if status == 200 else error_from_response(status, {}, body)
        except errors.ApiError as error:
            answer = error
        assert isinstance(answer, kind | errors.ApiError)
        if isinstance(answer, errors.ApiError):
            assert len(answer.service_message) <= 500
            assert str(answer).endswith((".", "login"))
