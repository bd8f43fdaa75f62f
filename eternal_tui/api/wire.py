"""The wire as pure functions: a status and a body in, an answer or a typed error out.

No bytes whatsoever make a function here raise anything but `errors.ApiError`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from eternal_tui.api import errors, fields
from eternal_tui.api.answers import (
    RAW_LIMIT,
    Character,
    CharacterPage,
    CreateAnswer,
    Outcome,
    PollAnswer,
    SubmitAnswer,
)
from eternal_tui.api.request import GenerateRequest, is_character_id
from eternal_tui.api.said import said_in, said_in_text
from eternal_tui.retry_after import parse_retry_after
from eternal_tui.untrusted import Untrusted

SUCCESS_WORDS = frozenset({"success", "done", "completed"})
FAILURE_WORDS = frozenset({"failed", "error"})
"""Seen in the service's page and its public clients; any other word keeps a job alive."""

DESCRIPTION_LIMIT = 5_000
OLDEST_AGE = 1_000

MOST_ROWS = 1_000
"""Rows looked at of one page: twenty times what is asked for."""

Headers = Mapping[str, str]
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
            "The service answered without a request id, so there is nothing to poll. The request may have "
            "been charged. Look at your credits before you send it again.",
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
    named = fields.request_id(places)
    if asked and named is not None and named.casefold() != asked.casefold():
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
        "The service's answer could not be read as JSON of a known form." + _charge_unclear(paid),
        said=said,
        status=status,
    )


def _charge_unclear(paid: bool) -> str:
    if not paid:
        return " Nothing was charged for asking; try again later."
    return " The request may have been charged. Look at your credits before you send it again."


def error_from(status: int, headers: Headers, body: bytes, *, paid: bool = False, now: float = 0.0) -> errors.ApiError:
    """Return the error that an answer outside 200–299 stands for.

    `paid` chooses the words about money, `now` is seconds since the epoch for a Retry-After that names a date.
    """
    said = _said(body)
    if 400 <= status <= 499:
        return _refusal(status, headers, said, paid=paid, now=now)
    if 500 <= status <= 599:
        return errors.ServerTrouble(
            f"The service is in trouble (status {status})." + _charge_unclear(paid),
            said=said,
            status=status,
            retry_after=parse_retry_after(_header(headers, "retry-after"), now),
        )
    if 300 <= status <= 399:
        return errors.Redirected(
            f"The service pointed to another address (status {status}). It was not followed, because your key "
            "belongs to the service alone. Check the base URL." + _charge_unclear(paid),
            said=_header(headers, "location").partition("?")[0][:500] or said,
            status=status,
        )
    return errors.Unreadable(
        f"The service answered with the status {status}, which has no meaning here." + _charge_unclear(paid),
        said=said,
        status=status,
    )


def _said(body: bytes) -> str:
    try:
        answer = fields.load_json(body)
    except ValueError:
        return said_in_text(fields.decode(body))
    return said_in(answer)


def _refusal(status: int, headers: Headers, said: str, *, paid: bool, now: float) -> errors.Refused:
    if status == 429:
        return errors.TooMany(
            "The service asks to slow down (status 429). Nothing was charged. "
            + ("Wait a while, then send it again." if paid else "It can be asked again in a while."),
            said=said,
            retry_after=parse_retry_after(_header(headers, "retry-after"), now),
        )
    if status in (401, 403):
        return errors.KeyRefused(
            f"The service did not accept the API key (status {status}). Nothing was charged. Run `eternal-tui login` "
            "to give another key.",
            said=said,
            status=status,
        )
    if status == 402:
        return errors.NoCredits(
            "The account has too few credits for this (status 402). Nothing was charged. Add credits on the "
            "service's site, then send it again.",
            said=said,
            status=status,
        )
    if status in (404, 410):
        return errors.NotKnown(
            f"The service has nothing under this address (status {status}). Nothing was charged. "
            + ("Check the character and the base URL, then send it again." if paid else "Check the base URL."),
            said=said,
            status=status,
        )
    if status in (408, 425):
        return errors.Refused(
            f"The service did not take the request in time (status {status}). Nothing was charged. Send it again.",
            said=said,
            status=status,
        )
    return errors.Refused(
        f"The service refused the request (status {status}). Nothing was charged. Change the request as the "
        "service says, then send it again.",
        said=said,
        status=status,
    )


def _header(headers: Headers, name: str) -> str:
    return next((value for key, value in headers.items() if key.lower() == name), "")
