"""Which header a key goes in: two kinds of key exist, and each is refused in the other's header."""

from __future__ import annotations

import re

from eternal_tui.core.secret import Secret

KEY_HEADERS = ("x-api-key", "api-key", "Authorization")
_NAMED_PATTERN = re.compile(r"(?i)(?<![\w-])(x-api-key|api-key|authorization|bearer)(?![\w-])")


def header_in_text(text: str, current: str) -> str:
    """Return the header that a refusal names instead of the current one, or an empty string."""
    for match in _NAMED_PATTERN.finditer(text):
        word = match[1].lower()
        header = "Authorization" if word in ("authorization", "bearer") else word
        if header.lower() != current.lower():
            return header
    return ""


def key_header_advice(key: Secret | None, header: str, refusal: str = "") -> str:
    """Return one sentence that names the setting where this key belongs into another header, else an empty string.

    `refusal` is what the service said when it refused the key.
    """
    wanted = header_in_text(refusal, header)
    newer = key is not None and key.reveal().startswith("sk_")
    if not wanted and newer and header.lower() == "x-api-key":
        wanted = "Authorization"
    if not wanted:
        return ""
    why = "Keys that begin with sk_ are refused in x-api-key." if newer else f"The service asks for it in {wanted}."
    return f'{why} Set key_header = "{wanted}" in the configuration, or ETERNAL_TUI_KEY_HEADER={wanted}.'
