"""The characters against the sandbox: found, seen, liked, chosen, created; adults only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eternal_tui.api.models import CreateCharacterResponse, character_request
from eternal_tui.characters.catalog import MAX_RECENT, Favourites, FavouriteStore
from eternal_tui.config.settings import Settings
from eternal_tui.jobs.filter import needs_attention
from eternal_tui.jobs.model import Job, JobState
from eternal_tui.sandbox.launch import launch_demo
from eternal_tui.services import Services
from eternal_tui.tui.detail import detail_rows
from eternal_tui.tui.graphics.half_blocks import UPPER_HALF_BLOCK, HalfBlocks
from eternal_tui.tui.job_list.row import columns_for, job_line
from eternal_tui.tui.notifications import end_message
from eternal_tui.tui.screens.characters import CharactersScreen, CreateCharacter
from eternal_tui.tui.screens.job_commands import CREATION_RERUN_MESSAGE, JobCommands
from eternal_tui.tui.screens.job_dialogs import copy_items
from tests.tui.jobs import NOW
from tests.tui.request_form.form_app import CHARACTERS
from tests.tui.screens.stage import (
    ENVIRON,
    FakeScreen,
    ScreenApp,
    flat_screen_text,
    make_settings,
    open_screen,
    open_services,
    screen_text,
    terminal_context,
    wait_until,
)
from tests.tui.screens.test_viewer import context_with_graphics


@pytest.fixture
def demo_services(tmp_path: Path) -> Iterator[Services]:
    demo = launch_demo(environ=dict(os.environ), speed=50.0)
    demo.wait_ready_blocking()
    yield Services(make_settings(tmp_path), ENVIRON, demo=demo)
    demo.close()


async def test_from_the_list_to_the_form(demo_services: Services) -> None:
    bench = demo_services
    app = ScreenApp(CharactersScreen(bench, context_with_graphics(HalfBlocks())))
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_until(pilot, lambda: "Astrid" in screen_text(app) and UPPER_HALF_BLOCK in screen_text(app))
        assert list((bench.data_dir / "avatars").glob("*.jpg"))
        assert "years" in flat_screen_text(app)
        await pilot.press("question_mark")
        await wait_until(pilot, lambda: "Toggle favourite" in flat_screen_text(app))
        await pilot.press("escape", "j", "asterisk", "f")
        await wait_until(pilot, lambda: "favourites · 1" in screen_text(app))
        assert "★  Elara" in screen_text(app)
        await pilot.press("f", "f", "slash", *"6870", "enter")
        await wait_until(pilot, lambda: bool(app.results))
        assert app.results == ["6870"]
    store = FavouriteStore(bench.data_dir)
    chosen = store.load()
    assert (chosen.favourites, chosen.recent) == (("6873",), ("6870",))
    assert (store.path.stat().st_mode & 0o777) == 0o600
    await bench.close()


async def test_one_character_is_created_by_one_request(demo_services: Services) -> None:
    bench = demo_services
    sent: list[str] = []
    create = bench.client.create_character

    async def count(prompt: str) -> CreateCharacterResponse:
        sent.append(prompt)
        return await create(prompt)

    bench.client.create_character = count  # type: ignore[method-assign]
    app = ScreenApp(CharactersScreen(bench, terminal_context()))
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_until(pilot, lambda: "Astrid" in screen_text(app))
        await pilot.press("n", "enter")
        await wait_until(pilot, lambda: "Prompt is required" in flat_screen_text(app))
        assert "Experimental" in flat_screen_text(app)
        await pilot.press(*"A calm pilot", "enter", "enter")
        await wait_until(pilot, lambda: isinstance(app.screen, CreateCharacter))
        assert sent == []
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("y", "y", "enter")
        await wait_until(pilot, lambda: bool(app.results))
        assert sent == ["A calm pilot"]
        assert str(app.results[0]).isdigit()
        (job,) = bench.jobs.store.newest_first()
        assert (job.request.type, job.request.character) == ("character", app.results[0])
    await bench.close()


async def test_an_unreachable_service_is_reported_and_nothing_is_charged(tmp_path: Path) -> None:
    async with (
        open_services(tmp_path) as bench,
        open_screen(CharactersScreen(bench, terminal_context()), (100, 30)) as (app, pilot),
    ):
        await wait_until(pilot, lambda: "onnect" in flat_screen_text(app))
        await pilot.press("n", *"A pilot", "enter")
        await pilot.pause()
        await pilot.press("y")
        await wait_until(pilot, lambda: "sent or charged" in flat_screen_text(app))
        (job,) = bench.jobs.store.newest_first()
        assert (job.request.type, job.state) == ("character", JobState.REJECTED)
        await pilot.press("escape", "escape")
        await wait_until(pilot, lambda: bool(app.results))
        assert app.results == [None]


async def test_only_adults_are_shown(tmp_path: Path) -> None:
    async with open_services(tmp_path) as bench:
        screen = CharactersScreen(bench, terminal_context())
        async with open_screen(screen, (100, 30)) as (app, pilot):
            screen.set_characters(CHARACTERS)
            await pilot.pause()
            assert "Astrid" in screen_text(app)
            assert "Mia" not in screen_text(app)


def test_favourites_and_recent_ones(tmp_path: Path) -> None:
    chosen = Favourites().toggle("1").toggle("2").toggle("1").mark_used("a").mark_used("b").mark_used("a")
    assert (chosen.favourites, chosen.recent) == (("2",), ("a", "b"))
    for number in range(50):
        chosen = chosen.mark_used(str(number))
    assert len(chosen.recent) == MAX_RECENT
    store = FavouriteStore(tmp_path)
    store.save(chosen)
    assert FavouriteStore(tmp_path).load() == chosen
    store.path.write_bytes(b"{]")
    damaged = FavouriteStore(tmp_path)
    assert damaged.load() == Favourites()
    assert "could not be read" in damaged.notices[0]
    assert len(list(tmp_path.glob("favourites.damaged-*"))) == 1


# The job of a creation


def created_job(character: str = "7001", **fields: Any) -> Job:
    request = msgspec.structs.replace(character_request("A calm pilot"), character=character)
    given = {"state": JobState.SUCCEEDED, "created_at": NOW - 60, "finished_at": NOW, "cost": 1.0, **fields}
    return Job(id=1, request=request, **given)


def detail_text(job: Job) -> str:
    return " · ".join(f"{fact.label} {fact.text}" for fact in detail_rows(job))


async def test_the_job_of_a_creation_is_no_picture() -> None:
    job, unlisted = created_job(), created_job("", request_id="r-1")
    line = "".join(cell.text for cell in job_line(job, NOW, columns_for(120)))
    assert all(words in line for words in ("created", "char", "7001"))
    assert all(words in detail_text(job) for words in ("State created", "new character", "~1.00 credits"))
    assert "listed once it is created" in detail_text(unlisted)
    assert "may have been charged" in detail_text(created_job("", state=JobState.UNCONFIRMED))
    assert end_message(job) == "Job 1 created: character 7001"
    assert "once it is created" in end_message(unlisted)
    assert (job.is_delivered, needs_attention(job)) == (True, False)
    copied = {item.id: item.text for item in copy_items(job, Path("/r"), Settings())}
    assert copied == {"prompt": "A calm pilot", "json": '{\n  "prompt": "A calm pilot"\n}'}


async def test_a_creation_is_not_run_again(tmp_path: Path) -> None:
    screen = FakeScreen()
    async with open_services(tmp_path) as bench:
        commands = JobCommands(bench.jobs, screen, ENVIRON)
        await commands.rerun([created_job()])
        await commands.retry(created_job(state=JobState.REJECTED))
        await commands.retry(created_job())
    assert screen.notifications[:2] == [f"warning: {CREATION_RERUN_MESSAGE}"] * 2
    assert "Nothing to retry" in screen.notifications[2]
