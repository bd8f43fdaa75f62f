"""Parsing of responses: pure functions from the body of a 2xx to a typed response, or `errors.ApiError`.

No input makes a function here raise any other exception.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Any

from eternal_tui.api import errors, fields, reasons
from eternal_tui.api.errors import charge_notice, error_from_refusal
from eternal_tui.api.models import (
    MAX_RAW_CHARS,
    Character,
    CharacterPage,
    CreateCharacterResponse,
    Ending,
    Outcome,
    PollResponse,
    SubmitResponse,
    is_character_id,
    normalize_character_id,
)
from eternal_tui.core.sanitize import UntrustedText

MAX_DESCRIPTION_CHARS = 5_000

MAX_ROWS = 1_000
"""Rows read of one page: twenty times as many as requested."""


def parse_submit(body: bytes) -> SubmitResponse:
    """Return the response to an accepted paid POST; raise ApiError where it has no request id."""
    objects = _parse_objects(body, paid=True)
    _raise_refusal(objects)
    request_id = fields.find_request_id(objects)
    if request_id is None:
        raise errors.InvalidResponse(
            "Response has no usable request id, so there is nothing to poll. You may have been charged"
            ". Check your balance before retrying.",
            reasons.extract_reason(objects[0]),
        )
    others = [each for each in fields.find_request_ids(objects) if each != request_id]
    return SubmitResponse(
        request_id=request_id,
        other_request_id=others[-1] if others else None,
        status_text=fields.find_status_text(objects),
        progress=fields.find_progress(objects),
        credits_remaining=fields.find_credits_remaining(objects),
        raw=raw_excerpt(body),
    )


def _raise_refusal(objects: list[fields.JsonObject]) -> None:
    """Raise the refusal in a POST's response of status 200: explicit, with a reason and without an id."""
    said_no, code = fields.find_refusal(objects)
    reason = reasons.extract_reason(objects[0])
    if not reason or fields.find_request_ids(objects):
        return
    word = fields.find_status_text(objects)
    if said_no or word.casefold() in FAILURE_WORDS or is_end_word(word):
        refusal = error_from_refusal(code, reason, paid=True)
        assert refusal is not None
        raise refusal


def parse_poll(body: bytes, *, expected_id: str = "") -> PollResponse:
    """Return the state of the request `expected_id`; raise ApiError where the response does not give it."""
    objects = _parse_objects(body, paid=False)
    named = [each.casefold() for each in fields.find_request_ids(objects)]
    if expected_id and named and expected_id.casefold() not in named:
        # From a cache or proxy that mixes responses up: the link would be that of another result.
        raise errors.InvalidResponse("Response is about another request and was ignored. Checking again (free).")
    word = fields.find_status_text(objects)
    url = fields.find_result_url(objects, only_documented=is_pending_word(word))
    said_no, code = fields.find_refusal(objects)
    reason = reasons.extract_reason(objects[0]) if said_no or url is None else ""
    # A refusal of the poll rather than a failure of the job: an unknown id, the key, a busy service.
    about_asking = said_no and reason and url is None and not named and not word
    if about_asking and (refusal := error_from_refusal(code, reason, paid=False)) is not None:
        raise refusal
    outcome, ending = _outcome(word, url, reason, said_no=said_no)
    return PollResponse(
        outcome=outcome,
        ending=ending,
        status_text=word,
        progress=fields.find_progress(objects),
        result_url=url,
        unusable_link=fields.find_unusable_link(objects) if ending == "success" else UntrustedText(""),
        effect_type=fields.find_text(objects, "effect_type"),
        encrypted=bool(fields.find_text(objects, "encrypted_aes_key", 1)),
        error=UntrustedText(_error_text(objects, outcome, ending, reason)),
        credits_remaining=fields.find_credits_remaining(objects),
        raw=raw_excerpt(body),
    )


def raw_excerpt(body: bytes) -> UntrustedText:
    """Return the beginning of a body as text, to be shown and saved."""
    return UntrustedText(body[:MAX_RAW_CHARS].decode("utf-8", "replace"))


