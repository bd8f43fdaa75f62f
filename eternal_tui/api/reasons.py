"""Reasons in error responses: one reader for every shape in which APIs give them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from eternal_tui.api.fields import load_embedded

MAX_REASON_CHARS = 500
"""Longest explanation in characters: a few sentences."""

_MAX_READ_CHARS = 64 * 1024
_MAX_DEPTH = 8
_MAX_ITEMS = 20
_MAX_REASONS = 40

_REASON_NAME = (
    r"err(?:or)?s?|error_?(?:message|msg|text|info|reason|description|details?)|err(?:or)?_?msg|messages?|msg"
    r"|(?:user|display|status|localized|public)_?message|details?|reasons?|.{0,20}_reason|description|failures?"
    r"|fail(?:ed)?_?(?:message|msg)|failure_?(?:message|details?)|title|cause|explanation|issues|problems?|violations"
    r"|warnings?|(?:flagged_)?categories|faults?|faultstring|invalid_?params|moderation(?:_?(?:message|result))?|validation_?errors?"
    r"|field_?errors?|constraints|non_field_errors|__all__|base|logs?"
)
"""Names of fields that hold a reason, in lower case with `-` as `_`; read in the order of the response."""

_CODE_NAME = r"(?:error_?)?(?:code|type|name|status)|__type|fault_?code|error_?key|statuscode"
"""Names of fields that hold an error code, used where there is no reason in words."""

_OUTER_CODE_NAME = r"(?:error_?)?code|error_type|__type|fault_?code|error_?key"
"""The same outside an error object, where `status`, `type` and `name` are those of the job."""

_CONTAINER_NAME = r"data|result|results|response|output|body|payload|job|task|extensions|meta|request"
_FIELD_NAMES = ("loc", "field", "param", "parameter", "property", "path", "pointer", "attribute", "name", "source")
_LATE_NAMES = frozenset({"title", "description", "cause", "base", "log", "logs", "warning", "warnings"})
_LOCATION_ROOTS = frozenset({"body", "query", "header", "data", "attributes", "__root__", "root", "json"})

_EMPTY_WORDS = frozenset(
    """ok success successful succeeded done true false null none error errors fail failed failure pending processing
    unknown undefined exception n/a [] {}""".split()  # noqa: SIM905
)
_GENERIC_REASONS = frozenset(
    {
        *("bad request", "unauthorized", "forbidden", "not found", "payment required", "internal server error"),
        *("conflict", "unprocessable entity", "unprocessable content", "too many requests", "bad gateway"),
        *("service unavailable", "gateway timeout", "request failed", "validation failed", "an error occurred"),
        *("something went wrong", "method not allowed", "gone", "one or more validation errors occurred."),
    }
)
"""Phrases that only repeat the HTTP status; dropped where there is another reason."""

# Neither pattern backtracks, so that hostile markup costs linear time.
_TAG_PATTERN = r"<[^<>]*>"
_MARKUP_PATTERN = r"(?i)\s*<(?:!|\?xml|[a-z])"
_URL_PATTERN = r"(?i)[a-z][a-z0-9+.-]*://\S+|/\S*|\S+/\S+/\S+"
_CODE_PATTERN = r"[A-Za-z0-9]+(?:[_.:#-]+[A-Za-z0-9]+)*"


def extract_reason(answer: Any, *, with_result: bool = True) -> str:
    """Return the explanation inside a parsed JSON answer, or an empty string.

    Several are joined by "; ", each with its field. `with_result` also reads text in the place of a result, as in a
    failed job's `"result": "…"`.
    """
    found: list[str] = []
    for text in _reasons(answer, _MAX_DEPTH, ""):
        if (words := normalize_reason(text)) and words.casefold() not in _EMPTY_WORDS and words not in found:
            found.append(words)
        if len(found) >= _MAX_REASONS:
            break
    if not found and with_result:
        found = _result_words(answer)
    if not found:
        found = list(_codes(answer, _MAX_DEPTH, _OUTER_CODE_NAME))[:1]
    telling = [each for each in found if each.casefold().rstrip(".") not in _GENERIC_REASONS] or found[:1]
    prose = [each for each in telling if not re.fullmatch(_CODE_PATTERN, each)] or telling
    whole = [each for each in prose if not any(each != other and each in other for other in prose)]
    return normalize_reason("; ".join(each.rstrip(";") for each in whole))


def extract_reason_from_text(text: str) -> str:
    """Return the explanation in a response that is not JSON: the title or text of a page, or plain text."""
    head = text[:_MAX_READ_CHARS]
    if not re.match(_MARKUP_PATTERN, head):
        event = head.strip().removeprefix("data:").strip()
        if event[:1] in ("{", "[") and (inner := load_embedded(event.partition("\n")[0])) is not None:
            return extract_reason(inner)
        return normalize_reason(head)
    import html

    # An unclosed element reaches to the end of the page, so that many opening tags cost linear time.
    name = "title" if is_html(head) else "message"
    element = re.search(rf"(?ais)<{name}[^<>]*>(?:(.*?)</{name}|.*)", head)
    without_scripts = re.sub(r"(?ais)<(script|style)(?:.*?(?=</\1)|.*)", " ", head)
    text = re.sub(_TAG_PATTERN, " ", without_scripts)
    return normalize_reason(html.unescape((element and element[1]) or "")) or normalize_reason(html.unescape(text))


def is_html(text: str) -> bool:
    """Return whether `text` is an HTML page, as proxies and firewalls send."""
    return re.match(r"\s*<(?:!doctype\s+html|html|head|body|title|center|h1|!--)", text, re.IGNORECASE) is not None


def normalize_reason(text: str) -> str:
    """Return `text` on one line, cut to `MAX_REASON_CHARS` characters."""
    words = " ".join(text[:_MAX_READ_CHARS].split())
    return words if len(words) <= MAX_REASON_CHARS else words[: MAX_REASON_CHARS - 1] + "…"


def _reasons(value: Any, depth: int, about: str) -> Iterator[str]:
    """Yield each reason in a value that holds reasons; `about` is their field."""
    if depth <= 0:
        return
    if isinstance(value, str):
        if (inner := load_embedded(value)) is not None:
            yield from _reasons(inner, depth - 1, about)
        elif text := value.strip():
            yield f"{about}: {text}" if about and about.casefold() not in text.casefold() else text
    elif isinstance(value, list):
        for item in value[:_MAX_ITEMS]:
            yield from _reasons(item, depth - 1, about)
    elif isinstance(value, dict):
        yield from _reasons_in_object(value, depth, about, is_error=depth < _MAX_DEPTH)


def _reasons_in_object(value: dict[str, Any], depth: int, about: str, *, is_error: bool = False) -> Iterator[str]:
    fields = list(value.items())[: _MAX_ITEMS * 3]
    named = [(_plain_name(name), load_embedded(inner) or inner) for name, inner in fields]
    reasons = [(name, inner) for name, inner in named if re.fullmatch(_REASON_NAME, name) and inner]
    about = _field_of(value) or about
    found = False
    for name, inner in sorted(reasons, key=lambda pair: pair[0] in _LATE_NAMES):
        values = list(inner.values()) if name == "constraints" and isinstance(inner, dict) else inner
        for text in _reasons(values, depth - 1, about):
            if name not in _LATE_NAMES or not found:
                found = True
                yield text
    for name, inner in named:
        if re.fullmatch(_CONTAINER_NAME, name) and isinstance(inner, dict | list):
            for text in _reasons_in_container(inner, depth - 1):
                found = True
                yield text
    if not found:
        yield from _field_reasons(value, depth, is_error=is_error)


def _reasons_in_container(value: Any, depth: int) -> Iterator[str]:
    for item in value[:_MAX_ITEMS] if isinstance(value, list) else [value]:
        if isinstance(item, dict) and depth > 0:
            yield from _reasons_in_object(item, depth, "")


def _field_reasons(value: dict[str, Any], depth: int, *, is_error: bool) -> Iterator[str]:
    """Yield the reasons of a map of fields, as {"prompt": ["is required"]}.

    A single word is a reason only in a list inside an error object.
    """
    for name, inner in list(value.items())[:_MAX_ITEMS]:
        if re.fullmatch(_CONTAINER_NAME, _plain_name(name)) or re.fullmatch(_CODE_NAME, _plain_name(name)):
            continue
        texts = inner if isinstance(inner, list) else list(inner.values()) if isinstance(inner, dict) else [inner]
        may_be_short = is_error and isinstance(inner, list)
        if all(isinstance(each, str) for each in texts) and any(" " in each.strip() or may_be_short for each in texts):
            yield from _reasons(texts, depth - 1, "" if isinstance(inner, dict) else name)


def _field_of(value: dict[str, Any]) -> str:
    """Return the field of one entry of a list of problems, from its `loc`, `path` or `source.pointer`."""
    for name in _FIELD_NAMES:
        # With a `reason`, `name` is that of a field; otherwise it is that of the error.
        place = value.get(name) if name != "name" or "reason" in value else None
        if isinstance(place, dict):
            place = place.get("pointer") or place.get("parameter")
        if isinstance(place, str) and 0 < len(place) <= 60 and " " not in place:
            place = [part for part in re.split(r"[/.]", place) if part]
        if isinstance(place, list) and place and all(isinstance(part, str | int) for part in place):
            parts = [str(part) for part in place if str(part).casefold() not in _LOCATION_ROOTS]
            # A number alone, or the path of a URL, is no field.
            if parts and not parts[0].isdigit() and not (name == "path" and re.fullmatch(r"v\d+|api", parts[0])):
                return ".".join(parts)
    return ""


def _codes(value: Any, depth: int, code_name: str) -> Iterator[str]:
    if depth <= 0:
        return
    for item in value[:_MAX_ITEMS] if isinstance(value, list) else [value]:
        for name, inner in list(item.items())[: _MAX_ITEMS * 3] if isinstance(item, dict) else ():
            plain = _plain_name(name)
            if type(inner) is int and inner not in (0, 200) and plain.endswith("code"):
                yield f"code {inner}"
            elif isinstance(inner, str) and re.fullmatch(code_name, plain) and normalize_reason(inner):
                if inner.strip().casefold() not in _EMPTY_WORDS and not re.fullmatch(_URL_PATTERN, inner.strip()):
                    yield normalize_reason(inner)
            elif isinstance(inner, dict | list) and re.fullmatch(_REASON_NAME, plain):
                yield from _codes(inner, depth - 1, _CODE_NAME)
            elif isinstance(inner, dict | list) and re.fullmatch(_CONTAINER_NAME, plain):
                yield from _codes(inner, depth - 1, code_name)


def _result_words(answer: Any) -> list[str]:
    for _ in range(3):
        if isinstance(answer, dict):
            answer = next((answer[name] for name in ("result", "data", "output", "response") if answer.get(name)), None)
    if isinstance(answer, str) and (words := normalize_reason(answer)):
        return [] if re.fullmatch(_URL_PATTERN, words) or words.casefold() in _EMPTY_WORDS else [words]
    return []


def _plain_name(name: str) -> str:
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name[:60])
    return parts.replace("-", "_").replace(" ", "_").lower()
