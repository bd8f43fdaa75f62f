"""The settings of one sandbox, and chance that repeats with a seed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

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
    """A generator that gives the same row for the same name, on every machine and in every process."""
    return random.Random(str(seed))  # noqa: S311 - drawings and made-up durations, nothing secret
