"""The palette finds actions, jobs, characters and presets, and shows untrusted text without markup."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
from eternal_tui.tui.screens.main import MainScreen
from eternal_tui.tui.screens.palette import MAX_HITS, WorkbenchProvider
from tests.tui.jobs import make_job
from tests.tui.request_form.form_app import CHARACTERS
from tests.tui.screens.stage import make_services, open_app, wait_idle, wait_until

PROMPTS = ("At the harbour", "In a rain coat", "[b]Reading[/b] \x1bin a [@click=app.quit]café[/]")


def services_with_jobs(folder: Path, *prompts: str, **settings: Any) -> Services:
    """Return services with a failed job for each prompt."""
    bench = make_services(folder, **settings)
    bench.history.add_many(to_record(make_job(prompt=prompt, state=JobState.FAILED)) for prompt in prompts or PROMPTS)
    return bench


async def find_hits(screen: MainScreen, query: str) -> list[Hit]:
    finder = WorkbenchProvider(screen)
    await finder.startup()
    return sorted([hit async for hit in finder.search(query) if isinstance(hit, Hit)], reverse=True)


async def choose_first_hit(pilot: Pilot[None], text: str) -> None:
    """Open the palette, type, and take the first hit."""
    await pilot.press("ctrl+p")
    await pilot.pause()
    assert isinstance(pilot.app.screen, CommandPalette)
    await pilot.press(*("space" if sign == " " else sign for sign in text))
    await wait_idle(pilot)
    await pilot.press("down", "enter")
    await wait_idle(pilot)


@pytest.mark.parametrize("text", ["", "harbour"])
async def test_a_job_is_found_by_its_words_whatever_the_filter_hides(tmp_path: Path, text: str) -> None:
    async with open_app(services_with_jobs(tmp_path)) as (screen, pilot):
        jobs = screen.job_pane.job_list
        jobs.set_filter(text)
        await wait_idle(pilot)
        await choose_first_hit(pilot, "rain coat")
        assert (jobs.current_id, jobs.filter.text, screen.focused) == (2, "", jobs)


async def test_a_job_is_found_by_its_number_before_all_else(tmp_path: Path) -> None:
    async with open_app(services_with_jobs(tmp_path)) as (screen, _pilot):
        assert (await find_hits(screen, "job 1"))[0].text == "Job 1 Astrid"
        assert await find_hits(screen, "  ") == []


async def test_words_of_others_are_neither_markup_nor_control(tmp_path: Path) -> None:
    async with open_app(services_with_jobs(tmp_path)) as (screen, pilot):
        await pilot.press("ctrl+p", *"café")
        await wait_idle(pilot)
        (option,) = pilot.app.screen.query_one(CommandList).options
        assert isinstance(option.prompt, Content)
        assert "[b]Reading[/b] ␛in a [@click=app.quit]café[/]" in option.prompt.plain
        assert not any("@" in str(span.style) for span in option.prompt.spans)
        for hit in await find_hits(screen, "café"):
            assert hit.text == sanitize(hit.text or "")


async def test_characters_and_presets_fill_the_form(tmp_path: Path) -> None:
    bench = services_with_jobs(tmp_path)
    bench.characters.replace_all(CHARACTERS, bench.clock.time())
    PresetStore(bench.data_dir).save(
        Presets().with_preset("Waving clip", Draft(prompt="waves", type="video", duration=2))
    )
    async with open_app(bench) as (screen, pilot):
        form = await screen.form_pane.mount_form()
        form.load_request(GenerateRequest(character="1", prompt="as it was", type="image"))
        assert [hit.text for hit in await find_hits(screen, "mia")] == []
        assert [hit.text for hit in await find_hits(screen, "character astor")] == ["Character Astor 6801"]
        await choose_first_hit(pilot, "elara")
        assert (form.draft.character, form.draft.prompt) == ("Elara · 6790", "as it was")
        assert screen.has_class("-drawer")
        await choose_first_hit(pilot, "preset wav")
        assert (form.draft.prompt, form.draft.type, form.draft.duration) == ("waves", "video", 2)


async def test_a_long_history_offers_a_page(tmp_path: Path) -> None:
    bench = services_with_jobs(tmp_path, *(f"Boat number {number}" for number in range(MAX_HITS + 5)))
    async with open_app(bench) as (screen, _pilot):
        found = await find_hits(screen, "boat")
        newest = [job.id for job in bench.jobs.store.newest_first()][:MAX_HITS]
        assert [int((hit.text or "").split()[1]) for hit in found] == newest


@pytest.mark.parametrize(
    ("state", "first"),
    [(JobState.FAILED, "Retry"), (JobState.UNCONFIRMED, "Retry"), (JobState.RUNNING, "Watch"), (None, "New")],
)
async def test_the_first_action_fits_the_selection(tmp_path: Path, state: JobState | None, first: str) -> None:
    bench = make_services(tmp_path)
    if state is not None:
        bench.history.add_many([to_record(make_job(state=state))])
    async with open_app(bench) as (_, pilot):
        await pilot.press("ctrl+p")
        await wait_idle(pilot)
        options = pilot.app.screen.query_one(CommandList)
        assert str(options.get_option_at_index(0).prompt).startswith(first)


async def test_views_of_the_configuration_filter_the_list(tmp_path: Path) -> None:
    bench = services_with_jobs(tmp_path, "red", "blue", "red again", views={"of [red]": "state:failed red"})
    async with open_app(bench) as (screen, pilot):
        await choose_first_hit(pilot, "view of")
        await wait_until(pilot, lambda: screen.job_pane.job_list.count == 2)
        assert screen.job_pane.job_list.filter.text == "state:failed red"
