"""Reading responses: the Retry-After header, and content codings undone in bounded steps."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

MAX_RETRY_AFTER_SECONDS = 900.0
"""Longer waits, sent by mistake or malice, are cut: they would look like a hang."""

_SECONDS_PATTERN = re.compile(r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+")
_MAX_DATE_CHARS = 64


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Return the wait in seconds, from 0 to MAX_RETRY_AFTER_SECONDS, or None for an unusable header.

    `now` is seconds since the epoch, for the form that names a date (RFC 9110, 10.2.3). Never raises.
    """
    if value is None:
        return None
    text = value.strip(" \t")
    if _SECONDS_PATTERN.fullmatch(text):
        return min(float(text), MAX_RETRY_AFTER_SECONDS)
    if len(text) > _MAX_DATE_CHARS:
        return None
    at = _parse_http_date(text)
    return None if at is None else max(0.0, min(at - now, MAX_RETRY_AFTER_SECONDS))


def _parse_http_date(text: str) -> float | None:
    from datetime import UTC
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    # The parser of e-mail dates raises whatever its arithmetic meets.
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


MAX_STEP_BYTES = 1024 * 1024
"""Bytes unpacked at a time."""


class BodyTooLarge(Exception):
    """A response over the limit."""


class UnknownContentEncoding(Exception):
    """A response in a content coding that was not requested."""


class BoundedDecompressor:
    """Undoes the content coding of one body, of at most `limit` bytes before and after.

    Raises BodyTooLarge beyond it, UnknownContentEncoding for another coding than gzip and deflate, and zlib.error.
    """

    def __init__(self, coding: str, limit: int) -> None:
        self._limit = limit
        self._remaining_bytes = limit + 1
        self._received_bytes = 0
        coding = coding.strip().lower()
        if coding in ("", "identity"):
            self._decompressor = None
        elif coding in ("gzip", "x-gzip", "deflate"):
            # 32 more than the window size makes zlib read either header, RFC 1950's or gzip's.
            self._decompressor = zlib.decompressobj(zlib.MAX_WBITS | 32)
        else:
            raise UnknownContentEncoding(coding)

    def decompress(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the decoded chunk, never more than one byte over the limit in total."""
        self._received_bytes += len(chunk)
        if self._received_bytes > self._limit:
            raise BodyTooLarge
        if self._decompressor is None:
            yield chunk
        while self._decompressor is not None and chunk and self._remaining_bytes > 0:
            part = self._decompressor.decompress(chunk, min(self._remaining_bytes, MAX_STEP_BYTES))
            self._remaining_bytes -= len(part)
            chunk = self._decompressor.unconsumed_tail
            yield part

    @property
    def is_complete(self) -> bool:
        """Whether a coded body has come to its own end."""
        return self._decompressor is None or self._decompressor.eof
