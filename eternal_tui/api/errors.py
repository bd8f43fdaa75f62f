"""What can go wrong on the wire, sorted by the only question that matters for money: was it sent, was it taken?"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from eternal_tui.api import fields
from eternal_tui.core.retry_after import parse_retry_after
from eternal_tui.core.sanitize import Untrusted


class ApiError(Exception):
    """A call to the service that gave no usable answer.

    `str(error)` is a whole sentence in our own words. `said` is the service's, unsafe to show before the gate.
    """

    def __init__(self, sentence: str, *, said: str = "", status: int | None = None) -> None:
        super().__init__(sentence)
        self.said = Untrusted(said)
        self.status = status

    @property
    def account(self) -> Untrusted:
        """The whole account of what happened: our sentence, and the service's own words set apart from it."""
        return Untrusted(f"{self} The service said: “{self.said}”" if self.said else str(self))


class NotSent(ApiError):
    """The request certainly never reached the service: nothing can have been charged, sending again is safe."""


class Unreachable(NotSent):
    """No connection could be made: refused, unresolvable, timed out while connecting, TLS or proxy failure."""


class Unsendable(NotSent):
    """The request could not even be put on the wire, for example for a malformed base URL."""


class Refused(ApiError):
    """The service answered 4xx: it read the request and did not take it."""


class KeyRefused(Refused):
    """401 or 403: no key, or one the service does not accept."""


class NoCredits(Refused):
    """402: the account cannot pay for this."""


class NotKnown(Refused):
    """404 or 410: the service has nothing under this address."""


class TooMany(Refused):
    """429: refused for now. `retry_after` is the wait in seconds the service asked for, already capped, or None."""

    def __init__(
        self, sentence: str, *, said: str = "", status: int | None = 429, retry_after: float | None = None
    ) -> None:
        super().__init__(sentence, said=said, status=status)
        self.retry_after = retry_after


class Unclear(ApiError):
    """Sent, and the answer is lost, broken or not the service's own: a paid request may have been charged."""


class AnswerLost(Unclear):
    """The connection ended or timed out after the request had started to leave."""


