"""The filter language: what it finds, and what it says about what it cannot read."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eternal_tui.jobs.billing.ledger import Ledger
from eternal_tui.jobs.billing.statistics import RunningTotals, compute_statistics
from eternal_tui.jobs.filter import FACETS, FilterError, compile_filter, parse_filter
from eternal_tui.jobs.formatting import state_label
from eternal_tui.jobs.model import FileState, Job, JobState
from eternal_tui.tui.widgets.jobs import state_labels
from tests.tui.jobs import NOW, jobs_of_every_kind, make_job, make_jobs

JOBS = [
    make_job(1, prompt="A red umbrella in the Rain", state=JobState.FAILED, created_at=NOW - 3 * 86_400),
    make_job(
        2,
        prompt="Red shoes",
        kind="video",
        name="Elara",
        state=JobState.RUNNING,
        tags=("Poster", "x"),
        starred=True,
        batch="4f0a",
    ),
    make_job(
        3,
        prompt="ＷＩＤＥ Café Straße",
        state=JobState.SUCCEEDED,
        file_state=FileState.SAVED,
        request_id="req-77",
        batch="4fb2",
        rating=4,
        account="ab12",
    ),
    make_job(
        4,
        prompt="Nothing",
        state=JobState.UNCONFIRMED,
        error="answer lost",
        note="ask again",
        template="{red|blue} coat",
    ),
]


def matching_ids(text: str, facet: str = "all") -> list[int]:
    chosen = parse_filter(text, facet)
    assert not chosen.errors
    return [job.id for job in chosen.select(JOBS, NOW, {})]


@pytest.mark.parametrize("job", jobs_of_every_kind(), ids=state_label)
def test_the_word_shown_for_a_state_finds_the_job(job: Job) -> None:
    for word in state_labels(job)[:2]:
        assert parse_filter(word).matches(job, NOW), word
        assert not parse_filter(f"-{word}").matches(job, NOW)
    assert parse_filter("done").matches(job, NOW) == (job.state is JobState.SUCCEEDED)


def test_a_word_within_a_state_finds_nothing() -> None:
    job = make_job(1, prompt="Blue", state=JobState.SUCCEEDED, file_state=FileState.EXPIRED)
    assert not parse_filter("red").matches(job, NOW)
    assert parse_filter("exp").matches(job, NOW)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", [1, 2, 3, 4]),
        ("red", [1, 2]),
        ("RED rain", [1]),
        ('"red umbrella" -rain', []),
        ('-"red umbrella"', [2, 3, 4]),
        ("strasse", [3]),
        ("wide", [3]),
        ("req-77", [3]),
        ("again", [4]),
        ("state:failed", [1]),
        ("state:failed,running", [1, 2]),
        ("-state:failed", [2, 3, 4]),
        ("state:saved,failed type:image", [1, 3]),
        ("state:done", [3]),
        ("state:unfinished", [2]),
        ("rating:>=4", [3]),
        ("rating:rejected", []),
        ("template:red", [4]),
        ("account:ab", [3]),
        ("until:2d", [1]),
        ("since:2023-11-14 until:2023-11-14", [2, 3, 4]),
        ("state:attention", [1, 4]),
        ("type:clip", [2]),
        ("type:pic", [1, 3, 4]),
        ("char:6870 red", [1, 2]),
        ("tag:post", [2]),
        ("tag:=post", []),
        ('tag:"=poster"', [2]),
        ("char:=elara", [2]),
        ("char:=ela", []),
        ("star:yes", [2]),
        ("batch:any", [2, 3]),
        ("-batch:any", [1, 4]),
        ("since:2d", [2, 3, 4]),
        ("since:2", [1, 2, 3, 4]),
        ("since:2023-11-1", [1, 2, 3, 4]),
        ("state: type: -", [1, 2, 3, 4]),
    ],
)
def test_finds(text: str, ids: list[int]) -> None:
    assert matching_ids(text) == ids


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("colour:red", "colour"),
        ("state:wild", "wild"),
        ("type:song", "song"),
        ("star:maybe", "yes, no"),
        ("rating:good", "rating:3"),
        ("state:failed,wild", "wild"),
        ("since:monday", "monday"),
    ],
)
def test_what_cannot_be_read_gets_a_sentence_and_hides_nothing(text: str, word: str) -> None:
    chosen = parse_filter(text)
    assert word in chosen.errors[0]
    assert chosen.errors[0].endswith((".", '"'))
    assert len(chosen.select(JOBS, NOW, {})) == len(JOBS)


def test_facets_sort_every_kind_of_job() -> None:
    kinds = jobs_of_every_kind()
    running = {job.id for job in kinds if FACETS["unfinished"](job)}
    done = {job.id for job in kinds if FACETS["done"](job)}
    attention = {job.id for job in kinds if FACETS["attention"](job)}
    dismissed = {job.id for job in kinds if job.dismissed}
    assert running | done | attention | dismissed == {job.id for job in kinds}
    assert {job.id for job in kinds if job.needs_download} == running & done
    assert not attention & dismissed


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_parses_and_selects_in_order(text: str) -> None:
    jobs: list[Job] = make_jobs(12)
    chosen = parse_filter(text).select(jobs, NOW, {})
    assert [job.id for job in chosen] == sorted((job.id for job in chosen), reverse=True)


@pytest.mark.parametrize("text", ["state:", "since:2", "since:2023-11", "rating:>", "colour:red", "state:wild"])
def test_compile_filter_rejects_what_is_incomplete(text: str) -> None:
    with pytest.raises(FilterError, match=r"Unknown|no value"):
        compile_filter(text, now=NOW)


def test_header_totals_filter_and_statistics_agree() -> None:
    jobs = [job for job in jobs_of_every_kind() if not job.dismissed]
    totals = RunningTotals(lambda: NOW, list)
    for job in jobs:
        totals.apply_change(None, job)
    counts = totals.totals()
    stats = compute_statistics(jobs, NOW, Ledger(), days=1)

    def found(text: str) -> int:
        return sum(map(compile_filter(text, "since:today", now=NOW), jobs))

    day = stats.days[0]
    for state in ("failed", "rejected", "unsent"):
        assert found(f"state:{state}") == getattr(counts, f"{state}_today") == getattr(day, state) > 0
    assert found("state:done") == counts.done_today == day.succeeded > 1
    assert found("state:running") == counts.running > 0
    assert found("state:unconfirmed") == counts.unconfirmed > 0
