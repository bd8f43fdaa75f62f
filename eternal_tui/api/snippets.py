"""A request as text for other programs: its JSON body, and the same call in Python."""

from __future__ import annotations

import json
import re

from eternal_tui.api.request import GenerateRequest

_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_BEARER = "authorization"


def to_json(request: GenerateRequest, *, indent: int | None = None) -> str:
    """Return the body as JSON that is safe to paste into a terminal: characters that cannot be seen are escaped."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(request.body(), ensure_ascii=False, indent=indent, separators=separators)
    # Every break that json writes itself is a newline; any other unprintable character stands inside a string.
    return "".join(one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1] for one in text)


def to_python(request: GenerateRequest, base_url: str, header: str = "x-api-key") -> str:
    """Return a Python program, using httpx, that sends the request with the key from the environment."""
    bearer = "Bearer " if header.lower() == _BEARER else ""
    key = 'os.environ["ETERNALAI_API_KEY"]'
    header_value(header, "")
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


def header_value(header: str, key: str) -> str:
    """Return the header line that carries `key`; raise ValueError for a name that is no header's."""
    if not _HEADER_NAME.fullmatch(header):
        raise ValueError("The key header's name may hold letters, digits and hyphens only.")
    return f"{header}: {'Bearer ' if header.lower() == _BEARER else ''}{key}"
