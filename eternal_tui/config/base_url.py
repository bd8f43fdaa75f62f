"""The address of the service: which ones a key may be sent to."""

from __future__ import annotations

import re

from eternal_tui.core.network import is_loopback

OFFICIAL_HOST = "open.eternalai.org"
API_KEY_URL = "https://eternalai.org/api"
"""Where EternalAI's site gives out keys."""


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
    if authority.startswith("["):
        host, bracket, tail = authority.partition("]")
        if not bracket or not _is_ipv6(host[1:]):
            raise ValueError("The host between [ and ] is no IPv6 address.")
        host += bracket
    else:
        host, colon, number = authority.partition(":")
        tail = colon + number
        if len(host) > 253 or not re.fullmatch(_HOST_PATTERN, host) or not _is_unambiguous_host(host):
            raise ValueError("The host of a base URL is a name such as open.eternalai.org.")
    if not tail:
        return host, ""
    digits = tail.removeprefix(":")
    if not (tail.startswith(":") and digits.isascii() and digits.isdigit() and len(digits) <= 5):
        raise ValueError("The port of a base URL is a number from 1 to 65535.")
    if not 1 <= int(digits) <= 65535:
        raise ValueError("The port of a base URL is a number from 1 to 65535.")
    return host, f":{int(digits)}"


def _is_ipv6(text: str) -> bool:
    import ipaddress

    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    # A zone such as %eth0 has no place in an address that others are to use.
    return "%" not in text


def _is_unambiguous_host(host: str) -> bool:
    # 2130706433, 0x7f.1 and 127.1 are addresses to a resolver and names to us: neither, then.
    last = host.rstrip(".").rpartition(".")[2]
    if not re.fullmatch(r"[0-9]+|0[xX][0-9A-Fa-f]*", last):
        return True
    import ipaddress

    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True
