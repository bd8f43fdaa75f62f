"""One wish about many jobs: what is asked, and how often."""

from __future__ import annotations

from pathlib import Path

import pytest

from eternal_tui.core.sanitize import Shown
from eternal_tui.jobs.model import FileState, JobState
from eternal_tui.sandbox.faults import Fault
from eternal_tui.sandbox.server import Sandbox
from eternal_tui.tui.screens.job_commands import JobActions
from eternal_tui.tui.widgets.dialog import Confirm
from tests.history.faults import SwiftFiles
from tests.jobs.bench import PICTURE, running
from tests.jobs.clock import FakeClock
from tests.jobs.conftest import clock, sandbox
from tests.tui.jobs import a_job
from tests.tui.screens.stage import ENVIRON, bench_of

__all__ = ["clock", "sandbox"]


class Face:
    """Writes down what is said and asked, and answers no, or what it was told to."""

    def __init__(self, answer: bool = False) -> None:
        self.answer = answer
        self.told: list[str] = []
        self.asked: list[str] = []

    def tell(self, text: Shown, severity: str = "information") -> None:
        self.told.append(text if severity == "information" else f"{severity}: {text}")

    async def ask(self, question: Confirm) -> bool:
        self.asked.append(question._question)
        return self.answer

    async def looked_up(self, requests: object) -> bool:  # noqa: ARG002
        return True


async def test_a_retry_of_many_asks_once_for_all_that_failed(tmp_path: Path) -> None:
    """Seen to fail with each failed job sent by itself: four requests at one press of t, and no question."""
    face = Face()
    async with bench_of(tmp_path) as bench:
        actions = JobActions(bench.desk, face, ENVIRON)
        failed = [a_job(number, state=JobState.FAILED) for number in (1, 2, 3)]
        rejected = a_job(4, state=JobState.REJECTED)
        running = a_job(5, state=JobState.RUNNING)
        unclear = a_job(6, state=JobState.UNCONFIRMED)
        settled = a_job(7, state=JobState.UNCONFIRMED, dismissed=True)
        saved = a_job(8, state=JobState.SUCCEEDED, file_state=FileState.SAVED)
        await actions.retry_all([*failed, rejected, running, unclear, settled, saved])
        assert len(face.asked) == 2
        assert face.asked[0].startswith("The answer to job 6 was lost.")
        assert face.asked[1] == "Run 4 jobs again? The price is not known yet."
        await actions.retry_all([running, settled])
        assert face.told == ["There is nothing to retry among these jobs."]
        assert bench.desk.listing() == []


@pytest.mark.parametrize("key", ["retry", "again"])
async def test_what_may_have_been_paid_is_sent_again_only_after_a_question_and_linked(
    tmp_path: Path, sandbox: Sandbox, clock: FakeClock, key: str
) -> None:
    """By `t` and by `r`. Seen to fail with `r`, which sent it at once, as if it had nothing to do with the first."""
    async with running(tmp_path, sandbox, clock=clock, files=SwiftFiles()) as bench:
        sandbox.inject(Fault.LOST_ANSWER, times=1)
        lost = await bench.desk.submit(PICTURE)
        doubtful, sure = Face(), Face(answer=True)
        await JobActions(bench.desk, doubtful, ENVIRON).guarded([lost.id], key)
        assert [question.startswith(f"The answer to job {lost.id} was lost.") for question in doubtful.asked] == [True]
        assert len(sandbox.posts) == 1
        await JobActions(bench.desk, sure, ENVIRON).guarded([lost.id], key)
        assert len(sure.asked) == 1
        retry, first = bench.desk.listing()
        assert (retry.retry_of, first.retried_by, len(sandbox.posts)) == (first.id, retry.id, 2)


async def test_all_failed_are_asked_about_once_with_the_cost(tmp_path: Path) -> None:
    """Seen to fail with the rejected ones left out, and with one alone sent without a question."""
    face = Face()
    async with bench_of(tmp_path) as bench:
        actions = JobActions(bench.desk, face, ENVIRON)
        failed = a_job(1, state=JobState.FAILED, prompt="one")
        unsent = a_job(2, state=JobState.REJECTED, prompt="two", cause="unreachable")
        refused = a_job(3, state=JobState.REJECTED, prompt="three", cause="refused")
        await actions.retry_failed([failed])
        await actions.retry_failed([failed, unsent, refused])
        await actions.retry_failed([refused])
        await actions.retry_failed([])
        assert face.asked == [
            "Run the job that failed or was not taken again? The price is not known yet.",
            (
                "Run the 2 jobs that failed or were not taken again? 1 refused for what they ask stay as they are. "
                "The price is not known yet."
            ),
        ]
        assert face.told == [
            "What failed here was refused for what it asks: e changes it and sends it anew.",
            "No job in this list has failed.",
        ]
        assert bench.desk.listing() == []
