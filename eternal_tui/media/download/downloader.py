"""A signed link in, a verified file out.

Nothing in the response decides a path, and the final name only ever holds a file that was checked.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from eternal_tui.core.http import BodyTooLarge, BoundedDecompressor
from eternal_tui.core.network import Network
from eternal_tui.media.decode.filetype import DownloadedFile, MediaInfo, MediaKind
from eternal_tui.media.decode.validate import check_decodes
from eternal_tui.media.download.http import ContentRange, StorageClient, parse_content_range
from eternal_tui.media.download.results_dir import PartialFile, ResultsDirectory, sha256_of
from eternal_tui.media.download.url_policy import Resolver, resolve_host
from eternal_tui.media.errors import BrokenFile, DiskFull, StorageUnreachable
from eternal_tui.media.limits import DEFAULT_POLICY, MIB, DownloadLimits, LinkPolicy

if TYPE_CHECKING:
    import httpx

_SPACE_CHECK_INTERVAL_BYTES = 16 * MIB
_MAX_KEPT_PARTIALS = 16
_NAME_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,64}")


class _TransferInterrupted(Exception):
    """The transfer broke off after it had begun."""


class ResultDownloader:
    """Fetches results into one folder, which is made where it is missing. Close it when done.

    `policy` says where links may lead, `network` how to get there (by default as this process's environment says).
    `clock` is monotonic, `now` in epoch seconds.
    """

    def __init__(
        self,
        results_dir: Path,
        limits: DownloadLimits | None = None,
        policy: LinkPolicy = DEFAULT_POLICY,
        network: Network | None = None,
        *,
        resolve: Resolver = resolve_host,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._results_dir = results_dir
        self._limits = limits or DownloadLimits()
        self._storage = StorageClient(self._limits, policy, network or Network(os.environ), resolve=resolve, now=now)
        self._clock = clock
        self._sleep = sleep
        self._now = now
        self._directory: ResultsDirectory | None = None
        self._kept_partials: dict[str, PartialFile] = {}

    async def close(self) -> None:
        """Close every connection and remove what was only half fetched."""
        while self._kept_partials:
            self._kept_partials.popitem()[1].discard()
        await self._storage.close()
        if self._directory is not None:
            self._directory.close()
            self._directory = None

    async def fetch(
        self,
        url: str,
        *,
        name: str,
        expect: MediaKind,
        encrypted: bool = False,
        on_slow: Callable[[], None] | None = None,
    ) -> DownloadedFile:
        """Fetch `url` and return the file saved as `name` plus the suffix its own bytes call for.

        `name` is our own job id. An encrypted result is kept as it came, as `name.bin`, unchecked.
        `on_slow` is called once where less than `min_bytes_per_second` came over a window: the fetch goes on, but
        other downloads should not wait for it.
        Raises ResultError, whose kinds `media.errors` lists, and ValueError for a name that is not ours.
        """
        if _NAME_PATTERN.fullmatch(name) is None:
            raise ValueError("a result is named by its job id: letters, digits, - and _ only")
        folder = self._open_directory()
        part = self._kept_partials.pop(name, None) or PartialFile(folder, expect, encrypted=encrypted)
        watch = asyncio.create_task(self._watch_speed(part, on_slow)) if on_slow else None
        try:
            await self._transfer_with_resumes(url, part)
            saved = await asyncio.to_thread(self._verify_and_publish, folder, part, name)
        except StorageUnreachable:
            self._keep_partial(name, part)
            raise
        except BaseException:
            part.discard()
            raise
        finally:
            if watch is not None:
                watch.cancel()
        part.file.close()
        return saved

    async def _watch_speed(self, part: PartialFile, on_slow: Callable[[], None]) -> None:
        window, before = self._limits.slow_window_seconds, -1.0
        while part.received_bytes - before >= window * self._limits.min_bytes_per_second or before < 0:
            before = part.received_bytes
            await asyncio.sleep(window)
        on_slow()

    def _open_directory(self) -> ResultsDirectory:
        if self._directory is None:
            self._directory = ResultsDirectory(self._results_dir)
            self._directory.remove_stale_partials(now=self._now())
        return self._directory

    def _keep_partial(self, name: str, part: PartialFile) -> None:
        """Keep a part that the next fetch of the same job can resume."""
        if not part.etag or not part.received_bytes:
            part.discard()
            return
        while len(self._kept_partials) >= _MAX_KEPT_PARTIALS:
            self._kept_partials.pop(next(iter(self._kept_partials))).discard()
        self._kept_partials[name] = part

    async def _transfer_with_resumes(self, url: str, part: PartialFile) -> None:
        """Transfer until the file is whole, going on after a cut where the storage allows it."""
        deadline = self._clock() + self._limits.overall_seconds
        for cut in range(self._limits.max_resumes + 1):
            if cut:
                await self._sleep(2.0 ** (cut - 1))
            try:
                async with asyncio.timeout(self._limits.overall_seconds):
                    await self._transfer(url, part, deadline)
                return
            except _TransferInterrupted:
                if not part.etag:
                    part.restart()
            except TimeoutError as error:
                raise StorageUnreachable("it took too long") from error
        raise StorageUnreachable(f"the transfer broke off {self._limits.max_resumes + 1} times")

    async def _transfer(self, url: str, part: PartialFile, deadline: float) -> None:
        import httpx

        limit = self._limits.max_bytes(part.expect)
        async with self._storage.get(url, received_bytes=part.received_bytes, etag=part.etag) as response:
            body = _start_body(response, part)
            if (body.total or 0) > limit:
                raise BrokenFile("it is larger than the limit")
            self._check_free_space((body.total or 0) - part.received_bytes)
            decompressor = BoundedDecompressor(body.coding, limit)
            try:
                async for raw in response.aiter_raw():
                    for chunk in decompressor.decompress(raw):
                        self._check_chunk(chunk, part.received_bytes, limit, deadline)
                        part.write(chunk)
            except httpx.TransportError as error:
                raise _TransferInterrupted from error
            except BodyTooLarge as error:
                raise BrokenFile("it is larger than the limit") from error
            except zlib.error as error:
                raise BrokenFile("it came packed, and cannot be unpacked") from error
        if not decompressor.is_complete or body.total not in (None, part.received_bytes):
            raise _TransferInterrupted
        if part.file_type is None:
            part.check_magic()

    def _check_chunk(self, chunk: bytes, received_bytes: int, limit: int, deadline: float) -> None:
        if self._clock() > deadline:
            raise StorageUnreachable("it took too long")
        new_bytes = received_bytes + len(chunk)
        if new_bytes > limit:
            raise BrokenFile("it is larger than the limit")
        if received_bytes // _SPACE_CHECK_INTERVAL_BYTES != new_bytes // _SPACE_CHECK_INTERVAL_BYTES:
            self._check_free_space(len(chunk))

    def _check_free_space(self, required_bytes: int) -> None:
        if self._open_directory().free_bytes() - required_bytes < self._limits.reserve_bytes:
            raise DiskFull("there is not enough room on the disk")

    def _verify_and_publish(self, directory: ResultsDirectory, part: PartialFile, name: str) -> DownloadedFile:
        """Check, flush and name the file. Blocks: runs in a thread."""
        found, facts = part.file_type, MediaInfo()
        if found is not None:
            facts = check_decodes(part.file, found, self._limits.decode, part.expect)
        digest = sha256_of(part.file)
        part.flush_to_disk()
        return DownloadedFile(
            path=directory.publish(part, name, found.suffix if found else "bin", digest),
            kind=found.kind if found else "encrypted",
            bytes=part.received_bytes,
            sha256=digest,
            **msgspec.structs.asdict(facts),
        )


def _start_body(response: httpx.Response, part: PartialFile) -> ContentRange:
    """Ready the part for what this answer brings: the rest of its file, or all of it again."""
    if response.status_code == 416:
        # The file has changed since its part was saved: the next request is for the whole.
        part.restart()
        raise _TransferInterrupted
    body = parse_content_range(response, part.received_bytes)
    if body.start == 0:
        part.restart()
    part.etag = body.etag
    return body