class ServerTrouble(Unclear):
    """5xx. `retry_after` is in seconds, capped, or None."""

    def __init__(
        self, sentence: str, *, said: str = "", status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(sentence, said=said, status=status)
        self.retry_after = retry_after


class Unreadable(Unclear):
    """An answer came, but it is not JSON of a known shape, is too large, or carries no request id."""


class Redirected(Unclear):
    """3xx: never followed, because the key belongs to the API host alone."""


SAID_LIMIT = 500
"""Characters kept of a stranger's explanation: a few sentences, not a page."""

_READ_LIMIT = 64 * 1024
_DEPTH = 4
_WORDS = ("error", "message", "detail", "msg", "reason", "description", "title", "errors")
# Neither pattern can look back over what it has passed, so that hostile markup costs linear time.
_TAG = re.compile(r"<[^<>]*>")
_LOOKS_LIKE_MARKUP = re.compile(r"\s*<(?:!doctype|html|head|body|\?xml|[a-z])", re.IGNORECASE)


def said_in(answer: Any) -> str:
    """Return the explanation inside a parsed JSON answer, or an empty string."""
    for text in _texts(answer, _DEPTH):
        if tidy := _tidy(text):
            return tidy
    return ""


def said_in_text(text: str) -> str:
    """Return the explanation inside an answer that is no JSON: the title or the text of a page."""
    head = text[:_READ_LIMIT]
    if not _LOOKS_LIKE_MARKUP.match(head):
        return _tidy(head)
    return _tidy(html.unescape(_title(head))) or _tidy(html.unescape(_TAG.sub(" ", _without_code(head))))


def _texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth and isinstance(value, dict):
        for word in _WORDS:
            yield from _texts(value.get(word), depth - 1)
        for inner in ("data", "result"):
            if isinstance(value.get(inner), dict):
                yield from _texts(value[inner], depth - 1)
    elif depth and isinstance(value, list):
        for item in value[:3]:
            yield from _texts(item, depth - 1)


def _tidy(text: str) -> str:
    words = " ".join(text[:_READ_LIMIT].split())
    return words if len(words) <= SAID_LIMIT else words[: SAID_LIMIT - 1] + "…"


def _title(page: str) -> str:
    folded = _folded(page)
    start = folded.find("<title")
    start = folded.find(">", start) if start >= 0 else -1
    end = folded.find("</title", start)
    return page[start + 1 : end] if 0 <= start < end else ""


def _without_code(page: str) -> str:
    for name in ("script", "style"):
        folded, kept, at = _folded(page), [], 0
        while (start := folded.find(f"<{name}", at)) >= 0:
            kept.append(page[at:start])
            end = folded.find(f"</{name}", start)
            at = len(page) if end < 0 else end
        page = " ".join([*kept, page[at:]])
    return page


def _folded(page: str) -> str:
    # ASCII only: the full str.lower() changes lengths, and with them every position found.
    return re.sub("[A-Z]+", lambda match: match[0].lower(), page)


Headers = Mapping[str, str]


def charge_unclear(paid: bool) -> str:
    """Return what is known of money after an answer that tells nothing."""
    if not paid:
        return " Nothing was charged for asking; try again later."
    return " The request may have been charged. Look at your credits before you send it again."


def error_from(status: int, headers: Headers, body: bytes, *, paid: bool = False, now: float = 0.0) -> ApiError:
    """Return the error that an answer outside 200–299 stands for.

    `paid` chooses the words about money, `now` is seconds since the epoch for a Retry-After that names a date.
    """
    said = _said(body)
    if 400 <= status <= 499:
        return _refusal(status, headers, said, paid=paid, now=now)
    if 500 <= status <= 599:
        return ServerTrouble(
            f"The service is in trouble (status {status})." + charge_unclear(paid),
            said=said,
            status=status,
            retry_after=parse_retry_after(_header(headers, "retry-after"), now),
        )
    if 300 <= status <= 399:
        return Redirected(
            f"The service pointed to another address (status {status}). It was not followed, because your key "
            "belongs to the service alone. Check the base URL." + charge_unclear(paid),
            said=_header(headers, "location").partition("?")[0][:500] or said,
            status=status,
        )
    return Unreadable(
        f"The service answered with the status {status}, which has no meaning here." + charge_unclear(paid),
        said=said,
        status=status,
    )


def _said(body: bytes) -> str:
    try:
        answer = fields.load_json(body)
    except ValueError:
        return said_in_text(fields.decode(body))
    return said_in(answer)


class _Meaning(NamedTuple):
    """A status: its error, what it says, and what to do about a paid request and about a free question.

    The question may be about a job that is paid and under way: nothing said of it may read as if that were not
    charged, or were to be sent again.
    """

    kind: type[Refused]
    fact: str
    advice: str
    free_advice: str = "It can be asked again."


_KEY = _Meaning(
    KeyRefused,
    "The service did not accept the API key",
    "Run `eternal-tui login` to give another key.",
    "Run `eternal-tui login` to give another key.",
)
_UNKNOWN = _Meaning(
    NotKnown,
    "The service has nothing under this address",
    "Check the character and the base URL, then send it again.",
    "Check the base URL.",
)
_LATE = _Meaning(Refused, "The service did not take the request in time", "Send it again.")
_CREDITS = _Meaning(
    NoCredits,
    "The account has too few credits for this",
    "Add credits on the service's site, then send it again.",
)
_BUSY = _Meaning(TooMany, "The service asks to slow down", "Wait a while, then send it again.")
_OTHER = _Meaning(
    Refused, "The service refused the request", "Change the request as the service says, then send it again."
)
_UNANSWERED = _OTHER._replace(fact="The service refused to answer")
_MEANINGS = {
    401: _KEY, 403: _KEY, 402: _CREDITS, 404: _UNKNOWN, 410: _UNKNOWN, 408: _LATE, 425: _LATE, 429: _BUSY,
}  # fmt: skip


def _refusal(status: int, headers: Headers, said: str, *, paid: bool, now: float) -> Refused:
    meaning = _MEANINGS.get(status, _OTHER if paid else _UNANSWERED)
    charge = (
        f"Nothing was charged. {meaning.advice}" if paid else f"Nothing was charged for asking. {meaning.free_advice}"
    )
    sentence = f"{meaning.fact} (status {status}). {charge}"
    if meaning is _BUSY:
        wait = parse_retry_after(_header(headers, "retry-after"), now)
        return TooMany(sentence, said=said, retry_after=wait)
    return meaning.kind(sentence, said=said, status=status)


def _header(headers: Headers, name: str) -> str:
    return next((value for key, value in headers.items() if key.lower() == name), "")
