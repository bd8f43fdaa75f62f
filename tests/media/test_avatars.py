"""Avatars: fetched once, checked, kept within a cap, and never many at a time."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from urllib.parse import quote

from PIL import Image

from eternal_tui.core.network import Network
from eternal_tui.media.download.avatars import AVATAR_LIMITS, MAX_CONCURRENT_DOWNLOADS, AvatarCache
from eternal_tui.media.download.downloader import ResultDownloader
from eternal_tui.media.limits import LinkPolicy
from tests.media import bombs
from tests.media.files import encode_image, make_image
from tests.media.storage import Handler, ReceivedRequest, file_names, respond_with, response_head, serve_storage
from tests.media.test_url_policy import BAD_LINKS, hostile_names


class TickingClock:
    """A clock that moves by a second each time it is asked."""

    def __init__(self) -> None:
        self.seconds = 1_700_000_000.0

    def __call__(self) -> float:
        self.seconds += 1
        return self.seconds


def make_cache(folder: Path, *, max_bytes: int = 1_000_000, public: bool = False) -> AvatarCache:
    return AvatarCache(
        folder,
        lambda: ResultDownloader(folder, AVATAR_LIMITS, LinkPolicy(public=public, allow_http=True), Network({})),
        max_bytes=max_bytes,
        now=TickingClock(),
    )


async def test_an_avatar_is_fetched_once_and_kept(tmp_path: Path, jpeg: bytes) -> None:
    async with serve_storage(respond_with(jpeg)) as host:
        first, second = make_cache(tmp_path / "a"), make_cache(tmp_path / "a")
        url = host.url("/astrid.jpg")
        path = await first.get(url)
        assert path is not None
        assert path.read_bytes() == jpeg
        assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        assert await second.get(url) == path
        assert len(host.requests) == 1
        await first.close()
        await second.close()


async def test_what_is_no_picture_is_not_kept_nor_asked_for_twice(tmp_path: Path) -> None:
    async with serve_storage(respond_with(b"<html>not here</html>" * 9)) as host:
        book = make_cache(tmp_path / "a")
        assert [await book.get(host.url("/x")), await book.get(host.url("/x")), await book.get("")] == [None] * 3
        assert len(host.requests) == 1
        assert file_names(tmp_path / "a") == []
        await book.close()


async def test_a_hostile_avatar_is_none_and_leaves_nothing(tmp_path: Path, jpeg: bytes, clip: bytes) -> None:
    """Every bomb, clips in a picture's place, what is larger than an avatar may be, under lying types and names."""
    large = encode_image(Image.new("1", (10_000, 6_000)), "PNG")
    bodies = [data for _, data in (*bombs.broken_images(), *bombs.broken_videos(tmp_path))] + [
        large,
        jpeg + bytes(4 * 2**20),
        clip,
        b"",
    ]
    names = hostile_names(len(bodies))

    async def handler(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        number = int(asked.path.rpartition("=")[2])
        name = re.sub("[\r\n\0]", "", names[number]).encode().decode("latin-1")
        body = bodies[number]
        said = {"content_disposition": f'attachment; filename="{name}"', "content_type": f"image/jpeg; name={name}"}
        writer.write(response_head(content_length=len(body), **said) + body)

    async with serve_storage(handler) as host:
        book = make_cache(tmp_path / "a")
        urls = [host.url(f"/{quote(name)}.jpg?n={number}") for number, name in enumerate(names)]
        found = await asyncio.gather(*(book.get(url) for url in urls))
        assert len(host.requests) == len(bodies) >= 56
        assert found == [None] * len(bodies)
        assert file_names(tmp_path / "a") == []
        await book.close()


async def test_an_avatar_is_named_by_nobody_and_fetched_from_no_odd_address(tmp_path: Path, jpeg: bytes) -> None:
    """Hostile addresses in the list of characters: none leads anywhere, and a good one is named by its digest alone."""
    async with serve_storage(respond_with(jpeg, content_disposition='attachment; filename="../../.bashrc"')) as host:
        book = make_cache(tmp_path / "a", public=True)
        odd = [
            *BAD_LINKS,
            "http://127.0.0.1/a",
            "http://0x7f000001/",
            "\ud800",
            "http://\ud800/",
            "http://a/" + "é" * 9_000,
        ]
        assert [each for each in odd if await book.get(each) is not None] == []
        await book.close()
        trusting = make_cache(tmp_path / "b")
        path = await trusting.get(host.url("/../../../x.desktop?name=.bashrc"))
        await trusting.close()
        assert path is not None
        assert re.fullmatch("[0-9a-f]{40}.jpg", path.name)
        assert path.parent == tmp_path / "b"
        assert len(host.requests) == 1


async def test_a_link_in_place_of_a_kept_avatar_is_not_looked_at(tmp_path: Path, jpeg: bytes) -> None:
    async with serve_storage(respond_with(jpeg)) as host:
        book = make_cache(tmp_path / "a")
        path = await book.get(host.url("/x"))
        assert path is not None
        secret = tmp_path / "secret"
        secret.write_bytes(jpeg)
        path.unlink()
        path.symlink_to(secret)
        again = await book.get(host.url("/x"))
        assert again is not None
        assert again != path
        assert not again.is_symlink()
        await book.close()


async def test_no_private_host_is_gone_to_for_a_public_service(tmp_path: Path, jpeg: bytes) -> None:
    async with serve_storage(respond_with(jpeg)) as host:
        book = make_cache(tmp_path / "a", public=True)
        assert await book.get(host.url("/x")) is None
        assert host.requests == []
        await book.close()


async def test_the_least_lately_looked_at_go_above_the_cap(tmp_path: Path) -> None:
    body = encode_image(make_image(), "PNG")
    async with serve_storage(respond_with(body)) as host:
        book = make_cache(tmp_path / "a", max_bytes=3 * len(body))
        (tmp_path / "a").mkdir(mode=0o700)
        (tmp_path / "a" / "notes.txt").write_bytes(bytes(10 * len(body)))
        paths = [await book.get(host.url(f"/{number}")) for number in range(3)]
        await book.get(host.url("/0"))
        newest = await book.get(host.url("/3"))
        assert newest is not None
        assert [path is not None and path.exists() for path in (*paths, newest)] == [True, False, True, True]
        assert (tmp_path / "a" / "notes.txt").exists()
        await book.close()


def hold_until(gate: asyncio.Event, full: asyncio.Event, busy: list[int], body: bytes) -> Handler:
    """Answer only once `gate` is open, noting how many wait, and setting `full` at four."""

    async def handler(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        busy.append(1)
        if len(busy) == MAX_CONCURRENT_DOWNLOADS:
            full.set()
        await gate.wait()
        writer.write(response_head(Content_Length=len(body)) + body)
        await writer.drain()

    return handler


async def test_never_more_than_four_at_once_and_leaving_ends_them(tmp_path: Path, jpeg: bytes) -> None:
    gate, full, busy = asyncio.Event(), asyncio.Event(), list[int]()
    async with serve_storage(hold_until(gate, full, busy, jpeg)) as host:
        book = make_cache(tmp_path / "a")
        wanted = [asyncio.create_task(book.get(host.url(f"/{number}"))) for number in range(10)]
        async with asyncio.timeout(60):
            await full.wait()
        for _ in range(3_000):
            await asyncio.sleep(0)
        assert len(busy) == MAX_CONCURRENT_DOWNLOADS
        wanted[0].cancel()
        gate.set()
        found = await asyncio.gather(*wanted, return_exceptions=True)
        assert sum(isinstance(one, Path) for one in found) == 9
        assert await book.get(host.url("/0")) is not None
        assert len(busy) == 10
        await book.close()
