"""Single fields of a response, in which each may be nested, mistyped or missing, and the link under any name."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from eternal_tui.core.sanitize import UntrustedText

MAX_TEXT_CHARS = 200
MAX_URL_CHARS = 8_192
"""Characters. Signed links carry a policy and a signature; the longest in the wild are about 2,000."""

MAX_REQUEST_ID_CHARS = 200

MAX_CREDITS = 1e9
"""Largest believable balance: costs, and with them the daily cap, are computed from balances."""

_MAX_INT_DIGITS = 400
_MAX_EMBEDDED_CHARS = 64 * 1024
_PERCENT_PATTERN = r"\s*([0-9]{1,6}(?:\.[0-9]{1,20})?)\s*%?\s*"

JsonObject = dict[str, Any]


def load_json(body: bytes) -> Any:
    """Return the JSON value in `body`; raise ValueError, and nothing else, where there is none.

    NaN, duplicate names, byte order marks and stray bytes are accepted. Lone surrogates become replacement
    characters, since no record could hold them.
    """
    text = decode_text(body)
    try:
        value = json.loads(text, parse_int=_parse_int)
        if "\\ud" not in text.lower():
            return value
        whole = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        return json.loads(whole, parse_int=_parse_int)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def decode_text(body: bytes) -> str:
    """Return the text of a body in any Unicode encoding; bytes that are not text become replacement signs."""
    return body.decode(json.detect_encoding(body), "replace").removeprefix("\ufeff")


def load_embedded(value: Any) -> Any:
    """Return the JSON object or array that is written out in a string, None where `value` is no such string."""
    head = value.strip() if isinstance(value, str) and len(value) <= _MAX_EMBEDDED_CHARS else ""
    if head[:1] not in ("{", "[") or head[-1:] not in ("}", "]"):
        return None
    try:
        return json.loads(head, parse_int=_parse_int)
    except (ValueError, RecursionError):
        return None


def _parse_int(digits: str) -> int | float:
    # Python refuses to read an integer of thousands of digits, and would refuse the whole answer with it.
    return int(digits) if len(digits) <= _MAX_INT_DIGITS else float(digits)


_ENVELOPE_NAMES = ("data", "result", "response", "payload", "output", "job", "task", "generation")
_REQUEST_ID_NAMES = "requestId task_id taskId job_id jobId generation_id prediction_id id uuid".split()  # noqa: SIM905
_STATUS_NAMES = ("status", "state", "task_status", "job_status", "request_status")


def nested_objects(response: JsonObject) -> list[JsonObject]:
    """Return the answer and the objects nested in `data`, `result` and the like.

    Also those in a list of one, or written out as JSON in a string. Outermost first, two levels deep.
    """
    inner = _inner_objects(response)
    return [response, *inner, *(deeper for outer in inner for deeper in _inner_objects(outer))]


def _inner_objects(outer: JsonObject) -> list[JsonObject]:
    values = [load_embedded(value) or value for value in map(outer.get, _ENVELOPE_NAMES)]
    ones = [value[0] if isinstance(value, list) and len(value) == 1 else value for value in values]
    return [one for one in ones if isinstance(one, dict)]


def find_request_id(objects: list[JsonObject]) -> str | None:
    """Return the id to poll, or None where there is none that can be used in an address.

    The innermost `request_id` comes first, as in the service's own clients; then other names of an id.
    """
    if named := find_request_ids(objects):
        return named[-1]
    values = (place.get(name) for name in _REQUEST_ID_NAMES for place in reversed(objects))
    return next((found for value in values if (found := as_id(value))), None)


def find_request_ids(objects: list[JsonObject]) -> list[str]:
    """Return every usable `request_id`, outermost first: an envelope may have its own besides the job's."""
    return [found for place in objects if (found := as_id(place.get("request_id")))]


