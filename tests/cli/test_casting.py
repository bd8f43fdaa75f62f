"""Whom a request is for, where the list of characters is long, slow, or never ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from eternal_tui.api.models import Character
from eternal_tui.characters.catalog import CharacterBook
from eternal_tui.cli.casting import Role, cast
from eternal_tui.cli.context import Refused
from eternal_tui.core.sanitize import Shown, Untrusted
from tests.jobs.clock import FakeClock, settle


class SlowList:
    """A list of characters whose pages come one every `seconds`; the last one on page `pages` is a minor."""

    def __init__(self, clock: FakeClock, seconds: float, pages: int) -> None:
        self.minor = str(pages * 50)
        self.told: list[Shown] = []
        self._clock = clock
        self._seconds = seconds
        self._pages = pages

    async def listing(self) -> AsyncIterator[Character]:
        for page in range(self._pages):
            await self._clock.sleep(self._seconds)
            for number in range(page * 50 + 1, page * 50 + 51):
                age = 16 if str(number) == self.minor else 24
                yield Character(id=str(number), name=Untrusted(f"Name {number}"), age=age)

    def cast(self, folder: Path, wanted: str) -> asyncio.Task[Role]:
        book = CharacterBook(self.listing, folder / "characters.json", self._clock, service="s")
        return asyncio.ensure_future(cast(book, wanted, self._clock, self.told.append))


async def test_a_list_that_comes_is_read_until_whom_it_names_is_on_it(tmp_path: Path) -> None:
    """Seen to fail with five seconds for the whole list: a minor on page 40 was then submitted, the list being late."""
    clock = FakeClock()
    slow = SlowList(clock, 1.0, 40)
    minor, adult = slow.cast(tmp_path, slow.minor), slow.cast(tmp_path, "60")
    await settle()
    await clock.advance(3.0)
    assert adult.done()
    assert await adult == Role("60", "Name 60")
    await clock.advance(38.0)
    with pytest.raises(Refused, match="under 18"):
        await minor
    assert len(slow.told) == 1


async def test_a_list_that_falls_silent_is_done_without(tmp_path: Path) -> None:
    clock = FakeClock()
    waiting = SlowList(clock, 100.0, 1).cast(tmp_path, "7")
    await settle()
    await clock.advance(5.5)
    assert waiting.done()
    assert await waiting == Role("7")


async def test_a_list_that_does_not_end_in_a_minute_sends_nothing(tmp_path: Path) -> None:
    clock = FakeClock()
    waiting = SlowList(clock, 1.0, 400).cast(tmp_path, "999999")
    await settle()
    await clock.advance(61.0)
    assert waiting.done()
    with pytest.raises(Refused, match="Nothing was sent"):
        await waiting


async def test_a_list_of_ten_thousand_is_kept_whole(tmp_path: Path) -> None:
    """Seen to fail with 5,000 kept: those beyond were neither found nor known as under 18."""
    clock = FakeClock()
    slow = SlowList(clock, 0.0, 200)
    book = CharacterBook(slow.listing, tmp_path / "characters.json", clock, service="s")
    assert len(await book.load()) == 9_999
    assert "under 18" in book.refusal(slow.minor)
