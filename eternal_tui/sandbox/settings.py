"""The settings of one sandbox, random numbers that repeat with a seed, and the sample jobs of the demo."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

if TYPE_CHECKING:
    from eternal_tui.sandbox.faults import FaultRule


DEMO_KEY = "sandbox-demo-key"


class SandboxSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings; the defaults are those of the demo.

    Durations are seconds of the given clock before division by ``speed``. The medians and the spread of the
    job durations come from the service's own guidance on how long a picture and a clip usually take.

    ``image_size`` and ``video_size`` are pixels (clips need even ones). ``prerender`` draws results while their jobs
    still run; without it they are drawn when first asked for. ``retry_after`` is sent as written, or not at all when
    empty. ``slow_seconds`` are real ones. ``strict`` refuses fields that apply to the other type. A ``key`` that
    begins with ``sk_`` is refused in ``x-api-key``, as the service does.
    """

    key: str = DEMO_KEY
    strict: bool = False
    credits: float = 629.36
    speed: float = 1.0
    seed: int | None = None
    state_file: Path | None = None
    api_port: int = 0
    cdn_port: int = 0
    clock: Callable[[], float] = time.time
    image_median_seconds: float = 12.0
    video_median_seconds: float = 60.0
    duration_sigma: float = 0.35
    link_lifetime_seconds: float = 24 * 3600.0
    image_size: tuple[int, int] = (768, 1024)
    video_size: tuple[int, int] = (480, 720)
    video_fps: int = 24
    avatar_size: tuple[int, int] = (256, 256)
    prerender: bool = False
    sample_jobs: bool = False
    cache_bytes: int = 64 * 1024 * 1024
    faults: tuple[FaultRule, ...] = ()
    retry_after: str = "2"
    slow_seconds: float = 8.0
    huge_body_bytes: int = 64 * 1024 * 1024
    hostile_text: str = (
        "\x1b]0;owned\x07\x1b[31m\x9b2J[bold red][@click=app.quit]free credits[/]\u202egpj.exe\u200b\x00\x7f"
    )


def seeded_rng(seed: object) -> random.Random:
    """Return a generator of the same numbers for the same seed, on every machine and in every process."""
    return random.Random(str(seed))  # noqa: S311 - drawings and made-up durations, nothing secret


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
