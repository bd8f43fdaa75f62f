"""Commands on jobs: the questions asked before, and how often."""

from __future__ import annotations

from pathlib import Path

import pytest

from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.jobs.model import FileState, JobState, to_record
from eternal_tui.jobs.submit.submitter import NO_DETAILS
from eternal_tui.sandbox.faults import Fault
from eternal_tui.sandbox.server import Sandbox
from eternal_tui.tui.screens.job_commands import JobCommands
from tests.history.faults import UnsyncedFileSystem
from tests.jobs.bench import IMAGE_REQUEST, run_engine
from tests.jobs.clock import FakeClock
from tests.jobs.conftest import clock, sandbox
from tests.tui.jobs import make_job
from tests.tui.screens.stage import ENVIRON, FakeScreen, open_services

__all__ = ["clock", "sandbox"]


async def test_a_retry_of_many_asks_once_for_all_that_failed(tmp_path: Path) -> None:
    screen = FakeScreen()
    async with open_services(tmp_path) as bench:
        commands = JobCommands(bench.jobs, screen, ENVIRON)
        failed = [make_job(number, state=JobState.FAILED) for number in (1, 2, 3)]
        rejected = make_job(4, state=JobState.REJECTED, cause="refused")
        running = make_job(5, state=JobState.RUNNING)
        unclear = make_job(6, state=JobState.UNCONFIRMED)
        settled = make_job(7, state=JobState.UNCONFIRMED, dismissed=True)
        saved = make_job(8, state=JobState.SUCCEEDED, file_state=FileState.SAVED)
        unsent = make_job(9, state=JobState.REJECTED, cause="unreachable", prompt="another")
        await commands.retry_all([*failed, rejected, running, unclear, settled, saved])
        await commands.retry_all([running, settled])
        for listed in ([failed[0]], [failed[0], unsent, rejected], [rejected], []):
            await commands.retry_failed(listed)
        assert screen.questions[0].startswith("No response for job 6.")
        assert screen.questions[1:] == [
            "Run 4 jobs again? Price unknown.",
            "Run 1 failed job again? Price unknown.",
            "Run 2 failed jobs again? 1 job rejected by the API left out: edit with e. Price unknown.",
        ]
        assert screen.notifications == [
            "Nothing to retry among these jobs.",
            "Rejected by the API as they are: press e to change the request.",
            "No failed job in this list.",
        ]
        assert bench.jobs.store.newest_first() == []


async def test_what_is_run_again_is_sent_with_names_and_templates(
    tmp_path: Path, sandbox: Sandbox, clock: FakeClock
) -> None:
    """Several jobs after one question, a single one at once."""
    async with run_engine(tmp_path, sandbox, clock=clock, fs=UnsyncedFileSystem()) as bench:
        jobs = [
            make_job(1, state=JobState.FAILED, prompt="A red coat", template="A {red|blue} coat"),
            make_job(2, state=JobState.FAILED, prompt="At sea", name=UntrustedText("Elara")),
        ]
        screen = FakeScreen(answer=True)
        commands = JobCommands(bench.engine, screen, ENVIRON)
        for run, posts, questions in (
            (commands.rerun(jobs), 2, 1),
            (commands.retry_failed(jobs), 4, 2),
            (commands.rerun(jobs[:1]), 5, 2),
        ):
            await run
            await bench.advance_until(lambda posts=posts: len(sandbox.posts) == posts)  # type: ignore[misc]
            assert len(screen.questions) == questions
        sent = [(job.request, job.name, job.template) for job in reversed(bench.engine.store.newest_first())]
        assert sent == [(job.request, job.name, job.template) for job in (*jobs, *jobs, jobs[0])]


@pytest.mark.parametrize("key", ["retry", "again"])
async def test_what_may_have_been_paid_is_sent_again_only_after_a_question_and_linked(
    tmp_path: Path, sandbox: Sandbox, clock: FakeClock, key: str
) -> None:
    async with run_engine(tmp_path, sandbox, clock=clock, fs=UnsyncedFileSystem()) as bench:
        sandbox.inject(Fault.LOST_ANSWER, times=1)
        lost = await bench.engine.submit(IMAGE_REQUEST)
        for answer in (False, True):
            screen = FakeScreen(answer=answer)
            await JobCommands(bench.engine, screen, ENVIRON).run([lost.id], key)
            assert [question.partition(".")[0] for question in screen.questions] == [f"No response for job {lost.id}"]
            assert len(sandbox.posts) == 1 + answer
        retry, first = bench.engine.store.newest_first()
        assert (retry.retry_of, first.retried_by) == (first.id, retry.id)


