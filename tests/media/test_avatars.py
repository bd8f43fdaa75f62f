"""Avatars: fetched once, checked, kept within a cap, and never many at a time."""

from __future__ import annotations

import asyncio
from pathlib import Path

from eternal_tui.media.avatars import AT_ONCE, LIMITS, Avatars
from eternal_tui.media.fetch import ResultFetcher
from tests.media.fetching import listing
from tests.media.files import encoded, picture
from tests.media.server import Asked, Handler, answers, head, storage


class Now:
    """A clock that moves by a second each time it is asked."""

    def __init__(self) -> None:
        self.seconds = 1_700_000_000.0

    def __call__(self) -> float:
        self.seconds += 1
        return self.seconds


def avatars(folder: Path, *, cap: int = 1_000_000, public: bool = False) -> Avatars:
    return Avatars(folder, lambda: ResultFetcher(folder, LIMITS, public=public, environ={}), cap=cap, now=Now())


async def test_an_avatar_is_fetched_once_and_kept(tmp_path: Path, jpeg: bytes) -> None:
    """Seen to fail without looking into the folder: every start asked for every avatar again."""
    async with storage(answers(jpeg)) as host:
        first, second = avatars(tmp_path / "a"), avatars(tmp_path / "a")
        url = host.url("/astrid.jpg")
        path = await first.get(url)
        assert path is not None
        assert path.read_bytes() == jpeg
        assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        assert await second.get(url) == path
        assert len(host.asked) == 1
        await first.close()
        await second.close()


async def test_what_is_no_picture_is_not_kept_nor_asked_for_twice(tmp_path: Path) -> None:
    async with storage(answers(b"<html>not here</html>" * 9)) as host:
        book = avatars(tmp_path / "a")
        assert [await book.get(host.url("/x")), await book.get(host.url("/x")), await book.get("")] == [None] * 3
        assert len(host.asked) == 1
        assert listing(tmp_path / "a") == []
        await book.close()


async def test_no_private_host_is_gone_to_for_a_public_service(tmp_path: Path, jpeg: bytes) -> None:
    async with storage(answers(jpeg)) as host:
        book = avatars(tmp_path / "a", public=True)
        assert await book.get(host.url("/x")) is None
        assert host.asked == []
        await book.close()


async def test_the_least_lately_looked_at_go_above_the_cap(tmp_path: Path) -> None:
    """Seen to fail when the oldest file went, however lately it was looked at."""
    body = encoded(picture(), "PNG")
    async with storage(answers(body)) as host:
        book = avatars(tmp_path / "a", cap=3 * len(body))
        (tmp_path / "a").mkdir(mode=0o700)
        (tmp_path / "a" / "notes.txt").write_bytes(bytes(10 * len(body)))
        paths = [await book.get(host.url(f"/{number}")) for number in range(3)]
        await book.get(host.url("/0"))
        newest = await book.get(host.url("/3"))
        assert newest is not None
        assert [path is not None and path.exists() for path in (*paths, newest)] == [True, False, True, True]
        assert (tmp_path / "a" / "notes.txt").exists()
        await book.close()


def holding(gate: asyncio.Event, full: asyncio.Event, busy: list[int], body: bytes) -> Handler:
    """Answer only once `gate` is open, noting how many wait, and setting `full` at four."""

    async def handler(asked: Asked, writer: asyncio.StreamWriter) -> None:
        busy.append(1)
        if len(busy) == AT_ONCE:
            full.set()
        await gate.wait()
        writer.write(head(Content_Length=len(body)) + body)
        await writer.drain()

    return handler


async def test_never_more_than_four_at_once_and_leaving_ends_them(tmp_path: Path, jpeg: bytes) -> None:
    """Seen to fail without the semaphore: all ten were asked for together."""
    gate, full, busy = asyncio.Event(), asyncio.Event(), list[int]()
    async with storage(holding(gate, full, busy, jpeg)) as host:
        book = avatars(tmp_path / "a")
        wanted = [asyncio.create_task(book.get(host.url(f"/{number}"))) for number in range(10)]
        async with asyncio.timeout(10):
            await full.wait()
        for _ in range(3_000):
            await asyncio.sleep(0)
        assert len(busy) == AT_ONCE
        wanted[0].cancel()
        gate.set()
        found = await asyncio.gather(*wanted, return_exceptions=True)
        assert sum(isinstance(one, Path) for one in found) == 9
        assert await book.get(host.url("/0")) is not None
        assert len(busy) == 10
        await book.close()
