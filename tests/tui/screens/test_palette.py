"""The palette finds actions, jobs, characters and presets, and shows strangers' words as words."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from textual.command import CommandList, CommandPalette, Hit
from textual.content import Content
from textual.pilot import Pilot

from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.sanitize import shown
from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.stores import Presets, PresetStore
from eternal_tui.jobs.model import JobState, to_record
from eternal_tui.services import Workbench
from eternal_tui.tui.app import EternalApp
from eternal_tui.tui.screens.main import WorkbenchScreen
from eternal_tui.tui.screens.palette import MOST_JOBS, Finder
from tests.tui.jobs import a_job
from tests.tui.request_form.form_app import CHARACTERS
from tests.tui.screens.stage import bench_in, settle, the_app

PROMPTS = ("At the harbour", "In a rain coat", "[b]Reading[/b] \x1bin a [@click=app.quit]café[/]")


def with_jobs(folder: Path, prompts: tuple[str, ...] = PROMPTS) -> Workbench:
    """Return a bench with a failed job for each prompt."""
    bench = bench_in(folder)
    bench.history.add_many(to_record(a_job(prompt=prompt, state=JobState.FAILED)) for prompt in prompts)
    return bench


def workbench(app: EternalApp) -> WorkbenchScreen:
    screen = app.screen_stack[0]
    assert isinstance(screen, WorkbenchScreen)
    return screen


async def hits(app: EternalApp, query: str) -> list[Hit]:
    finder = Finder(workbench(app))
    await finder.startup()
    return sorted([hit async for hit in finder.search(query) if isinstance(hit, Hit)], reverse=True)


async def choose(app: EternalApp, pilot: Pilot[None], text: str) -> None:
    """Open the palette, type, and take the first hit."""
    await pilot.press("ctrl+p")
    await pilot.pause()
    assert isinstance(app.screen, CommandPalette)
    await pilot.press(*("space" if sign == " " else sign for sign in text))
    await settle(pilot)
    await pilot.press("down", "enter")
    await settle(pilot)


async def test_a_job_is_found_by_its_words_and_highlighted(tmp_path: Path) -> None:
    app = the_app(with_jobs(tmp_path))
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        jobs = workbench(app).job_pane.jobs
        wanted = next(job.id for job in app.bench.desk.listing() if "rain" in job.request.prompt)
        await choose(app, pilot, "rain coat")
        assert jobs.current == wanted
        assert app.focused is jobs


async def test_a_job_is_found_by_its_number_before_all_else(tmp_path: Path) -> None:
    app = the_app(with_jobs(tmp_path))
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        wanted = app.bench.desk.listing()[-1].id
        assert (await hits(app, f"job {wanted}"))[0].text == f"Job {wanted} Astrid"
        assert await hits(app, "  ") == []


async def test_a_job_the_filter_hides_is_shown(tmp_path: Path) -> None:
    """Seen to fail with the filter left as it was: the palette closed and nothing happened."""
    app = the_app(with_jobs(tmp_path))
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        jobs = workbench(app).job_pane.jobs
        jobs.set_filter("harbour")
        await settle(pilot)
        wanted = next(job.id for job in app.bench.desk.listing() if "rain" in job.request.prompt)
        await choose(app, pilot, "rain coat")
        assert jobs.current == wanted
        assert jobs.filter.text == ""


async def test_strangers_words_are_neither_markup_nor_control(tmp_path: Path) -> None:
    """Seen to fail with the prompt handed over as a string, which the palette reads as markup."""
    app = the_app(with_jobs(tmp_path))
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+p", *"café")
        await settle(pilot)
        prompts = [option.prompt for option in app.screen.query_one(CommandList).options]
        assert len(prompts) == 1
        assert isinstance(prompts[0], Content)
        assert "[b]Reading[/b] ␛in a [@click=app.quit]café[/]" in prompts[0].plain
        assert not any("@" in str(span.style) for span in prompts[0].spans)
        for hit in await hits(app, "café"):
            assert hit.text == shown(hit.text or "")


async def test_a_character_fills_the_form(tmp_path: Path) -> None:
    bench = with_jobs(tmp_path)
    bench.book._take(CHARACTERS, bench.clock.time())
    app = the_app(bench)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await workbench(app).form_pane.take(GenerateRequest(character="1", prompt="kept", type="image"))
        await choose(app, pilot, "elara")
        form = workbench(app).form_pane.form
        assert form is not None
        assert (form.draft.character, form.draft.prompt) == ("Elara · 6790", "kept")
        assert workbench(app).has_class("-drawer")


async def test_one_who_is_not_offered_is_not_found(tmp_path: Path) -> None:
    bench = with_jobs(tmp_path)
    bench.book._take(CHARACTERS, bench.clock.time())
    app = the_app(bench)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        assert [hit.text for hit in await hits(app, "mia")] == []
        assert [hit.text for hit in await hits(app, "character astor")] == ["Character Astor 6801"]


async def test_a_preset_fills_the_form(tmp_path: Path) -> None:
    bench = with_jobs(tmp_path)
    presets = Presets().saved("Waving clip", Draft(prompt="waves", type="video", duration=2))
    PresetStore(bench.folder).save(presets)
    app = the_app(bench)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await choose(app, pilot, "preset wav")
        form = workbench(app).form_pane.form
        assert form is not None
        assert (form.draft.prompt, form.draft.type, form.draft.duration) == ("waves", "video", 2)


async def test_letters_typed_while_presets_are_read_find_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen to fail with the presets waited for in the palette's start: the second letter ended it, and all searches."""
    bench = with_jobs(tmp_path)
    PresetStore(bench.folder).save(Presets().saved("A rain clip", Draft(prompt="waves")))
    load, asked, answer = PresetStore.load, threading.Event(), threading.Event()

    def late(self: PresetStore) -> Presets:
        asked.set()
        assert answer.wait(60)
        return load(self)

    async def search(finder: Finder, query: str) -> list[str | None]:
        return [hit.text async for hit in finder._search(query) if isinstance(hit, Hit)]

    app = the_app(bench)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        monkeypatch.setattr(PresetStore, "load", late)
        finder = Finder(workbench(app))
        finder._post_init()
        first = asyncio.create_task(search(finder, "r"))
        assert await asyncio.to_thread(asked.wait, 60)
        first.cancel()
        await asyncio.wait([first])
        answer.set()
        assert await search(finder, "rain") == ["Preset A rain clip", "Job 2 Astrid"]


async def test_a_long_history_offers_a_page(tmp_path: Path) -> None:
    app = the_app(with_jobs(tmp_path, tuple(f"Boat number {number}" for number in range(MOST_JOBS + 5))))
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        found = await hits(app, "boat")
        newest = [job.id for job in app.bench.desk.listing()][:MOST_JOBS]
        assert [int((hit.text or "").split()[1]) for hit in found] == newest
