"""Reading a storage's answer: its status, where it sends us, and what part of the file it brings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from eternal_tui.core.retry_after import parse_retry_after
from eternal_tui.media.download.links import parse_link
from eternal_tui.media.errors import BrokenFile, LinkExpired, LinkRefused, NotReachable, OtherKind, StorageRefused

if TYPE_CHECKING:
    import httpx

_EXPIRED = frozenset({400, 401, 403, 404, 410})
"""S3, CloudFront and Azure answer 403 to an expired signature, Google's storage 400."""
_TRY_LATER = frozenset({408, 425, 429})
_LONGEST_WAIT = 3600.0
_PACKED = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd", "compress"})
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")


class Body(msgspec.Struct, frozen=True):
    """What an answer brings: bytes from `start`, `total` in all (None if unsaid), a strong `etag` or none."""

    start: int
    total: int | None
    etag: str


def check_status(response: httpx.Response, now: float, *, resuming: bool) -> None:
    """Pass an answer that has the file, and 416 to a request for its rest; `now` in epoch seconds.

    Raises LinkExpired, NotReachable or StorageRefused for every other status.
    """
    status = response.status_code
    if status == 200 or (resuming and status in (206, 416)):
        return
    if status in _EXPIRED:
        raise LinkExpired(status)
    if status >= 500 or status in _TRY_LATER:
        wait = parse_retry_after(response.headers.get("retry-after"), now)
        raise NotReachable(f"the storage answered HTTP {status}", retry_after=wait)
    raise StorageRefused(status)


def next_hop(here: httpx.URL, response: httpx.Response) -> httpx.URL:
    """Return where a redirect leads; raises LinkRefused for https to http and what is no link."""
    import httpx

    try:
        there = here.join(response.headers["location"])
    except (httpx.InvalidURL, ValueError) as error:
        raise LinkRefused("it redirects to something that is no address") from error
    target = parse_link(str(there))
    if here.scheme == "https" and target.scheme == "http":
        raise LinkRefused("it redirects from https to plain http")
    return target


def describe_body(response: httpx.Response, held: int) -> Body:
    """Say what this answer to a request for everything after `held` bytes brings; raises BrokenFile."""
    headers = response.headers
    encodings = {word.strip().lower() for word in headers.get("content-encoding", "").split(",")}
    if packed := encodings & _PACKED:
        raise OtherKind(f"packed as {min(packed)}, which was not asked for and is not unpacked here")
    etag = headers.get("etag", "")
    strong = etag if etag.startswith('"') and etag.isascii() and len(etag) <= 256 else ""
    if response.status_code == 206:
        found = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
        if found is None or int(found[1]) != held or not held:
            raise BrokenFile("the storage sent a part that was not asked for")
        return Body(held, None if found[3] == "*" else int(found[3]), strong)
    length = headers.get("content-length", "")
    total = int(length) if length.isascii() and length.isdigit() and len(length) <= 18 else None
    return Body(0, total, strong if "bytes" in headers.get("accept-ranges", "").lower() else "")
