"""The result URL in a response, under any name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from eternal_tui.api.fields import MAX_URL_CHARS, JsonObject, load_embedded
from eternal_tui.core.sanitize import UntrustedText

_MAX_DEPTH = 8
_MAX_ITEMS = 50
_MAX_SHOWN_CHARS = 300

_DOCUMENTED_NAMES = ("result_url", "result")
_RESULT_WORDS = frozenset(
    """result results output outputs video videos image image1 images img media file files download asset assets
    artifact artifacts clip picture photo generated generation generations final content contents gif mp4 url urls
    uri link links href src data signed public cdn full hd path location response payload job task edited raw
    original sample samples resource attachment attachments object""".split()  # noqa: SIM905
)
_OTHER_WORDS = frozenset(
    """input inputs source init reference avatar thumbnail thumb preview poster cover webhook callback status poll
    polling cancel get docs doc documentation help logo icon next prev self stream user character profile mask watermark
    support request error message detail prompt upgrade billing account log logs more""".split()  # noqa: SIM905
)
_WORD_ORDER = ("video", "videos", "mp4", "output", "outputs", "image", "images")
"""Order of preference among several links: a video before its first frame."""


def find_result_url(objects: list[JsonObject], *, only_documented: bool = False) -> UntrustedText | None:
    """Return the link to the result, or None.

    `result_url` and `result` come first, outermost first; then an http(s) URL under any result-like name, unless
    `only_documented`.
    """
    for name in _DOCUMENTED_NAMES:
        for place in objects:
            value = load_embedded(place.get(name)) or place.get(name)
            for link in value if isinstance(value, list) else (value,):
                if (found := usable_url(link)) is not None:
                    return found
    if only_documented or not objects:
        return None
    return min(_result_like(objects[0], _MAX_DEPTH, 100), default=(0, None), key=lambda ranked: ranked[0])[1]


def find_unusable_link(objects: list[JsonObject]) -> UntrustedText:
    """Return an unusable value in the place of the result URL, as it came; empty where there is none."""
    for name in _DOCUMENTED_NAMES:
        for place in objects:
            if (value := place.get(name)) and not (name == "result" and isinstance(value, dict | list)):
                shown = value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)
                if shown:
                    return UntrustedText(shown[:_MAX_SHOWN_CHARS])
    return UntrustedText("")


def usable_url(value: Any) -> UntrustedText | None:
    """Return `value` where it is an http(s) URL with a host that can be read, else None."""
    text = value.strip() if isinstance(value, str) else ""
    if text.startswith("//"):
        text = f"https:{text}"
    if not 0 < len(text) <= MAX_URL_CHARS or not re.match(r"https?://[^/\\\s?#]", text, re.IGNORECASE):
        return None
    try:
        host = urlsplit(text).hostname
    except ValueError:
        return None
    return UntrustedText(text) if host and not re.search(r"[\s<>\"]", text) else None


def _result_like(value: Any, depth: int, rank: int) -> Iterator[tuple[int, UntrustedText]]:
    """Yield links with their rank, lowest first; `rank` is that of the enclosing names."""
    if depth <= 0:
        return
    if (inner := load_embedded(value)) is not None:
        yield from _result_like(inner, depth - 1, rank)
    elif isinstance(value, str):
        if (found := usable_url(value)) is not None:
            yield rank, found
    elif isinstance(value, list):
        for item in value[:_MAX_ITEMS]:
            yield from _result_like(item, depth - 1, rank)
    elif isinstance(value, dict):
        for name, inner in list(value.items())[:_MAX_ITEMS]:
            words = re.findall("[a-z]+[0-9]*", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name[:60]).lower())
            if words and not _OTHER_WORDS.intersection(words) and _RESULT_WORDS.intersection(words):
                best = min((_WORD_ORDER.index(word) for word in words if word in _WORD_ORDER), default=rank)
                yield from _result_like(inner, depth - 1, min(rank, best))
