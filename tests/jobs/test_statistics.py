"""The figures of a history: by day, by type."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eternal_tui.jobs.billing.ledger import Ledger
from eternal_tui.jobs.billing.statistics import compute_statistics
from eternal_tui.jobs.model import FileState, Job, JobState, Verdict
from tests.tui.jobs import make_job

DAY_SECONDS = 86_400.0


def succeeded_job(job_id: int, at: float, duration: float, **fields: Any) -> Job:
    return make_job(
        job_id,
        state=JobState.SUCCEEDED,
        file_state=FileState.SAVED,
        created_at=at,
        submitted_at=at,
        finished_at=at + duration,
        **{"cost": 0.05, **fields},
    )


def test_types_have_own_durations_and_success() -> None:
    now = 1_700_000_000.0
    jobs = [succeeded_job(number, now - 1_000 * number, 10.0 * number) for number in range(1, 11)]
    jobs += [
        make_job(11, state=JobState.FAILED, created_at=now, cost=0.05),
        make_job(12, state=JobState.REJECTED, created_at=now, cost=0.05),
        make_job(13, state=JobState.RUNNING, created_at=now),
        succeeded_job(14, now, -5.0, cost=0.0),
        make_job(15, kind="video", state=JobState.UNCONFIRMED, verdict=Verdict.NOT_CHARGED, created_at=now, cost=0.2),
    ]
    images, videos = compute_statistics(jobs, now, Ledger()).kinds
    assert (images.type, images.jobs) == ("image", 14)
    assert (images.succeeded, images.failed, images.rejected) == (11, 1, 1)
    assert images.success == 11 / 12
    assert (images.median, images.slowest_tenth) == (60.0, 100.0)
    assert images.durations == (100.0, 90.0, 80.0, 70.0, 60.0, 50.0, 40.0, 30.0, 20.0, 10.0)
    assert images.spent == 0.55
    assert (videos.type, videos.success, videos.median, videos.spent) == ("video", None, None, 0.0)


@given(
    st.lists(
        st.tuples(st.floats(0, 40 * DAY_SECONDS), st.sampled_from(list(JobState)), st.none() | st.floats(0, 5)),
        max_size=30,
    )
)
def test_each_job_is_counted_once(given_jobs: list[tuple[float, JobState, float | None]]) -> None:
    now = 1_700_000_000.0
    jobs = [
        make_job(number, state=state, created_at=now - ago, cost=cost)
        for number, (ago, state, cost) in enumerate(given_jobs, 1)
    ]
    figures = compute_statistics(jobs, now, Ledger(), days=60)
    assert figures.jobs == len(jobs) == sum(kind.jobs for kind in figures.kinds)
    free = (JobState.REJECTED, JobState.QUEUED)
    assert figures.spent == pytest.approx(sum(job.cost or 0.0 for job in jobs if job.state not in free), abs=1e-3)
    assert sum(day.spent for day in figures.days) == pytest.approx(figures.spent, abs=1e-2)
    assert len(figures.days) == 60
