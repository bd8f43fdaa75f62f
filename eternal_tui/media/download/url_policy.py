"""Policy of the hosts that a result's link may lead to.

Links of a public service to this machine or its network are refused before a connection is opened, and the connection
goes to the very address that was checked.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import unicodedata
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from eternal_tui.core.network import is_loopback
from eternal_tui.media.errors import LinkRejected
from eternal_tui.media.limits import OPEN_POLICY, LinkPolicy

if TYPE_CHECKING:
    import httpx


Resolver = Callable[[str, int], Awaitable[list[str]]]
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is given out on the internet (RFC 4291, 2.4). Python calls the rest global too: fec0::/10, which
was for private networks, and the forms that carry an IPv4 address, ::a.b.c.d and ::ffff:0:a.b.c.d."""
_ISATAP_IDENTIFIERS = (0x5EFE, 0x0200_5EFE)
"""Middle of an address whose end is the IPv4 address of a tunnel's host (RFC 5214)."""


async def resolve_host(host: str, port: int) -> list[str]:
    """Return every address of `host`, in the system's order of preference; raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def normalize_host(host: str) -> str:
    """Return a host as a resolver reads it: folded, without brackets, with ASCII digits and dots, none at its end."""
    folded = unicodedata.normalize("NFKC", host.strip("[]")).lower()
    return folded.replace("\u3002", ".").replace("\uff0e", ".").replace("\uff61", ".").rstrip(".")


def parse_ip_literal(host: str) -> str | None:
    """Return the address `host` spells, in any form a resolver takes (decimal, hex, octal …), or None."""
    bare = normalize_host(host)
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        pass
    try:
        return str(ipaddress.IPv4Address(socket.inet_aton(bare)))
    except (OSError, ValueError, UnicodeError):
        return None


def is_public(address: str) -> bool:
    """Whether `address`, and any IPv4 address inside it, is on the public internet."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return all(_is_global(one) for one in _with_embedded_ipv4(parsed))


def _is_global(address: _Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST and address not in _NAT64:
        return False
    return address.is_global and not address.is_multicast


def _with_embedded_ipv4(address: _Address) -> list[_Address]:
    """List the address and the IPv4 address it carries (mapped, 6to4, NAT64, ISATAP), the mapped one alone."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address.sixtofour is not None:
        return [address, address.sixtofour]
    if address in _NAT64 or int(address) >> 32 & 0xFFFF_FFFF in _ISATAP_IDENTIFIERS:
        return [address, ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    return [address]


_LOCAL_SUFFIXES = frozenset(
    {
        *("localhost", "local", "localdomain", "internal", "intranet", "private", "lan", "home", "corp", "home.arpa"),
        *("arpa", "domain", "workgroup", "router", "dhcp", "fritz.box", "localnet", "svc", "consul", "docker", "onion"),
        *("nip.io", "sslip.io", "xip.io", "localtest.me", "lvh.me", "vcap.me", "lacolhost.com"),
    }
)
"""Ends of names that are looked up in private networks, and public ones that resolve to the address in them."""


def is_local_name(host: str) -> bool:
    """Whether a name means this machine or its network wherever it is resolved, also behind a proxy.

    A name of one label, such as `metadata`, is looked up in the resolver's search domain.
    """
    labels = normalize_host(host).split(".")
    return len(labels) < 2 or any(".".join(labels[-count:]) in _LOCAL_SUFFIXES for count in (1, 2))


def is_allowed(address: str, policy: LinkPolicy) -> bool:
    """Tell whether a link may lead to this IP address."""
    return is_public(address) or (not policy.public and is_loopback(address.partition("%")[0]))


def check_host(host: str, policy: LinkPolicy) -> str | None:
    """Return the address that `host` spells, or None; raises LinkRejected where a link may not lead there."""
    literal, name = parse_ip_literal(host), normalize_host(host)
    if literal is not None:
        allowed = is_allowed(literal, policy)
    else:
        allowed = not is_local_name(host) or (not policy.public and name.split(".")[-1] == "localhost")
    if not allowed:
        raise LinkRejected("it leads into a private network")
    return literal


def validate_url(url: str, policy: LinkPolicy = OPEN_POLICY) -> httpx.URL:
    """Return the link as a URL this program may follow; raises LinkRejected."""
    import httpx

    try:
        parsed = httpx.URL(url)
        host = parsed.host
        parsed.netloc.decode("ascii")
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise LinkRejected("it is not a proper address") from error
    if parsed.scheme not in ("http", "https") or not host:
        raise LinkRejected("it is neither http nor https")
    if parsed.scheme == "http" and not policy.allow_http:
        raise LinkRejected("it is plain http, though the service is https (setting allow_http_links)")
    if parsed.port is not None and not 0 < parsed.port < 65_536:
        raise LinkRejected("it is not a proper address")
    if parsed.userinfo:
        raise LinkRejected("it carries a user name or password")
    if "%" in host:
        raise LinkRejected("it is not a proper address")
    return parsed.copy_with(fragment=None)
