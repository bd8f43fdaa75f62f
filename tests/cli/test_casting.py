"""Whom a request is for, where the list of characters is long, slow, or never ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from eternal_tui.api.models import Character
from eternal_tui.characters.catalog import CharacterCatalog
from eternal_tui.cli.casting import CharacterMatch, resolve_character
from eternal_tui.cli.context import CommandError
from eternal_tui.core.sanitize import SafeText, UntrustedText
from tests.jobs.clock import FakeClock, run_ready_tasks


class SlowCharacterList:
    """A list of characters whose pages come one every `seconds`; the last one on page `pages` is a minor."""

    def __init__(self, clock: FakeClock, seconds: float, pages: int) -> None:
        self.minor_id = str(pages * 50)
        self.messages: list[SafeText] = []
        self._clock = clock
        self._seconds = seconds
        self._pages = pages

    async def list_characters(self) -> AsyncIterator[Character]:
        for page in range(self._pages):
            await self._clock.sleep(self._seconds)
            for number in range(page * 50 + 1, page * 50 + 51):
                age = 16 if str(number) == self.minor_id else 24
                yield Character(id=str(number), name=UntrustedText(f"Name {number}"), age=age)

    def resolve(self, folder: Path, name_or_id: str) -> asyncio.Task[CharacterMatch]:
        book = CharacterCatalog(self.list_characters, folder / "characters.json", self._clock, service="s")
        return asyncio.ensure_future(resolve_character(book, name_or_id, self._clock, self.messages.append))


async def test_a_list_that_comes_is_read_until_whom_it_names_is_on_it(tmp_path: Path) -> None:
    """Seen to fail with five seconds for the whole list: a minor on page 40 was then submitted, the list being late."""
    clock = FakeClock()
    slow = SlowCharacterList(clock, 1.0, 40)
    minor, adult = slow.resolve(tmp_path, slow.minor_id), slow.resolve(tmp_path, "60")
    await run_ready_tasks()
    await clock.advance(3.0)
    assert adult.done()
    assert await adult == CharacterMatch("60", "Name 60")
    await clock.advance(38.0)
    with pytest.raises(CommandError, match="under 18"):
        await minor
    assert len(slow.messages) == 1


async def test_a_list_that_falls_silent_is_done_without(tmp_path: Path) -> None:
    clock = FakeClock()
    waiting = SlowCharacterList(clock, 100.0, 1).resolve(tmp_path, "7")
    await run_ready_tasks()
    await clock.advance(5.5)
    assert waiting.done()
    assert await waiting == CharacterMatch("7")


async def test_a_list_that_does_not_end_in_a_minute_sends_nothing(tmp_path: Path) -> None:
    clock = FakeClock()
    waiting = SlowCharacterList(clock, 1.0, 400).resolve(tmp_path, "999999")
    await run_ready_tasks()
    await clock.advance(61.0)
    assert waiting.done()
    with pytest.raises(CommandError, match="Nothing was sent"):
        await waiting


async def test_a_list_of_ten_thousand_is_kept_whole(tmp_path: Path) -> None:
    """Seen to fail with 5,000 kept: those beyond were neither found nor known as under 18."""
    clock = FakeClock()
    slow = SlowCharacterList(clock, 0.0, 200)
    book = CharacterCatalog(slow.list_characters, tmp_path / "characters.json", clock, service="s")
    assert len(await book.load()) == 9_999
    assert "under 18" in book.rejection_reason(slow.minor_id)
