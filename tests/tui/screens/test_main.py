"""The main screen: what a session leaves to the next, and the search and problem keys of its list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eternal_tui.jobs.model import JobState, to_record
from eternal_tui.tui.job_list.index import SORT_ORDERS
from eternal_tui.tui.screens.api_key import ApiKeyScreen
from tests.tui.jobs import make_job
from tests.tui.screens.stage import ENVIRON, make_app, make_services, screen_text, wait_idle, wait_until
from tests.tui.screens.test_palette import main_screen, open_app, services_with_jobs

SAVED: dict[str, Any] = {"state": JobState.SUCCEEDED, "file_state": None}


async def test_view_comes_back_at_the_next_start(tmp_path: Path) -> None:
    services = make_services(tmp_path)
    services.history.add_many(
        to_record(make_job(prompt=f"Scene {number}", batch="aa" if number > 8 else "", **SAVED)) for number in range(11)
    )
    async with open_app(services, size=(100, 40)) as (app, pilot):
        await pilot.press("l", "G", "k", "S", "slash", *"scene", "enter", "greater_than_sign", "z")
        await wait_idle(pilot)
        jobs = main_screen(app).job_pane.job_list
        before = jobs.view(), jobs.title, jobs.current_id, jobs.size.width
        assert jobs.title == "Jobs · scene 11 of 11 · oldest first"
    again = make_app(make_services(tmp_path))
    async with again.run_test(size=(100, 40)) as pilot:
        await wait_idle(pilot)
        jobs = main_screen(again).job_pane.job_list
        assert (jobs.view(), jobs.title, jobs.current_id, jobs.size.width) == before
        assert not main_screen(again).detail_pane.display
        await pilot.press("escape", "escape", *["S"] * (len(SORT_ORDERS) - 1))
        await wait_idle(pilot)
        assert jobs.count == 12


async def test_search_and_problem_keys_go_through_the_list(tmp_path: Path) -> None:
    services = make_services(tmp_path)
    jobs = [make_job(prompt=f"Scene {number}", **SAVED) for number in range(1, 9)]
    jobs[2] = make_job(prompt="Scene 3 in red", state=JobState.FAILED)
    jobs[5] = make_job(prompt="Scene 6 in red", state=JobState.UNCONFIRMED)
    services.history.add_many(to_record(job) for job in jobs)
    async with open_app(services, size=(100, 40)) as (app, pilot):
        pane = main_screen(app).job_pane
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


async def test_tab_stays_in_the_form_while_it_covers_the_list(tmp_path: Path) -> None:
    async with open_app(make_services(tmp_path), size=(80, 24)) as (app, pilot):
        await pilot.press("n")
        await wait_idle(pilot)
        form = main_screen(app).form_pane
        for key in (*["tab"] * 9, *["shift+tab"] * 9):
            await pilot.press(key)
            assert form in app.focused.ancestors  # type: ignore[union-attr]


async def test_a_missing_key_is_told_once(tmp_path: Path) -> None:
    app = make_app(make_services(tmp_path, ENVIRON))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await wait_until(pilot, lambda: isinstance(app.screen, ApiKeyScreen))
        await pilot.press("escape", "n", *"6870", "tab", *"at sea", "ctrl+s")
        await wait_until(pilot, lambda: isinstance(app.screen, ApiKeyScreen))
        await pilot.pause()
        assert "No API key" not in screen_text(app)


async def test_culling_in_the_gallery_goes_on_to_the_next(tmp_path: Path) -> None:
    services = make_services(tmp_path)
    services.history.add_many(to_record(make_job(prompt=f"Scene {number}", **SAVED)) for number in range(1, 5))
    async with open_app(services, size=(100, 40)) as (app, pilot):
        pane = main_screen(app).job_pane

        def marks() -> list[tuple[bool, int]]:
            found = (services.jobs.store.get(number) for number in (4, 3, 2, 1))
            return [(job.starred, job.rating) for job in found if job is not None]

        await pilot.press("v")
        await wait_until(pilot, lambda: pane.gallery.has_focus)
        await pilot.press("asterisk", "x", "x")
        await wait_until(pilot, lambda: pane.job_list.current_id == 1)
        assert marks() == [(True, 0), (False, -1), (False, -1), (False, 0)]
        # What is taken back stays in sight; of several marked nothing moves.
        await pilot.press("h", "x")
        await wait_until(pilot, lambda: marks()[2] == (False, 0))
        assert pane.job_list.current_id == 2
        await pilot.press("ctrl+a", "x")
        await wait_until(pilot, lambda: [rating for _, rating in marks()] == [-1] * 4)
        assert pane.job_list.current_id == 2
        await pilot.press("escape")
        # A filter that the mark takes the job out of has put the cursor on the next already.
        main_screen(app).show_filter("star:no")
        await wait_until(pilot, lambda: pane.job_list.count == 3)
        await pilot.press("g", "asterisk")
        await wait_until(pilot, lambda: pane.job_list.count == 2)
        assert pane.job_list.current_id == 2


async def test_the_detail_follows_a_filter(tmp_path: Path) -> None:
    async with open_app(services_with_jobs(tmp_path)) as (app, pilot):
        screen = main_screen(app)
        assert (
            screen.detail_pane.job_id
            == screen.job_pane.job_list.current_id
            == app.services.jobs.store.newest_first()[0].id
        )
        await pilot.press("slash", *"harbour")
        wanted = next(job.id for job in app.services.jobs.store.newest_first() if "harbour" in job.request.prompt)
        await wait_until(pilot, lambda: screen.detail_pane.job_id == wanted)
        assert screen.job_pane.job_list.current_id == wanted


async def test_a_job_tells_why_all_looks_wait(tmp_path: Path) -> None:
    """After a 429, a refused key, or without a network."""
    bench = make_services(tmp_path)
    running = make_job(
        state=JobState.RUNNING, request_id="r-1", service=bench.service_name, submitted_at=bench.clock.time()
    )
    bench.history.add_many([to_record(running)])
    app = make_app(bench)
    bench.jobs.monitor.scheduler.backoff.hold(bench.clock.monotonic(), 600, "The key was refused.")
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_idle(pilot)
        await wait_until(pilot, lambda: "Status     The key was refused." in screen_text(app))
