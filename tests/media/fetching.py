"""What the fetch tests share: a fetcher with no proxies and no real sleeping."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from eternal_tui.core.network import Network
from eternal_tui.media.download.downloader import ResultDownloader
from eternal_tui.media.limits import DownloadLimits, LinkPolicy


class FakeSleep:
    """Stands where sleeping would be and notes how long it was to be."""

    def __init__(self) -> None:
        self.calls: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.calls.append(seconds)


@asynccontextmanager
async def open_downloader(
    results: Path, limits: DownloadLimits | None = None, **options: Any
) -> AsyncIterator[ResultDownloader]:
    """Return a fetcher for a service on loopback unless `options` say otherwise."""
    network = Network(options.pop("environ", {}))
    policy = LinkPolicy(public=options.pop("public", False), allow_http=options.pop("allow_http", True))
    made = ResultDownloader(results, limits, policy, network, **({"sleep": FakeSleep()} | options))
    try:
        yield made
    finally:
        await made.close()


def file_names(results: Path) -> list[str]:
    """Return every name in the folder."""
    return sorted(entry.name for entry in results.iterdir())
