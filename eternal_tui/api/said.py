"""What a service said in words: the human-readable part of an answer of any shape."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

SAID_LIMIT = 500
"""Characters kept of a stranger's explanation: a few sentences, not a page."""

_READ_LIMIT = 64 * 1024
_DEPTH = 4
_WORDS = ("error", "message", "detail", "msg", "reason", "description", "title", "errors")
# Neither pattern can look back over what it has passed, so that hostile markup costs linear time.
_TAG = re.compile(r"<[^<>]*>")
_LOOKS_LIKE_MARKUP = re.compile(r"\s*<(?:!doctype|html|head|body|\?xml|[a-z])", re.IGNORECASE)


def said_in(answer: Any) -> str:
    """Return the explanation inside a parsed JSON answer, or an empty string."""
    for text in _texts(answer, _DEPTH):
        if tidy := _tidy(text):
            return tidy
    return ""


def said_in_text(text: str) -> str:
    """Return the explanation inside an answer that is no JSON: the title or the text of a page."""
    head = text[:_READ_LIMIT]
    if not _LOOKS_LIKE_MARKUP.match(head):
        return _tidy(head)
    return _tidy(html.unescape(_title(head))) or _tidy(html.unescape(_TAG.sub(" ", _without_code(head))))


def _texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth and isinstance(value, dict):
        for word in _WORDS:
            yield from _texts(value.get(word), depth - 1)
        for inner in ("data", "result"):
            if isinstance(value.get(inner), dict):
                yield from _texts(value[inner], depth - 1)
    elif depth and isinstance(value, list):
        for item in value[:3]:
            yield from _texts(item, depth - 1)


def _tidy(text: str) -> str:
    words = " ".join(text[:_READ_LIMIT].split())
    return words if len(words) <= SAID_LIMIT else words[: SAID_LIMIT - 1] + "…"


def _title(page: str) -> str:
    folded = _folded(page)
    start = folded.find("<title")
    start = folded.find(">", start) if start >= 0 else -1
    end = folded.find("</title", start)
    return page[start + 1 : end] if 0 <= start < end else ""


def _without_code(page: str) -> str:
    for name in ("script", "style"):
        folded, kept, at = _folded(page), [], 0
        while (start := folded.find(f"<{name}", at)) >= 0:
            kept.append(page[at:start])
            end = folded.find(f"</{name}", start)
            at = len(page) if end < 0 else end
        page = " ".join([*kept, page[at:]])
    return page


def _folded(page: str) -> str:
    # ASCII only: the full str.lower() changes lengths, and with them every position found.
    return re.sub("[A-Z]+", lambda match: match[0].lower(), page)
