"""Limits of bytes, decoding and time on results, and the policy of their links."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from eternal_tui.core.network import is_loopback

MIB = 1024 * 1024


class DecodeLimits(msgspec.Struct, frozen=True):
    """Bounds on what one file may make the decoders do. Pixels are per frame, times in seconds."""

    image_pixels: int = 8192 * 8192
    """Above any picture the service makes, below Pillow's own warning at 89.5 million."""
    video_pixels: int = 8192 * 4352
    video_seconds: float = 3600.0
    packets_per_read: int = 20_000
    seconds_per_read: float = 5.0


class DownloadLimits(msgspec.Struct, frozen=True):
    """Bounds on one download. Sizes in bytes, times in seconds."""

    image_bytes: int = 64 * MIB
    video_bytes: int = 1024 * MIB
    reserve_bytes: int = 64 * MIB
    """Bytes always left free on the disk, so that the history can still be written."""
    connect_seconds: float = 10.0
    stall_seconds: float = 30.0
    overall_seconds: float = 1800.0
    slow_window_seconds: float = 10.0
    min_bytes_per_second: float = 4096.0
    """A slower download over a window counts as slow: an image of the service would take a minute."""
    max_redirects: int = 5
    max_resumes: int = 3
    """Broken transfers that one fetch resumes before it gives up."""
    decode: DecodeLimits = DecodeLimits()

    def max_bytes(self, expect: str) -> int:
        """Return the byte cap for an expected kind, `image` or `video`."""
        return self.image_bytes if expect == "image" else self.video_bytes


class LinkPolicy(msgspec.Struct, frozen=True):
    """Allowed hosts of links: never private networks, this machine unless `public`, plain http if `allow_http`.

    A service on this machine is not `public`: its links lead to this machine and may be plain http.
    """

    public: bool = True
    allow_http: bool = False

    @classmethod
    def of_service(cls, base_url: str, *, allow_http: bool) -> LinkPolicy:
        """Return the policy for results of the service at `base_url`."""
        parts = urlsplit(base_url)
        here = is_loopback(parts.hostname or "")
        return cls(public=not here, allow_http=allow_http or here)


DEFAULT_POLICY = LinkPolicy()
OPEN_POLICY = LinkPolicy(public=False, allow_http=True)
