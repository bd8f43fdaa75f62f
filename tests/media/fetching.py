"""What the fetch tests share: a fetcher with no proxies and no real sleeping."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from eternal_tui.media.download.downloader import ResultFetcher
from eternal_tui.media.limits import FetchLimits


class Naps:
    """Stands where sleeping would be and notes how long it was to be."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


@asynccontextmanager
async def fetcher(results: Path, limits: FetchLimits | None = None, **options: Any) -> AsyncIterator[ResultFetcher]:
    """Return a fetcher for a service on loopback unless `options` say otherwise."""
    defaults: dict[str, Any] = {"public": False, "environ": {}, "sleep": Naps()}
    made = ResultFetcher(results, limits, **(defaults | options))
    try:
        yield made
    finally:
        await made.close()


def listing(results: Path) -> list[str]:
    """Return every name in the folder."""
    return sorted(entry.name for entry in results.iterdir())
