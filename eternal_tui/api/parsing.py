"""The wire as pure functions: a status and a body in, an answer or a typed error out.

No bytes whatsoever make a function here raise anything but `errors.ApiError`.
"""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec

from eternal_tui.api import errors, fields
from eternal_tui.api.errors import Headers, charge_unclear, error_from, said_in, said_in_text
from eternal_tui.api.models import (
    RAW_LIMIT,
    Character,
    CharacterPage,
    CreateAnswer,
    GenerateRequest,
    Outcome,
    PollAnswer,
    SubmitAnswer,
    is_character_id,
)
from eternal_tui.core.sanitize import Untrusted

SUCCESS_WORDS = frozenset({"success", "done", "completed"})
FAILURE_WORDS = frozenset({"failed", "error"})
"""Seen in the service's page and its public clients; any other word keeps a job alive."""

DESCRIPTION_LIMIT = 5_000
OLDEST_AGE = 1_000

MOST_ROWS = 1_000
"""Rows looked at of one page: twenty times what is asked for."""

_NO_HEADERS: Headers = {}


def encode_generate(request: GenerateRequest) -> bytes:
    """Return the body of a paid generation, byte for byte as it is sent."""
    return msgspec.json.encode(request.body())


def encode_create(prompt: str) -> bytes:
    """Return the body that asks for a new character."""
    return msgspec.json.encode({"prompt": prompt})


def parse_submit(status: int, body: bytes, *, headers: Headers = _NO_HEADERS, now: float = 0.0) -> SubmitAnswer:
    """Return the answer to a paid POST that was taken; raise ApiError for anything that carries no request id."""
    places = _object(status, headers, body, now=now, paid=True)
    request_id = fields.request_id(places)
    if request_id is None:
        raise errors.Unreadable(
            "The service answered without a request id that can be used, so there is nothing to poll. The request "
            "may have been charged. Look at your credits before you send it again.",
            said=said_in(places[0]),
            status=status,
        )
    return SubmitAnswer(
        request_id=request_id,
        word=fields.word(places),
        progress=fields.progress(places),
        credits_remaining=fields.credits_left(places),
        raw=_as_it_came(body),
    )


def parse_poll(
    status: int, body: bytes, *, headers: Headers = _NO_HEADERS, now: float = 0.0, asked: str = ""
) -> PollAnswer:
    """Return one look at the running request `asked`; raise ApiError where the answer says nothing about it."""
    places = _object(status, headers, body, now=now, paid=False)
    named = [each.casefold() for each in fields.request_ids(places)]
    if asked and named and asked.casefold() not in named:
        # A cache or a proxy that mixes answers up: its link would lead to somebody else's picture.
        raise errors.Unreadable(
            "The service answered about another request than this one. That answer was not used. It is asked again; "
            "asking is free.",
            status=status,
        )
    word, url = fields.word(places), fields.result_url(places)
    outcome = _outcome(word, url)
    return PollAnswer(
        outcome=outcome,
        word=word,
        progress=fields.progress(places),
        result_url=url,
        effect_type=fields.text(places, "effect_type"),
        encrypted=bool(fields.text(places, "encrypted_aes_key", 1)),
        error=Untrusted(
            said_in(places[0] if outcome == "failed" else _errors_only(places)) or _without_link(word, url)
        ),
        credits_remaining=fields.credits_left(places),
        raw=_as_it_came(body),
    )


def _as_it_came(body: bytes) -> Untrusted:
    return Untrusted(body[:RAW_LIMIT].decode("utf-8", "replace"))


def _outcome(word: str, url: str | None) -> Outcome:
    said = word.casefold()
    if said in FAILURE_WORDS:
        return "failed"
    # A link is evidence of success under any other word; the word "success" alone is none.
    return "succeeded" if url else "alive"


def _without_link(word: str, url: str | None) -> str:
    if url or word.casefold() not in SUCCESS_WORDS:
        return ""
    return "The service calls it finished, but sent no link that can be followed. It is asked again; asking is free."


def _errors_only(places: list[fields.Level]) -> list[Any]:
    # A live job may carry a friendly `message`; only what is called an error is one.
    return [place.get("error") for place in places]


