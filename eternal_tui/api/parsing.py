"""The wire as pure functions: a status and a body in, an answer or a typed error out.

No bytes whatsoever make a function here raise anything but `errors.ApiError`.
"""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec

from eternal_tui.api import errors, fields
from eternal_tui.api.errors import (
    Headers,
    charge_notice,
    error_from_response,
    extract_message,
    extract_message_from_text,
)
from eternal_tui.api.models import (
    MAX_RAW_CHARS,
    Character,
    CharacterPage,
    CreateCharacterResponse,
    GenerateRequest,
    Outcome,
    PollResponse,
    SubmitResponse,
    is_character_id,
)
from eternal_tui.core.sanitize import UntrustedText

SUCCESS_STATUSES = frozenset({"success", "done", "completed"})
FAILURE_STATUSES = frozenset({"failed", "error"})
"""Seen in the service's page and its public clients; any other word keeps a job alive."""

MAX_DESCRIPTION_CHARS = 5_000
MAX_AGE_YEARS = 1_000

MAX_ROWS = 1_000
"""Rows looked at of one page: twenty times what is asked for."""

_NO_HEADERS: Headers = {}


def encode_generate(request: GenerateRequest) -> bytes:
    """Return the body of a paid generation, byte for byte as it is sent."""
    return msgspec.json.encode(request.body())


def encode_create_character(prompt: str) -> bytes:
    """Return the body that asks for a new character."""
    return msgspec.json.encode({"prompt": prompt})


def parse_submit(status: int, body: bytes, *, headers: Headers = _NO_HEADERS, now: float = 0.0) -> SubmitResponse:
    """Return the answer to a paid POST that was taken; raise ApiError for anything that carries no request id."""
    places = _parse_objects(status, headers, body, now=now, paid=True)
    request_id = fields.find_request_id(places)
    if request_id is None:
        raise errors.InvalidResponse(
            "The service answered without a request id that can be used, so there is nothing to poll. The request "
            "may have been charged. Look at your credits before you send it again.",
            service_message=extract_message(places[0]),
            status=status,
        )
    return SubmitResponse(
        request_id=request_id,
        status_text=fields.find_status_text(places),
        progress=fields.find_progress(places),
        credits_remaining=fields.find_credits_remaining(places),
        raw=_raw_excerpt(body),
    )


def parse_poll(
    status: int, body: bytes, *, headers: Headers = _NO_HEADERS, now: float = 0.0, expected_id: str = ""
) -> PollResponse:
    """Return one look at the running request `expected_id`; raise ApiError where the answer says nothing about it."""
    places = _parse_objects(status, headers, body, now=now, paid=False)
    named = [each.casefold() for each in fields.find_request_ids(places)]
    if expected_id and named and expected_id.casefold() not in named:
        # A cache or a proxy that mixes answers up: its link would lead to somebody else's picture.
        raise errors.InvalidResponse(
            "The service answered about another request than this one. That answer was not used. It is asked again; "
            "asking is free.",
            status=status,
        )
    word, url = fields.find_status_text(places), fields.find_result_url(places)
    outcome = _outcome(word, url)
    return PollResponse(
        outcome=outcome,
        status_text=word,
        progress=fields.find_progress(places),
        result_url=url,
        effect_type=fields.find_text(places, "effect_type"),
        encrypted=bool(fields.find_text(places, "encrypted_aes_key", 1)),
        error=UntrustedText(
            extract_message(places[0] if outcome == "failed" else _error_fields(places))
            or _missing_link_error(word, url)
        ),
        credits_remaining=fields.find_credits_remaining(places),
        raw=_raw_excerpt(body),
    )


def _raw_excerpt(body: bytes) -> UntrustedText:
    return UntrustedText(body[:MAX_RAW_CHARS].decode("utf-8", "replace"))


def _outcome(status_text: str, url: str | None) -> Outcome:
    said = status_text.casefold()
    if said in FAILURE_STATUSES:
        return "failed"
    # A link is evidence of success under any other word; the word "success" alone is none.
    return "succeeded" if url else "alive"


def _missing_link_error(status_text: str, url: str | None) -> str:
    if url or status_text.casefold() not in SUCCESS_STATUSES:
        return ""
    return "The service calls it finished, but sent no link that can be followed. It is asked again; asking is free."


def _error_fields(objects: list[fields.JsonObject]) -> list[Any]:
    # A live job may carry a friendly `message`; only what is called an error is one.
    return [place.get("error") for place in objects]


