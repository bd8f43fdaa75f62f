"""Ages in the character list, in whatever form they are given."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

MAX_AGE_YEARS = 1_000
_MAX_TEXT_CHARS = 200
_MAX_DEPTH = 4
_MAX_ITEMS = 20

_UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMBER_PATTERN = r"[0-9]{1,9}(?:[.,][0-9]{1,3})?"


def parse_age(value: Any) -> tuple[int | None, bool]:
    """Return the lowest age in whole years that `value` names, None where it names none; and whether it can be read.

    An age may come as a number, digits, English words, or several of them in a list or an object. Where none was
    given at all there is nothing to read, which is readable.
    """
    if value is None or value == "":
        return None, True
    ages = list(_iter_ages(value, _MAX_DEPTH))
    return (math.floor(max(0, min(*ages, MAX_AGE_YEARS))), True) if ages else (None, False)


def _iter_ages(value: Any, depth: int) -> Iterator[float]:
    if isinstance(value, str):
        yield from _ages_in_text(unicodedata.normalize("NFKC", value[:_MAX_TEXT_CHARS]).casefold())
    elif isinstance(value, list | dict) and depth > 0:
        for inner in list(value if isinstance(value, list) else value.values())[:_MAX_ITEMS]:
            yield from _iter_ages(inner, depth - 1)
    elif isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value):
        yield value


def _ages_in_text(text: str) -> Iterator[float]:
    yield from (float(number.replace(",", ".")) for number in re.findall(_NUMBER_PATTERN, text))
    tens = 0
    for word in [*re.findall("[a-z]+", text), ""]:
        if word in _UNITS:
            yield tens + _UNITS.index(word)
        elif tens:
            yield tens
        tens = 10 * (_TENS.index(word) + 2) if word in _TENS else 0
