"""Retry-After in every form it has been seen in."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eternal_tui.core.http import MAX_RETRY_AFTER_SECONDS, parse_retry_after

NOW = 784111777.0
"""Sun, 06 Nov 1994 08:49:37 GMT, the moment of RFC 9110's examples."""


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0), ("2", 2.0), (" 120\t", 120.0), ("1.5", 1.5), ("007", 7.0), ("900", 900.0), ("901", 900.0),
        ("9" * 5_000, 900.0), ("1" + "0" * 400 + ".0", 900.0),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60.0), ("Sunday, 06-Nov-94 08:50:37 GMT", 60.0),
        ("Sun Nov  6 08:50:37 1994", 60.0), ("Sun, 06 Nov 1994 08:50:37 -0000", 60.0),
        ("Sun, 06 Nov 1994 10:50:37 +0200", 60.0), ("Sun, 06 Nov 1994 08:49:36 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0), ("Fri, 31 Dec 9999 23:59:59 GMT", 900.0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 900.0),
        *((garbage, None) for garbage in (
            None, "", " ", "-1", "+1", "-0", "nan", "NaN", "inf", "Infinity", "1e3", "0x10", "1_000", "٣", "soon",
            "1, 2", "5;", "12 s", "Sun, 99 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994", "\x00", "Sun,", ",",
            "a" * 100_000,
        )),
    ],
)  # fmt: skip
def test_retry_after_is_read_and_capped_or_nothing(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


@given(st.one_of(st.text(), st.from_regex(r"\w{3}, \d{1,4} \w{3} \d{1,6} \d\d:\d\d:\d\d .{0,6}")), st.floats(0, 4e9))
def test_any_text_gives_a_bounded_wait_or_none(value: str, now: float) -> None:
    wait = parse_retry_after(value, now)
    assert wait is None or (math.isfinite(wait) and 0 <= wait <= MAX_RETRY_AFTER_SECONDS)