def parse_characters(status: int, body: bytes, *, headers: Headers = _NO_HEADERS, now: float = 0.0) -> CharacterPage:
    """Return one page of the public list; entries that are no characters are left out but counted."""
    answer = _parse_json(status, headers, body, now=now, paid=False)
    rows = answer if isinstance(answer, list) else _find_rows(answer)
    if rows is None:
        raise errors.InvalidResponse(
            "The service's list of characters is not in a form this program knows. Try again later, or type "
            "a character ID by hand.",
            service_message=extract_message(answer),
            status=status,
        )
    characters = tuple(found for row in rows[:MAX_ROWS] if (found := _parse_character(row)) is not None)
    return CharacterPage(characters=characters, row_count=len(rows))


def _find_rows(response: Any) -> list[Any] | None:
    if not isinstance(response, dict):
        return None
    for place in fields.nested_objects(response):
        for name in ("result", "data", "characters", "items"):
            if isinstance(place.get(name), list):
                return list(place[name])
    return None


def _parse_character(row: Any) -> Character | None:
    if not isinstance(row, dict):
        return None
    number = row.get("id")
    identity = str(number) if isinstance(number, int) and not isinstance(number, bool) else number
    if not isinstance(identity, str) or not is_character_id(identity.strip()):
        return None
    try:
        age = _parse_age(row.get("age"))
    except ValueError:
        return None
    place = [row]
    username = fields.find_text(place, "username")
    return Character(
        id=identity.strip(),
        name=fields.find_text(place, "display_name")
        or fields.find_text(place, "name")
        or username
        or UntrustedText(identity),
        username=username,
        description=fields.find_text(place, "description", MAX_DESCRIPTION_CHARS),
        avatar_url=fields.find_text(place, "avatar_url", fields.MAX_URL_CHARS),
        age=age,
        gender=fields.find_text(place, "gender"),
        status=fields.find_text(place, "status"),
        category=fields.find_text(place, "category"),
    )


def _parse_age(value: Any) -> int | None:
    """Return whole years, None where none was said; raise ValueError for one that cannot be read.

    An age that cannot be read cannot be checked, so such a character is not listed at all.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str):
        numbers = [int(digits) for digits in re.findall(r"[0-9]{1,9}", value[: fields.MAX_TEXT_CHARS])]
        value = min(numbers) if numbers else value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not an age")
    return math.floor(max(0, min(value, MAX_AGE_YEARS)))


def parse_create_character(
    status: int, body: bytes, *, headers: Headers = _NO_HEADERS, now: float = 0.0
) -> CreateCharacterResponse:
    """Return the answer to creating a character; raise ApiError where it holds neither an id nor a request id."""
    places = _parse_objects(status, headers, body, now=now, paid=True)
    character_id, request_id = _find_character_id(places), fields.find_request_id(places)
    if character_id is None and request_id is None:
        raise errors.InvalidResponse(
            "The service answered without a character ID. The character may have been made and charged. Look at "
            "the list of characters and at your credits before you send it again.",
            service_message=extract_message(places[0]),
            status=status,
        )
    return CreateCharacterResponse(
        character_id=character_id,
        request_id=request_id,
        credits_remaining=fields.find_credits_remaining(places),
        raw=_raw_excerpt(body),
    )


def _find_character_id(objects: list[fields.JsonObject]) -> str | None:
    nested = [place["character"] for place in objects if isinstance(place.get("character"), dict)]
    for place in [*objects, *nested]:
        for name in ("character_id", "id"):
            value = place.get(name)
            if isinstance(value, int) and not isinstance(value, bool):
                value = str(value)
            if isinstance(value, str) and is_character_id(value.strip()):
                return value.strip()
    return None


def _parse_objects(status: int, headers: Headers, body: bytes, *, now: float, paid: bool) -> list[fields.JsonObject]:
    answer = _parse_json(status, headers, body, now=now, paid=paid)
    if not isinstance(answer, dict):
        raise _invalid_response(status, extract_message(answer), paid=paid)
    return fields.nested_objects(answer)


def _parse_json(status: int, headers: Headers, body: bytes, *, now: float, paid: bool) -> Any:
    if not 200 <= status <= 299:
        raise error_from_response(status, headers, body, paid=paid, now=now)
    try:
        return fields.load_json(body)
    except ValueError:
        pass
    raise _invalid_response(status, extract_message_from_text(fields.decode_text(body)), paid=paid)


def _invalid_response(status: int, service_message: str, *, paid: bool) -> errors.InvalidResponse:
    return errors.InvalidResponse(
        "The service's answer could not be read as JSON of a known form." + charge_notice(paid),
        service_message=service_message,
        status=status,
    )
