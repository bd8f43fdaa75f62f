"""The documented call as a curl command, parsed from pasted text and written for copying."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

from eternal_tui.api.models import GenerateRequest, validate

_HEADER_NAME_PATTERN = re.compile(r"[A-Za-z0-9-]{1,64}")
_BEARER_HEADER = "authorization"


def to_json(request: GenerateRequest, *, indent: int | None = None) -> str:
    """Return the body as JSON that is safe to paste into a terminal: characters that cannot be seen are escaped."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(request.body(), ensure_ascii=False, indent=indent, separators=separators)
    # Line breaks that json adds are newlines; any other unprintable character is inside a string.
    return "".join(one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1] for one in text)


def to_python(request: GenerateRequest, base_url: str, header: str = "x-api-key") -> str:
    """Return a Python program, using httpx, that sends the request with the key from the environment."""
    bearer = "Bearer " if header.lower() == _BEARER_HEADER else ""
    key = 'os.environ["ETERNALAI_API_KEY"]'
    header_line(header, "")
    return f"""\
import os

import httpx

answer = httpx.post(
    {base_url.rstrip("/") + GENERATE_PATH!r},
    headers={{{header!r}: {repr(bearer) + " + " if bearer else ""}{key}}},
    json={request.body()!r},
    timeout=60,
)
answer.raise_for_status()
print(answer.json())
"""


def header_line(header: str, key: str) -> str:
    """Return the header line that carries `key`; raise ValueError for a name that is no header's."""
    if not _HEADER_NAME_PATTERN.fullmatch(header):
        raise ValueError("The key header's name may hold letters, digits and hyphens only.")
    return f"{header}: {'Bearer ' if header.lower() == _BEARER_HEADER else ''}{key}"


GENERATE_PATH = "/v2/base/generate"
MAX_PASTE_CHARS = 100_000
"""Characters of a pasted command that are read: many times the longest prompt."""

_DATA_OPTIONS = {"-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--json"}
# Options of curl with a value that is not used; every other option is a bare switch.
_OPTIONS_WITH_VALUE = frozenset(
    """-H --header -X --request -A --user-agent -b --cookie -c --cookie-jar -e --referer -m --max-time -o --output
    -u --user -w --write-out -x --proxy --cacert --cert -E --key --connect-timeout --retry --retry-delay --resolve
    -F --form -T --upload-file --url --oauth2-bearer -K --config --interface""".split()  # noqa: SIM905
)
# Switches may be combined, as in -sSd '…': the first one with a value gets the rest.
_SHORT_OPTION_PATTERN = r"(?s)-(?!-)[^HXdAbceomuwxEFTK]*([HXdAbceomuwxEFTK])(.*)"
_CURL_COMMAND_PATTERN = re.compile(r"\s*(?:\$\s+)?(?=curl(?:\.exe)?\s)")
_WORD_PART_PATTERN = re.compile(
    r"""(?s)(?P<space>[^\S\n]+)|\\(?P<escaped>.?)|'(?P<single>[^']*)'|\$'(?P<ansi_c>(?:[^'\\]|\\.)*)'"""
    r"""|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s\\'"|;&<>$]+|\$(?!'))"""
)
_ANSI_C_PATTERN = r"(?s)\\(?:u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|x([0-9a-fA-F]{1,2})|(.))"
_ANSI_C_ESCAPES = dict(zip("ntrabfveE", "\n\t\r\a\b\f\v\x1b\x1b", strict=True))


class CurlError(ValueError):
    """A pasted command that is not the documented call; the message says why. Nothing was changed."""


def is_curl_command(text: str) -> bool:
    """Tell whether `text` is a curl command rather than a prompt that happens to begin with that word."""
    return _CURL_COMMAND_PATTERN.match(text[:40]) is not None and "://" in text[:MAX_PASTE_CHARS]


def parse_curl(text: str) -> GenerateRequest:
    """Return the request that a curl command of the documented form would send.

    Headers are not read, so that a key in them goes nowhere. Raises CurlError where the command cannot be read,
    InvalidRequest where the request in it breaks a documented rule.
    """
    if len(text) > MAX_PASTE_CHARS:
        raise CurlError("Pasted command is too long.")
    if (start := _CURL_COMMAND_PATTERN.match(text)) is None:
        raise CurlError("Not a curl command.")
    # A terminal sends a carriage return for each pasted line break; a shell does not read it as one.
    command = re.sub(r"\r\n?", "\n", text[start.end() :])
    urls, bodies = _parse_arguments(list(_split_words(command)))
    if not any(url.split("?")[0].rstrip("/").endswith("/generate") for url in urls):
        raise CurlError(f"Pasted curl command does not call {GENERATE_PATH}. Form unchanged.")
    if not bodies:
        raise CurlError("Pasted curl command has no --data.")
    return validate(_build_request(_decode_body("&".join(bodies))))