def as_id(value: Any) -> str | None:
    """Return the text of an id that came as a text or an integer, None where it cannot be used in an address."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return None
    text = value.strip()
    usable = 0 < len(text) <= MAX_REQUEST_ID_CHARS and text.isprintable() and "\ufffd" not in text
    return text if usable else None


def find_status_text(objects: list[JsonObject]) -> UntrustedText:
    """Return the job's own status word as it came.

    The innermost object that has one speaks for the job; an outer `status` may be the envelope's.
    """
    texts = (find_text(objects[::-1], name) for name in _STATUS_NAMES)
    return next(filter(None, texts), UntrustedText(""))


def find_refusal(objects: list[JsonObject]) -> tuple[bool, int | None]:
    """Return whether a response is an explicit refusal, and the HTTP status named in its body, or None.

    Explicit is a false or 0 as `status`, `success` or `ok`, or a number from 400 to 599 as `status` or `code`.
    """
    for place in objects:
        for name in ("status", "status_code", "statusCode", "code"):
            value = place.get(name)
            number = int(value) if isinstance(value, str) and re.fullmatch("[45][0-9][0-9]", value.strip()) else value
            if isinstance(number, int) and not isinstance(number, bool) and 400 <= number <= 599:
                return True, number
        for name in ("status", "success", "ok", "succeeded"):
            value = place.get(name)
            text = value.strip().casefold() if isinstance(value, str) else value
            if text is False or (isinstance(text, int) and text == 0) or text in ("false", "0"):
                return True, None
    return False, None


def find_progress(objects: list[JsonObject]) -> int | None:
    """Return whole percent from 0 to 100, or None where none is given."""
    percents = (_parse_percent(place.get("progress")) for place in objects)
    return next((percent for percent in percents if percent is not None), None)


def _parse_percent(value: Any) -> int | None:
    if isinstance(value, str):
        match = re.fullmatch(_PERCENT_PATTERN, value)
        value = match and match[1]
    number = _parse_number(value)
    return None if number is None else int(max(0, min(100, number)))


def find_credits_remaining(objects: list[JsonObject]) -> float | None:
    """Return `credits_remaining` as a number, or None where there is none that can be a balance."""
    numbers = (_parse_number(place.get("credits_remaining")) for place in objects)
    return next((number for number in numbers if number is not None and abs(number) <= MAX_CREDITS), None)


def _parse_number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and (len(value) > MAX_TEXT_CHARS or "_" in value):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def find_text(objects: list[JsonObject], name: str, limit: int = MAX_TEXT_CHARS) -> UntrustedText:
    """Return the first non-empty string under `name`, cut to `limit` characters."""
    for place in objects:
        value = place.get(name)
        if isinstance(value, str) and value.strip():
            return UntrustedText(value.strip()[:limit])
    return UntrustedText("")


_MAX_LINK_DEPTH = 8
_MAX_LINK_ITEMS = 50
_MAX_SHOWN_CHARS = 300

_DOCUMENTED_NAMES = ("result_url", "result")
_RESULT_WORDS = frozenset(
    """result results output outputs video videos image image1 images img media file files download asset assets
    artifact artifacts clip picture photo generated generation generations final content contents gif mp4 url urls
    uri link links href src data signed public cdn full hd path location response payload job task edited raw
    original sample samples resource attachment attachments object""".split()  # noqa: SIM905
)
_OTHER_WORDS = frozenset(
    """input inputs source init reference avatar thumbnail thumb preview poster cover webhook callback status poll
    polling cancel get docs doc documentation help logo icon next prev self stream user character profile mask watermark
    support request error message detail prompt upgrade billing account log logs more""".split()  # noqa: SIM905
)
_WORD_ORDER = ("video", "videos", "mp4", "output", "outputs", "image", "images")
"""Order of preference among several links: a video before its first frame."""


def find_result_url(objects: list[JsonObject], *, only_documented: bool = False) -> UntrustedText | None:
    """Return the result URL, or None.

    `result_url` and `result` come first, outermost first; then an http(s) URL under any result-like name, unless
    `only_documented`.
    """
    for name in _DOCUMENTED_NAMES:
        for place in objects:
            value = load_embedded(place.get(name)) or place.get(name)
            for link in value if isinstance(value, list) else (value,):
                if (found := usable_url(link)) is not None:
                    return found
    if only_documented or not objects:
        return None
    return min(_result_like(objects[0], _MAX_LINK_DEPTH, 100), default=(0, None), key=lambda ranked: ranked[0])[1]


def find_unusable_link(objects: list[JsonObject]) -> UntrustedText:
    """Return an unusable value in the place of the result URL, as it came; empty where there is none."""
    for name in _DOCUMENTED_NAMES:
        for place in objects:
            if (value := place.get(name)) and not (name == "result" and isinstance(value, dict | list)):
                shown = value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)
                if shown:
                    return UntrustedText(shown[:_MAX_SHOWN_CHARS])
    return UntrustedText("")


def usable_url(value: Any) -> UntrustedText | None:
    """Return `value` where it is an http(s) URL with a host that can be read, else None."""
    text = value.strip() if isinstance(value, str) else ""
    if text.startswith("//"):
        text = f"https:{text}"
    if not 0 < len(text) <= MAX_URL_CHARS or not re.match(r"https?://[^/\\\s?#]", text, re.IGNORECASE):
        return None
    try:
        host = urlsplit(text).hostname
    except ValueError:
        return None
    return UntrustedText(text) if host and not re.search(r"[\s<>\"]", text) else None


def _result_like(value: Any, depth: int, rank: int) -> Iterator[tuple[int, UntrustedText]]:
    """Yield links with their rank, lowest first; `rank` is that of the enclosing names."""
    if depth <= 0:
        return
    if (inner := load_embedded(value)) is not None:
        yield from _result_like(inner, depth - 1, rank)
    elif isinstance(value, str):
        if (found := usable_url(value)) is not None:
            yield rank, found
    elif isinstance(value, list):
        for item in value[:_MAX_LINK_ITEMS]:
            yield from _result_like(item, depth - 1, rank)
    elif isinstance(value, dict):
        for name, inner in list(value.items())[:_MAX_LINK_ITEMS]:
            words = re.findall("[a-z]+[0-9]*", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name[:60]).lower())
            if words and not _OTHER_WORDS.intersection(words) and _RESULT_WORDS.intersection(words):
                best = min((_WORD_ORDER.index(word) for word in words if word in _WORD_ORDER), default=rank)
                yield from _result_like(inner, depth - 1, min(rank, best))