def _outcome(word: str, url: str | None, reason: str, *, said_no: bool) -> tuple[Outcome, Ending]:
    if word.casefold() in FAILURE_WORDS:
        return "failed", ""
    if url:
        # A result URL means success with any other status; the status "success" alone does not.
        return "succeeded", ""
    if word.casefold() in SUCCESS_WORDS:
        return "alive", "success"
    if reason and (is_end_word(word) or (said_no and not is_pending_word(word))):
        return "failed", ""
    return "alive", "end" if is_end_word(word) else ""


def _error_text(objects: list[fields.JsonObject], outcome: Outcome, ending: Ending, reason: str) -> str:
    if outcome == "failed":
        return reason or reasons.extract_reason(objects[0])
    if ending == "success":
        return "Finished, but the result URL is missing or unusable. Checking again (free)."
    # A running job may carry a friendly `message`; only `error` is an error.
    return reasons.extract_reason([each.get("error") for each in objects])


def parse_characters(body: bytes) -> CharacterPage:
    """Return one page of the public list; unreadable rows are skipped but counted."""
    answer = _parse_json(body, paid=False)
    places = fields.nested_objects(answer) if isinstance(answer, dict) else []
    values = [answer, *(place.get(name) for place in places for name in ("result", "data", "characters", "items"))]
    rows: list[Any] | None = next((value for value in values if isinstance(value, list)), None)
    if rows is None:
        raise errors.InvalidResponse(
            "Character list has an unknown format. Retry later, or type a character ID.", reasons.extract_reason(answer)
        )
    characters = tuple(found for row in rows[:MAX_ROWS] if (found := _parse_character(row)) is not None)
    return CharacterPage(characters=characters, row_count=len(rows))


def _parse_character(row: Any) -> Character | None:
    identity = _as_character_id(row.get("id")) if isinstance(row, dict) else None
    if identity is None:
        return None
    place = [row]
    username = fields.find_text(place, "username")
    ages = [value for name, value in row.items() if name.strip().casefold() == "age"]
    age, is_readable = parse_age(ages[0] if len(ages) == 1 else ages or None)
    return Character(
        id=identity,
        name=fields.find_text(place, "display_name")
        or fields.find_text(place, "name")
        or username
        or UntrustedText(identity),
        username=username,
        description=fields.find_text(place, "description", MAX_DESCRIPTION_CHARS),
        avatar_url=fields.find_text(place, "avatar_url", fields.MAX_URL_CHARS),
        age=age,
        is_age_readable=is_readable,
        gender=fields.find_text(place, "gender"),
        status=fields.find_text(place, "status"),
        category=fields.find_text(place, "category"),
    )


def parse_create_character(body: bytes) -> CreateCharacterResponse:
    """Return the response to creating a character; raise ApiError where it has neither an id nor a request id."""
    objects = _parse_objects(body, paid=True)
    if _find_character_id(objects) is None:
        _raise_refusal(objects)
    character_id, request_id = _find_character_id(objects), next(iter(fields.find_request_ids(objects)), None)
    if character_id is None and request_id is None:
        raise errors.InvalidResponse(
            "Response has no character ID. The character may have been created and charged. Check the character "
            "list and your balance before retrying.",
            reasons.extract_reason(objects[0]),
        )
    return CreateCharacterResponse(
        character_id=character_id,
        request_id=request_id,
        credits_remaining=fields.find_credits_remaining(objects),
        raw=raw_excerpt(body),
    )


def _find_character_id(objects: list[fields.JsonObject]) -> str | None:
    nested = [place["character"] for place in objects if isinstance(place.get("character"), dict)]
    values = (place.get(name) for place in [*objects, *nested] for name in ("character_id", "id"))
    return next((found for value in values if (found := _as_character_id(value))), None)


def _as_character_id(value: Any) -> str | None:
    text = fields.as_id(int(value) if isinstance(value, float) and value.is_integer() else value)
    return normalize_character_id(text) if text and is_character_id(text) else None


def _parse_objects(body: bytes, *, paid: bool) -> list[fields.JsonObject]:
    answer = _parse_json(body, paid=paid)
    if not isinstance(answer, dict):
        raise _invalid_response(reasons.extract_reason(answer), paid=paid)
    return fields.nested_objects(answer)


