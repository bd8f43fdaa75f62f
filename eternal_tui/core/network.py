"""Proxies, exceptions and certificates of outgoing connections, from one reading of the environment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from eternal_tui.core.secret import Secret

if TYPE_CHECKING:
    import ssl

    import httpx

PROXY_SCHEMES = ("http", "https", "socks5", "socks5h", "socks")
"""Kinds of proxy that can be used; `socks`, as desktops write it, is read as socks5h."""

_DEFAULT_PORTS = {"http": 80, "https": 443}


class NetworkSetupError(Exception):
    """A proxy or certificate file named by the environment is unusable; the text names variable and reason."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """The way to one host: direct, or through `proxy`, whose address may hold a password.

    `address` is the proxy as it may be shown; `variable` is the one that decided, such as HTTPS_PROXY or NO_PROXY.
    """

    proxy: Secret | None = None
    address: str = ""
    variable: str = ""

    def __str__(self) -> str:
        """Describe the route."""
        if self.proxy is not None:
            return f"through {self.address} ({self.variable})"
        return f"direct ({self.variable})" if self.variable else "direct"


DIRECT = Route()


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine by its form alone: localhost, 127.0.0.0/8 or ::1. Nothing is resolved."""
    name = host.strip("[]").lower()
    if not re.fullmatch(r"[0-9a-f:.]+", name):
        return name == "localhost"
    # An address's own is_loopback includes ::ffff:127.0.0.1 only from Python 3.13 on.
    return is_in_network(name, "127.0.0.0/8") or is_in_network(name, "::1")


def is_in_network(address: str, network: str) -> bool:
    """Whether it is an IP address in that network; False for other texts."""
    import ipaddress

    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


