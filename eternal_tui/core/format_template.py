"""Templates of file names, lines and arguments: `{field}`, `{field:40}` for at most 40 characters, `{{` for a brace."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from string import Formatter

import msgspec

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
