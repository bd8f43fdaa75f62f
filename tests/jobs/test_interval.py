"""When to look: bounds that hold whatever comes in, and the figures that the cadence is for."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eternal_tui.estimation.durations import MAX_LEARNED_SECONDS, DurationEstimator, DurationModel, JobKind
from eternal_tui.estimation.interval import (
    IMMEDIATE_RESUME_COUNT,
    MAX_WAIT_SECONDS,
    MIN_WAIT_SECONDS,
    RESUMED_POLLS_PER_SECOND,
    backoff_seconds,
    estimate_remaining,
    next_poll,
    resume_delay,
    stalled_wait,
)
from eternal_tui.estimation.progress import Observation
from tests.benchmarks.cadence_simulation import ATTENTION, NAMED, UNNAMED, bound, simulate

any_floats = st.floats(allow_nan=False)
ages = st.floats(0, 1e5)
models = st.builds(DurationModel, mu=st.floats(0, 7), sigma=st.floats(0.1, 1.5), job_count=st.integers(0, 64))
hostile_sightings = st.lists(st.builds(Observation, age=any_floats, progress=st.none() | st.integers()), max_size=20)

VIDEO = JobKind("video", duration=5)


def learned_durations(median: float, *, n: int = 30, sigma: float = 0.3, kind: JobKind = VIDEO) -> DurationEstimator:
    chance, durations = random.Random(3), DurationEstimator()
    for _ in range(n):
        end = median * chance.lognormvariate(0, sigma)
        durations.learn(kind, end * 1.02, last_running_age=end * 0.95)
    return durations


@given(age=any_floats, sightings=hostile_sightings, model=models, weight=st.floats(0.01, 100))
def test_waits_and_estimates_are_within_bounds(
    age: float, sightings: list[Observation], model: DurationModel, weight: float
) -> None:
    wait = next_poll(age=age, observations=sightings, model=model, lateness_weight=weight)
    assert MIN_WAIT_SECONDS <= wait <= MAX_WAIT_SECONDS
    left = estimate_remaining(age=age, observations=sightings, model=model)
    assert left is None or (0 <= left < math.inf)


@given(age=st.floats(0, 600), model=models)
def test_next_poll_is_sooner_with_more_attention(age: float, model: DurationModel) -> None:
    """Costs within a hundredth of a poll count as equal."""
    hidden = next_poll(age=age, observations=[], model=model, lateness_weight=0.3)
    watched = next_poll(age=age, observations=[], model=model, lateness_weight=3)
    assert watched <= hidden * 1.1 + 0.1


@pytest.mark.parametrize(
    "progress",
    [
        pytest.param(lambda _at: 0, id="never moves"),
        pytest.param(lambda _at: None, id="null"),
        pytest.param(lambda at: min(int(at), 99), id="sticks at 99"),
        pytest.param(lambda at: 90 - int(at) % 60, id="runs backwards"),
        pytest.param(lambda at: 99 if int(at) % 2 else 1, id="jumps"),
        pytest.param(lambda at: 10**9 if int(at) % 3 else -5, id="out of range"),
        pytest.param(lambda at: int(100 * at / (at + 30)), id="nears its end for ever"),
    ],
)
@pytest.mark.parametrize("weight", [1.0, 4.0, 100.0])
def test_endless_job_is_polled_ever_less(progress: object, weight: float) -> None:
    """Half an hour of a job whose kind takes a minute."""
    assert callable(progress)
    model = learned_durations(60).model(VIDEO)
    sightings: list[Observation] = []
    at = 0.0
    while at < 1800:
        at += next_poll(age=at, observations=sightings, model=model, lateness_weight=weight)
        sightings.append(Observation(at, progress(at)))
    assert len(sightings) <= 90
    assert next_poll(age=at, observations=sightings, model=model, lateness_weight=weight) == MAX_WAIT_SECONDS


def test_waits_grow_smoothly_beyond_learned_durations() -> None:
    model = learned_durations(12).model(VIDEO)
    waits = [
        next_poll(
            age=age, observations=[Observation(age * share, None) for share in (0.5, 1)], model=model, lateness_weight=1
        )
        for age in (20, 40, 80, 160, 320, 640, 1280)
    ]
    assert all(0.8 * sooner <= later <= 3 * sooner for sooner, later in pairwise(waits))
    assert waits[-1] > 15


def test_linear_progress_predicts_the_end() -> None:
    durations = learned_durations(60)
    for _ in range(5):
        durations.learn_job(VIDEO, [Observation(20.0, 33), Observation(42.0, 70), Observation(59.6, 99)], 60.1)
    model = durations.model(VIDEO)
    sightings = [Observation(0.0, 0), Observation(30.0, 40)]
    wait = next_poll(age=30, observations=sightings, model=model, lateness_weight=1)
    left = estimate_remaining(age=30, observations=sightings, model=model)
    assert 41 <= wait <= 45
    assert left is not None
    assert 42 <= left <= 46


def test_estimate_remaining_is_none_without_knowledge() -> None:
    assert estimate_remaining(age=5, observations=[], model=DurationEstimator().model(VIDEO)) is None
    assert estimate_remaining(age=900, observations=[], model=learned_durations(60).model(VIDEO)) is None
    assert estimate_remaining(age=5, observations=[], model=learned_durations(60).model(VIDEO)) == pytest.approx(
        55, rel=0.15
    )


def poll_goals(media: str, shape: str) -> tuple[float, float]:
    """Return the most polls a job and seconds late."""
    if shape == "linear":
        return (4, 0.8) if media == "video" else (3, 0.4)
    return (6, 1.5) if media == "video" else (4, 1.2)


SHAPES = {**NAMED, **UNNAMED}
CASES = [
    *(
        (shape, media, 200, *poll_goals(media, shape), {})
        for media in ("image", "video")
        for shape in (*NAMED, "steps of 25", "noisy, never falling")
        if shape != "none"
    ),
    # It looks linear at first.
    ("linear to 98", "image", 150, 3, 0.3, {}),
    *(("linear", "video", 100, 40, 0.3, {"weight": weight, "max_wait": wait}) for weight, wait in ATTENTION.values()),
]


@pytest.mark.parametrize(("shape", "media", "jobs", "looks", "late", "options"), CASES)
def test_polls_and_lateness_with_progress(
    shape: str, media: str, jobs: int, looks: float, late: float, options: dict[str, float]
) -> None:
    found = simulate(SHAPES[shape], media, jobs, **options)  # type: ignore[arg-type]
    assert found.looks <= looks
    assert found.late <= late


@pytest.mark.parametrize("shape", ["none", "always 0"])
@pytest.mark.parametrize("media", ["image", "video"])
def test_polls_and_lateness_without_progress_are_near_the_bound(media: str, shape: str) -> None:
    found = simulate(SHAPES[shape], media, 500)
    assert found.cost <= 1.15 * bound(media).cost


@pytest.mark.parametrize("shape", [*NAMED, *UNNAMED])
@pytest.mark.parametrize("media", ["image", "video"])
def test_first_ten_jobs_are_polled_reasonably(media: str, shape: str) -> None:
    """Ten first jobs, five times over: never many looks, never very late, whatever progress does."""
    runs = [simulate(SHAPES[shape], media, 10, seed=seed) for seed in range(5)]
    looks = sum(run.looks for run in runs) / 5
    late = sum(run.late for run in runs) / 5
    most_looks, most_late = {"image": (4, 3), "video": (7, 6)}[media]
    misled = 1 if shape in NAMED else 2
    assert looks <= misled * most_looks
    assert late <= misled * most_late


def test_durations_find_median_and_spread() -> None:
    model = learned_durations(90, n=60, sigma=0.25).model(VIDEO)
    assert model.median == pytest.approx(90, rel=0.1)
    assert model.sigma == pytest.approx(0.25, abs=0.08)
    assert model.job_count == 60


def test_unseen_kind_uses_kinds_of_its_type_only() -> None:
    durations = learned_durations(200)
    sibling, stranger = durations.model(JobKind("video", duration=4)), durations.model(JobKind("image"))
    assert sibling.job_count == 0
    assert 120 <= sibling.median <= 210
    assert stranger.median == DurationEstimator().model(JobKind("image")).median


def test_outlier_changes_little() -> None:
    """A laptop that slept for hours."""
    durations = learned_durations(60)
    before = durations.model(VIDEO)
    durations.learn(VIDEO, 8 * 3600.0, last_running_age=40.0)
    durations.learn(VIDEO, 8 * 3600.0, last_running_age=8 * 3600.0 - 1)
    after = durations.model(VIDEO)
    assert after.median == pytest.approx(before.median, rel=0.1)
    assert after.sigma < before.sigma + 0.15


@given(st.lists(st.tuples(st.none() | any_floats, any_floats, hostile_sightings)))
def test_learning_accepts_any_job(jobs: list[tuple[float | None, float, list[Observation]]]) -> None:
    durations = DurationEstimator()
    for since, seconds, sightings in jobs:
        durations.learn(VIDEO, seconds, last_running_age=since)
        durations.learn_job(VIDEO, sightings, seconds)
    model = durations.model(VIDEO)
    assert math.isfinite(model.mu)
    assert 0 < model.sigma < 20
    assert model.median < 2 * MAX_LEARNED_SECONDS
    assert all(0 <= weight <= 2 for weight in model.curve_weights)


def test_curve_is_learned_and_unlearned() -> None:
    durations = DurationEstimator()
    for _ in range(20):
        durations.learn_job(VIDEO, [Observation(20.0, 10), Observation(40.0, 60)], 61.0)
    sure = durations.model(VIDEO).curve_weights
    for at in range(12):
        durations.learn_job(VIDEO, [Observation(30.0 + at, 0), Observation(50.0 + at, 0)], 61.0)
    assert sure[0] < 0.01
    assert durations.model(VIDEO).curve_weights[0] > 0.9


@given(st.integers(1, 3000))
def test_resume_delay_respects_the_rate(total: int) -> None:
    delays = [resume_delay(index) for index in range(total)]
    assert delays == sorted(delays)
    assert delays.count(0.0) == min(total, IMMEDIATE_RESUME_COUNT)
    later = delays[IMMEDIATE_RESUME_COUNT:]
    assert all(b - a >= 0.999 / RESUMED_POLLS_PER_SECOND for a, b in pairwise(later))


def test_waits_of_stalled_and_failing_jobs() -> None:
    assert [stalled_wait(age) for age in (0, 1800, 3600, 7200, math.inf)] == [30, 30, 60, 120, 120]
    assert [backoff_seconds(n) for n in (0, 1, 2, 3, 4, 5, 6, 10**9)] == [1, 1, 2, 4, 8, 16, 30, 30]
