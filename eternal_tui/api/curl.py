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
    return "\n".join(
        (
            "import os",
            "",
            "import httpx",
            "",
            "answer = httpx.post(",
            f"    {base_url.rstrip('/') + '/v2/base/generate'!r},",
            f"    headers={{{header!r}: {repr(bearer) + ' + ' if bearer else ''}{key}}},",
            f"    json={request.body()!r},",
            "    timeout=60,",
            ")",
            "answer.raise_for_status()",
            "print(answer.json())",
            "",
        )
    )


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
_SHORT_OPTIONS_WITH_VALUE = set("HXdAbceomuwxEFTK")
_COMMAND_TERMINATORS = set("|;&<>")
_ANSI_C_ESCAPES = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "e": "\x1b",
    "E": "\x1b",
}
_LINE_BREAK = re.compile(r"\r\n?")
_CONTINUATION = "\\\n"
_SHELL_PROMPT_PATTERN = re.compile(r"\s*(?:\$\s+)?")
_UNQUOTED_PATTERN = re.compile(r"[^\s\\'\"|;&<>$]+|\$")
_CURL_COMMAND_PATTERN = re.compile(r"\s*(?:\$\s+)?curl(?:\.exe)?\s")


class CurlError(ValueError):
    """A pasted command that cannot be read as the documented call; the sentence says why. Nothing was changed."""


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
    if not _CURL_COMMAND_PATTERN.match(text):
        raise CurlError("Not a curl command.")
    # A terminal sends a carriage return for each line break of what is pasted, which no shell takes for one.
    urls, bodies = _parse_arguments(list(_split_words(_LINE_BREAK.sub("\n", text))))
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
    if word.startswith("-") and not word.startswith("--") and len(word) > 2:
        # Switches may be run together, as in -sSd '…': the first that takes a value takes the rest.
        for place, letter in enumerate(word[1:], start=1):
            if letter in _SHORT_OPTIONS_WITH_VALUE:
                return f"-{letter}", word[place + 1 :] or None
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
    character = images[0]
    if isinstance(character, int) and not isinstance(character, bool):
        character = str(character)
    kinds = {"prompt": str, "type": str, "duration": int, "audio": bool, "quality": str}
    fields: dict[str, Any] = {"character": character}
    for name, kind in kinds.items():
        value = body.get(name)
        if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
            raise CurlError(f"{name} in the pasted curl command is not {_TYPE_NAMES[kind]}.")
        fields[name] = value
    if not isinstance(character, str):
        raise CurlError("The character ID in the pasted curl command is not a string.")
    if fields["prompt"] is None or fields["type"] is None:
        raise CurlError("Pasted curl command lacks prompt or type.")
    return GenerateRequest(**fields)


_TYPE_NAMES: dict[type, str] = {str: "a string", int: "a whole number", bool: "true or false"}


def _split_words(text: str) -> Iterator[str]:
    """Yield the words of the first command in `text` as a shell would, expanding no variables.

    The standard library's shlex knows neither line continuations nor `$'…'`, which browsers write.
    """
    place = _SHELL_PROMPT_PATTERN.match(text).end()  # type: ignore[union-attr] # it matches the empty text too
    while place < len(text):
        parts: list[str] = []
        begun = place
        while place < len(text) and not text[place].isspace() and text[place] not in _COMMAND_TERMINATORS:
            part, place = _next_part(text, place)
            parts.append(part)
        if place > begun and text[begun:place] != _CONTINUATION:
            yield "".join(parts)
        if place < len(text) and (text[place] == "\n" or text[place] in _COMMAND_TERMINATORS):
            return
        place += 1


def _next_part(text: str, position: int) -> tuple[str, int]:
    """Return the next piece of a word and where the one after it begins."""
    if text.startswith("\\\r\n", position):
        return "", position + 3
    if text[position] == "\\":
        return text[position + 1 : position + 2].replace("\n", ""), position + 2
    if text[position] == "'" or text.startswith("$'", position):
        return _parse_single_quoted(text, position)
    if text[position] == '"':
        return _parse_double_quoted(text, position + 1)
    found = _UNQUOTED_PATTERN.match(text, position)
    assert found is not None
    return found[0], found.end()


_UNCLOSED_QUOTE = "Pasted curl command has an unclosed quote."


def _parse_single_quoted(text: str, position: int) -> tuple[str, int]:
    if text[position] == "'":
        end = text.find("'", position + 1)
        if end < 0:
            raise CurlError(_UNCLOSED_QUOTE)
        return text[position + 1 : end], end + 1
    found = re.compile(r"\$'((?:[^'\\]|\\.)*)'", re.DOTALL).match(text, position)
    if found is None:
        raise CurlError(_UNCLOSED_QUOTE)
    escape = re.compile(r"\\(?:u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|x([0-9a-fA-F]{1,2})|(.))", re.DOTALL)
    return escape.sub(_unescape_ansi_c, found[1]), found.end()


def _unescape_ansi_c(match: re.Match[str]) -> str:
    digits = match[1] or match[2] or match[3]
    if digits is None:
        return _ANSI_C_ESCAPES.get(match[4], match[4])
    code = int(digits, 16)
    return chr(code) if code <= 0x10FFFF else "\N{REPLACEMENT CHARACTER}"


def _parse_double_quoted(text: str, position: int) -> tuple[str, int]:
    found = re.compile(r'((?:[^"\\]|\\.)*)"', re.DOTALL).match(text, position)
    if found is None:
        raise CurlError(_UNCLOSED_QUOTE)
    unescaped = re.sub(r'\\([$`"\\\n])', lambda each: "" if each[1] == "\n" else each[1], found[1])
    return unescaped, found.end()
