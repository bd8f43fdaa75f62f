"""The characters against the real sandbox: found, seen, liked, put into the form, created; adults only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eternal_tui.api.models import CreateAnswer
from eternal_tui.characters.favourites import MOST_RECENT, Favourites, FavouriteStore
from eternal_tui.sandbox.launch import DemoService, launch_demo
from eternal_tui.services import Workbench
from eternal_tui.tui.graphics.half_blocks import UPPER_HALF, HalfBlocks
from eternal_tui.tui.screens.characters import CharacterBrowser
from eternal_tui.tui.screens.create_character import CreateCharacter
from tests.tui.request_form.form_app import CHARACTERS
from tests.tui.screens.stage import ENVIRON, Stage, around, bench_of, said_on, settings_in, text_of, until
from tests.tui.screens.test_viewer import surroundings


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoService]:
    service = launch_demo(environ=dict(os.environ), speed=50.0)
    service.wait_ready_blocking()
    yield service
    service.close()


class Kept:
    """Keeps the demo running when the workbench that used it closes."""

    def __init__(self, demo: DemoService) -> None:
        self._demo = demo

    def __getattr__(self, name: str) -> Any:
        return getattr(self._demo, name)

    def close(self, *_: object) -> None:
        """Leave it to the fixture."""


def bench_on(folder: Path, demo: DemoService) -> Workbench:
    return Workbench(settings_in(folder), ENVIRON, demo=Kept(demo))  # type: ignore[arg-type]


async def test_from_the_list_to_the_form(tmp_path: Path, demo: DemoService) -> None:
    """Seen to fail without an action of the browser's own that shows its keys."""
    bench = bench_on(tmp_path, demo)
    stage = Stage(CharacterBrowser(bench, surroundings(HalfBlocks())))
    async with stage.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: "Astrid" in text_of(stage) and UPPER_HALF in text_of(stage))
        assert list((bench.folder / "avatars").glob("*.jpg"))
        assert "years" in said_on(stage)
        await pilot.press("question_mark")
        await until(pilot, lambda: "Like, or like no longer" in said_on(stage))
        await pilot.press("escape")
        await pilot.press("j", "asterisk", "f")
        await until(pilot, lambda: "favourites · 1" in text_of(stage))
        assert "★  Elara" in text_of(stage)
        await pilot.press("f", "f", "slash", *"6870", "enter")
        await until(pilot, lambda: bool(stage.left_with))
        assert stage.left_with == ["6870"]
    kept = FavouriteStore(bench.folder).load()
    assert (kept.favourites, kept.recent) == (("6873",), ("6870",))
    assert (FavouriteStore(bench.folder).path.stat().st_mode & 0o777) == 0o600
    await bench.close()


async def test_one_character_is_created_by_one_request(tmp_path: Path, demo: DemoService) -> None:
    """Seen to fail when the question was left out."""
    bench = bench_on(tmp_path, demo)
    sent: list[str] = []
    really = bench.connection.create_character

    async def counting(prompt: str) -> CreateAnswer:
        sent.append(prompt)
        return await really(prompt)

    bench.connection.create_character = counting  # type: ignore[method-assign]
    stage = Stage(CharacterBrowser(bench, around([])))
    async with stage.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: "Astrid" in text_of(stage))
        await pilot.press("n", "enter")
        await until(pilot, lambda: "Write a few words first" in said_on(stage))
        assert "Experimental" in said_on(stage)
        await pilot.press(*"A calm pilot", "enter", "enter")
        await until(pilot, lambda: isinstance(stage.screen, CreateCharacter))
        assert sent == []
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("y", "y", "enter")
        await until(pilot, lambda: bool(stage.left_with))
        assert sent == ["A calm pilot"]
        assert str(stage.left_with[0]).isdigit()
        (made,) = bench.desk.listing()
        assert (made.request.type, made.request.character) == ("character", stage.left_with[0])
    await bench.close()


async def test_a_service_that_is_away_is_told_and_nothing_is_charged(tmp_path: Path) -> None:
    async with bench_of(tmp_path) as bench:
        stage = Stage(CharacterBrowser(bench, around([])))
        async with stage.run_test(size=(100, 30)) as pilot:
            await until(pilot, lambda: "could not be reached" in said_on(stage) or "onnect" in said_on(stage))
            await pilot.press("n", *"A pilot", "enter")
            await pilot.pause()
            await pilot.press("y")
            await until(pilot, lambda: "nothing was charged" in said_on(stage))
            assert [(job.request.type, str(job.state)) for job in bench.desk.listing()] == [("character", "rejected")]
            await pilot.press("escape", "escape")
            await until(pilot, lambda: bool(stage.left_with))
            assert stage.left_with == [None]


async def test_nobody_under_eighteen_is_shown(tmp_path: Path) -> None:
    """Seen to fail when the screen trusted whatever list it was given."""
    async with bench_of(tmp_path) as bench:
        screen = CharacterBrowser(bench, around([]))
        stage = Stage(screen)
        async with stage.run_test(size=(100, 30)) as pilot:
            await pilot.pause()
            screen._take(CHARACTERS)
            await pilot.pause()
            assert "Astrid" in text_of(stage)
            assert "Mia" not in text_of(stage)


def test_favourites_and_recent_ones(tmp_path: Path) -> None:
    chosen = Favourites().toggled("1").toggled("2").toggled("1").used("a").used("b").used("a")
    assert (chosen.favourites, chosen.recent) == (("2",), ("a", "b"))
    for number in range(50):
        chosen = chosen.used(str(number))
    assert len(chosen.recent) == MOST_RECENT
    store = FavouriteStore(tmp_path)
    store.save(chosen)
    assert FavouriteStore(tmp_path).load() == chosen
    store.path.write_bytes(b"{]")
    damaged = FavouriteStore(tmp_path)
    assert damaged.load() == Favourites()
    assert "could not be read" in damaged.notices[0]
    assert len(list(tmp_path.glob("favourites.damaged-*"))) == 1
