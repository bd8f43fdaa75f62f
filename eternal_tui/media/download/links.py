"""Which addresses may be followed at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eternal_tui.media.errors import LinkRefused

if TYPE_CHECKING:
    import httpx


def parse_link(url: str) -> httpx.URL:
    """Return the link as a URL this program may follow; raises LinkRefused."""
    import httpx

    try:
        parsed = httpx.URL(url)
        host = parsed.host
        parsed.netloc.decode("ascii")
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise LinkRefused("it is not a proper address") from error
    if parsed.scheme not in ("http", "https") or not host:
        raise LinkRefused("it is neither http nor https")
    if parsed.port is not None and not 0 < parsed.port < 65_536:
        raise LinkRefused("it is not a proper address")
    if parsed.userinfo:
        raise LinkRefused("it carries a user name or password")
    if "%" in host:
        raise LinkRefused("it is not a proper address")
    return parsed.copy_with(fragment=None)