def to_curl(request: GenerateRequest, base_url: str, header: str = "x-api-key") -> str:
    """Return a shell command that sends the request. The key stays a shell variable and is never written out.

    No `--location`: curl would carry the key to wherever it is redirected.
    """
    return " \\\n  ".join(
        (
            f"curl {shlex.quote(base_url.rstrip('/') + GENERATE_PATH)}",
            "--header 'Content-Type: application/json'",
            f'--header "{header_line(header, "$ETERNALAI_API_KEY")}"',
            f"--data-raw {shlex.quote(to_json(request))}",
        )
    )


def _parse_arguments(words: list[str]) -> tuple[list[str], list[str]]:
    urls: list[str] = []
    bodies: list[str] = []
    rest = iter(words[1:])
    for word in rest:
        option, value = _split_option(word)
        if option in _DATA_OPTIONS or option in _OPTIONS_WITH_VALUE:
            taken = next(rest, "") if value is None else value
            if option in _DATA_OPTIONS:
                if taken.startswith("@") and option != "--data-raw":
                    raise CurlError("Pasted curl command reads its body from a file. Paste the JSON itself.")
                bodies.append(taken)
            elif option == "--url":
                urls.append(taken)
        elif not option:
            urls.append(word)
    return urls, bodies


def _split_option(word: str) -> tuple[str, str | None]:
    """Return the option a word is, "" for none, and the value glued to it, None where the next word is the value."""
    if word.startswith("--") and "=" in word:
        name, _, value = word.partition("=")
        return name, value
    if short := re.fullmatch(_SHORT_OPTION_PATTERN, word):
        return f"-{short[1]}", short[2] or None
    return (word, None) if word.startswith("-") and word != "-" else ("", None)


def _decode_body(body: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise CurlError("--data of the pasted curl command is not JSON.") from error


def _build_request(body: Any) -> GenerateRequest:
    if not isinstance(body, dict):
        raise CurlError("--data of the pasted curl command is not a JSON object.")
    images = body.get("images")
    if not isinstance(images, list) or len(images) != 1:
        raise CurlError("images in the pasted curl command must contain exactly one character ID.")
    character = str(images[0]) if type(images[0]) is int else images[0]
    for name, kind in _FIELD_TYPES.items():
        if body.get(name) is not None and type(body[name]) is not kind:
            raise CurlError(f"{name} in the pasted curl command is not {_TYPE_NAMES[kind]}.")
    if not isinstance(character, str):
        raise CurlError("The character ID in the pasted curl command is not a string.")
    if body.get("prompt") is None or body.get("type") is None:
        raise CurlError("Pasted curl command lacks prompt or type.")
    fields: dict[str, Any] = {name: body.get(name) for name in _FIELD_TYPES}
    return GenerateRequest(character=character, **fields)


_FIELD_TYPES: dict[str, type] = {"prompt": str, "type": str, "duration": int, "audio": bool, "quality": str}
_TYPE_NAMES: dict[type, str] = {str: "a string", int: "a whole number", bool: "true or false"}


def _split_words(text: str) -> Iterator[str]:
    """Yield the words of the first command in `text` as a shell would, expanding no variables.

    The standard library's shlex knows neither line continuations nor `$'…'`, which browsers write.
    """
    word: str | None = None
    position = 0
    while part := _WORD_PART_PATTERN.match(text, position):
        position, kind = part.end(), part.lastgroup or ""
        if kind == "space":
            if word is not None:
                yield word
            word = None
        # An escaped line break is a continuation.
        elif (kind, part[kind]) != ("escaped", "\n"):
            word = (word or "") + _unquote(kind, part[kind])
    if word is not None:
        yield word
    if re.match(r"\$?['\"]", text[position : position + 2]):
        raise CurlError("Pasted curl command has an unclosed quote.")


def _unquote(kind: str, text: str) -> str:
    if kind == "ansi_c":
        return re.sub(_ANSI_C_PATTERN, _unescape_ansi_c, text)
    return re.sub(r'\\([$`"\\\n])', lambda each: each[1].strip("\n"), text) if kind == "double" else text


def _unescape_ansi_c(match: re.Match[str]) -> str:
    digits = match[1] or match[2] or match[3]
    if digits is None:
        return _ANSI_C_ESCAPES.get(match[4], match[4])
    code = int(digits, 16)
    return chr(code) if code <= 0x10FFFF else "\N{REPLACEMENT CHARACTER}"
