"""Sizes, times and credits are written in one place."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

import eternal_tui
from eternal_tui.core import formatting


@pytest.mark.parametrize(
    ("function", "texts"),
    [
        (
            formatting.format_bytes,
            {0: "0 B", 999: "999 B", 1_000: "1 kB", 999_499: "999 kB", 999_500: "1.0 MB", 2_450_000: "2.5 MB"}
            | {999_950_000: "1.0 GB", 5e12: "5.0 TB", 5e15: "5000.0 TB"},
        ),
        (
            formatting.format_duration,
            {-3: "0:00", 41: "0:41", 725.4: "12:05", 3_723: "1:02:03", 1e12: "?", float("nan"): "?"},
        ),
        (formatting.format_short_duration, {-3: "0:00", 41: "0:41", 725: "12:05", 3_723: "1h02", 360_000: "4d"}),
        (formatting.format_remaining, {None: "", 1: "~0:05", 19: "~0:20", 61: "~1:15", 601: "~11:00"}),
        (
            formatting.format_minutes,
            {0: "~5 s", 41: "~45 s", 61: "~2 min", 540: "~9 min", 9_000: "~2.5 h", 2e5: "~3 days"},
        ),
        (formatting.format_datetime, {1e18: "?", float("nan"): "?", float("-inf"): "?"}),
        (
            formatting.format_amount,
            {0: "0.00", 1234.5: "1,234.50", Decimal("0.125"): "0.12", 0.004: "0.004", Decimal("0.000001"): "0.000001"}
            | {1e-300: "<0.000001", 0.01: "0.01", 1e300: "1.00e+300", Decimal("1e300"): "1.00e+300"},
        ),
        (formatting.format_cost, {None: "price unknown", 0.04: "~0.04 credits", Decimal(1500): "~1,500.00 credits"}),
    ],
)
def test_formats(function: Callable[[object], str], texts: dict[object, str]) -> None:
    assert {value: function(value) for value in texts} == texts


def test_no_other_module_formats_credits_dates_or_sizes() -> None:
    package = Path(eternal_tui.__file__).parent
    pattern = re.compile(r':,?\.2f\}|strftime\("[^"]*:|\{[^}]*\} [kKMG]B\b')
    found = {
        str(path.relative_to(package)): match[0]
        for path in package.rglob("*.py")
        if (match := pattern.search(path.read_text()))
    }
    assert set(found) == {"core/formatting.py"}
