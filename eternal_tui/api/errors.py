"""Errors of the API, sorted by what matters for money: was the request sent, was it accepted?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from eternal_tui.api import fields
from eternal_tui.api.reasons import extract_reason, extract_reason_from_text, is_html
from eternal_tui.core.http import parse_retry_after
from eternal_tui.core.sanitize import UntrustedText


class ApiError(Exception):
    """A call to the service without a usable response.

    `str(error)` is a sentence of this program. `service_message` is the service's, to be sanitized before it is shown;
    `raw` is the response as it came, cut short, empty where there was none, and `status` its HTTP status. `retry_after`
    is the wait in seconds that a 429 or 5xx asks for, capped, or None.
    """

    raw: UntrustedText = UntrustedText("")
    status: int | None = None

    def __init__(self, message: str, service_message: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.service_message = UntrustedText(service_message)
        self.retry_after = retry_after

    @property
    def full_message(self) -> UntrustedText:
        """The whole account of what happened: our sentence, and the service's own words set apart from it."""
        return UntrustedText(f"{self} The API said: “{self.service_message}”" if self.service_message else str(self))


class RequestNotSent(ApiError):
    """The request certainly never reached the service: nothing can have been charged, sending again is safe."""


class Unreachable(RequestNotSent):
    """No connection could be made: refused, unresolvable, timed out while connecting, TLS or proxy failure."""


class Unsendable(RequestNotSent):
    """The request could not even be put on the wire, for example for a malformed base URL."""


class RequestRejected(ApiError):
    """The service rejected the request with a 4xx status."""


class KeyRejected(RequestRejected):
    """401 or 403: no key, or one the service does not accept."""


class InsufficientCredits(RequestRejected):
    """402: the account cannot pay for this."""


class NotFound(RequestRejected):
    """404 or 410."""


class RateLimited(RequestRejected):
    """429: refused for now."""


class OutcomeUnknown(ApiError):
    """Sent, and the answer is lost, broken or not the service's own: a paid request may have been charged."""


class ResponseLost(OutcomeUnknown):
    """The connection ended or timed out after the request had started to leave."""


class ServerError(OutcomeUnknown):
    """5xx."""


class InvalidResponse(OutcomeUnknown):
    """An answer came, but it is not JSON of a known shape, is too large, or carries no request id."""


class Redirected(OutcomeUnknown):
    """3xx: never followed, because the key belongs to the API host alone."""


def charge_notice(paid: bool) -> str:
    """Return the sentence about charges for a request whose outcome is unknown."""
    if not paid:
        return " Checking is free; safe to retry."
    return " You may have been charged. Check your balance before retrying."


def error_from_response(
    status: int, headers: Mapping[str, str], body: bytes, *, paid: bool = False, now: float = 0.0
) -> ApiError:
    """Return the error for a response whose status is not 200–299.

    `headers` have names in lower case, `paid` chooses the words about money, and `now` is seconds since the epoch for
    a Retry-After that names a date.
    """
    said, is_page = _read_reason(body)
    wait = parse_retry_after(headers.get("retry-after"), now)
    notice = charge_notice(paid)
    if 400 <= status <= 499:
        spec = _error_spec(status, said, is_page, paid=paid)
        return _rejection(spec, said, paid=paid, status_text=f" (HTTP {status})", retry_after=wait)
    if 500 <= status <= 599:
        return ServerError(f"Server error (HTTP {status}).{notice}", said, retry_after=wait)
    if 300 <= status <= 399:
        return Redirected(
            f"Unexpected redirect (HTTP {status}), not followed to protect your API key. Check base_url.{notice}",
            headers.get("location", "").partition("?")[0][:500] or said,
        )
    return InvalidResponse(f"Unexpected HTTP status {status}.{notice}", said)


def error_from_refusal(code: int | None, reason: str, *, paid: bool) -> ApiError | None:
    """Return the error for an explicit refusal in a response of status 200.

    `code` is the status named inside, or None. A POST is rejected whatever the reason. A poll is rejected only if the
    reason concerns the poll (key, unknown id, a busy service); the result is None where it concerns the job itself.
    """
    if code is not None and 500 <= code <= 599:
        return ServerError(f"Server error ({code}).{charge_notice(paid)}", reason)
    spec = _error_spec(code, reason, is_page=False, paid=paid) if code in _ERROR_SPECS else _spec_by_reason(reason)
    if paid:
        # Never as a RateLimited: only a real 429 is sent again automatically.
        spec = _RATE_LIMITED._replace(error_type=RequestRejected) if spec is _RATE_LIMITED else spec
        return _rejection(spec or _PAID_REJECTED, reason, paid=True)
    if re.search(_TRANSIENT_PATTERN, reason):
        return ServerError(f"The API is busy.{charge_notice(paid)}", reason)
    return _rejection(spec, reason, paid=False) if spec in (_KEY_REJECTED, _NOT_FOUND, _RATE_LIMITED) else None


def _read_reason(body: bytes) -> tuple[str, bool]:
    """Return the reason that a response gives, and whether it is an HTML page."""
    try:
        return extract_reason(fields.load_json(body)), False
    except ValueError:
        text = fields.decode_text(body)
        return extract_reason_from_text(text), is_html(text)


class _ErrorSpec(NamedTuple):
    """The error of a status, its summary, and the advice for a paid request and for a free poll.

    A poll may concern a paid, running job: its text must not say that the job was not charged or should be sent
    again.
    """

    error_type: type[RequestRejected]
    summary: str
    paid_advice: str
    free_advice: str = "Checking is free; safe to retry."


