"""Checks one value against its field; errors are sentences."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any, get_type_hints

import msgspec

from eternal_tui.config.base_url import validate_base_url
from eternal_tui.config.settings import Settings, SettingsError
from eternal_tui.core.formatting import HOOK_FIELDS, OUTPUT_FIELDS, parse_template
from eternal_tui.core.sanitize import sanitize

TEMPLATE_FIELDS = ("date", "time", "character", "type", "id")
_QUIET_HOURS_PATTERN = r"([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]"
_MAX_SHOWN_CHARS = 60

Resolve = Callable[[str], Path]
"""Makes a path absolute: ~ is the home folder, a relative one starts at the file's or the working folder."""

_MAX_INPUT_CHARS = 4_096


@cache
def field_types(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the annotated type of each field."""
    return get_type_hints(struct, include_extras=True)


def parse_value(name: str, given: object, where: str, *, resolve: Resolve) -> Any:
    """Return a value from TOML or code as its field wants it; raise SettingsError."""
    return _validate(Settings, name, given, where, resolve=resolve, strict=True)


def parse_text_value(name: str, given: str, where: str, *, resolve: Resolve) -> Any:
    """Return a value given as text, by a variable or a flag, as its field wants it; raise SettingsError."""
    return _validate(Settings, name, given.strip(), where, resolve=resolve, strict=False)


def parse_table_value(
    struct: type[msgspec.Struct], name: str, given: object, where: str, *, as_text: bool = False
) -> Any:
    """Return one value of a table such as [notify]; raise SettingsError."""
    return _validate(struct, name, given, where, resolve=Path, strict=not as_text)


def parse_keys(given: object, where: str) -> dict[str, str]:
    """Return the table of keys by action id; raise SettingsError."""
    if not isinstance(given, dict):
        raise SettingsError(
            f'{where} is {describe_value(given)}, but it is a table: [keys], with lines like "id" = "key".'
        )
    for action, key in given.items():
        if isinstance(key, dict):
            raise SettingsError(f'{where}.{action}: put an id with a dot in quotes, as in "{action}.…" = "key".')
        if not isinstance(key, str) or not key.strip():
            raise SettingsError(
                f"{where}.{action} is {describe_value(key)}, but it is the name of a key, such as ctrl+r."
            )
    return dict(given)


def parse_views(given: object, where: str) -> dict[str, str]:
    """Return the table of filters by name; raise SettingsError."""
    if not isinstance(given, dict):
        raise SettingsError(
            f'{where} is {describe_value(given)}, but it is a table: [views], lines of "name" = "filter".'
        )
    for name, text in given.items():
        if not isinstance(text, str) or not text.strip():
            raise SettingsError(f"{where}.{name} is {describe_value(text)}, but it is a filter, such as state:failed.")
    return dict(given)


def _validate(
    struct: type[msgspec.Struct], name: str, given: object, where: str, *, resolve: Resolve, strict: bool
) -> Any:
    kind = field_types(struct)[name]
    if name == "data_dir":
        if not isinstance(given, str | Path) or not str(given).strip() or "\0" in str(given):
            raise SettingsError(f"{where} is {describe_value(given)}, but it is the path of a folder.")
        return resolve(str(given))
    if name == "auto_save_to" and isinstance(given, str) and given.strip():
        # A path from a configuration file starts at that file.
        given = f"{resolve(given)}{'/' if given.endswith('/') else ''}"
    if not strict and isinstance(given, str) and given.lower() in ("none", "no", "off", "yes", "on"):
        given = _parse_yes_no_none(name, given.lower(), kind)
    try:
        read = msgspec.convert(given, kind, strict=strict)
        return _check_extra_rules(name, read)
    except msgspec.ValidationError:
        problem = f"It may be {describe_allowed(kind)}."
    except ValueError as error:
        problem = str(error)
    raise SettingsError(f"{where} is {describe_value(given)}. {problem}")


def _parse_yes_no_none(name: str, text: str, kind: Any) -> object:
    described = msgspec.inspect.type_info(kind)
    if isinstance(described, msgspec.inspect.Metadata):
        described = described.type
    if isinstance(described, msgspec.inspect.BoolType):
        return text in ("yes", "on")
    return None if text in ("none", "no", "off") and name in ("daily_cap", "confirm_above") else text


def _check_extra_rules(name: str, value: Any) -> Any:
    """Return the value after the rules beyond its type; raise ValueError with a sentence."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("It may be a finite number.")
    if name == "base_url":
        return validate_base_url(value)
    if name == "quiet_hours" and value and not re.fullmatch(_QUIET_HOURS_PATTERN, value):
        raise ValueError('It may be two times of day, such as "22:00-07:00", or empty.')
    if name == "save_template":
        _check_template(value)
    if name == "auto_save_to" and value:
        parse_template(value, OUTPUT_FIELDS)
    if name.startswith("on_") and value:
        check_hook_command(value)
    if name == "api_key_command":
        _check_command(value)
    return value


def _check_template(template: str) -> None:
    allowed_fields = " ".join(f"{{{field}}}" for field in TEMPLATE_FIELDS)
    try:
        parts = list(Formatter().parse(template))
    except ValueError:
        raise ValueError(f"Its braces do not match; it may contain {allowed_fields}.") from None
    for literal, field, form, conversion in parts:
        if any(ord(character) < 0x20 or character in '/\\:*?"<>|\x7f' for character in literal):
            raise ValueError('It is a file name, so it contains no slash and none of : * ? " < > |.')
        if field is not None and (field not in TEMPLATE_FIELDS or form or conversion):
            raise ValueError(f"It may contain {allowed_fields}.")
    if template.startswith((".", "-")):
        raise ValueError("It may not start with . or -.")


def check_hook_command(arguments: Sequence[str]) -> None:
    """Raise ValueError with a sentence where a command of [hooks] or --on-finished is wrong."""
    if not arguments or not arguments[0].strip():
        raise ValueError("It is a list of a command and its arguments.")
    if any("\0" in argument for argument in arguments):
        raise ValueError("It contains a NUL character.")
    templates = [parse_template(argument, HOOK_FIELDS) for argument in arguments]
    if templates[0].fields:
        raise ValueError("Fields belong to the arguments, not to the command itself.")


def _check_command(command: str) -> None:
    import shlex

    try:
        shlex.split(command)
    except ValueError as error:
        raise ValueError(f"It cannot be split into words: {error}.") from None


def describe_value(given: object) -> str:
    """Return what was found, short and safe to show."""
    if isinstance(given, str):
        # An address may hold a password, before its last @, and a key in what follows its first ? or #.
        given = re.sub(r"//.*@", "//…@", given[:_MAX_INPUT_CHARS], flags=re.DOTALL)
        given = re.sub(r"(//[^?#]*[?#]).+", r"\1…", given, flags=re.DOTALL)
        return f'"{sanitize(given, limit=_MAX_SHOWN_CHARS)}"'
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, dict | list):
        return "a table" if isinstance(given, dict) else "a list"
    return sanitize(str(given), limit=_MAX_SHOWN_CHARS)


