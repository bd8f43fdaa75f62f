"""A signed link in, a verified file out.

Nothing in the response decides a path, and the final name only ever holds a file that was checked.
"""

from __future__ import annotations

import asyncio
import os
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eternal_tui.core.http import BodyTooLarge, BoundedDecompressor
from eternal_tui.core.network import Network
from eternal_tui.media.decode.filetype import HEAD_BYTES, FileType, MediaInfo, MediaKind
from eternal_tui.media.decode.validate import check_decodes, check_magic
from eternal_tui.media.download.http import ContentRange, StorageClient, parse_content_range
from eternal_tui.media.download.result import DownloadedFile
from eternal_tui.media.download.results_dir import PartialFile, ResultsDirectory, sha256_of, validate_name
from eternal_tui.media.download.url_policy import Resolver, resolve_host
from eternal_tui.media.errors import BrokenFile, DiskFull, StorageUnreachable
from eternal_tui.media.limits import DEFAULT_POLICY, MIB, DownloadLimits, LinkPolicy

if TYPE_CHECKING:
    import httpx

_SPACE_CHECK_INTERVAL_BYTES = 16 * MIB
_MAX_KEPT_PARTIALS = 16


class _TransferInterrupted(Exception):
    """The transfer broke off after it had begun."""


@dataclass(slots=True)
class _PartialDownload:
    """One file on its way: its part, the strong ETag it may be gone on with, and what it is to be."""

    partial_file: PartialFile
    expect: MediaKind
    encrypted: bool
    etag: str = ""
    head: bytes = b""
    file_type: FileType | None = None

    def restart(self) -> None:
        self.partial_file.truncate()
        self.etag, self.head, self.file_type = "", b"", None

    def write(self, chunk: bytes) -> None:
        """Write `chunk`, refusing it once its first bytes show that it is no file at all."""
        if len(self.head) < HEAD_BYTES:
            self.head += chunk[: HEAD_BYTES - len(self.head)]
            if len(self.head) == HEAD_BYTES:
                self.check_magic()
        self.partial_file.write(chunk)

    def check_magic(self) -> None:
        if not self.encrypted:
            self.file_type = check_magic(self.head)


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
        self._partial_downloads: dict[str, _PartialDownload] = {}

    async def close(self) -> None:
        """Close every connection and remove what was only half fetched."""
        while self._partial_downloads:
            self._partial_downloads.popitem()[1].partial_file.discard()
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
        validate_name(name)
        folder = self._open_directory()
        download = self._partial_downloads.pop(name, None) or _PartialDownload(
            folder.create_partial(), expect, encrypted
        )
        watch = asyncio.create_task(self._watch_speed(download.partial_file, on_slow)) if on_slow else None
        try:
            await self._transfer_with_resumes(url, download)
            saved = await asyncio.to_thread(self._verify_and_publish, folder, download, name)
        except StorageUnreachable:
            self._keep_partial(name, download)
            raise
        except BaseException:
            download.partial_file.discard()
            raise
        finally:
            if watch is not None:
                watch.cancel()
        download.partial_file.file.close()
        return saved

    async def _watch_speed(self, partial_file: PartialFile, on_slow: Callable[[], None]) -> None:
        window = self._limits.slow_window_seconds
        before = partial_file.received_bytes
        while True:
            await asyncio.sleep(window)
            if partial_file.received_bytes - before < window * self._limits.min_bytes_per_second:
                on_slow()
                return
            before = partial_file.received_bytes

    def _open_directory(self) -> ResultsDirectory:
        if self._directory is None:
            self._directory = ResultsDirectory(self._results_dir)
            self._directory.remove_stale_partials(now=self._now())
        return self._directory

    def _keep_partial(self, name: str, download: _PartialDownload) -> None:
        """Keep a part that can be gone on with for the next fetch of the same job."""
        if not download.etag or not download.partial_file.received_bytes:
            download.partial_file.discard()
            return
        while len(self._partial_downloads) >= _MAX_KEPT_PARTIALS:
            self._partial_downloads.pop(next(iter(self._partial_downloads))).partial_file.discard()
        self._partial_downloads[name] = download

    async def _transfer_with_resumes(self, url: str, download: _PartialDownload) -> None:
        """Transfer until the file is whole, going on after a cut where the storage allows it."""
        deadline = self._clock() + self._limits.overall_seconds
        for cut in range(self._limits.max_resumes + 1):
            if cut:
                await self._sleep(2.0 ** (cut - 1))
            try:
                async with asyncio.timeout(self._limits.overall_seconds):
                    await self._transfer(url, download, deadline)
                return
            except _TransferInterrupted:
                if not download.etag:
                    download.restart()
            except TimeoutError as error:
                raise StorageUnreachable("it took too long") from error
        raise StorageUnreachable(f"the transfer broke off {self._limits.max_resumes + 1} times")

    async def _transfer(self, url: str, download: _PartialDownload, deadline: float) -> None:
        part = download.partial_file
        async with self._storage.get(url, received_bytes=part.received_bytes, etag=download.etag) as response:
            body = _start_body(response, download)
            self._check_size(body, download)
            decompressor = BoundedDecompressor(body.coding, self._limits.max_bytes(download.expect))
            async for raw in _iter_raw_chunks(response):
                for chunk in _decompress(decompressor, raw):
                    self._check_chunk(chunk, download, deadline)
                    download.write(chunk)
        if not decompressor.is_complete:
            raise _TransferInterrupted
        if body.total is not None and part.received_bytes != body.total:
            raise _TransferInterrupted
        if download.file_type is None:
            download.check_magic()

    def _check_chunk(self, chunk: bytes, download: _PartialDownload, deadline: float) -> None:
        if self._clock() > deadline:
            raise StorageUnreachable("it took too long")
        received = download.partial_file.received_bytes
        if received + len(chunk) > self._limits.max_bytes(download.expect):
            raise BrokenFile("it is larger than the limit")
        if received // _SPACE_CHECK_INTERVAL_BYTES != (received + len(chunk)) // _SPACE_CHECK_INTERVAL_BYTES:
            self._check_free_space(len(chunk))

    def _check_size(self, content_range: ContentRange, download: _PartialDownload) -> None:
        total = content_range.total or 0
        if total > self._limits.max_bytes(download.expect):
            raise BrokenFile("it is larger than the limit")
        self._check_free_space(total - download.partial_file.received_bytes)

    def _check_free_space(self, required_bytes: int) -> None:
        if self._open_directory().free_bytes() - required_bytes < self._limits.reserve_bytes:
            raise DiskFull("there is not enough room on the disk")

    def _verify_and_publish(self, directory: ResultsDirectory, download: _PartialDownload, name: str) -> DownloadedFile:
        """Check, flush and name the file. Blocks: runs in a thread."""
        part, found = download.partial_file, download.file_type
        facts = MediaInfo()
        if found is not None:
            facts = check_decodes(part.file, found, self._limits.decode, download.expect)
        digest = sha256_of(part.file)
        part.flush_to_disk()
        return DownloadedFile(
            path=directory.publish(part, name, found.suffix if found else "bin", digest),
            kind=found.kind if found else "encrypted",
            bytes=part.received_bytes,
            width=facts.width,
            height=facts.height,
            seconds=facts.seconds,
            codec=facts.codec,
            has_sound=facts.has_sound,
            sha256=digest,
            note=facts.note,
        )


def _start_body(response: httpx.Response, download: _PartialDownload) -> ContentRange:
    """Ready the download for what this answer brings: the rest of its file, or all of it again."""
    if response.status_code == 416:
        # The file has changed since its part was saved: the next request is for the whole.
        download.restart()
        raise _TransferInterrupted
    body = parse_content_range(response, download.partial_file.received_bytes)
    if body.start == 0:
        download.restart()
    download.etag = body.etag
    return body


def _decompress(decompressor: BoundedDecompressor, raw: bytes) -> Iterator[bytes]:
    try:
        yield from decompressor.decompress(raw)
    except BodyTooLarge as error:
        raise BrokenFile("it is larger than the limit") from error
    except zlib.error as error:
        raise BrokenFile("it came packed, and cannot be unpacked") from error


async def _iter_raw_chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    """Yield the body as it came over the wire, never unpacked; raises _TransferCut where it breaks off."""
    import httpx

    try:
        async for chunk in response.aiter_raw():
            yield chunk
    except httpx.TransportError as error:
        raise _TransferInterrupted from error