_KEY_REJECTED = _ErrorSpec(
    KeyRejected,
    "API key rejected",
    "Run `eternal-tui login` to set a new key.",
    "Run `eternal-tui login` to set a new key.",
)
_NOT_FOUND = _ErrorSpec(NotFound, "Not found", "Check the character ID and base_url, then retry.", "Check base_url.")
_REQUEST_TIMEOUT = _ErrorSpec(RequestRejected, "Request timed out", "Retry.")
_INSUFFICIENT_CREDITS = _ErrorSpec(InsufficientCredits, "Not enough credits", "Top up your account, then retry.")
_RATE_LIMITED = _ErrorSpec(RateLimited, "Rate limited", "Retry later.")
_PAID_REJECTED = _ErrorSpec(RequestRejected, "Request rejected", "Change the request, then retry.")
_FREE_REJECTED = _PAID_REJECTED._replace(summary="The API refused to answer")
_MODERATED = _PAID_REJECTED._replace(summary="Content not allowed", paid_advice="Change the prompt, then retry.")
_BLOCKED = _ErrorSpec(
    RequestRejected, "Blocked by a proxy or firewall, not by the API", "Check the network or VPN, then retry."
)
_PROXY_LOGIN = _ErrorSpec(
    RequestRejected,
    "The proxy requires a user name and password",
    "Set them in the proxy variable, e.g. HTTPS_PROXY=http://user:password@host:port.",
)
_ERROR_SPECS = {
    401: _KEY_REJECTED,
    402: _INSUFFICIENT_CREDITS,
    403: _KEY_REJECTED,
    404: _NOT_FOUND,
    407: _PROXY_LOGIN,
    408: _REQUEST_TIMEOUT,
    410: _NOT_FOUND,
    425: _REQUEST_TIMEOUT,
    429: _RATE_LIMITED,
}

_CREDITS_PATTERN = (
    r"(?i)\b(?:insufficient|not enough|too few|out of|no(?: more)?|low|exceed(?:s|ed)?|lack(?:ing)?)[ _-]?"
    r".{0,30}?(?:credit|balance|fund|quota)|quota.{0,10}exceed|(?:credit|balance).{0,20}(?:insufficient|exhausted)"
    r"|top[ -]?up|payment required|add (?:more )?(?:credits|funds)"
)
_API_KEY_PATTERN = (
    r"(?i)(?:invalid|incorrect|missing|expired|revoked|unknown|no|wrong|bad).{0,20}api[ _-]?key"
    r"|api[ _-]?key.{0,30}(?:invalid|incorrect|missing|required|expired|revoked|not |disabled|header)"
)
_MODERATION_PATTERN = (
    r"(?i)moderat|nsfw|polic(?:y|ies)|prohibited|inappropriate|unsafe|safety|sensitive|explicit|harmful|forbidden "
    r"(?:word|content)|banned word|guideline|flagged|content.{0,20}(?:block|reject|filter|violat|not allowed)|violat"
)
_KEY_PATTERN = (
    r"(?i)api[ _-]?key|\bkeys?\b|token|authori[sz]|authenticat|credential|bearer|\bauth\b|log ?in|sign ?in|signature"
    r"|\baccount\b|permission|access denied"
)
_NOT_FOUND_PATTERN = (
    r"(?i)(?:request|task|job|id|record|result|generation)\b.{0,40}(?:not found|not exist|unknown|no longer)"
    r"|^not[ _]found|(?:no such|unknown|cannot find|could not find).{0,12}(?:request|task|job|id|record|result)"
)
_RATE_PATTERN = r"(?i)too many requests|rate[ _-]?limit|slow down|throttl"
_TRANSIENT_PATTERN = (
    r"(?i)try (?:it )?again|temporar|overload|\bbusy\b|unavailable|internal (?:server )?error|server error|bad gateway"
    r"|gateway time|upstream|maintenance|database|connection (?:reset|refused)"
)
_UNTOLD_403 = r"(?i)\W*(?:403\W*)?(?:forbidden|unauthori[sz]ed|access denied|not allowed)?\W*"


def _error_spec(status: int | None, reason: str, is_page: bool, *, paid: bool) -> _ErrorSpec:
    """Return the meaning of a 4xx. A 403 has many: moderation, a firewall, credits, another account's job, the key."""
    other = _PAID_REJECTED if paid else _FREE_REJECTED
    if status not in (401, 403):
        found = _ERROR_SPECS.get(status or 0, other)
        by_reason = _spec_by_reason(reason) if found is other else None
        said_so = by_reason in (_MODERATED, _INSUFFICIENT_CREDITS) or re.search(_API_KEY_PATTERN, reason)
        return by_reason if by_reason is not None and said_so else found
    if status == 401 or (not is_page and re.fullmatch(_UNTOLD_403, reason)):
        return _KEY_REJECTED
    if is_page:
        return _BLOCKED
    return _spec_by_reason(reason) or other


def _spec_by_reason(reason: str) -> _ErrorSpec | None:
    for pattern, spec in (
        (_CREDITS_PATTERN, _INSUFFICIENT_CREDITS),
        (_API_KEY_PATTERN, _KEY_REJECTED),
        (_MODERATION_PATTERN, _MODERATED),
        (_NOT_FOUND_PATTERN, _NOT_FOUND),
        (_RATE_PATTERN, _RATE_LIMITED),
        (_KEY_PATTERN, _KEY_REJECTED),
    ):
        if re.search(pattern, reason):
            return spec
    return None


def _rejection(
    spec: _ErrorSpec, reason: str, *, paid: bool, status_text: str = "", retry_after: float | None = None
) -> RequestRejected:
    charge = f"Not charged. {spec.paid_advice}" if paid else spec.free_advice
    wait = retry_after if spec.error_type is RateLimited else None
    return spec.error_type(f"{spec.summary}{status_text}. {charge}", reason, retry_after=wait)
