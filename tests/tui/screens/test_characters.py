"""The characters against the real sandbox: found, seen, liked, put into the form, created; adults only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eternal_tui.api.models import CreateCharacterResponse
from eternal_tui.characters.catalog import MAX_RECENT, Favourites, FavouriteStore
from eternal_tui.sandbox.launch import DemoService, launch_demo
from eternal_tui.services import Services
from eternal_tui.tui.graphics.half_blocks import UPPER_HALF_BLOCK, HalfBlocks
from eternal_tui.tui.screens.characters import CharactersScreen, CreateCharacter
from tests.tui.request_form.form_app import CHARACTERS
from tests.tui.screens.stage import (
    ENVIRON,
    ScreenApp,
    flat_screen_text,
    make_settings,
    open_services,
    screen_text,
    terminal_context,
    wait_until,
)
from tests.tui.screens.test_viewer import context_with_graphics


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoService]:
    service = launch_demo(environ=dict(os.environ), speed=50.0)
    service.wait_ready_blocking()
    yield service
    service.close()


class UnclosableDemo:
    """Keeps the demo running when the workbench that used it closes."""

    def __init__(self, demo: DemoService) -> None:
        self._demo = demo

    def __getattr__(self, name: str) -> Any:
        return getattr(self._demo, name)

    def close(self, *_: object) -> None:
        """Leave it to the fixture."""


def services_on_demo(folder: Path, demo: DemoService) -> Services:
    return Services(make_settings(folder), ENVIRON, demo=UnclosableDemo(demo))  # type: ignore[arg-type]


async def test_from_the_list_to_the_form(tmp_path: Path, demo: DemoService) -> None:
    bench = services_on_demo(tmp_path, demo)
    stage = ScreenApp(CharactersScreen(bench, context_with_graphics(HalfBlocks())))
    async with stage.run_test(size=(100, 30)) as pilot:
        await wait_until(pilot, lambda: "Astrid" in screen_text(stage) and UPPER_HALF_BLOCK in screen_text(stage))
        assert list((bench.data_dir / "avatars").glob("*.jpg"))
        assert "years" in flat_screen_text(stage)
        await pilot.press("question_mark")
        await wait_until(pilot, lambda: "Toggle favourite" in flat_screen_text(stage))
        await pilot.press("escape")
        await pilot.press("j", "asterisk", "f")
        await wait_until(pilot, lambda: "favourites · 1" in screen_text(stage))
        assert "★  Elara" in screen_text(stage)
        await pilot.press("f", "f", "slash", *"6870", "enter")
        await wait_until(pilot, lambda: bool(stage.results))
        assert stage.results == ["6870"]
    kept = FavouriteStore(bench.data_dir).load()
    assert (kept.favourites, kept.recent) == (("6873",), ("6870",))
    assert (FavouriteStore(bench.data_dir).path.stat().st_mode & 0o777) == 0o600
    await bench.close()


async def test_one_character_is_created_by_one_request(tmp_path: Path, demo: DemoService) -> None:
    bench = services_on_demo(tmp_path, demo)
    sent: list[str] = []
    really = bench.client.create_character

    async def counting(prompt: str) -> CreateCharacterResponse:
        sent.append(prompt)
        return await really(prompt)

    bench.client.create_character = counting  # type: ignore[method-assign]
    stage = ScreenApp(CharactersScreen(bench, terminal_context([])))
    async with stage.run_test(size=(100, 30)) as pilot:
        await wait_until(pilot, lambda: "Astrid" in screen_text(stage))
        await pilot.press("n", "enter")
        await wait_until(pilot, lambda: "Prompt is required" in flat_screen_text(stage))
        assert "Experimental" in flat_screen_text(stage)
        await pilot.press(*"A calm pilot", "enter", "enter")
        await wait_until(pilot, lambda: isinstance(stage.screen, CreateCharacter))
        assert sent == []
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("y", "y", "enter")
        await wait_until(pilot, lambda: bool(stage.results))
        assert sent == ["A calm pilot"]
        assert str(stage.results[0]).isdigit()
        (made,) = bench.jobs.store.newest_first()
        assert (made.request.type, made.request.character) == ("character", stage.results[0])
    await bench.close()


async def test_a_service_that_is_away_is_told_and_nothing_is_charged(tmp_path: Path) -> None:
    async with open_services(tmp_path) as bench:
        stage = ScreenApp(CharactersScreen(bench, terminal_context([])))
        async with stage.run_test(size=(100, 30)) as pilot:
            await wait_until(
                pilot, lambda: "could not be reached" in flat_screen_text(stage) or "onnect" in flat_screen_text(stage)
            )
            await pilot.press("n", *"A pilot", "enter")
            await pilot.pause()
            await pilot.press("y")
            await wait_until(pilot, lambda: "sent or charged" in flat_screen_text(stage))
            assert [(job.request.type, str(job.state)) for job in bench.jobs.store.newest_first()] == [
                ("character", "rejected")
            ]
            await pilot.press("escape", "escape")
            await wait_until(pilot, lambda: bool(stage.results))
            assert stage.results == [None]


async def test_nobody_under_eighteen_is_shown(tmp_path: Path) -> None:
    async with open_services(tmp_path) as bench:
        screen = CharactersScreen(bench, terminal_context([]))
        stage = ScreenApp(screen)
        async with stage.run_test(size=(100, 30)) as pilot:
            await pilot.pause()
            screen.set_characters(CHARACTERS)
            await pilot.pause()
            assert "Astrid" in screen_text(stage)
            assert "Mia" not in screen_text(stage)


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
