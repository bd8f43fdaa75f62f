"""What can go wrong on the wire, sorted by the only question that matters for money: was it sent, was it taken?"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from eternal_tui.api import fields
from eternal_tui.core.retry_after import parse_retry_after
from eternal_tui.core.sanitize import UntrustedText


class ApiError(Exception):
    """A call to the service that gave no usable answer.

    `str(error)` is a whole sentence in our own words. `service_message` is the service's, unsafe to show before the
    gate.
    """

    def __init__(self, message: str, *, service_message: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.service_message = UntrustedText(service_message)
        self.status = status

    @property
    def full_message(self) -> UntrustedText:
        """The whole account of what happened: our sentence, and the service's own words set apart from it."""
        return UntrustedText(
            f"{self} The service said: “{self.service_message}”" if self.service_message else str(self)
        )


class RequestNotSent(ApiError):
    """The request certainly never reached the service: nothing can have been charged, sending again is safe."""


class Unreachable(RequestNotSent):
    """No connection could be made: refused, unresolvable, timed out while connecting, TLS or proxy failure."""


class Unsendable(RequestNotSent):
    """The request could not even be put on the wire, for example for a malformed base URL."""


class RequestRejected(ApiError):
    """The service answered 4xx: it read the request and did not take it."""


class KeyRejected(RequestRejected):
    """401 or 403: no key, or one the service does not accept."""


class InsufficientCredits(RequestRejected):
    """402: the account cannot pay for this."""


class NotFound(RequestRejected):
    """404 or 410: the service has nothing under this address."""


class RateLimited(RequestRejected):
    """429: refused for now. `retry_after` is the wait in seconds the service asked for, already capped, or None."""

    def __init__(
        self, message: str, *, service_message: str = "", status: int | None = 429, retry_after: float | None = None
    ) -> None:
        super().__init__(message, service_message=service_message, status=status)
        self.retry_after = retry_after


class OutcomeUnknown(ApiError):
    """Sent, and the answer is lost, broken or not the service's own: a paid request may have been charged."""


class ResponseLost(OutcomeUnknown):
    """The connection ended or timed out after the request had started to leave."""


class ServerError(OutcomeUnknown):
    """5xx. `retry_after` is in seconds, capped, or None."""

    def __init__(
        self, message: str, *, service_message: str = "", status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, service_message=service_message, status=status)
        self.retry_after = retry_after


class InvalidResponse(OutcomeUnknown):
    """An answer came, but it is not JSON of a known shape, is too large, or carries no request id."""


class Redirected(OutcomeUnknown):
    """3xx: never followed, because the key belongs to the API host alone."""


MAX_MESSAGE_CHARS = 500
"""Characters kept of a stranger's explanation: a few sentences, not a page."""

_MAX_READ_CHARS = 64 * 1024
_MAX_DEPTH = 4
_MESSAGE_FIELDS = ("error", "message", "detail", "msg", "reason", "description", "title", "errors")
# Neither pattern can look back over what it has passed, so that hostile markup costs linear time.
_TAG_PATTERN = re.compile(r"<[^<>]*>")
_MARKUP_PATTERN = re.compile(r"\s*<(?:!doctype|html|head|body|\?xml|[a-z])", re.IGNORECASE)


def extract_message(response: Any) -> str:
    """Return the explanation inside a parsed JSON answer, or an empty string."""
    for text in _iter_messages(response, _MAX_DEPTH):
        if tidy := _normalize_message(text):
            return tidy
    return ""


def extract_message_from_text(text: str) -> str:
    """Return the explanation inside an answer that is no JSON: the title or the text of a page."""
    head = text[:_MAX_READ_CHARS]
    if not _MARKUP_PATTERN.match(head):
        return _normalize_message(head)
    return _normalize_message(html.unescape(_html_title(head))) or _normalize_message(
        html.unescape(_TAG_PATTERN.sub(" ", _strip_scripts(head)))
    )


