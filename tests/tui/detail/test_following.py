"""The detail tells of the job the cursor is on, whatever brought the cursor there."""

from __future__ import annotations

from pathlib import Path

from eternal_tui.jobs.model import JobState, to_record
from tests.tui.jobs import make_job
from tests.tui.screens.stage import make_app, make_services, wait_idle, wait_until
from tests.tui.screens.test_palette import main_screen, services_with_jobs


async def test_the_detail_follows_a_filter(tmp_path: Path) -> None:
    """Seen to fail where the list's word of its cursor ended at the pane that had filtered it."""
    app = make_app(services_with_jobs(tmp_path))
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_idle(pilot)
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
    """After a 429, a refused key, or without a network. Seen to fail with the reason at the one job refused alone."""
    bench = make_services(tmp_path)
    running = make_job(
        state=JobState.RUNNING, request_id="r-1", service=bench.service_name, submitted_at=bench.clock.time()
    )
    bench.history.add_many([to_record(running)])
    app = make_app(bench)
    bench.jobs.monitor.scheduler.backoff.hold(bench.clock.monotonic(), 600, "The key was refused.")
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_idle(pilot)
        detail = main_screen(app).detail_pane
        await wait_until(pilot, lambda: "Status     The key was refused." in str(detail._text.render()))
