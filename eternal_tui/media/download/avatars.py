"""Avatars: fetched and checked like results, kept in a folder of their own that never grows beyond a cap."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from eternal_tui.media.decode.filetype import Kind
from eternal_tui.media.download.result import SavedResult
from eternal_tui.media.errors import ResultError
from eternal_tui.media.limits import MIB, DecodeLimits, FetchLimits

CAP = 50 * MIB
"""Bytes of all kept avatars together: about a thousand of those the service serves."""

AT_ONCE = 4
"""Avatars on their way at one time: decoration must not crowd out results."""

LIMITS = FetchLimits(
    image_bytes=4 * MIB,
    connect_seconds=5.0,
    stall_seconds=10.0,
    overall_seconds=20.0,
    redirects=3,
    cuts=0,
    decode=DecodeLimits(image_pixels=16_000_000),
)
"""Much tighter than for a result: an avatar that is none of the usual size is not worth waiting for."""

_OURS = r"[0-9a-f]{40}(?:-\d+)?\.(?:jpg|png|webp|gif|avif)"


class Fetcher(Protocol):
    """Fetches and checks one file. Raises ResultError."""

    async def fetch(self, url: str, *, name: str, expect: Kind) -> SavedResult:
        """Return the file saved under `name`."""

    async def close(self) -> None:
        """Close every connection."""


class Avatars:
    """Files by link, in `folder`. `open_fetcher` makes what fetches into that folder; it blocks and runs in a thread.

    A link that failed is not tried again by this instance. The least lately looked at go above `cap` bytes.
    """

    def __init__(
        self,
        folder: Path,
        open_fetcher: Callable[[], Fetcher],
        *,
        cap: int = CAP,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._open_fetcher = open_fetcher
        self._cap = cap
        self._now = now
        self._fetcher: asyncio.Task[Fetcher] | None = None
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._under_way: dict[str, asyncio.Task[Path | None]] = {}
        self._failed: set[str] = set()

    async def get(self, url: str) -> Path | None:
        """Return the file behind `url`, None where there is none to be had. Callers may be cancelled at any time."""
        if not url or url in self._failed:
            return None
        if url not in self._under_way:
            task = asyncio.create_task(self._get(url))
            self._under_way[url] = task
            task.add_done_callback(lambda _: self._under_way.pop(url, None))
        # What one row no longer wants another may: the fetch goes on, and is there at once the next time.
        return await asyncio.shield(self._under_way[url])

    async def close(self) -> None:
        """End what is under way and close every connection."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        fetcher, self._fetcher = self._fetcher, None
        if fetcher is not None:
            await (await fetcher).close()

    async def _get(self, url: str) -> Path | None:
        name = hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()[:40]
        kept = await asyncio.to_thread(self._kept, name)
        if kept is not None:
            return kept
        async with self._turns:
            if self._fetcher is None:
                self._fetcher = asyncio.create_task(asyncio.to_thread(self._open_fetcher))
            fetcher = await asyncio.shield(self._fetcher)
            try:
                saved = await fetcher.fetch(url, name=name, expect="image")
            except ResultError:
                self._failed.add(url)
                return None
        await asyncio.to_thread(self._prune, saved.path)
        return saved.path

    def _kept(self, name: str) -> Path | None:
        for suffix in ("jpg", "png", "webp", "gif", "avif"):
            path = self._folder / f"{name}.{suffix}"
            if path.is_file() and not path.is_symlink():
                self._looked_at(path)
                return path
        return None

    def _looked_at(self, path: Path) -> None:
        """Note the moment as the access time; the modification time tells versions of a file apart and stays."""
        now = round(self._now() * 1e9)
        os.utime(path, ns=(now, path.stat().st_mtime_ns))

    def _prune(self, newest: Path) -> None:
        """Remove the least lately looked at until the rest is within the cap."""
        self._looked_at(newest)
        files = [
            (found.st_atime_ns, found.st_size, Path(entry.path))
            for entry in os.scandir(self._folder)
            if re.fullmatch(_OURS, entry.name) and entry.is_file(follow_symlinks=False)
            for found in (entry.stat(follow_symlinks=False),)
        ]
        held = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if held <= self._cap or path == newest:
                break
            path.unlink(missing_ok=True)
            held -= size
