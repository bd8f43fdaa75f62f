"""Avatars: fetched and checked like results, cached in a folder of their own with a size limit."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from eternal_tui.media.decode.filetype import IMAGE_SUFFIXES
from eternal_tui.media.errors import ResultError
from eternal_tui.media.limits import MIB, DecodeLimits, DownloadLimits

if TYPE_CHECKING:
    from eternal_tui.media.download.downloader import ResultDownloader

MAX_CACHE_BYTES = 50 * MIB
"""Bytes of all cached avatars: about a thousand of those the service serves."""

MAX_CONCURRENT_DOWNLOADS = 4
"""Avatars on their way at one time: decoration must not crowd out results."""

AVATAR_LIMITS = DownloadLimits(
    image_bytes=4 * MIB,
    connect_seconds=5.0,
    stall_seconds=10.0,
    overall_seconds=20.0,
    max_redirects=3,
    max_resumes=0,
    decode=DecodeLimits(image_pixels=16_000_000),
)
"""Much tighter than for a result: an avatar that is none of the usual size is not worth waiting for."""

_FILE_NAME_PATTERN = r"[0-9a-f]{40}(?:-\d+)?\.[a-z0-9]+"


class AvatarCache:
    """Files by link, in `cache_dir`. `open_downloader` makes what fetches into that folder.

    It blocks and runs in a thread.

    A link that failed is not tried again by this instance. The least recently used go above `max_bytes` bytes.
    """

    def __init__(
        self,
        cache_dir: Path,
        open_downloader: Callable[[], ResultDownloader],
        *,
        max_bytes: int = MAX_CACHE_BYTES,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._cache_dir = cache_dir
        self._open_downloader = open_downloader
        self._max_bytes = max_bytes
        self._now = now
        self._downloader: ResultDownloader | None = None
        self._opening = asyncio.Lock()
        self._download_slots = asyncio.Semaphore(MAX_CONCURRENT_DOWNLOADS)
        self._tasks: dict[str, asyncio.Task[Path | None]] = {}
        self._failed_urls: set[str] = set()

    async def get(self, url: str) -> Path | None:
        """Return the file behind `url`, None where there is none. Callers may be cancelled at any time."""
        if not url or url in self._failed_urls:
            return None
        if url not in self._tasks:
            task = asyncio.create_task(self._load(url))
            self._tasks[url] = task
            task.add_done_callback(lambda _: self._tasks.pop(url, None))
        # Another row may want it: the fetch continues, and the next request for it is served at once.
        return await asyncio.shield(self._tasks[url])

    async def close(self) -> None:
        """End what is under way and close every connection."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._downloader is not None:
            await self._downloader.close()

    async def _load(self, url: str) -> Path | None:
        name = hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()[:40]
        cached = await asyncio.to_thread(self._cached_file, name)
        if cached is not None:
            return cached
        async with self._download_slots:
            async with self._opening:
                if self._downloader is None:
                    self._downloader = await asyncio.to_thread(self._open_downloader)
            try:
                saved = await self._downloader.fetch(url, name=name, expect="image")
            except ResultError:
                self._failed_urls.add(url)
                return None
            if saved.kind != "image" or saved.note:
                # Results of other types are kept, for they were paid for; an avatar is not.
                saved.path.unlink(missing_ok=True)
                self._failed_urls.add(url)
                return None
        await asyncio.to_thread(self._prune, saved.path)
        return saved.path

    def _cached_file(self, name: str) -> Path | None:
        for suffix in IMAGE_SUFFIXES:
            path = self._cache_dir / f"{name}{suffix}"
            if path.is_file() and not path.is_symlink():
                self._touch(path)
                return path
        return None

    def _touch(self, path: Path) -> None:
        """Set the access time alone; the modification time distinguishes versions of a file."""
        now = round(self._now() * 1e9)
        os.utime(path, ns=(now, path.stat().st_mtime_ns))

    def _prune(self, newest: Path) -> None:
        """Remove the least recently used until the rest is within the cap."""
        self._touch(newest)
        files = [
            (found.st_atime_ns, found.st_size, Path(entry.path))
            for entry in os.scandir(self._cache_dir)
            if re.fullmatch(_FILE_NAME_PATTERN, entry.name) and entry.is_file(follow_symlinks=False)
            for found in (entry.stat(follow_symlinks=False),)
        ]
        held = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if held <= self._max_bytes or path == newest:
                break
            path.unlink(missing_ok=True)
            held -= size
