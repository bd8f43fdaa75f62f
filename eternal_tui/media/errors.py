"""Errors between a result's link and a file that may be opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

NOT_CHARGED_NOTE = "Not charged again."


class ResultError(Exception):
    """A result could not be fetched or opened; its text is a sentence to show unchanged.

    A screen shows it and a command prints it, so it names no key. No text from the service, no address and no
    local path is ever part of it: signed links are secrets, and a server's text is untrusted.
    """

    def __init__(self, message: str) -> None:
        super().__init__(f"{message} {NOT_CHARGED_NOTE}")
        self.message = str(self)


class LinkExpired(ResultError):
    """The storage no longer gives this link's file away: ask the service for a fresh link, which is free."""

    def __init__(self, status: int) -> None:
        super().__init__(f"Result link expired (HTTP {status}). Poll again for a new one.")
        self.status = status


class LinkRejected(ResultError):
    """The link leads somewhere this program does not go: a scheme, host, account or redirect it refuses."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Result link not followed: {reason}.")


class StorageRejected(LinkRejected):
    """The storage refused the request for the file."""

    def __init__(self, status: int) -> None:
        ResultError.__init__(self, f"Storage refused the file (HTTP {status}).")


class StorageUnreachable(ResultError):
    """The storage could not be reached or broke off: worth trying again later.

    `retry_after` is the seconds the server asked for, or None.
    """

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(f"Download failed: {reason}.")
        self.retry_after = retry_after


class BrokenFile(ResultError):
    """The file is not a whole image or video of the expected kind, or exceeds the limits."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"File is damaged: {reason}.")


class UnsupportedFile(ResultError):
    """The file is whole for all that is known, but it is not opened here: its type, codec or size."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The file is kept, but not shown here: {reason}.")
        self.reason = reason


class DiskFull(ResultError):
    """There is not enough room for the result."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"File not saved: {reason}. Free some space, then retry.")


class ResultsDirUnusable(ResultError):
    """The results folder cannot be used: missing rights, or a symbolic link in its place."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"File not saved: the results folder {reason}. Fix that, then retry.")


@contextmanager
def translate_decode_errors() -> Iterator[None]:
    """Turn any exception of a decoder into BrokenFile."""
    try:
        yield
    except ResultError:
        raise
    except MemoryError as error:
        raise BrokenFile("it needs more memory than there is") from error
    except Exception as error:  # struct.error, KeyError, zlib.error, and libav's own kinds of OSError
        raise BrokenFile("it cannot be decoded") from error
