"""What an answer outside 200–299 stands for, and the sentence for it: paid requests and free questions apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from eternal_tui.api import errors, fields
from eternal_tui.api.said import said_in, said_in_text
from eternal_tui.core.retry_after import parse_retry_after

Headers = Mapping[str, str]


def charge_unclear(paid: bool) -> str:
    """Return what is known of money after an answer that tells nothing."""
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
            f"The service is in trouble (status {status})." + charge_unclear(paid),
            said=said,
            status=status,
            retry_after=parse_retry_after(_header(headers, "retry-after"), now),
        )
    if 300 <= status <= 399:
        return errors.Redirected(
            f"The service pointed to another address (status {status}). It was not followed, because your key "
            "belongs to the service alone. Check the base URL." + charge_unclear(paid),
            said=_header(headers, "location").partition("?")[0][:500] or said,
            status=status,
        )
    return errors.Unreadable(
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

    kind: type[errors.Refused]
    fact: str
    advice: str
    free_advice: str = "It can be asked again."


_KEY = _Meaning(
    errors.KeyRefused,
    "The service did not accept the API key",
    "Run `eternal-tui login` to give another key.",
    "Run `eternal-tui login` to give another key.",
)
_UNKNOWN = _Meaning(
    errors.NotKnown,
    "The service has nothing under this address",
    "Check the character and the base URL, then send it again.",
    "Check the base URL.",
)
_LATE = _Meaning(errors.Refused, "The service did not take the request in time", "Send it again.")
_CREDITS = _Meaning(
    errors.NoCredits,
    "The account has too few credits for this",
    "Add credits on the service's site, then send it again.",
)
_BUSY = _Meaning(errors.TooMany, "The service asks to slow down", "Wait a while, then send it again.")
_OTHER = _Meaning(
    errors.Refused, "The service refused the request", "Change the request as the service says, then send it again."
)
_UNANSWERED = _OTHER._replace(fact="The service refused to answer")
_MEANINGS = {
    401: _KEY, 403: _KEY, 402: _CREDITS, 404: _UNKNOWN, 410: _UNKNOWN, 408: _LATE, 425: _LATE, 429: _BUSY,
}  # fmt: skip


def _refusal(status: int, headers: Headers, said: str, *, paid: bool, now: float) -> errors.Refused:
    meaning = _MEANINGS.get(status, _OTHER if paid else _UNANSWERED)
    charge = (
        f"Nothing was charged. {meaning.advice}" if paid else f"Nothing was charged for asking. {meaning.free_advice}"
    )
    sentence = f"{meaning.fact} (status {status}). {charge}"
    if meaning is _BUSY:
        wait = parse_retry_after(_header(headers, "retry-after"), now)
        return errors.TooMany(sentence, said=said, retry_after=wait)
    return meaning.kind(sentence, said=said, status=status)


def _header(headers: Headers, name: str) -> str:
    return next((value for key, value in headers.items() if key.lower() == name), "")
