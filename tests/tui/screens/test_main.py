"""The main screen: quitting and going back, what a session leaves to the next, and keys of its list."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from textual.events import Key

from eternal_tui.api.models import GenerateRequest
from eternal_tui.drafts.stores import PresetStore
from eternal_tui.jobs.model import JobState, to_record
from eternal_tui.services import Services
from eternal_tui.tui.job_list.index import SORT_ORDERS
from eternal_tui.tui.widgets.dialog import ConfirmDialog
from tests.known_characters import write_character_list
from tests.loopback import serve
from tests.tui.jobs import make_job
from tests.tui.request_form.form_app import CHARACTERS
from tests.tui.screens.stage import make_services, open_app, screen_text, wait_idle, wait_until

SAVED: dict[str, Any] = {"state": JobState.SUCCEEDED, "file_state": None}


def services_with_scenes(folder: Path, count: int, changes: dict[int, dict[str, Any]] | None = None) -> Services:
    """Return services with finished jobs named after their number from 1 on."""
    services = make_services(folder)
    services.history.add_many(
        to_record(make_job(**{"prompt": f"Scene {number}", **SAVED, **(changes or {}).get(number, {})}))
        for number in range(1, count + 1)
    )
    return services


async def test_quitting_asks_while_a_request_is_being_sent(tmp_path: Path) -> None:
    arrived = asyncio.Event()

    async def never_respond(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readline()
        arrived.set()
        await reader.read()

    async with serve(never_respond) as port:
        url = f"http://127.0.0.1:{port}"
        write_character_list(tmp_path / "data", url, "6870")
        services = make_services(tmp_path, base_url=url)
        async with open_app(services) as (_, pilot):
            request = GenerateRequest(character="6870", prompt="A boat", type="image")
            sending = asyncio.create_task(services.jobs.submit(request))
            await arrived.wait()
            for key in ("q", "ctrl+q"):
                await pilot.press(key)
                await pilot.pause()
                assert isinstance(pilot.app.screen, ConfirmDialog), key
                await pilot.press("n")
                await pilot.pause()
        assert (await sending).state is JobState.UNCONFIRMED


async def test_escape_is_one_step_back(tmp_path: Path) -> None:
    """From the form or the detail it goes to the list, and the filter of the list stays."""
    async with open_app(make_services(tmp_path), size=(80, 24)) as (screen, pilot):
        jobs = screen.job_pane.job_list
        await pilot.press("slash", *"red", "enter")
        for way in ("n", "3"):
            await pilot.press(way)
            await wait_idle(pilot)
            assert screen.focused is not jobs
            await pilot.press("escape")
            await wait_idle(pilot)
            assert screen.focused is jobs, way
            assert "red" in jobs.title, way
        await pilot.press("z", "escape")
        await wait_idle(pilot)
        assert "red" in jobs.title, "zoomed"
        await pilot.press("escape")
        await wait_idle(pilot)
        assert "red" not in jobs.title
        await pilot.press("slash", *"red", "escape")
        await wait_idle(pilot)
        assert screen.focused is jobs
        assert "red" not in jobs.title, "in the filter line"


async def test_the_view_is_restored_at_the_next_start(tmp_path: Path) -> None:
    services = services_with_scenes(tmp_path, 11, {number: {"batch": "aa"} for number in (10, 11)})
    async with open_app(services, size=(100, 40)) as (screen, pilot):
        await pilot.press("l", "G", "k", "S", "slash", *"scene", "enter", "greater_than_sign", "z")
        await wait_idle(pilot)
        jobs = screen.job_pane.job_list
        before = jobs.view(), jobs.title, jobs.current_id, jobs.size.width
        assert jobs.title == "Jobs · scene 11 of 11 · oldest first"
    async with open_app(make_services(tmp_path), size=(100, 40)) as (screen, pilot):
        jobs = screen.job_pane.job_list
        assert (jobs.view(), jobs.title, jobs.current_id, jobs.size.width) == before
        assert not screen.detail_pane.display
        await pilot.press("escape", "escape", *["S"] * (len(SORT_ORDERS) - 1))
        await wait_idle(pilot)
        assert jobs.count == 12


async def test_search_and_problem_keys_go_through_the_list(tmp_path: Path) -> None:
    changes = {
        3: {"prompt": "Scene 3 in red", "state": JobState.FAILED},
        6: {"prompt": "Scene 6 in red", "state": JobState.UNCONFIRMED},
    }
    async with open_app(services_with_scenes(tmp_path, 8, changes), size=(100, 40)) as (screen, pilot):
        pane = screen.job_pane
        await pilot.press("F", *"red", "enter")
        await wait_until(pilot, lambda: pane.job_list.current_id == 6)
        assert pane.job_list.count == 8
        seen = [str(pane.border_subtitle)]
        for key in ("n", "n", "N"):
            await pilot.press(key)
            await wait_idle(pilot)
            seen.append(str(pane.border_subtitle))
        assert seen == ["find red 1/2", "find red 2/2", "find red 1/2", "find red 2/2"]
        await pilot.press("escape", "exclamation_mark")
        assert pane.job_list.current_id == 6
        await pilot.press("exclamation_mark")
        assert pane.job_list.current_id == 3
        await pilot.press("slash", *"red", "enter")
        await wait_until(pilot, lambda: str(pane.border_subtitle) == "2/2")


async def test_failed_jobs_of_the_list_are_retried_after_a_question(tmp_path: Path) -> None:
    changes = {number: {"state": JobState.FAILED} for number in (1, 2)}
    async with open_app(services_with_scenes(tmp_path, 3, changes)) as (screen, pilot):
        await pilot.press("slash", *"scene", "space", "2", "enter")
        await wait_until(pilot, lambda: screen.job_pane.job_list.count == 1)
        await pilot.press("T")
        await wait_until(pilot, lambda: "Run 1 failed job again?" in screen_text(pilot.app))


async def test_the_form_takes_characters_and_earlier_prompts_and_stores_draft_and_presets(tmp_path: Path) -> None:
    bench = services_with_scenes(tmp_path, 2)
    bench.characters.replace_all(CHARACTERS, bench.clock.time())
    async with open_app(bench) as (screen, pilot):
        await pilot.press("C", "slash", *"elara", "enter")
        await wait_until(pilot, lambda: screen.form_pane.form is not None)
        await wait_until(pilot, lambda: "Elara · 6790" in screen_text(pilot.app))
        await pilot.press("ctrl+r", *"scene", "space", "1", "enter")
        # Not only at the end: a killed app has its draft.
        draft = tmp_path / "data" / "draft.json"
        await wait_until(pilot, lambda: draft.exists() and b"Scene 1" in draft.read_bytes())
        assert b"6790" in draft.read_bytes()
        await pilot.press("ctrl+t", *"storm", "ctrl+s")
        presets = PresetStore(bench.data_dir)
        await wait_until(pilot, lambda: [each.draft.prompt for each in presets.load().items] == ["Scene 1"])


async def test_the_detail_follows_a_filter(tmp_path: Path) -> None:
    async with open_app(services_with_scenes(tmp_path, 3)) as (screen, pilot):
        assert screen.detail_pane.job_id == screen.job_pane.job_list.current_id == 3
        await pilot.press("slash", *"scene", "space", "2")
        await wait_until(pilot, lambda: screen.detail_pane.job_id == screen.job_pane.job_list.current_id == 2)


async def test_the_end_of_the_detail_is_that_of_the_json_just_asked_for(tmp_path: Path) -> None:
    """Both keys come in one piece: the text fits until the first is drawn."""
    async with open_app(services_with_scenes(tmp_path, 1), size=(60, 15)) as (_, pilot):
        app = pilot.app
        await pilot.press("3", "z")
        await wait_until(pilot, lambda: "J: show the JSON" in screen_text(app))
        for key in "JG":
            app.post_message(Key(key, key))
        await wait_until(pilot, lambda: '"type": "image"' in screen_text(app) and "Scene 1 " not in screen_text(app))


async def test_tab_stays_in_the_form_while_it_covers_the_list(tmp_path: Path) -> None:
    async with open_app(make_services(tmp_path), size=(80, 24)) as (screen, pilot):
        await pilot.press("n")
        await wait_idle(pilot)
        for key in (*["tab"] * 9, *["shift+tab"] * 9):
            await pilot.press(key)
            assert screen.form_pane in screen.focused.ancestors  # type: ignore[union-attr]


async def test_culling_in_the_gallery_goes_on_to_the_next(tmp_path: Path) -> None:
    services = services_with_scenes(tmp_path, 4)
    async with open_app(services, size=(100, 40)) as (screen, pilot):
        pane = screen.job_pane

        def marks() -> list[tuple[bool, int]]:
            return [(job.starred, job.rating) for job in services.jobs.store.get_many((4, 3, 2, 1))]

        await pilot.press("v")
        await wait_until(pilot, lambda: pane.gallery.has_focus)
        await pilot.press("asterisk", "x", "x")
        await wait_until(pilot, lambda: pane.job_list.current_id == 1)
        assert marks() == [(True, 0), (False, -1), (False, -1), (False, 0)]
        # With a rejection undone, or with several marked, the cursor stays.
        await pilot.press("h", "x")
        await wait_until(pilot, lambda: marks()[2] == (False, 0))
        assert pane.job_list.current_id == 2
        await pilot.press("ctrl+a", "x")
        await wait_until(pilot, lambda: [rating for _, rating in marks()] == [-1] * 4)
        assert pane.job_list.current_id == 2
        await pilot.press("escape")
        # A filter that the mark takes the job out of has put the cursor on the next already.
        screen.show_filter("star:no")
        await wait_until(pilot, lambda: pane.job_list.count == 3)
        await pilot.press("g", "asterisk")
        await wait_until(pilot, lambda: pane.job_list.count == 2)
        assert pane.job_list.current_id == 2


async def test_a_job_shows_why_all_polls_wait(tmp_path: Path) -> None:
    """After a 429, a rejected key, or without a network."""
    bench = make_services(tmp_path)
    running = make_job(
        state=JobState.RUNNING, request_id="r-1", service=bench.service_name, submitted_at=bench.clock.time()
    )
    bench.history.add_many([to_record(running)])
    bench.jobs.monitor.scheduler.backoff.hold(bench.clock.monotonic(), 600, "The key was refused.")
    async with open_app(bench) as (_, pilot):
        await wait_until(pilot, lambda: "Status     The key was refused." in screen_text(pilot.app))
