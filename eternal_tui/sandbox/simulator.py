"""Jobs of a sandbox: how long one takes, what progress it shows, how it ends; and the sample jobs of the demo."""

from __future__ import annotations

import math
import random
import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple

from eternal_tui.sandbox.faults import Fault
from eternal_tui.sandbox.settings import SandboxSettings, seeded_rng
from eternal_tui.sandbox.validation import ParsedRequest

LAST_PENDING_PROGRESS = 98
DONE_PROGRESS = 99
_COARSE_STEP_PERCENT = 20
_NOISE_STEPS = 24


class ProgressShape(StrEnum):
    """How a job's reported progress relates to the time it has run."""

    LINEAR = "linear"
    EASED = "eased"
    COARSE = "coarse"
    NOISY = "noisy"


@dataclass(slots=True)
class SandboxJob:
    """One accepted request; times are seconds of the sandbox's clock."""

    request_id: str
    request: ParsedRequest
    created_at: float
    run_seconds: float
    shape: ProgressShape
    faults: set[Fault] = field(default_factory=set)
    ended_at: float | None = None
    polls: int = 0


def progress_at(shape: ProgressShape, share: float, noise_seed: str) -> int:
    """Progress in percent after this share (0 to 1) of the job's time; never falls as the share grows."""
    share = min(max(share, 0.0), 1.0)
    percent = share * LAST_PENDING_PROGRESS
    if shape is ProgressShape.EASED:
        percent = LAST_PENDING_PROGRESS * share * share * (3 - 2 * share)
    elif shape is ProgressShape.COARSE:
        percent = percent // _COARSE_STEP_PERCENT * _COARSE_STEP_PERCENT
    elif shape is ProgressShape.NOISY:
        rng = seeded_rng(noise_seed)
        steps = [index / _NOISE_STEPS + rng.gauss(0, 0.05) for index in range(int(share * _NOISE_STEPS) + 1)]
        percent = LAST_PENDING_PROGRESS * max(0.0, *steps)
    return min(int(percent), LAST_PENDING_PROGRESS)


class JobSimulator:
    """All jobs of one sandbox, on its clock."""

    def __init__(self, settings: SandboxSettings, rng: random.Random) -> None:
        self._settings = settings
        self._rng = rng
        self._clock_offset_seconds = 0.0
        self.jobs: dict[str, SandboxJob] = {}

    def now(self) -> float:
        """Seconds since the epoch as the sandbox sees them."""
        return self._settings.clock() + self._clock_offset_seconds

    def advance(self, seconds: float) -> None:
        """Let time pass at once for jobs and links."""
        self._clock_offset_seconds += seconds

    def _random_run_seconds(self, request: ParsedRequest) -> float:
        median = self._settings.video_median_seconds if request.kind == "video" else self._settings.image_median_seconds
        return self._rng.lognormvariate(math.log(median), self._settings.duration_sigma) / self._settings.speed

    def create(self, request: ParsedRequest, faults: frozenset[Fault]) -> SandboxJob:
        """Queue a request; ids and durations follow from the seed when there is one."""
        job = SandboxJob(
            request_id=str(uuid.UUID(int=self._rng.getrandbits(128), version=4)),
            request=request,
            created_at=self.now(),
            run_seconds=self._random_run_seconds(request),
            shape=self._rng.choice(list(ProgressShape)),
            faults=set(faults),
        )
        self.jobs[job.request_id] = job
        return job

    def add_samples(self) -> None:
        """Add the sample jobs of the demo as if they had been sent before it started."""
        for sample in SAMPLE_JOBS:
            self.jobs[sample.request_id] = SandboxJob(
                request_id=sample.request_id,
                request=ParsedRequest(character=sample.character, prompt=sample.prompt, kind=sample.kind),
                created_at=self.now() - sample.age_seconds,
                run_seconds=sample.run_seconds,
                shape=ProgressShape.LINEAR,
            )

    def finish(self, request_id: str | None = None) -> None:
        """End one job, or every one, now."""
        chosen = self.jobs.values() if request_id is None else [self.jobs[request_id]]
        for job in chosen:
            if job.ended_at is None:
                job.run_seconds = min(job.run_seconds, self.now() - job.created_at)

    def has_ended(self, job: SandboxJob) -> bool:
        """Return whether the job has ended; a stuck one never does."""
        if Fault.STUCK in job.faults:
            return False
        if job.ended_at is None and self.now() >= job.created_at + job.run_seconds:
            job.ended_at = job.created_at + job.run_seconds
        return job.ended_at is not None

    def progress(self, job: SandboxJob) -> int:
        """Percent shown for a job that has not ended."""
        passed = self.now() - job.created_at
        share = passed / job.run_seconds if job.run_seconds > 0 else 1.0
        return progress_at(job.shape, share, job.request_id)


class SampleJob(NamedTuple):
    """One job: `age_seconds` before the start of the demo it was sent, and it runs for `run_seconds`.

    `state` is that of the job in the history; the answer to the unconfirmed one was lost. Those of one `batch` were
    sent together, from `template`.
    """

    request_id: str
    character: str
    name: str
    kind: Literal["image", "video"]
    prompt: str
    age_seconds: float
    run_seconds: float
    cost: float
    state: Literal["running", "unconfirmed"] = "running"
    batch: str = ""
    template: str = ""


_TEMPLATE = "{At the harbour|In the mountains|On a night train}, soft light"

SAMPLE_JOBS = (
    SampleJob(
        request_id="5a3b1c00-0000-4000-8000-000000000001",
        character="6873",
        name="Elara",
        kind="image",
        prompt="Reading by the window, rain outside",
        age_seconds=120.0,
        run_seconds=12.0,
        cost=0.04,
        state="unconfirmed",
    ),
    SampleJob(
        "5a3b1c00-0000-4000-8000-000000000002", "6873", "Elara", "video", "Waves from a small boat", 60.0, 50.0, 0.2
    ),
    *(
        SampleJob(
            request_id=f"5a3b1c00-0000-4000-8000-00000000000{number}",
            character="6870",
            name="Astrid",
            kind="image",
            prompt=prompt,
            age_seconds=20.0 - number,
            run_seconds=12.0,
            cost=0.04,
            batch="5a3b1c000000",
            template=_TEMPLATE,
        )
        for number, prompt in enumerate(
            ("At the harbour, soft light", "In the mountains, soft light", "On a night train, soft light"), 3
        )
    ),
    SampleJob(
        "5a3b1c00-0000-4000-8000-000000000006", "6876", "Julia", "video", "Dances in the evening sun", 5.0, 75.0, 0.2
    ),
)
