"""Jobs of a sandbox: the progress that one shows, and the sample jobs of the demo."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, NamedTuple

import msgspec

from eternal_tui.sandbox.faults import Fault
from eternal_tui.sandbox.settings import seeded_rng
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


class SandboxJob(msgspec.Struct, omit_defaults=True):
    """One accepted request; times are seconds of the sandbox's clock."""

    request_id: str
    request: ParsedRequest = msgspec.field(name="order")
    created_at: float
    run_seconds: float = msgspec.field(name="takes")
    shape: ProgressShape
    faults: set[Fault] = msgspec.field(default_factory=set)
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


_SAMPLE_ID = "5a3b1c00-0000-4000-8000-00000000000{}"
SAMPLE_JOBS = (
    SampleJob(
        _SAMPLE_ID.format(1), "6873", "Elara", "image", "Reading by the window, rain outside", 120.0, 12.0, 0.04,
        state="unconfirmed",
    ),
    SampleJob(_SAMPLE_ID.format(2), "6873", "Elara", "video", "Waves from a small boat", 60.0, 50.0, 0.2),
    *(
        SampleJob(
            _SAMPLE_ID.format(number), "6870", "Astrid", "image", f"{place}, soft light", 20.0 - number, 12.0, 0.04,
            batch="5a3b1c000000", template="{At the harbour|In the mountains|On a night train}, soft light",
        )
        for number, place in enumerate(("At the harbour", "In the mountains", "On a night train"), 3)
    ),
    SampleJob(_SAMPLE_ID.format(6), "6876", "Julia", "video", "Dances in the evening sun", 5.0, 75.0, 0.2),
)  # fmt: skip
