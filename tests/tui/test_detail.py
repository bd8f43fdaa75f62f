"""The detail of a job: its words, and how they are broken."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.widgets import Static

from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.jobs.model import Job, JobState, Verdict, with_event
from eternal_tui.tui.detail import DetailPane, DetailText, detail_rows, render_detail
from eternal_tui.tui.job_list.row import columns_for, job_line
from eternal_tui.tui.widgets.jobs import state_labels
from tests.cli.program import a_job
from tests.tui.jobs import NOW, jobs_of_every_kind, make_job

VERDICT_REASON = "100.00 before, 99.94 after; 0.04 of it explained, 0.02 not."


def detail_texts(job: Job) -> list[tuple[str, str]]:
    return [(fact.label, fact.text) for fact in detail_rows(job)]


@pytest.mark.parametrize("verdict", Verdict)
def test_a_verdict_stands_with_its_arithmetic(verdict: Verdict) -> None:
    lines = detail_texts(
        make_job(state=JobState.UNCONFIRMED, verdict=verdict, verdict_reason=VERDICT_REASON, cost=0.02)
    )
    at = lines.index(("Charged?", str(verdict)))
    assert lines[at + 1] == ("", VERDICT_REASON)
    assert (("Cost", "~0.02 credits") in lines) is (verdict is not Verdict.NOT_CHARGED)


@pytest.mark.parametrize(
    ("fields", "label", "words"),
    [
        ({"state": JobState.UNCONFIRMED}, "Charged?", "unknown until the next response"),
        ({"state": JobState.UNCONFIRMED}, "State", "may have been charged"),
        ({"state": JobState.SUBMITTING}, "State", "submitting · no response yet"),
        ({"retry_of": 7}, "Retry of", "job 7"),
        ({"state": JobState.UNCONFIRMED, "retried_by": 8}, "Retried by", "job 8"),
    ],
)
def test_what_is_known_is_named(fields: dict[str, Any], label: str, words: str) -> None:
    assert words in dict(detail_texts(make_job(**fields)))[label]


@pytest.mark.parametrize("job", jobs_of_every_kind())
def test_state_and_cost_are_written_as_in_the_list(job: Job) -> None:
    """A minus is a charge, ~ an estimate."""
    detail = dict(detail_texts(job))
    assert detail["State"].startswith(state_labels(job)[0])
    in_list = re.search(r"([~−])(\d+\.\d\d) $", "".join(cell.text for cell in job_line(job, NOW, columns_for(200))))
    in_detail = detail.get("Cost", "").partition(" credits")[0]
    assert (in_list.group().strip().lstrip("−") if in_list else "") == in_detail.replace("not charged", "")


def test_the_request_id_is_there_once() -> None:
    job = with_event(make_job(request_id="req-77", state=JobState.RUNNING), NOW, "accepted", "req-77")
    assert render_detail(job, {}, width=80).plain.count("req-77") == 1


@pytest.mark.parametrize("width", [20, 40, 60])
def test_json_breaks_at_its_structure(width: int) -> None:
    raw = (
        '{"request_id": "5a3b1c00-0000-4000-8000-000000000002", "url": "https://cdn.test/2026/vid.mp4?Expires=17&S=ab"}'
    )
    text = render_detail(make_job(), {"submit_answer": raw}, width=width, with_json=True).plain
    body = text.partition("Response\n")[2]
    assert max(map(len, body.splitlines())) <= width
    joined = "".join(line.strip() for line in body.splitlines())
    assert "5a3b1c00-0000-4000-8000-000000000002" in joined
    ends = [line[-1] for line in body.splitlines() if line.strip()]
    assert set(ends) <= set('",{}/&?=;:-_.'), ends
    assert "J: show" in render_detail(make_job(), {"submit_answer": raw}, width=width).plain
    assert "request_id" not in render_detail(make_job(), {"submit_answer": raw}, width=width).plain


class DetailApp(App[None]):
    """The pane on a screen of its own."""

    def compose(self) -> ComposeResult:
        """Show nothing else."""
        yield DetailPane(Path("results"), shows_media=False)


async def test_no_line_is_broken_by_the_screen() -> None:
    """Neither next to the scroll bar nor when the text is resized without another snapshot."""
    async with DetailApp().run_test(size=(120, 15)) as pilot:
        pane = pilot.app.query_one(DetailPane)
        await pane.mount_content(Static(), lambda _: None)
        text = pane.query_one(DetailText).query_one(Static)
        for letters in range(1, 12):
            pane.set_job(a_job(error=UntrustedText(f"{'m' * letters} " * 60)))
            await pilot.pause()
            assert text.size.height == str(text.content).count("\n") + 1
        for columns in (60, 30, 100):
            pane.query_one(DetailText).styles.width = columns
            await pilot.pause()
            assert text.size.height == str(text.content).count("\n") + 1
            assert columns - 20 < max(map(len, str(text.content).splitlines())) < columns
