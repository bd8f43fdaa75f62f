"""The catalog rejects characters whose age in any list is below 18 or unreadable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from eternal_tui.api.errors import ApiError, Unreachable
from eternal_tui.api.models import Character
from eternal_tui.characters.catalog import (
    BACK_OFF_SECONDS,
    LIST_STALL_SECONDS,
    MAX_AGE_SECONDS,
    MAX_CHARACTERS,
    MAX_LIST_SECONDS,
    MAX_TRUSTED_SECONDS,
    PENDING_RECHECK_SECONDS,
    SETTLE_SECONDS,
    CharacterCatalog,
)
from eternal_tui.characters.resolver import (
    CHECK_RUNNING_MESSAGE,
    CHECK_STOPPED_MESSAGE,
    CharacterCheck,
    ResolvedCharacter,
    resolve_character,
)
from eternal_tui.core.sanitize import SafeText, UntrustedText
from tests.jobs.clock import FakeClock, run_ready_tasks


class CharacterList:
    """A service's list: `count` adults from 1 on, 51 is 16, 52 has an unreadable age, 60 comes twice.

    A page of 50 takes `page_seconds` seconds. `error` stands before the row `error_at`, and the list is held back
    before the row `held_at` until `resume` is set.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.error: ApiError | None = None
        self.error_at = 1
        self.held_at = 0
        self.count = 80
        self.page_seconds = 0.0
        self.read_count = 0
        self.pending_ids: set[int] = set()
        self.resume = asyncio.Event()
        self._clock = clock

    async def __call__(self) -> AsyncIterator[Character]:
        for number in range(1, self.count + 1):
            if self.error is not None and number == self.error_at:
                raise self.error
            if number == self.held_at:
                await self.resume.wait()
            if number % 50 == 1 and self.page_seconds:
                await self._clock.sleep(self.page_seconds)
            self.read_count += 1
            age = {51: 16, 52: None}.get(number, 24)
            name = UntrustedText(f"Name {number}")
            status = UntrustedText("pending" if number in self.pending_ids else "approved")
            yield Character(id=str(number), name=name, age=age, is_age_readable=number != 52, status=status)
        yield Character(id="60", name=UntrustedText("Name 60"), age=17)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def listing(clock: FakeClock) -> CharacterList:
    return CharacterList(clock)


@pytest.fixture
def catalog(tmp_path: Path, listing: CharacterList, clock: FakeClock) -> CharacterCatalog:
    return CharacterCatalog(listing, tmp_path / "characters.json", clock, service="s")


@pytest.mark.parametrize(
    ("character_id", "reason"),
    [
        ("7", ""), ("007", ""), ("999", ""), ("", ""), ("51", "listed as under 18"), ("0051", "listed as under 18"),
        (" 51 ", "listed as under 18"), ("60", "listed as under 18"), ("52", "unreadable age"),
    ],
)  # fmt: skip
async def test_check_allowed_refuses_minors_in_every_spelling(
    catalog: CharacterCatalog, character_id: str, reason: str
) -> None:
    found = await catalog.check_allowed(character_id)
    assert (reason in found) if reason else not found
    assert not {"51", "52", "60"} & {each.id for each in catalog.allowed}


async def test_check_allowed_rejects_without_a_list_and_retries_later(
    catalog: CharacterCatalog, listing: CharacterList, clock: FakeClock
) -> None:
    listing.error = Unreachable("no answer")
    assert "Could not load the character list" in await catalog.check_allowed("7")
    listing.error = None
    assert "Could not load the character list" in await catalog.check_allowed("7")
    assert listing.read_count == 0
    await clock.advance(BACK_OFF_SECONDS + 1.0)
    assert not await catalog.check_allowed("7")


async def test_check_allowed_rejects_a_pending_character_until_approved(
    catalog: CharacterCatalog, listing: CharacterList, clock: FakeClock
) -> None:
    listing.pending_ids = {7}
    assert "not approved yet (status: pending)" in await catalog.check_allowed("007")
    assert "7" not in {each.id for each in catalog.allowed}
    read_count, listing.pending_ids = listing.read_count, set()
    assert "not approved yet" in await catalog.check_allowed("7")
    assert listing.read_count == read_count
    await clock.advance(PENDING_RECHECK_SECONDS)
    assert not catalog.is_known("7")
    assert await catalog.check_allowed("7") == ""


async def test_check_allowed_uses_a_partial_list_for_its_characters_only(
    catalog: CharacterCatalog, listing: CharacterList
) -> None:
    listing.error, listing.error_at = Unreachable("no answer"), 61
    assert not await catalog.check_allowed("7")
    assert "under 18" in await catalog.check_allowed("51")
    assert "Could not load the character list" in await catalog.check_allowed("70")


async def test_check_allowed_trusts_an_old_list_for_30_days_with_a_note(
    catalog: CharacterCatalog, listing: CharacterList, clock: FakeClock
) -> None:
    await catalog.load()
    await clock.advance(MAX_AGE_SECONDS * 3)
    listing.error = Unreachable("no answer")
    notes: list[str] = []
    assert not await catalog.check_allowed("7", notes.append)
    assert "3 days ago" in notes[0]
    assert "under 18" in await catalog.check_allowed("51")
    assert "Could not load the character list" in await catalog.check_allowed("999")
    await clock.advance(MAX_TRUSTED_SECONDS)
    assert "Could not load the character list" in await catalog.check_allowed("7")


