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

from eternal_tui.config.settings import SettingsError
from eternal_tui.core.formatting import HOOK_FIELDS, OUTPUT_FIELDS, parse_template
from eternal_tui.core.network import is_in_network, is_loopback
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


_TEXT_TABLES = {
    "keys": ('with lines like "id" = "key"', "the name of a key, such as ctrl+r"),
    "views": ('lines of "name" = "filter"', "a filter, such as state:failed"),
}


def parse_text_table(table: str, given: object, where: str) -> dict[str, str]:
    """Return the table of keys by action id, or that of filters by name; raise SettingsError."""
    lines, entry = _TEXT_TABLES[table]
    if not isinstance(given, dict):
        raise SettingsError(f"{where} is {describe_value(given)}, but it is a table: [{table}], {lines}.")
    for name, text in given.items():
        if isinstance(text, dict) and table == "keys":
            raise SettingsError(f'{where}.{name}: put an id with a dot in quotes, as in "{name}.…" = "key".')
        if not isinstance(text, str) or not text.strip():
            raise SettingsError(f"{where}.{name} is {describe_value(text)}, but it is {entry}.")
    return dict(given)


def validate(
    struct: type[msgspec.Struct], name: str, given: object, where: str, *, resolve: Resolve = Path, strict: bool = True
) -> Any:
    """Return a value as its field wants it; raise SettingsError.

    Unless `strict`, it is the text of a variable or a flag.
    """
    kind = field_types(struct)[name]
    if not strict:
        given = _read_word(name, str(given).strip(), kind)
    if name == "data_dir":
        if not isinstance(given, str | Path) or not str(given).strip() or "\0" in str(given):
            raise SettingsError(f"{where} is {describe_value(given)}, but it is the path of a folder.")
        return resolve(str(given))
    if name == "auto_save_to" and isinstance(given, str) and given.strip():
        # A path from a configuration file starts at that file.
        given = f"{resolve(given)}{'/' if given.endswith('/') else ''}"
    try:
        return _check_extra_rules(name, msgspec.convert(given, kind, strict=strict))
    except msgspec.ValidationError:
        problem = f"It may be {_describe_type(msgspec.inspect.type_info(kind))}."
    except ValueError as error:
        problem = str(error)
    raise SettingsError(f"{where} is {describe_value(given)}. {problem}")


def _read_word(name: str, text: str, kind: Any) -> str | bool | None:
    """Return the value of a word such as "on" for a switch or "none" for a limit; other texts as they are."""
    word = text.lower()
    if kind.__origin__ is bool and word in ("yes", "on", "no", "off", "none"):
        return word in ("yes", "on")
    return None if name in ("daily_cap", "confirm_above") and word in ("none", "no", "off") else text


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
    if isinstance(given, dict | list):
        return "a table" if isinstance(given, dict) else "a list"
    return sanitize(str(given).lower() if isinstance(given, bool) else str(given), limit=_MAX_SHOWN_CHARS)


def _describe_type(described: Any) -> str:
    """Describe the values that a field of this type accepts."""
    inspect = msgspec.inspect
    if isinstance(described, inspect.Metadata):
        return _describe_type(described.type)
    if isinstance(described, inspect.UnionType):
        return " or ".join(_describe_type(part) for part in described.types)
    if isinstance(described, inspect.LiteralType):
        return "one of " + ", ".join(str(choice) for choice in described.values)
    if isinstance(described, inspect.IntType | inspect.FloatType):
        number = "a whole number" if isinstance(described, inspect.IntType) else "a number"
        bounds = f"from {described.ge:g} to" if described.ge is not None else f"above {described.gt:g}, at most"
        return f"{number} {bounds} {described.le:.12g}"
    if isinstance(described, inspect.StrType):
        longest = described.max_length
        return "text" if longest is None else f"text of at most {longest} characters"
    names = {inspect.BoolType: "true or false", inspect.NoneType: "left out", inspect.ListType: "a list of texts"}
    return names.get(type(described), "something else")


def suggestion_sentence(name: str, names: Iterable[str]) -> str:
    """Return a sentence that names the closest of `names`, or all of them."""
    import difflib

    known = sorted(names)
    close = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {close[0]}?" if close else f"Valid: {', '.join(known)}."


_HOST_PATTERN = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*\.?"
_PATH_PATTERN = r"(/[A-Za-z0-9._~-]+)*"
_URL_PATTERN = r"(?s)(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<rest>.*)"


def validate_base_url(text: str) -> str:
    """Return the base URL in its plain form, without a trailing slash; raise ValueError with a sentence.

    Only https, or http to this machine; a host and perhaps a port and a path prefix, and nothing else.
    """
    match = re.fullmatch(_URL_PATTERN, text.strip())
    if match is None:
        raise ValueError("A base URL looks like https://open.eternalai.org.")
    scheme, authority, rest = match["scheme"].lower(), match["authority"], match["rest"]
    if "@" in authority:
        raise ValueError("A base URL contains no user name or password.")
    if rest:
        raise ValueError("A base URL has no ? and no # part.")
    host, port = _split_authority(authority)
    if scheme == "http" and not is_loopback(host):
        raise ValueError("Plain http is for this machine only (localhost); use https, so that the key stays secret.")
    if scheme not in ("http", "https"):
        raise ValueError("A base URL starts with https://.")
    path = match["path"].rstrip("/")
    if not re.fullmatch(_PATH_PATTERN, path) or {".", ".."} & set(path.split("/")):
        raise ValueError("The path of a base URL is made of letters, digits, - . _ ~ and single slashes.")
    return f"{scheme}://{host.lower()}{port}{path}"


def _split_authority(authority: str) -> tuple[str, str]:
    host, tail = re.findall(r"(?s)\A(\[[^\]]*\]?|[^:]*)(.*)", authority)[0]
    if host.startswith("["):
        # A zone such as %eth0 has no place in an address that others are to use.
        if not re.fullmatch(r"\[[^%]*\]", host) or not is_in_network(host[1:-1], "::/0"):
            raise ValueError("The host between [ and ] is no IPv6 address.")
    elif len(host) > 253 or not re.fullmatch(_HOST_PATTERN, host) or _is_ambiguous_address(host):
        raise ValueError("The host of a base URL is a name such as open.eternalai.org.")
    if not tail:
        return host, ""
    if not re.fullmatch(":[0-9]{1,5}", tail) or not 1 <= int(tail[1:]) <= 65535:
        raise ValueError("The port of a base URL is a number from 1 to 65535.")
    return host, f":{int(tail[1:])}"


def _is_ambiguous_address(host: str) -> bool:
    # 2130706433, 0x7f.1 and 127.1 are addresses to a resolver and names to us: neither, then.
    last = host.rstrip(".").rpartition(".")[2]
    return bool(re.fullmatch("[0-9]+|0[xX][0-9A-Fa-f]*", last)) and not is_in_network(host, "0.0.0.0/0")
