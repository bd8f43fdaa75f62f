"""Sizes, times and credits as text, each written one way everywhere, and templates of names and lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from decimal import Decimal
from string import Formatter

import msgspec

from eternal_tui.core.sanitize import SafeText, format_safe

MAX_DURATION_SECONDS = 1e9
"""Thirty years. Longer durations are damaged records."""


def format_bytes(count: float) -> SafeText:
    """Return a size in B, kB, MB, GB or TB; 1 kB is 1000 B."""
    if count < 1_000:
        return format_safe("{n} B", n=f"{count:.0f}")
    for unit in ("kB", "MB", "GB", "TB"):
        count /= 1_000
        # 999.95 MB would be rounded to 1000.0.
        if count < 999.5 or unit == "TB":
            break
    return format_safe("{n} {unit}", n=f"{count:.0f}" if unit == "kB" else f"{count:.1f}", unit=unit)


def format_duration(seconds: float) -> SafeText:
    """Return minutes and seconds, with hours from one hour on: 0:41, 12:05, 1:02:03; "?" for no duration."""
    if not -MAX_DURATION_SECONDS < seconds < MAX_DURATION_SECONDS:
        return SafeText("?")
    minutes, second = divmod(max(0, round(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return format_safe("{t}", t=f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}")


def format_short_duration(seconds: float) -> str:
    """Return a duration in at most five columns: 0:41, 12:05, from an hour on 1h02, from 100 hours on days."""
    whole = int(max(0.0, min(seconds, 1e12)))
    if whole < 3_600:
        return f"{whole // 60}:{whole % 60:02d}"
    if whole < 360_000:
        return f"{whole // 3_600}h{whole // 60 % 60:02d}"
    return f"{min(whole // 86_400, 9_999)}d"


def format_remaining(seconds: float | None) -> str:
    """Return an estimate of the time left, in steps coarse enough for an estimate; "" when there is none."""
    if seconds is None:
        return ""
    step = 5 if seconds < 60 else 15 if seconds < 600 else 60
    return f"~{format_short_duration(max(1, -(-seconds // step)) * step)}"


def format_minutes(seconds: float) -> str:
    """Return a rough estimate of a longer time in words: ~40 s, ~9 min, ~2.5 h, ~3 days."""
    steps = ((60, 5, 1, "s"), (3_600, 60, 60, "min"), (172_800, 1_800, 3_600, "h"), (math.inf, 86_400, 86_400, "days"))
    step, unit, name = next((step, unit, name) for limit, step, unit, name in steps if seconds < limit)
    return f"~{math.ceil(min(max(seconds, 1.0), 1e9) / step) * step / unit:g} {name}"


def format_datetime(timestamp: float, pattern: str = "%Y-%m-%d %H:%M:%S") -> SafeText:
    """Return seconds since the epoch as local date and time; "?" where a damaged record has no valid time."""
    try:
        return format_safe("{t}", t=datetime.fromtimestamp(timestamp).astimezone().strftime(pattern))
    except (ValueError, OverflowError, OSError):
        return SafeText("?")


def format_amount(amount: float | Decimal, *, is_exact: bool = True) -> str:
    """Return credits with two decimals: 1,234.50, and ~1,234.50 for an estimate.

    Below a hundredth it takes up to six decimals: 0.004.
    """
    size = abs(float(amount))
    if 0 < size < 0.01:
        text = f"{amount:.6f}".rstrip("0")
        text = "<0.000001" if text in ("0.", "-0.") else text
    else:
        text = f"{amount:,.2f}" if size < 1e15 else f"{amount:.2e}"
    return text if is_exact else f"~{text}"


def format_cost(estimate: float | Decimal | None) -> str:
    """Return what a request will cost: ~0.04 credits; "price unknown" for None."""
    return "price unknown" if estimate is None else f"{format_amount(estimate, is_exact=False)} credits"


OUTPUT_FIELDS = ("id", "character", "name", "prompt", "date", "time", "type", "n", "ext")
HOOK_FIELDS = ("id", "request_id", "state", "type", "character", "name", "prompt", "file", "output", "error", "batch")
MAX_FIELD_CHARS = 10_000


class TemplatePart(msgspec.Struct, frozen=True):
    """Literal text, followed by a field cut to `limit` characters where `field` names one."""

    literal: str
    field: str = ""
    limit: int = MAX_FIELD_CHARS


class Template(msgspec.Struct, frozen=True):
    """A checked template."""

    text: str
    parts: tuple[TemplatePart, ...]

    @property
    def fields(self) -> frozenset[str]:
        """The fields it uses."""
        return frozenset(part.field for part in self.parts if part.field)

    def render(self, values: Mapping[str, str], clean: Callable[[str, str], str] = lambda _field, value: value) -> str:
        """Fill it in, each value cut and then passed through `clean`; braces inside values stay as they are."""
        return "".join(
            part.literal + (clean(part.field, values[part.field][: part.limit]) if part.field else "")
            for part in self.parts
        )


def parse_template(text: str, fields: Collection[str]) -> Template:
    """Return the template; raise ValueError with a sentence where its braces or fields are wrong."""
    allowed = " ".join(f"{{{field}}}" for field in fields)
    parts = []
    try:
        parsed = list(Formatter().parse(text))
    except ValueError:
        raise ValueError(f"Its braces do not match; it may contain {allowed}.") from None
    for literal, field, limit, conversion in parsed:
        if field is None:
            parts.append(TemplatePart(literal))
            continue
        if field not in fields or conversion:
            raise ValueError(f"Unknown field {{{field}}}; it may contain {allowed}.")
        if limit and not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:6]) <= MAX_FIELD_CHARS):
            raise ValueError(f"{{{field}:{limit}}}: the number of characters is a whole number from 1.")
        parts.append(TemplatePart(literal, field, int(limit[:6]) if limit else MAX_FIELD_CHARS))
    return Template(text, tuple(parts))
