"""A signed link in, a verified file out.

Nothing of the answer decides a path, and the final name only ever holds a file that was checked.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eternal_tui.media.decode.filetype import HEAD_BYTES, FileType, Kind
from eternal_tui.media.decode.validate import Facts, check_decodes, check_head
from eternal_tui.media.download.http import Body, ClientFactory, Storage, bare_client, describe_body
from eternal_tui.media.download.result import SavedResult
from eternal_tui.media.download.results_dir import Part, ResultsFolder, check_name, sha256_of
from eternal_tui.media.download.url_policy import Resolve, resolve
from eternal_tui.media.errors import BrokenFile, DiskFull, NotReachable
from eternal_tui.media.limits import MIB, FetchLimits

if TYPE_CHECKING:
    import httpx

_ROOM_CHECK = 16 * MIB
_PARTS_KEPT = 16


class _TransferCut(Exception):
    """The transfer broke off after it had begun."""


@dataclass(slots=True)
class _Download:
    """One file on its way: its part, the strong ETag it may be gone on with, and what it is to be."""

    part: Part
    expect: Kind
    encrypted: bool
    etag: str = ""
    head: bytes = b""
    found: FileType | None = None

    def start_over(self) -> None:
        self.part.start_over()
        self.etag, self.head, self.found = "", b"", None

    def take(self, chunk: bytes) -> None:
        """Write `chunk`, refusing the file once its first bytes show that it is not the expected one."""
        if len(self.head) < HEAD_BYTES:
            self.head += chunk[: HEAD_BYTES - len(self.head)]
            if len(self.head) == HEAD_BYTES:
                self.check_head()
        self.part.write(chunk)

    def check_head(self) -> None:
        if not self.encrypted:
            self.found = check_head(self.head, self.expect)


class ResultFetcher:
    """Fetches results into one folder, which is made where it is missing. Close it when done.

    `public` says that the service is a public host: then links into private networks are refused.
    `clock` is monotonic, `now` in epoch seconds; `environ` names the proxies.
    """

    def __init__(
        self,
        results: Path,
        limits: FetchLimits | None = None,
        *,
        public: bool = True,
        client_factory: ClientFactory = bare_client,
        resolve: Resolve = resolve,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._results = results
        self._limits = limits or FetchLimits()
        self._storage = Storage(
            self._limits,
            public=public,
            client_factory=client_factory,
            resolve=resolve,
            environ=environ,
            now=now,
        )
        self._clock = clock
        self._sleep = sleep
        self._now = now
        self._folder: ResultsFolder | None = None
        self._unfinished: dict[str, _Download] = {}

    async def close(self) -> None:
        """Close every connection and remove what was only half fetched."""
        while self._unfinished:
            self._unfinished.popitem()[1].part.discard()
        await self._storage.close()
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    async def fetch(self, url: str, *, name: str, expect: Kind, encrypted: bool = False) -> SavedResult:
        """Fetch `url` and return the file saved as `name` plus the suffix its own bytes call for.

        `name` is our own job id. An encrypted result is kept as it came, as `name.bin`, unchecked.
        Raises ResultError, whose kinds `media.errors` lists, and ValueError for a name that is not ours.
        """
        check_name(name)
        folder = self._open_folder()
        download = self._unfinished.pop(name, None) or _Download(folder.new_part(), expect, encrypted)
        try:
            await self._transfer_whole(url, download)
            saved = await asyncio.to_thread(self._finish, folder, download, name)
        except NotReachable:
            self._keep(name, download)
            raise
        except BaseException:
            download.part.discard()
            raise
        download.part.file.close()
        return saved

    def _open_folder(self) -> ResultsFolder:
        if self._folder is None:
            self._folder = ResultsFolder(self._results)
            self._folder.clear_leftovers(now=self._now())
        return self._folder

    def _keep(self, name: str, download: _Download) -> None:
        """Keep a part that can be gone on with for the next fetch of the same job."""
        if not download.etag or not download.part.received:
            download.part.discard()
            return
        while len(self._unfinished) >= _PARTS_KEPT:
            self._unfinished.pop(next(iter(self._unfinished))).part.discard()
        self._unfinished[name] = download

    async def _transfer_whole(self, url: str, download: _Download) -> None:
        """Transfer until the file is whole, going on after a cut where the storage allows it."""
        deadline = self._clock() + self._limits.overall_seconds
        for cut in range(self._limits.cuts + 1):
            if cut:
                await self._sleep(2.0 ** (cut - 1))
            try:
                async with asyncio.timeout(self._limits.overall_seconds):
                    await self._transfer(url, download, deadline)
                return
            except _TransferCut:
                if not download.etag:
                    download.start_over()
            except TimeoutError as error:
                raise NotReachable("it took too long") from error
        raise NotReachable(f"the transfer broke off {self._limits.cuts + 1} times")

    async def _transfer(self, url: str, download: _Download, deadline: float) -> None:
        part = download.part
        async with self._storage.answer(url, held=part.received, etag=download.etag) as response:
            body = _begin(response, download)
            self._check_size(body, download)
            async for chunk in _chunks(response):
                if self._clock() > deadline:
                    raise NotReachable("it took too long")
                if part.received + len(chunk) > self._limits.cap(download.expect):
                    raise BrokenFile("it is larger than the limit")
                if part.received // _ROOM_CHECK != (part.received + len(chunk)) // _ROOM_CHECK:
                    self._check_room(len(chunk))
                download.take(chunk)
        if body.total is not None and part.received != body.total:
            raise _TransferCut
        if download.found is None:
            download.check_head()

    def _check_size(self, body: Body, download: _Download) -> None:
        total = body.total or 0
        if total > self._limits.cap(download.expect):
            raise BrokenFile("it is larger than the limit")
        self._check_room(total - download.part.received)

    def _check_room(self, wanted: int) -> None:
        if self._open_folder().free_bytes() - wanted < self._limits.reserve_bytes:
            raise DiskFull("there is not enough room on the disk")

    def _finish(self, folder: ResultsFolder, download: _Download, name: str) -> SavedResult:
        """Check, flush and name the file. Blocks: runs in a thread."""
        part, found = download.part, download.found
        facts = Facts() if found is None else check_decodes(part.file, found, self._limits.decode)
        digest = sha256_of(part.file)
        part.flush_to_disk()
        return SavedResult(
            path=folder.publish(part, name, found.suffix if found else "bin", digest),
            kind=found.kind if found else "encrypted",
            bytes=part.received,
            width=facts.width,
            height=facts.height,
            seconds=facts.seconds,
            codec=facts.codec,
            has_sound=facts.has_sound,
            sha256=digest,
        )


def _begin(response: httpx.Response, download: _Download) -> Body:
    """Ready the download for what this answer brings: the rest of its file, or all of it again."""
    if response.status_code == 416:
        # The file is not the one a part of was kept: the next round asks for the whole.
        download.start_over()
        raise _TransferCut
    body = describe_body(response, download.part.received)
    if body.start == 0:
        download.start_over()
    download.etag = body.etag
    return body


async def _chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    """Yield the body as it came over the wire, never unpacked; raises _TransferCut where it breaks off."""
    import httpx

    try:
        async for chunk in response.aiter_raw():
            yield chunk
    except httpx.TransportError as error:
        raise _TransferCut from error