async def test_load_continues_when_its_caller_is_cancelled(
    catalog: CharacterCatalog, listing: CharacterList, clock: FakeClock
) -> None:
    listing.held_at = 51
    seen: list[int] = []
    reading = asyncio.ensure_future(catalog.load(on_partial=lambda found: seen.append(len(found))))
    await run_ready_tasks()
    assert seen == [50]
    reading.cancel()
    await asyncio.wait({reading})
    checking = asyncio.ensure_future(catalog.check_allowed("51"))
    await run_ready_tasks()
    listing.resume.set()
    await clock.advance(1.0)
    assert "under 18" in await checking
    assert listing.read_count == 80


async def test_refresh_waits_for_late_pages(
    catalog: CharacterCatalog, listing: CharacterList, clock: FakeClock
) -> None:
    listing.count, listing.page_seconds = 2_000, 1.0
    early, late = (
        asyncio.ensure_future(catalog.check_allowed("7")),
        asyncio.ensure_future(catalog.check_allowed("1950")),
    )
    await run_ready_tasks()
    await clock.advance(1.5 + SETTLE_SECONDS)
    assert early.done()
    assert not late.done()
    await clock.advance(40.0)
    assert not await late


@pytest.mark.parametrize(("page_seconds", "seconds"), [(1_000.0, LIST_STALL_SECONDS), (1.0, MAX_LIST_SECONDS)])
async def test_refresh_ends_for_a_stalled_or_endless_list(
    catalog: CharacterCatalog, listing: CharacterList, clock: FakeClock, page_seconds: float, seconds: float
) -> None:
    listing.count, listing.page_seconds = 100_000, page_seconds
    checking = asyncio.ensure_future(catalog.check_allowed("99999"))
    await run_ready_tasks()
    await clock.advance(seconds + 0.5)
    assert checking.done()
    assert "Could not load the character list" in await checking
    await catalog.close()


async def test_load_cuts_an_endless_list_and_is_not_fresh(catalog: CharacterCatalog, listing: CharacterList) -> None:
    listing.count = 10**9
    assert "Could not load the character list" in await catalog.check_allowed("50000")
    assert not await catalog.check_allowed("7")
    assert listing.read_count == MAX_CHARACTERS
    assert len(catalog.allowed) == MAX_CHARACTERS - 2


Resolve = Callable[[str], "asyncio.Task[ResolvedCharacter]"]


@pytest.mark.parametrize(
    ("text", "character_id", "problem"),
    [
        ("7", "7", ""), ("007", "7", ""), ("Name 7", "7", ""), ("name 77", "77", ""), ("Name", "", "Use an ID"),
        ("Name 1", "1", ""), ("Nam", "", "is ambiguous: Name 1 1, Name 2 2"), ("Nobody", "", "Unknown character"),
        ("Name 51", "", "Unknown character"), ("51", "", "under 18"), ("9999", "9999", ""), ("abc-1", "abc-1", ""),
        ("https://h/a.png", "", "URLs"),
    ],
)  # fmt: skip
async def test_resolve_character_takes_whole_names_and_ids(
    catalog: CharacterCatalog, text: str, character_id: str, problem: str
) -> None:
    found = await resolve_character(catalog, text, lambda _: None)
    assert (found.id, problem in found.problem) == (character_id, True)


async def test_resolve_character_notifies_of_waits_and_old_lists(
    catalog: CharacterCatalog, listing: CharacterList, clock: FakeClock
) -> None:
    told: list[SafeText] = []
    listing.error = Unreachable("no answer")
    assert "look up “Nobody”: no answer Use an ID" in (await resolve_character(catalog, "Nobody", told.append)).problem
    await clock.advance(BACK_OFF_SECONDS + 1.0)
    listing.error, listing.page_seconds = None, 4.0
    waiting = asyncio.ensure_future(resolve_character(catalog, "Name 77", told.append))
    await run_ready_tasks()
    await clock.advance(10.0)
    assert (await waiting).id == "77"
    assert [line[:7] for line in told] == ["Loading"]
    await clock.advance(MAX_AGE_SECONDS * 2)
    listing.error = Unreachable("no answer")
    assert (await resolve_character(catalog, "7", told.append)).id == "7"
    assert "2 days ago" in told[-1]


async def test_character_check_runs_once_at_a_time_and_can_be_cancelled(
    catalog: CharacterCatalog, listing: CharacterList, clock: FakeClock
) -> None:
    told: list[str] = []
    shown: list[str] = []
    check = CharacterCheck(catalog, show_progress=shown.append, notify_user=told.append)
    listing.held_at = 2
    first = asyncio.ensure_future(check.run(["7", "7"]))
    await run_ready_tasks()
    assert not await check.run(["7"])
    assert told == [CHECK_RUNNING_MESSAGE]
    assert check.cancel()
    assert not await first
    assert (told[-1], shown[-1]) == (CHECK_STOPPED_MESSAGE, "")
    second = asyncio.ensure_future(check.run(["7"]))
    await run_ready_tasks()
    listing.resume.set()
    await clock.advance(1.0)
    assert await second
    assert await check.run(["7", "8"])
    assert not check.cancel()
