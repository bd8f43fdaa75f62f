"""Reading single fields out of an answer that may nest, mistype or leave out any of them."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from eternal_tui.core.sanitize import UntrustedText

MAX_TEXT_CHARS = 200
MAX_URL_CHARS = 8_192
"""Characters. Signed links carry a policy and a signature; the longest in the wild are about 2,000."""

MAX_REQUEST_ID_CHARS = 200

MAX_CREDITS = 1e9
"""A million times what an account holds. What a job cost is told from two balances, and a cap counts it all day."""

_MAX_INT_DIGITS = 400
_PERCENT_PATTERN = re.compile(r"\s*([0-9]{1,6}(?:\.[0-9]{1,20})?)\s*%?\s*")
_HTTP_URL_PATTERN = re.compile(r"https?://[^/\s]", re.IGNORECASE)

JsonObject = dict[str, Any]


def load_json(body: bytes) -> Any:
    """Return the JSON value in `body`; raise ValueError, and nothing else, where there is none.

    NaN, duplicate names, byte order marks and stray bytes are let through. Lone surrogates become replacement
    signs: they are no text, and a record that held one could not be written.
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


def _parse_int(digits: str) -> int | float:
    # Python refuses to read an integer of thousands of digits, and would refuse the whole answer with it.
    return int(digits) if len(digits) <= _MAX_INT_DIGITS else float(digits)


def nested_objects(response: JsonObject) -> list[JsonObject]:
    """Return the answer and the objects nested in `data` and `result`, also as a list of one, outermost first."""
    inner = _inner_objects(response)
    return [response, *inner, *(deeper for outer in inner for deeper in _inner_objects(outer))]


def _inner_objects(outer: JsonObject) -> list[JsonObject]:
    values = [outer.get(name) for name in ("data", "result")]
    ones = [value[0] if isinstance(value, list) and len(value) == 1 else value for value in values]
    return [one for one in ones if isinstance(one, dict)]


def find_request_id(objects: list[JsonObject]) -> str | None:
    """Return the id to poll, or None where there is none that can be used in an address."""
    return next(iter(find_request_ids(objects)), None)


def find_request_ids(objects: list[JsonObject]) -> list[str]:
    """Return every usable id, outermost first: an envelope may carry one of its own beside the job's."""
    found = []
    for place in objects:
        value = place.get("request_id")
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and _is_usable_id(value.strip()):
            found.append(value.strip())
    return found


def _is_usable_id(text: str) -> bool:
    return 0 < len(text) <= MAX_REQUEST_ID_CHARS and text.isprintable() and "\ufffd" not in text


def find_status_text(objects: list[JsonObject]) -> UntrustedText:
    """Return the job's own status word as it came.

    The innermost object that has one speaks for the job; an outer `status` may be the envelope's.
    """
    for place in reversed(objects):
        value = place.get("status")
        if isinstance(value, str) and value.strip():
            return UntrustedText(value.strip()[:MAX_TEXT_CHARS])
    return UntrustedText("")


def find_progress(objects: list[JsonObject]) -> int | None:
    """Return whole percent from 0 to 100, or None where none was said."""
    for place in objects:
        percent = _parse_percent(place.get("progress"))
        if percent is not None:
            return percent
    return None


def _parse_percent(value: Any) -> int | None:
    if isinstance(value, str) and (match := _PERCENT_PATTERN.fullmatch(value)):
        value = float(match[1])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return int(max(0, min(100, value)))


def find_credits_remaining(objects: list[JsonObject]) -> float | None:
    """Return `credits_remaining` as a number, or None where there is none that can be a balance."""
    for place in objects:
        credit = _parse_number(place.get("credits_remaining"))
        if credit is not None and abs(credit) <= MAX_CREDITS:
            return credit
    return None


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


def find_result_url(objects: list[JsonObject]) -> UntrustedText | None:
    """Return the link to the result: `result_url`, or a link that stands in `result`; of several the first."""
    for name in ("result_url", "result"):
        for place in objects:
            value = place.get(name)
            for link in value if isinstance(value, list) else (value,):
                if isinstance(link, str) and len(link) <= MAX_URL_CHARS and _HTTP_URL_PATTERN.match(link.strip()):
                    return UntrustedText(link.strip())
    return None


def find_text(objects: list[JsonObject], name: str, limit: int = MAX_TEXT_CHARS) -> UntrustedText:
    """Return the first non-empty string under `name`, cut to `limit` characters."""
    for place in objects:
        value = place.get(name)
        if isinstance(value, str) and value.strip():
            return UntrustedText(value.strip()[:limit])
    return UntrustedText("")
