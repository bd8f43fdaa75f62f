"""Whom the book vouches for: nobody whom the list, where it can be had, says to be under 18."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from eternal_tui.api.errors import ApiError, Unreachable
from eternal_tui.api.models import Character
from eternal_tui.characters.catalog import BACK_OFF_SECONDS, MAX_AGE_SECONDS, CharacterCatalog
from eternal_tui.core.sanitize import UntrustedText
from tests.jobs.clock import FakeClock


class CharacterListing:
    """Two pages of characters: 1 to 50 are adults, 51 is 16, 52 is an adult; `error` stands in their place."""

    def __init__(self) -> None:
        self.error: ApiError | None = None
        self.read_count = 0
        self.pause_once = False

    async def __call__(self) -> AsyncIterator[Character]:
        if self.error is not None:
            raise self.error
        for number in range(1, 53):
            self.read_count += 1
            if self.pause_once and number == 51:
                self.pause_once = False
                await asyncio.Event().wait()
            yield Character(id=str(number), name=UntrustedText(f"Name {number}"), age=16 if number == 51 else 24)


@pytest.fixture
def listing() -> CharacterListing:
    return CharacterListing()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def book(tmp_path: Path, listing: CharacterListing, clock: FakeClock) -> CharacterCatalog:
    return CharacterCatalog(listing, tmp_path / "characters.json", clock, service="s")


async def test_an_id_is_looked_up_before_the_list_was_read(book: CharacterCatalog, listing: CharacterListing) -> None:
    """Seen to fail with `check_allowed` asking only what is known: the minor's ID was then sent.

    The list is read no further than to whom it is about; one whom the whole of it does not name is submitted.
    """
    assert "under 18" in await book.check_allowed("51")
    assert not await book.check_allowed("7")
    assert listing.read_count == 51
    assert not await book.check_allowed("999")
    assert book.is_fresh


async def test_a_list_that_cannot_be_had_is_asked_for_again_later(
    book: CharacterCatalog, listing: CharacterListing, clock: FakeClock
) -> None:
    """Until then the service judges alone, and not each request waits for it."""
    listing.error = Unreachable("no answer")
    assert not await book.check_allowed("51")
    listing.error = None
    assert not await book.check_allowed("51")
    assert listing.read_count == 0
    await clock.advance(BACK_OFF_SECONDS + 1.0)
    assert "under 18" in await book.check_allowed("51")


async def test_a_reader_that_went_away_leaves_nobody_unasked(book: CharacterCatalog, listing: CharacterListing) -> None:
    """Seen to fail while a listing that was cancelled, as by leaving the characters, counted as one not to be had."""
    listing.pause_once = True

    def leave(_: Sequence[Character]) -> None:
        reading.cancel()

    reading = asyncio.ensure_future(book.load(on_partial=leave))
    await asyncio.wait({reading})
    assert reading.cancelled()
    assert "under 18" in await book.check_allowed("51")


async def test_an_old_list_still_knows_whom_it_named(
    book: CharacterCatalog, listing: CharacterListing, clock: FakeClock
) -> None:
    await book.load()
    await clock.advance(MAX_AGE_SECONDS + 1.0)
    listing.error = Unreachable("no answer")
    assert not await book.check_allowed("52")
    assert "under 18" in await book.check_allowed("51")
    assert not await book.check_allowed("53")