def _iter_messages(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth and isinstance(value, dict):
        for word in _MESSAGE_FIELDS:
            yield from _iter_messages(value.get(word), depth - 1)
        for inner in ("data", "result"):
            if isinstance(value.get(inner), dict):
                yield from _iter_messages(value[inner], depth - 1)
    elif depth and isinstance(value, list):
        for item in value[:3]:
            yield from _iter_messages(item, depth - 1)


def _normalize_message(text: str) -> str:
    words = " ".join(text[:_MAX_READ_CHARS].split())
    return words if len(words) <= MAX_MESSAGE_CHARS else words[: MAX_MESSAGE_CHARS - 1] + "…"


def _html_title(page: str) -> str:
    folded = _ascii_lower(page)
    start = folded.find("<title")
    start = folded.find(">", start) if start >= 0 else -1
    end = folded.find("</title", start)
    return page[start + 1 : end] if 0 <= start < end else ""


def _strip_scripts(page: str) -> str:
    for name in ("script", "style"):
        folded, kept, at = _ascii_lower(page), [], 0
        while (start := folded.find(f"<{name}", at)) >= 0:
            kept.append(page[at:start])
            end = folded.find(f"</{name}", start)
            at = len(page) if end < 0 else end
        page = " ".join([*kept, page[at:]])
    return page


def _ascii_lower(page: str) -> str:
    # ASCII only: the full str.lower() changes lengths, and with them every position found.
    return re.sub("[A-Z]+", lambda match: match[0].lower(), page)


Headers = Mapping[str, str]


def charge_notice(paid: bool) -> str:
    """Return what is known of money after an answer that tells nothing."""
    if not paid:
        return " Nothing was charged for asking; try again later."
    return " The request may have been charged. Look at your credits before you send it again."


def error_from_response(
    status: int, headers: Headers, body: bytes, *, paid: bool = False, now: float = 0.0
) -> ApiError:
    """Return the error that an answer outside 200–299 stands for.

    `paid` chooses the words about money, `now` is seconds since the epoch for a Retry-After that names a date.
    """
    said = _extract_service_message(body)
    if 400 <= status <= 499:
        return _rejection(status, headers, said, paid=paid, now=now)
    if 500 <= status <= 599:
        return ServerError(
            f"The service is in trouble (status {status})." + charge_notice(paid),
            service_message=said,
            status=status,
            retry_after=parse_retry_after(_header_value(headers, "retry-after"), now),
        )
    if 300 <= status <= 399:
        return Redirected(
            f"The service pointed to another address (status {status}). It was not followed, because your key "
            "belongs to the service alone. Check the base URL." + charge_notice(paid),
            service_message=_header_value(headers, "location").partition("?")[0][:500] or said,
            status=status,
        )
    return InvalidResponse(
        f"The service answered with the status {status}, which has no meaning here." + charge_notice(paid),
        service_message=said,
        status=status,
    )


def _extract_service_message(body: bytes) -> str:
    try:
        answer = fields.load_json(body)
    except ValueError:
        return extract_message_from_text(fields.decode_text(body))
    return extract_message(answer)


class _ErrorSpec(NamedTuple):
    """A status: its error, what it says, and what to do about a paid request and about a free question.

    The question may be about a job that is paid and under way: nothing said of it may read as if that were not
    charged, or were to be sent again.
    """

    error_type: type[RequestRejected]
    summary: str
    paid_advice: str
    free_advice: str = "It can be asked again."


_KEY_REJECTED = _ErrorSpec(
    KeyRejected,
    "The service did not accept the API key",
    "Run `eternal-tui login` to give another key.",
    "Run `eternal-tui login` to give another key.",
)
_NOT_FOUND = _ErrorSpec(
    NotFound,
    "The service has nothing under this address",
    "Check the character and the base URL, then send it again.",
    "Check the base URL.",
)
_REQUEST_TIMEOUT = _ErrorSpec(RequestRejected, "The service did not take the request in time", "Send it again.")
_INSUFFICIENT_CREDITS = _ErrorSpec(
    InsufficientCredits,
    "The account has too few credits for this",
    "Add credits on the service's site, then send it again.",
)
_RATE_LIMITED = _ErrorSpec(RateLimited, "The service asks to slow down", "Wait a while, then send it again.")
_PAID_REJECTED = _ErrorSpec(
    RequestRejected, "The service refused the request", "Change the request as the service says, then send it again."
)
_FREE_REJECTED = _PAID_REJECTED._replace(summary="The service refused to answer")
_ERROR_SPECS = {
    401: _KEY_REJECTED,
    402: _INSUFFICIENT_CREDITS,
    403: _KEY_REJECTED,
    404: _NOT_FOUND,
    408: _REQUEST_TIMEOUT,
    410: _NOT_FOUND,
    425: _REQUEST_TIMEOUT,
    429: _RATE_LIMITED,
}


def _rejection(status: int, headers: Headers, service_message: str, *, paid: bool, now: float) -> RequestRejected:
    meaning = _ERROR_SPECS.get(status, _PAID_REJECTED if paid else _FREE_REJECTED)
    charge = (
        f"Nothing was charged. {meaning.paid_advice}"
        if paid
        else f"Nothing was charged for asking. {meaning.free_advice}"
    )
    sentence = f"{meaning.summary} (status {status}). {charge}"
    if meaning is _RATE_LIMITED:
        wait = parse_retry_after(_header_value(headers, "retry-after"), now)
        return RateLimited(sentence, service_message=service_message, retry_after=wait)
    return meaning.error_type(sentence, service_message=service_message, status=status)


def _header_value(headers: Headers, name: str) -> str:
    return next((value for key, value in headers.items() if key.lower() == name), "")
