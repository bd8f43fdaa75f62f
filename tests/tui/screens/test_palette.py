"""The palette finds actions, jobs, characters and presets, and shows strangers' words as words."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.command import CommandList, CommandPalette, Hit
from textual.content import Content
from textual.pilot import Pilot

from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.sanitize import sanitize
from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.stores import Presets, PresetStore
from eternal_tui.jobs.model import JobState, to_record
from eternal_tui.services import Services
from eternal_tui.tui.app import EternalApp
from eternal_tui.tui.screens.main import MainScreen
from eternal_tui.tui.screens.palette import MAX_JOBS, WorkbenchProvider
from tests.tui.jobs import make_job
from tests.tui.request_form.form_app import CHARACTERS
from tests.tui.screens.stage import make_app, make_services, wait_idle, wait_until

PROMPTS = ("At the harbour", "In a rain coat", "[b]Reading[/b] \x1bin a [@click=app.quit]café[/]")


def services_with_jobs(folder: Path, prompts: tuple[str, ...] = PROMPTS) -> Services:
    """Return a bench with a failed job for each prompt."""
    bench = make_services(folder)
    bench.history.add_many(to_record(make_job(prompt=prompt, state=JobState.FAILED)) for prompt in prompts)
    return bench


def main_screen(app: EternalApp) -> MainScreen:
    screen = app.screen_stack[0]
    assert isinstance(screen, MainScreen)
    return screen


@asynccontextmanager
async def open_app(
    services: Services, size: tuple[int, int] = (100, 30)
) -> AsyncIterator[tuple[EternalApp, Pilot[None]]]:
    """Run the app until everything is drawn."""
    app = make_app(services)
    async with app.run_test(size=size) as pilot:
        await wait_idle(pilot)
        yield app, pilot


async def find_hits(app: EternalApp, query: str) -> list[Hit]:
    finder = WorkbenchProvider(main_screen(app))
    await finder.startup()
    return sorted([hit async for hit in finder.search(query) if isinstance(hit, Hit)], reverse=True)


async def choose_first_hit(app: EternalApp, pilot: Pilot[None], text: str) -> None:
    """Open the palette, type, and take the first hit."""
    await pilot.press("ctrl+p")
    await pilot.pause()
    assert isinstance(app.screen, CommandPalette)
    await pilot.press(*("space" if sign == " " else sign for sign in text))
    await wait_idle(pilot)
    await pilot.press("down", "enter")
    await wait_idle(pilot)


@pytest.mark.parametrize("text", ["", "harbour"])
async def test_a_job_is_found_by_its_words_whatever_the_filter_hides(tmp_path: Path, text: str) -> None:
    async with open_app(services_with_jobs(tmp_path)) as (app, pilot):
        jobs = main_screen(app).job_pane.job_list
        jobs.set_filter(text)
        await wait_idle(pilot)
        wanted = next(job.id for job in app.services.jobs.store.newest_first() if "rain" in job.request.prompt)
        await choose_first_hit(app, pilot, "rain coat")
        assert (jobs.current_id, jobs.filter.text, app.focused) == (wanted, "", jobs)


async def test_a_job_is_found_by_its_number_before_all_else(tmp_path: Path) -> None:
    async with open_app(services_with_jobs(tmp_path)) as (app, _pilot):
        wanted = app.services.jobs.store.newest_first()[-1].id
        assert (await find_hits(app, f"job {wanted}"))[0].text == f"Job {wanted} Astrid"
        assert await find_hits(app, "  ") == []


async def test_strangers_words_are_neither_markup_nor_control(tmp_path: Path) -> None:
    async with open_app(services_with_jobs(tmp_path)) as (app, pilot):
        await pilot.press("ctrl+p", *"café")
        await wait_idle(pilot)
        prompts = [option.prompt for option in app.screen.query_one(CommandList).options]
        assert len(prompts) == 1
        assert isinstance(prompts[0], Content)
        assert "[b]Reading[/b] ␛in a [@click=app.quit]café[/]" in prompts[0].plain
        assert not any("@" in str(span.style) for span in prompts[0].spans)
        for hit in await find_hits(app, "café"):
            assert hit.text == sanitize(hit.text or "")


async def test_a_character_fills_the_form(tmp_path: Path) -> None:
    bench = services_with_jobs(tmp_path)
    bench.characters.replace_all(CHARACTERS, bench.clock.time())
    async with open_app(bench) as (app, pilot):
        (await main_screen(app).form_pane.mount_form()).load_request(
            GenerateRequest(character="1", prompt="kept", type="image")
        )
        await choose_first_hit(app, pilot, "elara")
        form = main_screen(app).form_pane.form
        assert form is not None
        assert (form.draft.character, form.draft.prompt) == ("Elara · 6790", "kept")
        assert main_screen(app).has_class("-drawer")


async def test_one_who_is_not_offered_is_not_found(tmp_path: Path) -> None:
    bench = services_with_jobs(tmp_path)
    bench.characters.replace_all(CHARACTERS, bench.clock.time())
    async with open_app(bench) as (app, _pilot):
        assert [hit.text for hit in await find_hits(app, "mia")] == []
        assert [hit.text for hit in await find_hits(app, "character astor")] == ["Character Astor 6801"]


async def test_a_preset_fills_the_form(tmp_path: Path) -> None:
    bench = services_with_jobs(tmp_path)
    presets = Presets().with_preset("Waving clip", Draft(prompt="waves", type="video", duration=2))
    PresetStore(bench.data_dir).save(presets)
    async with open_app(bench) as (app, pilot):
        await choose_first_hit(app, pilot, "preset wav")
        form = main_screen(app).form_pane.form
        assert form is not None
        assert (form.draft.prompt, form.draft.type, form.draft.duration) == ("waves", "video", 2)


async def test_letters_typed_while_presets_are_read_find_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = services_with_jobs(tmp_path)
    PresetStore(bench.data_dir).save(Presets().with_preset("A rain clip", Draft(prompt="waves")))
    load, asked, answer = PresetStore.load, threading.Event(), threading.Event()

    def late(self: PresetStore) -> Presets:
        asked.set()
        assert answer.wait(60)
        return load(self)

    async def search(finder: WorkbenchProvider, query: str) -> list[str | None]:
        return [hit.text async for hit in finder._search(query) if isinstance(hit, Hit)]

    async with open_app(bench) as (app, _pilot):
        monkeypatch.setattr(PresetStore, "load", late)
        finder = WorkbenchProvider(main_screen(app))
        finder._post_init()
        first = asyncio.create_task(search(finder, "r"))
        assert await asyncio.to_thread(asked.wait, 60)
        first.cancel()
        await asyncio.wait([first])
        answer.set()
        assert await search(finder, "rain") == ["Preset A rain clip", "Job 2 Astrid"]


async def test_a_long_history_offers_a_page(tmp_path: Path) -> None:
    async with open_app(
        services_with_jobs(tmp_path, tuple(f"Boat number {number}" for number in range(MAX_JOBS + 5)))
    ) as (app, _pilot):
        found = await find_hits(app, "boat")
        newest = [job.id for job in app.services.jobs.store.newest_first()][:MAX_JOBS]
        assert [int((hit.text or "").split()[1]) for hit in found] == newest


@pytest.mark.parametrize(
    ("state", "first"),
    [(JobState.FAILED, "Retry"), (JobState.UNCONFIRMED, "Retry"), (JobState.RUNNING, "Watch"), (None, "New")],
)
async def test_palette_offers_first_what_fits_the_selection(tmp_path: Path, state: JobState | None, first: str) -> None:
    bench = make_services(tmp_path)
    if state is not None:
        bench.history.add_many([to_record(make_job(state=state))])
    async with open_app(bench) as (app, pilot):
        await pilot.press("ctrl+p")
        await wait_idle(pilot)
        options = app.screen.query_one(CommandList)
        assert str(options.get_option_at_index(0).prompt).startswith(first)


async def test_views_of_the_configuration_filter_the_list(tmp_path: Path) -> None:
    bench = make_services(tmp_path, views={"of [red]": "state:failed red"})
    bench.history.add_many(
        to_record(make_job(prompt=prompt, state=JobState.FAILED)) for prompt in ("red", "blue", "red again")
    )
    async with open_app(bench) as (app, pilot):
        await choose_first_hit(app, pilot, "view of")
        await wait_until(pilot, lambda: main_screen(app).job_pane.job_list.count == 2)
        assert main_screen(app).job_pane.job_list.filter.text == "state:failed red"
