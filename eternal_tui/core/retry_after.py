"""How long a service asked to be left alone, read from its Retry-After header."""

from __future__ import annotations

import re

MAX_RETRY_AFTER_SECONDS = 900.0
"""Seconds. A longer wait, said by mistake or by malice, would look like a program that hangs."""

_SECONDS_PATTERN = re.compile(r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+")
_MAX_DATE_CHARS = 64


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Return the wait in seconds, from 0 to MAX_RETRY_AFTER_SECONDS, or None where nothing usable was said.

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