@pytest.mark.parametrize(
    ("command", "state", "count", "question"),
    [
        ("retry", JobState.FAILED, 1, "Retry job 1? Price unknown."),
        ("retry", JobState.REJECTED, 1, "Retry job 1? Price unknown."),
        ("delete", JobState.UNCONFIRMED, 1, "Delete job 1? 1 unconfirmed: may have been charged."),
        ("delete", JobState.RUNNING, 1, "Delete job 1? 1 running: stays charged, is not downloaded."),
        ("delete", JobState.QUEUED, 1, ""),
        ("watch", JobState.RUNNING, 2, "Stop polling 2 jobs? What runs stays charged; w polls it again."),
    ],
)
async def test_what_costs_or_may_have_cost_asks_once_first(
    tmp_path: Path, command: str, state: JobState, count: int, question: str
) -> None:
    screen = FakeScreen()
    async with open_services(tmp_path) as bench:
        bench.history.add_many([to_record(make_job(state=state))] * count)
        await bench.jobs.start()
        await JobCommands(bench.jobs, screen, ENVIRON).run(range(1, count + 1), command)
        assert screen.questions == ([question] if question else [])
        left = state if question else JobState.REJECTED
        assert [job.state for job in bench.jobs.store.newest_first()] == [left] * count


async def test_the_queue_is_held_and_released_after_a_question(
    tmp_path: Path, sandbox: Sandbox, clock: FakeClock
) -> None:
    async with run_engine(tmp_path, sandbox, clock=clock, fs=UnsyncedFileSystem()) as bench:
        screen = FakeScreen()
        commands = JobCommands(bench.engine, screen, ENVIRON)
        await commands.toggle_queue()
        first, second = [await bench.engine.submit(IMAGE_REQUEST) for _ in range(2)]
        await commands.move_queued([second.id], -1)
        assert screen.notifications[-1] == "Job 2 is number 1 of 2 in the queue."
        await commands.delete([first])
        assert screen.questions == []
        await commands.toggle_queue()
        assert screen.questions == ["Send 1 queued request? Price unknown."]
        await clock.advance(30)
        assert sandbox.posts == []
        screen.answer = True
        await commands.toggle_queue()
        await bench.advance_until(lambda: len(sandbox.posts) == 1)
        assert bench.engine.store[first.id].cause == "cancelled"


async def test_several_queued_jobs_move_together(tmp_path: Path, sandbox: Sandbox, clock: FakeClock) -> None:
    async with run_engine(tmp_path, sandbox, clock=clock, fs=UnsyncedFileSystem()) as bench:
        screen, queue = FakeScreen(), bench.engine.queue
        commands = JobCommands(bench.engine, screen, ENVIRON)
        queue.hold()
        ids = [job.id for job in await bench.engine.submit_many([IMAGE_REQUEST] * 5, confirmed=True)]
        for command, expected, said in (
            (commands.move_queued([4, 3], -1), [1, 3, 4, 2, 5], "2 jobs are number 2 to 3 of 5 in the queue."),
            (commands.move_queued([4, 3], 1), [1, 2, 3, 4, 5], "2 jobs are number 3 to 4 of 5 in the queue."),
            (commands.move_queued([5, 4], 1), [1, 2, 3, 4, 5], "2 jobs are number 4 to 5 of 5 in the queue."),
            (commands.run_next([5, 2]), [2, 5, 1, 3, 4], "2 jobs are number 1 to 2 of 5 in the queue."),
            (commands.move_queued([77], 1), [2, 5, 1, 3, 4], "Only queued jobs have an order."),
        ):
            await command
            assert ([job.id for job in queue.entries()], screen.notifications[-1]) == (expected, said)
        assert ids == [1, 2, 3, 4, 5]


async def test_a_queue_that_is_sent_is_held_first(tmp_path: Path, sandbox: Sandbox, clock: FakeClock) -> None:
    """Also where entries of processes that are gone wait."""
    async with run_engine(tmp_path, sandbox, clock=clock, fs=UnsyncedFileSystem()) as bench:
        screen, queue = FakeScreen(), bench.engine.queue
        commands = JobCommands(bench.engine, screen, ENVIRON)
        queue.pause(600)
        await bench.engine.submit_many([IMAGE_REQUEST] * 2, confirmed=True, wait_seconds=None)
        await bench.engine.submitter.submit([IMAGE_REQUEST], [NO_DETAILS], confirmed=True, only_queue=True)
        assert queue.summary().parts[0] == "3 queued (1 held)"
        await commands.toggle_queue()
        assert (queue.summary().parts[0], screen.questions) == ("3 queued (held)", [])
        await commands.toggle_queue()
        assert screen.questions == ["Send 3 queued requests? Price unknown."]