def _parse_json(body: bytes, *, paid: bool) -> Any:
    with suppress(ValueError):
        answer = fields.load_json(body)
        return fields.load_embedded(answer) or answer
    raise _invalid_response(reasons.extract_reason_from_text(fields.decode_text(body)), paid=paid)


def _invalid_response(service_message: str, *, paid: bool) -> errors.InvalidResponse:
    return errors.InvalidResponse(f"Response is not JSON of a known shape.{charge_notice(paid)}", service_message)


SUCCESS_WORDS = frozenset({"success", "done", "completed", "succeeded", "successful", "complete", "finished"})
FAILURE_WORDS = frozenset({"failed", "error", "failure", "fail", "errored"})
"""`success`, `done`, `completed`, `failed` and `error` are documented or seen; the others are their other forms."""

PENDING_WORDS = frozenset(
    """pending queued queue in_queue processing running in_progress started starting waiting submitted created accepted
    preparing generating rendering scheduled active""".split()  # noqa: SIM905
)

_END_WORDS = frozenset(
    """cancelled canceled rejected moderated expired timeout timedout aborted blocked refunded terminated stopped killed
    denied forbidden flagged nsfw censored filtered invalid declined dropped deleted removed revoked crashed interrupted
    abandoned violated violation banned prohibited refused unsupported discarded voided withdrawn ended dead failed
    failure errored error unsafe lost disallowed""".split()  # noqa: SIM905
)
"""English words for an end, alone or as a part, as in `content_moderated`; with a reason they mean failure."""

_STILL_ALIVE_WORDS = frozenset({"not", "no", "non", "un", "never", "retry", "retrying", "retried", "recovering", "pre"})


def is_pending_word(word: str) -> bool:
    """Whether `word` means that a job is queued or running."""
    return re.sub(r"[\s-]+", "_", word.casefold()) in PENDING_WORDS


def is_end_word(word: str) -> bool:
    """Tell whether `word` means in English that a job has ended without a result."""
    parts = re.findall("[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word).casefold())
    joined = {"".join(pair) for pair in pairwise(parts)}
    return bool(_END_WORDS & {*parts, *joined}) and not _STILL_ALIVE_WORDS & set(parts)


MAX_AGE_YEARS = 1_000
_MAX_TEXT_CHARS = 200
_MAX_DEPTH = 4
_MAX_ITEMS = 20

_UNITS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen""".split()  # noqa: SIM905
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905
_NUMBER_PATTERN = r"[0-9]{1,9}(?:[.,][0-9]{1,3})?"


def parse_age(value: Any) -> tuple[int | None, bool]:
    """Return the lowest age in whole years that `value` names, None where it names none; and whether it can be read.

    An age may come as a number, digits, English words, or several of them in a list or an object. Where none was
    given at all there is nothing to read, which is readable.
    """
    if value is None or value == "":
        return None, True
    ages = list(_iter_ages(value, _MAX_DEPTH))
    return (math.floor(max(0, min(*ages, MAX_AGE_YEARS))), True) if ages else (None, False)


def _iter_ages(value: Any, depth: int) -> Iterator[float]:
    if isinstance(value, str):
        yield from _ages_in_text(unicodedata.normalize("NFKC", value[:_MAX_TEXT_CHARS]).casefold())
    elif isinstance(value, list | dict) and depth > 0:
        for inner in list(value if isinstance(value, list) else value.values())[:_MAX_ITEMS]:
            yield from _iter_ages(inner, depth - 1)
    elif isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value):
        yield value


def _ages_in_text(text: str) -> Iterator[float]:
    yield from (float(number.replace(",", ".")) for number in re.findall(_NUMBER_PATTERN, text))
    tens = 0
    for word in [*re.findall("[a-z]+", text), ""]:
        if word in _UNITS:
            yield tens + _UNITS.index(word)
        elif tens:
            yield tens
        tens = 10 * (_TENS.index(word) + 2) if word in _TENS else 0