class Network:
    """Makes every HTTP client of the program. `environ` is read once."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._variables = dict(_read_variables(environ))
        self._cert_variables = {
            name: environ[name] for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if environ.get(name, "").strip()
        }
        self._tls: ssl.SSLContext | None = None

    def route(self, url: str) -> Route:
        """Return the way to `url`; raise NetworkSetupError where the proxy for it cannot be used.

        This machine itself is never reached through a proxy.
        """
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        if is_loopback(host):
            return DIRECT
        found = self._variables.get(f"{parts.scheme}_proxy") or self._variables.get("all_proxy")
        if found is None:
            return DIRECT
        name, value = found
        no_proxy = self._variables.get("no_proxy")
        if no_proxy and _is_excepted(host, parts.port or _DEFAULT_PORTS.get(parts.scheme, 0), no_proxy[1]):
            return Route(variable=no_proxy[0])
        return _parse_proxy(name, value)

    def check(self) -> None:
        """Raise NetworkSetupError where anything in the environment cannot be used, for any host.

        Checked before a paid request: its result comes from another host.
        """
        for kind in ("https_proxy", "all_proxy"):
            if found := self._variables.get(kind):
                _parse_proxy(*found)

    def describe(self, url: str) -> str:
        """Describe the route to `url`: "direct", or the proxy and the variable that names it."""
        try:
            return str(self.route(url))
        except NetworkSetupError as error:
            return str(error)

    def tls_context(self) -> ssl.SSLContext:
        """Return the context for TLS: certificates checked, against the usual authorities and this machine's own.

        It takes 50–100 ms to read them. Raises NetworkSetupError where SSL_CERT_FILE or SSL_CERT_DIR cannot be read.
        """
        if self._tls is None:
            self._tls = self._read_certificates()
        return self._tls

    def _read_certificates(self) -> ssl.SSLContext:
        import ssl

        import certifi

        for name, path in self._cert_variables.items():
            try:
                if name == "SSL_CERT_FILE":
                    return ssl.create_default_context(cafile=path)
                # OpenSSL ignores a missing folder.
                next(Path(path).iterdir(), None)
                return ssl.create_default_context(capath=path)
            except (OSError, ssl.SSLError, ValueError) as error:
                why = (isinstance(error, OSError) and error.strerror) or "no certificate in it"
            raise NetworkSetupError(f"{name}: cannot read {path!a}: {why}. Fix or unset {name}.")
        context = ssl.create_default_context(cafile=certifi.where())
        context.load_default_certs()
        return context

    def make_client(self, url: str, *, limits: httpx.Limits, **options: Any) -> httpx.AsyncClient:
        """Return a client for the host of `url` and those reached the same way; `options` are httpx's.

        It blocks where it has to read certificates. Raises NetworkSetupError.
        """
        import httpx

        from eternal_tui.core.http_transport import HttpTransport

        route = self.route(url)
        secure = url.lower().startswith("https:") or route.address.startswith("https:")
        context = self.tls_context() if secure else _empty_tls_context()
        proxy = route.proxy and httpx.Proxy(
            re.sub("^socks:", "socks5h:", route.proxy.reveal()),
            ssl_context=context if route.address.startswith("https:") else None,
        )
        transport = HttpTransport(verify=context, proxy=proxy, trust_env=False, limits=limits)
        return httpx.AsyncClient(transport=transport, trust_env=False, **options)


def _empty_tls_context() -> ssl.SSLContext:
    import ssl

    # For plain HTTP: trusts nothing, and costs nothing to make.
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _read_variables(environ: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each variable that is set by its lower-case name, with its actual name and its value."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        for spelling in (name, name.upper()):
            if value := environ.get(spelling, "").strip():
                yield name, (spelling, value)
                break


def _parse_proxy(variable: str, value: str) -> Route:
    """Return the route through the proxy that `variable` names; raise NetworkSetupError, which holds no password."""
    url = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(url)
        host, port, scheme = parts.hostname or "", parts.port, parts.scheme.lower()
        url.encode("ascii")
    except ValueError:
        host, port, scheme = "", None, "http"
    if scheme not in PROXY_SCHEMES:
        raise NetworkSetupError(
            f"{variable}: unsupported proxy type {scheme!a}. Use http, https or socks5, or unset {variable}."
        )
    if not host or re.search(r"[\s\\]", url):
        raise NetworkSetupError(f"{variable} is not a proxy address, e.g. http://host:8080. Fix or unset it.")
    shown = f"[{host}]" if ":" in host else host
    address = f"{scheme}://{shown}{'' if port is None else f':{port}'}"
    return Route(proxy=Secret(url), address=address, variable=variable)


def _is_excepted(host: str, port: int, no_proxy: str) -> bool:
    """Whether NO_PROXY names the host, as curl reads it, and with ports as other programs do.

    Entries are separated by commas or spaces: `*`, a name with all below it, an address, a range, each with a port.
    """
    name = host.strip("[]").rstrip(".").lower()
    is_address = is_in_network(name, name)
    for entry in re.split(r"[,\s]+", no_proxy.lower()):
        pattern, wanted_port = _split_port(entry)
        if not pattern or (wanted_port and wanted_port != port):
            continue
        if pattern == "*":
            return True
        if is_address:
            if is_in_network(name, pattern):
                return True
        elif name == (suffix := pattern.removeprefix("*").strip(".")) or (suffix and name.endswith(f".{suffix}")):
            return True
    return False


def _split_port(entry: str) -> tuple[str, int]:
    # Without brackets, the last part of an IPv6 address is no port.
    match = re.fullmatch(r"(\[[0-9a-f:.%/]+\](?:/[0-9]+)?|[^:]*)(?::([0-9]+))?", entry)
    return (re.sub(r"[\[\]]", "", match[1]), int(match[2] or 0)) if match else (entry, 0)


def connection_failure_text(error: BaseException, host: str, route: Route = DIRECT) -> str:
    """Return who could not be reached and why, and what to do: the host, its certificate, or the proxy on the way."""
    import socket
    import ssl

    target = f"the proxy {route.address} ({route.variable})" if route.proxy else host
    chain = _cause_chain(error)
    for cause in chain:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate_failure_text(getattr(cause, "verify_code", 0), host)
    if any(isinstance(cause, ssl.SSLError) for cause in chain):
        return f"TLS error connecting to {host}. Check the network or proxy."
    if type(error).__name__ == "ProxyError":
        return _proxy_failure_text(str(error), host, route)
    if any(isinstance(cause, socket.gaierror | UnicodeError) for cause in chain):
        return f"Could not resolve {target}. Check {route.variable or 'the connection'}."
    if type(error).__name__ == "PoolTimeout":
        return f"Too many concurrent requests to {host}. Retry."
    late = isinstance(error, TimeoutError) or "Timeout" in type(error).__name__
    problem = "Timed out connecting" if late else "Could not connect"
    return f"{problem} to {target}. Check {route.variable or 'the connection'}."


def _certificate_failure_text(code: int, host: str) -> str:
    """Describe OpenSSL's verification error of that number."""
    problem = f"TLS error connecting to {host}: certificate "
    # The chain ends at an unknown authority, or at itself.
    if code in (2, 18, 19, 20, 21):
        return (
            f"{problem}signed by an unknown authority, e.g. a company proxy's. If you trust it, save its CA "
            "certificate to a file and set SSL_CERT_FILE to that file."
        )
    if code in (9, 10):
        return f"{problem}expired or not yet valid. Check this machine's clock."
    return f"{problem}rejected. Check the network or proxy."


def _proxy_failure_text(reason: str, host: str, route: Route) -> str:
    proxy = f"The proxy {route.address} ({route.variable})"
    if re.search("^407|username|password|acceptable", reason, re.IGNORECASE):
        return f"{proxy} requires a user name and password. Set {route.variable}=http://user:password@host:port."
    status = re.match("[0-9]{3}", reason)
    return f"{proxy} could not reach {host}{f' (HTTP {status[0]})' if status else ''}. Check {route.variable}."


def _cause_chain(error: BaseException) -> list[BaseException]:
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    return chain