def describe_allowed(kind: Any) -> str:
    """Describe the values that a field of this type accepts."""
    described = msgspec.inspect.type_info(kind)
    if isinstance(described, msgspec.inspect.Metadata):
        described = described.type
    return _describe_type(described)


def _describe_type(described: Any) -> str:
    inspect = msgspec.inspect
    if isinstance(described, inspect.UnionType):
        return " or ".join(_describe_type(part) for part in described.types)
    if isinstance(described, inspect.LiteralType):
        return "one of " + ", ".join(str(choice) for choice in described.values)
    if isinstance(described, inspect.IntType | inspect.FloatType):
        return ("a whole number" if isinstance(described, inspect.IntType) else "a number") + _describe_bounds(
            described
        )
    if isinstance(described, inspect.StrType):
        longest = described.max_length
        return "text" if longest is None else f"text of at most {longest} characters"
    names = {inspect.BoolType: "true or false", inspect.NoneType: "left out", inspect.ListType: "a list of texts"}
    return names.get(type(described), "something else")


def _describe_bounds(number: Any) -> str:
    low, above, high = number.ge, number.gt, number.le
    start = f" from {low:g}" if low is not None else f" above {above:g}" if above is not None else ""
    if low == 0 and high is None:
        return ", 0 or more"
    return (
        f"{start} to {high:.12g}"
        if high is not None and low is not None
        else (f"{start}, at most {high:.12g}" if high is not None else start)
    )


def suggestion_sentence(name: str, names: Iterable[str]) -> str:
    """Return a sentence that names the closest of `names`, or all of them."""
    import difflib

    known = sorted(names)
    close = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {close[0]}?" if close else f"Valid: {', '.join(known)}."


def suggest(name: str, names: Sequence[str]) -> str | None:
    """Return the one of `names` that `name` is most likely a slip of the fingers for, or None."""
    import difflib

    close = difflib.get_close_matches(name, names, n=1, cutoff=0.88)
    return close[0] if close else None
