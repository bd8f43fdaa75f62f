"""What can go wrong on the wire, sorted by the only question that matters for money: was it sent, was it taken?"""

from __future__ import annotations

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
