"""The detail tells of the job the cursor is on, whatever brought the cursor there."""

from __future__ import annotations

from pathlib import Path

from eternal_tui.jobs.model import JobState, to_record
from tests.tui.jobs import a_job
from tests.tui.screens.stage import bench_in, settle, the_app, until
from tests.tui.screens.test_palette import with_jobs, workbench


async def test_the_detail_follows_a_filter(tmp_path: Path) -> None:
    """Seen to fail where the list's word of its cursor ended at the pane that had filtered it."""
    app = the_app(with_jobs(tmp_path))
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        screen = workbench(app)
        assert screen.detail.job_id == screen.job_pane.jobs.current == app.bench.desk.listing()[0].id
        await pilot.press("slash", *"harbour")
        wanted = next(job.id for job in app.bench.desk.listing() if "harbour" in job.request.prompt)
        await until(pilot, lambda: screen.detail.job_id == wanted)
        assert screen.job_pane.jobs.current == wanted


async def test_a_job_tells_why_all_looks_wait(tmp_path: Path) -> None:
    """After a 429, a refused key, or without a network. Seen to fail with the reason at the one job refused alone."""
    bench = bench_in(tmp_path)
    running = a_job(state=JobState.RUNNING, request_id="r-1", service=bench.service, submitted_at=bench.clock.time())
    bench.history.add_many([to_record(running)])
    app = the_app(bench)
    bench.desk._watcher.poller.pause.hold(bench.clock.monotonic(), 600, "The key was refused.")
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        detail = workbench(app).detail
        await until(pilot, lambda: "Waiting    The key was refused." in str(detail._words.render()))