def parse_characters(status: int, body: bytes, *, headers: Headers = _NO_HEADERS, now: float = 0.0) -> CharacterPage:
    """Return one page of the public list; entries that are no characters are left out but counted."""
    answer = _json(status, headers, body, now=now, paid=False)
    rows = answer if isinstance(answer, list) else _rows(answer)
    if rows is None:
        raise errors.Unreadable(
            "The service's list of characters is not in a form this program knows. Try again later, or type "
            "a character ID by hand.",
            said=said_in(answer),
            status=status,
        )
    characters = tuple(found for row in rows[:MOST_ROWS] if (found := _character(row)) is not None)
    return CharacterPage(characters=characters, rows=len(rows))


def _rows(answer: Any) -> list[Any] | None:
    if not isinstance(answer, dict):
        return None
    for place in fields.levels(answer):
        for name in ("result", "data", "characters", "items"):
            if isinstance(place.get(name), list):
                return list(place[name])
    return None


def _character(row: Any) -> Character | None:
    if not isinstance(row, dict):
        return None
    number = row.get("id")
    identity = str(number) if isinstance(number, int) and not isinstance(number, bool) else number
    if not isinstance(identity, str) or not is_character_id(identity.strip()):
        return None
    try:
        age = _age(row.get("age"))
    except ValueError:
        return None
    place = [row]
    username = fields.text(place, "username")
    return Character(
        id=identity.strip(),
        name=fields.text(place, "display_name") or fields.text(place, "name") or username or Untrusted(identity),
        username=username,
        description=fields.text(place, "description", DESCRIPTION_LIMIT),
        avatar_url=fields.text(place, "avatar_url", fields.URL_LIMIT),
        age=age,
        gender=fields.text(place, "gender"),
        status=fields.text(place, "status"),
        category=fields.text(place, "category"),
    )


def _age(value: Any) -> int | None:
    """Return whole years, None where none was said; raise ValueError for one that cannot be read.

    An age that cannot be read cannot be checked, so such a character is not listed at all.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str):
        numbers = [int(digits) for digits in re.findall(r"[0-9]{1,9}", value[: fields.WORD_LIMIT])]
        value = min(numbers) if numbers else value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not an age")
    return math.floor(max(0, min(value, OLDEST_AGE)))


def parse_create(status: int, body: bytes, *, headers: Headers = _NO_HEADERS, now: float = 0.0) -> CreateAnswer:
    """Return the answer to creating a character; raise ApiError where it holds neither an id nor a request id."""
    places = _object(status, headers, body, now=now, paid=True)
    character_id, request_id = _character_id(places), fields.request_id(places)
    if character_id is None and request_id is None:
        raise errors.Unreadable(
            "The service answered without a character ID. The character may have been made and charged. Look at "
            "the list of characters and at your credits before you send it again.",
            said=said_in(places[0]),
            status=status,
        )
    return CreateAnswer(
        character_id=character_id,
        request_id=request_id,
        credits_remaining=fields.credits_left(places),
        raw=_as_it_came(body),
    )


def _character_id(places: list[fields.Level]) -> str | None:
    nested = [place["character"] for place in places if isinstance(place.get("character"), dict)]
    for place in [*places, *nested]:
        for name in ("character_id", "id"):
            value = place.get(name)
            if isinstance(value, int) and not isinstance(value, bool):
                value = str(value)
            if isinstance(value, str) and is_character_id(value.strip()):
                return value.strip()
    return None


def _object(status: int, headers: Headers, body: bytes, *, now: float, paid: bool) -> list[fields.Level]:
    answer = _json(status, headers, body, now=now, paid=paid)
    if not isinstance(answer, dict):
        raise _unreadable(status, said_in(answer), paid=paid)
    return fields.levels(answer)


def _json(status: int, headers: Headers, body: bytes, *, now: float, paid: bool) -> Any:
    if not 200 <= status <= 299:
        raise error_from(status, headers, body, paid=paid, now=now)
    try:
        return fields.load_json(body)
    except ValueError:
        pass
    raise _unreadable(status, said_in_text(fields.decode(body)), paid=paid)


def _unreadable(status: int, said: str, *, paid: bool) -> errors.Unreadable:
    return errors.Unreadable(
        "The service's answer could not be read as JSON of a known form." + charge_unclear(paid),
        said=said,
        status=status,
    )
