"""Avatars: fetched once, checked, cached within a limit, and never many at a time."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from PIL import Image

from eternal_tui.core.network import Network
from eternal_tui.media.download.avatars import AVATAR_LIMITS, MAX_CONCURRENT_DOWNLOADS, AvatarCache
from eternal_tui.media.download.downloader import ResultDownloader
from eternal_tui.media.limits import LinkPolicy
from tests.media import bombs
from tests.media.files import encode_image, make_image
from tests.media.storage import (
    Handler,
    ReceivedRequest,
    StorageServer,
    file_names,
    respond_with,
    response_head,
    serve_storage,
)
from tests.media.test_url_policy import BAD_LINKS


@asynccontextmanager
async def open_cache(folder: Path, *, max_bytes: int = 1_000_000, public: bool = False) -> AsyncIterator[AvatarCache]:
    policy, ticks = LinkPolicy(public=public, allow_http=True), itertools.count(1_700_000_000.0)
    cache = AvatarCache(
        folder,
        lambda: ResultDownloader(folder, AVATAR_LIMITS, policy, Network({})),
        max_bytes=max_bytes,
        now=lambda: next(ticks),
    )
    try:
        yield cache
    finally:
        await cache.close()


@asynccontextmanager
async def serve_avatars(
    folder: Path, handler: Handler, max_bytes: int = 1_000_000
) -> AsyncIterator[tuple[StorageServer, AvatarCache]]:
    async with serve_storage(handler) as host, open_cache(folder, max_bytes=max_bytes) as cache:
        yield host, cache


async def test_an_avatar_is_fetched_once_and_kept(tmp_path: Path, jpeg: bytes) -> None:
    folder = tmp_path / "a"
    async with serve_avatars(folder, respond_with(jpeg)) as (host, first), open_cache(folder) as second:
        path = await first.get(host.url("/astrid.jpg"))
        assert path is not None
        assert path.read_bytes() == jpeg
        assert (path.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)
        assert await second.get(host.url("/astrid.jpg")) == path
        assert len(host.requests) == 1


async def test_what_is_no_image_is_not_kept_nor_asked_for_twice(tmp_path: Path) -> None:
    async with serve_avatars(tmp_path / "a", respond_with(b"<html>not here</html>" * 9)) as (host, cache):
        assert [await cache.get(url) for url in (host.url("/x"), host.url("/x"), "")] == [None] * 3
        assert len(host.requests) == 1
    assert file_names(tmp_path / "a") == []


async def test_a_hostile_avatar_is_none_and_leaves_nothing(tmp_path: Path, jpeg: bytes, clip: bytes) -> None:
    """Every bomb, videos in an image's place, and what is larger than an avatar may be."""
    large = encode_image(Image.new("1", (10_000, 6_000)), "PNG")
    broken = [data for _, data in (*bombs.broken_images(), *bombs.broken_videos(tmp_path))]
    bodies = [*broken, large, jpeg + bytes(4 * 2**20), clip, b""]

    async def handler(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        body = bodies[int(asked.path[1:])]
        writer.write(response_head(content_length=len(body), content_type="image/jpeg") + body)

    async with serve_avatars(tmp_path / "a", handler) as (host, cache):
        urls = [host.url(f"/{number}") for number in range(len(bodies))]
        assert await asyncio.gather(*map(cache.get, urls)) == [None] * len(bodies)
        assert len(host.requests) == len(bodies) >= 56
    assert file_names(tmp_path / "a") == []


async def test_an_avatar_is_named_by_its_digest_and_fetched_from_no_odd_address(tmp_path: Path, jpeg: bytes) -> None:
    odd = ["http://127.0.0.1/a", "http://0x7f000001/", "\ud800", "http://\ud800/", "http://a/" + "é" * 9_000]
    handler = respond_with(jpeg, content_disposition='attachment; filename="../../.bashrc"')
    async with (
        serve_avatars(tmp_path / "b", handler) as (host, cache),
        open_cache(tmp_path / "a", public=True) as strict,
    ):
        assert [each for each in (*BAD_LINKS, *odd, host.url()) if await strict.get(each) is not None] == []
        assert host.requests == []
        path = await cache.get(host.url("/../../../x.desktop?name=.bashrc"))
    assert path is not None
    assert path.parent == tmp_path / "b"
    assert re.fullmatch("[0-9a-f]{40}.jpg", path.name)


async def test_a_link_in_place_of_a_cached_avatar_is_not_followed(tmp_path: Path, jpeg: bytes) -> None:
    async with serve_avatars(tmp_path / "a", respond_with(jpeg)) as (host, cache):
        path = await cache.get(host.url("/x"))
        assert path is not None
        path.rename(tmp_path / "secret")
        path.symlink_to(tmp_path / "secret")
        again = await cache.get(host.url("/x"))
    assert again == tmp_path / "a" / f"{path.stem}-2.jpg"


async def test_the_least_recently_used_go_above_the_limit(tmp_path: Path) -> None:
    body, folder = encode_image(make_image(), "PNG"), tmp_path / "a"
    folder.mkdir(mode=0o700)
    (folder / "notes.txt").write_bytes(bytes(10 * len(body)))
    async with serve_avatars(folder, respond_with(body), 3 * len(body)) as (host, cache):
        paths = [await cache.get(host.url(f"/{number}")) for number in (0, 1, 2, 0, 3)]
    assert [path is not None and path.exists() for path in paths] == [True, False, True, True, True]
    assert (folder / "notes.txt").exists()


async def test_never_more_than_four_at_once_and_leaving_ends_them(tmp_path: Path, jpeg: bytes) -> None:
    gate, full, busy = asyncio.Event(), asyncio.Event(), list[int]()

    async def handler(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        busy.append(1)
        if len(busy) == MAX_CONCURRENT_DOWNLOADS:
            full.set()
        await gate.wait()
        writer.write(response_head(content_length=len(jpeg)) + jpeg)

    async with serve_avatars(tmp_path / "a", handler) as (host, cache):
        wanted = [asyncio.create_task(cache.get(host.url(f"/{number}"))) for number in range(10)]
        async with asyncio.timeout(60):
            await full.wait()
        for _ in range(3_000):
            await asyncio.sleep(0)
        assert len(busy) == MAX_CONCURRENT_DOWNLOADS
        wanted[0].cancel()
        gate.set()
        found = await asyncio.gather(*wanted, return_exceptions=True)
        assert sum(isinstance(one, Path) for one in found) == 9
        assert await cache.get(host.url("/0")) is not None
        assert len(busy) == 10
