"""Lines of jobs and batches: their width, columns and texts."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.jobs.model import FileInfo, FileState, Job, JobState, Verdict
from eternal_tui.tui.job_list.row import batch_line, columns_for, job_line
from eternal_tui.tui.widgets.cells import Line, Part, changed_spans, fit
from tests.payloads import PAYLOADS
from tests.tui.jobs import NOW, charged, jobs_of_every_kind, make_job

WIDTHS = (40, 60, 78, 102, 200)
DONE: dict[str, Any] = {"state": JobState.SUCCEEDED, "file_state": FileState.SAVED}
texts = st.one_of(st.text(max_size=80), st.sampled_from([text for text in PAYLOADS if len(text) < 2_000]))
times = st.one_of(st.none(), st.floats(-1e12, 1e12))
jobs = st.builds(
    make_job,
    st.integers(1, 10**9),
    prompt=texts,
    kind=st.sampled_from(["image", "video", "character"]),
    state=st.sampled_from(JobState),
    file_state=st.one_of(st.none(), st.sampled_from(FileState)),
    name=texts,
    status_text=texts,
    waiting_reason=st.one_of(st.just(""), texts),
    error=st.one_of(st.just(""), texts),
    progress=st.integers(-5, 500),
    submitted_at=times,
    finished_at=times,
    cost=st.one_of(st.none(), st.floats(0, 1e9)),
    verdict=st.one_of(st.none(), st.sampled_from(Verdict)),
    file_info=st.one_of(st.none(), st.builds(FileInfo, width=st.integers(0, 10**9), height=st.integers(0, 10**9))),
    starred=st.booleans(),
    watched=st.booleans(),
    dismissed=st.booleans(),
    retried_by=st.one_of(st.none(), st.integers()),
)


def text_of(line: Line) -> str:
    """Return the text of a line behind the columns of cursor and mark."""
    return "   " + "".join(part.text for part in line)


def line_text(job: Job, width: int = 102, **how: Any) -> str:
    return text_of(job_line(job, NOW, columns_for(width), **how))


@settings(max_examples=200, deadline=None)
@given(st.lists(jobs, min_size=1, max_size=3), st.integers(34, 220), times)
@example([make_job(prompt="港" * 50)], 47, None)
@example([make_job(prompt="\x1b]52;c;x\x07 \u202e café", name=UntrustedText("\x1b[31mred"))], 120, None)
def test_every_line_fills_its_width_and_shows_no_control(jobs: list[Job], width: int, left: float | None) -> None:
    columns = columns_for(width)
    for line in (job_line(jobs[0], NOW, columns, remaining_seconds=left), batch_line(jobs, columns, opened=False)):
        assert cell_len(text_of(line)) == width
        assert text_of(line).isprintable()


@st.composite
def lines(draw: st.DrawFn, width: int, parts: int) -> Line:
    """Draw a line of so many parts, some without width, in few letters, wide ones among them, and few roles."""
    cuts = [0, *sorted(draw(st.lists(st.integers(0, width), min_size=parts - 1, max_size=parts - 1))), width]
    return tuple(
        Part(fit(draw(st.text("aab港", max_size=12)), end - start), draw(st.sampled_from(["", "dim"])))
        for start, end in pairwise(cuts)
    )


@settings(deadline=None, max_examples=200)
@given(st.tuples(st.integers(1, 20), st.integers(1, 4)).flatmap(lambda size: st.tuples(lines(*size), lines(*size))))
def test_repainting_only_the_changed_spans_gives_the_new_line(both: tuple[Line, Line]) -> None:
    old, new = both
    screen = _columns(old)
    for start, end in changed_spans(old, new):
        screen[start:end] = _columns(new)[start:end]
    assert screen == _columns(new)


def _columns(line: Line) -> list[tuple[str, str]]:
    # A wide letter has two columns, and both must be repainted together.
    return [(f"{letter}{half}", part.role) for part in line for letter in part.text for half in range(cell_len(letter))]


@pytest.mark.parametrize(
    ("job", "width", "shown", "hidden"),
    [
        (make_job(state=JobState.RUNNING, progress=68, submitted_at=NOW - 41, kind="video"), 102,
         ["◐ running", "video", "Astrid", "The person waves", "0:41", "68 %", "━━╌", "~0:20"], []),
        *((make_job(state=JobState.RUNNING, progress=68, prompt="Waves"), width, ["running", "Waves", "68 %"], [])
          for width in WIDTHS),
        (make_job(state=JobState.SUCCEEDED, file_state=FileState.SAVED, progress=99), 102, ["✓ saved"], ["%"]),
        (make_job(state=JobState.SUCCEEDED, file_state=FileState.PENDING), 102, ["↓ fetching"], []),
        (make_job(state=JobState.SUCCEEDED, file_state=FileState.EXPIRED), 102, ["! expired"], []),
        (make_job(state=JobState.SUCCEEDED, file_state=FileState.BROKEN), 102, ["! broken"], []),
        (make_job(state=JobState.RUNNING, status_text="rendering"), 102, ["“rendering”"], []),
        (make_job(state=JobState.RUNNING, status_text="pending"), 102, [], ["pending"]),
        *((make_job(state=JobState.RUNNING, progress=34, waiting_reason="service away, waiting"), width,
           ["service away", "34 %"], []) for width in (60, 78, 150)),
        *((make_job(state=JobState.FAILED, error="refused by the service"), width, ["refused by"], [])
          for width in (60, 78, 150)),
        (make_job(state=JobState.UNCONFIRMED), 78, ["may be charged · t retry"], []),
        (make_job(state=JobState.UNCONFIRMED, verdict=Verdict.CHARGED), 102, ["probably charged · t retry"], []),
        (make_job(state=JobState.UNCONFIRMED), 40, ["charged"], []),
        (make_job(state=JobState.UNCONFIRMED, dismissed=True), 102, [], ["retry"]),
    ],
)  # fmt: skip
def test_a_line_shows_what_matters(job: Job, width: int, shown: list[str], hidden: list[str]) -> None:
    text = line_text(job, width, remaining_seconds=19.0)
    assert [part for part in shown if part not in text] == [part for part in hidden if part in text] == []


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_moves_when_digits_change(width: int) -> None:
    early, late = (
        job_line(
            make_job(state=JobState.RUNNING, progress=progress, submitted_at=NOW - seconds),
            NOW,
            columns_for(width),
            remaining_seconds=left,
        )
        for progress, seconds, left in ((9, 9, 599), (89, 3599, 9))
    )
    assert [cell_len(part.text) for part in early] == [cell_len(part.text) for part in late]
    assert text_of(early).index("%") == text_of(late).index("%")


@pytest.mark.parametrize(("width", "cells"), [(58, 30), (78, 30), (88, 34), (98, 40), (138, 60), (198, 110)])
def test_the_prompt_gets_the_room_that_is_left(width: int, cells: int) -> None:
    facts = FileInfo(width=1080, height=1920, bytes=1)
    job = make_job(
        prompt="x" * 200, **DONE, file_info=facts, **charged(12.34), submitted_at=NOW - 62, finished_at=NOW
    )  # fmt: skip
    text = line_text(job, width)
    assert text.count("x") >= cells
    assert "−12.34" in text
    if width >= 100:
        assert "1:02  1080×1920" in text


def test_a_reason_takes_at_most_half_of_the_prompt() -> None:
    for width in range(58, 200):
        text = line_text(make_job(state=JobState.FAILED, prompt="x" * 200, error="y" * 200), width)
        assert abs(text.count("x") - text.count("y")) <= 4


def test_every_state_has_its_own_word_and_a_sign() -> None:
    heads = {line_text(job)[3:15] for job in jobs_of_every_kind() if job.watched}
    assert len(heads) == 12
    assert all(head[0] != " " and head[2] != " " for head in heads)


def test_time_changes_the_clock_alone() -> None:
    """One cell in a second, none between coarse steps, none of an ended job."""
    job = make_job(state=JobState.RUNNING, progress=40, submitted_at=NOW - 40)
    early, late = (job_line(job, NOW + after, columns_for(102), remaining_seconds=50 - after) for after in (0, 1))
    ((start, end),) = changed_spans(early, late)
    assert end - start == 1
    coarse = [job_line(job, NOW + second, columns_for(102), clock_step=5.0) for second in (0, 4)]
    assert coarse[0] == coarse[1]
    for ended in filter(lambda each: each.is_ended, jobs_of_every_kind()):
        assert line_text(ended) == text_of(job_line(ended, NOW + 7_777, columns_for(102)))


def make_batch() -> list[Job]:
    """Return twenty jobs: twelve done, one failed, one unclear, six half way."""
    kinds: list[dict[str, Any]] = [*[DONE] * 12, {"state": JobState.FAILED}, {"state": JobState.UNCONFIRMED}]
    kinds += [{"state": JobState.RUNNING, "progress": 50}] * 6
    return [make_job(20 - number, batch="b", **{**charged(0.02), **fields}) for number, fields in enumerate(kinds)]


QUEUED = [make_job(number, batch="b", state=JobState.QUEUED) for number in (2, 1)]


@pytest.mark.parametrize(
    ("jobs", "width", "opened", "shown"),
    [
        (make_batch(), 120, False, ["▸ 20 jobs", "12/20 done · 1 unconfirmed · 1 failed", "85 %"]),
        (make_batch(), 120, True, ["▾ 20 jobs"]),
        (make_batch(), 34, False, ["12/20 d"]),
        (make_batch(), 60, False, ["12/20 d"]),
        (make_batch(), 80, False, ["12/20 d", "The person", "1 unconfirmed"]),
        (make_batch()[:14], 120, False, ["~0.28"]),
        (make_batch()[:2], 120, False, ["−0.04"]),
        (QUEUED, 120, False, ["0/2 done · 2 queued"]),
        ([make_job(2, name=UntrustedText("Elara"), kind="video"), make_job(1)], 120, False, ["mixed", "2 chars"]),
    ],
)
def test_a_batch_line_says_how_far_it_is_and_what_it_costs(
    jobs: list[Job], width: int, opened: bool, shown: list[str]
) -> None:
    text = text_of(batch_line(jobs, columns_for(width), opened=opened))
    assert [part for part in shown if part not in text] == []
