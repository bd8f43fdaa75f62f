"""Fetching from storages that behave, and from those that do not."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import stat
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from eternal_tui.media.errors import BrokenFile, DiskFull, LinkExpired, LinkRefused, NotReachable, ResultError
from eternal_tui.media.fetch import ResultFetcher
from eternal_tui.media.limits import FetchLimits
from tests.media.server import Asked, answers, head, storage


class Naps:
    """Stands where sleeping would be and notes how long it was to be."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


@asynccontextmanager
async def fetcher(
    results: Path, limits: FetchLimits | None = None, **options: Any
) -> AsyncIterator[ResultFetcher]:
    made = ResultFetcher(results, limits, **({"public": False, "environ": {}, "sleep": Naps()} | options))
    try:
        yield made
    finally:
        await made.close()


def listing(results: Path) -> list[str]:
    return sorted(entry.name for entry in results.iterdir())


async def test_a_picture_is_saved_whole_private_and_under_our_own_name(tmp_path: Path, jpeg: bytes) -> None:
    results = tmp_path / "results"
    async with storage(answers(jpeg)) as host, fetcher(results) as fetch:
        saved = await fetch.fetch(host.url(), name="0000012", expect="image")
    assert saved.path == results / "0000012.jpg"
    assert saved.path.read_bytes() == jpeg
    assert (saved.kind, saved.bytes, saved.width, saved.height) == ("image", len(jpeg), 96, 64)
    assert (saved.codec, saved.sha256) == ("jpeg", hashlib.sha256(jpeg).hexdigest())
    assert stat.S_IMODE(saved.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(results.stat().st_mode) == 0o700
    assert listing(results) == ["0000012.jpg"]


async def test_a_clip_is_saved_with_its_facts(tmp_path: Path, clip: bytes) -> None:
    async with storage(answers(clip)) as host, fetcher(tmp_path) as fetch:
        saved = await fetch.fetch(host.url(), name="7", expect="video")
    assert saved.path.name == "7.mp4"
    assert (saved.kind, saved.width, saved.height, saved.codec) == ("video", 96, 64, "h264")
    assert (saved.seconds, saved.has_sound) == (pytest.approx(1.0), False)
