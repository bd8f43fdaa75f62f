"""Snapshots of the whole app: every layout, every theme, from one history at one time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

import eternal_tui.services
from eternal_tui.core.clock import Clock
from eternal_tui.history.history import History
from eternal_tui.jobs.model import FileInfo, FileState, JobState, to_record
from eternal_tui.tui.screens.main import MainScreen
from tests.tui.jobs import NOW, charged, make_job
from tests.tui.screens.stage import (
    ENVIRON_WITH_KEY,
    SnapCompare,
    make_app,
    make_services,
    open_app,
    screen_text,
    wait_idle,
    wait_until,
)


class FrozenClock(Clock):
    """A wall clock that does not move."""

    def time(self) -> float:
        return NOW


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A history of one of everything, in UTC, at a moment that does not pass; a short name, for it may be shown."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr(eternal_tui.services, "Clock", FrozenClock)
    history = History.open(tmp_path / "data")
    history.add_many([_record(each) for each in reversed(JOBS)])
    history.close(compact=True)
    yield tmp_path
    monkeypatch.undo()
    time.tzset()


FACTS = FileInfo(bytes=91_000, width=768, height=1024, codec="jpeg")
PROMPTS = ("At the harbour, early morning", "Reading under a lamp while it snows", "Dancing slowly in evening light")
JOBS: list[dict[str, Any]] = [
    {"state": JobState.RUNNING, "progress": 68, "watched": False, "submitted_at": NOW - 41, "kind": "video"},
    {"state": JobState.UNCONFIRMED, "prompt": "In a rain coat", "finished_at": NOW - 80},
    {
        "state": JobState.SUCCEEDED, "file_state": FileState.SAVED, "cost": 0.04, "credits_after": 629.32,
        "credits_before": 629.36,
        "submitted_at": NOW - 138, "finished_at": NOW - 100, "file_info": FACTS, "starred": True, "tags": ("cover",),
        "request_id": "4f1c2d7e-8a55-4a60-9d5c-0a4f6c1b2e33", "name": "Elara", "prompt": PROMPTS[0], "progress": 100,
        "note": "The light is right; take the second one too.",
    },
    {"state": JobState.FAILED, "error": "The prompt could not be drawn.", "cost": 0.2, "finished_at": NOW - 400},
    {"state": JobState.REJECTED, "error": "No credits are left.", "finished_at": NOW - 500, "name": "Julia"},
    *(
        {
            "state": JobState.SUCCEEDED, "file_state": FileState.SAVED, **charged(0.04), "prompt": PROMPTS[n % 3],
            "submitted_at": NOW - 4_000 * n - 640, "finished_at": NOW - 4_000 * n - 600, "progress": 100,
            "name": ("Astrid", "Elara", "Julia")[n % 3], "file_info": FACTS, "created_at": NOW - 4_000 * n - 640,
        }
        for n in range(12)
    ),
]  # fmt: skip


def _record(fields: dict[str, Any]) -> dict[str, Any]:
    job = make_job(1, **fields)
    return to_record(msgspec.structs.replace(job, service="loopback"))


KEYS = {"list": "", "gallery": "v", "statistics": "I", "detail": "3zJ", "drawer": "e", "zoomed list": "z", "queue": "g"}
SIZES = [(140, 40), (100, 30), (80, 24), (60, 20)]
CASES = [
    *(("list", size, "eternal-dark") for size in [(200, 50), *SIZES, (60, 50)]),
    *(
        (view, size, "eternal-dark")
        for view in ("gallery", "statistics", "detail", "queue")
        for size in [(200, 60), *SIZES]
    ),
    *((view, (80, 24), "eternal-dark") for view in ("drawer", "zoomed list")),
    *(("list", (100, 30), f"eternal-{name}") for name in ("light", "contrast", "ansi", "mono")),
]


@pytest.mark.parametrize(
    ("view", "size", "theme"), CASES, ids=[f"{view} {size[0]}x{size[1]} {theme[8:]}" for view, size, theme in CASES]
)
def test_looks(snap_compare: SnapCompare, folder: Path, view: str, size: tuple[int, int], theme: str) -> None:
    if view == "queue":
        add_queued_jobs(folder)
    services = make_services(folder, theme=theme)
    app = make_app(services, ENVIRON_WITH_KEY)

    async def before(pilot: Pilot[None]) -> None:
        await wait_idle(pilot)
        assert isinstance(app.screen, MainScreen)
        await app.screen.form_pane.mount_form()
        for key in ("j", "j", *KEYS[view]):
            if key == "I":  # what is below a dialog is drawn as it was when the dialog opened
                await wait_until(pilot, lambda: "left after" in screen_text(app))
                await wait_until(pilot, lambda: size[0] < 200 or "~0.76 total" in screen_text(app))
            await pilot.press(key)
            await pilot.pause()
        # The form is next to the list, or in the open drawer.
        if (size[0] >= 140 and view not in ("zoomed list", "detail")) or view == "drawer":
            await wait_until(pilot, lambda: "Count" in screen_text(app))
        if view == "statistics":
            await wait_until(pilot, lambda: "p50" in screen_text(app) and "2023-11-14" in screen_text(app))
        for line in app.screen.query(Input):
            line.cursor_blink = False
        app.clear_notifications()
        await wait_idle(pilot)

    assert snap_compare(app, terminal_size=size, run_before=before)


def add_queued_jobs(folder: Path) -> None:
    history = History.open(folder / "data")
    queued = {"state": JobState.QUEUED, "cost": 0.04, "created_at": NOW - 30}
    history.add_many(_record({**queued, "prompt": PROMPTS[1], "batch": "b", "batch_index": n + 1}) for n in range(10))
    history.add_many(_record({**queued, "prompt": prompt, "name": "Julia"}) for prompt in PROMPTS[:2])
    history.close(compact=True)


async def test_the_split_is_restored_and_closes_no_pane(tmp_path: Path) -> None:
    heights = []
    stored = tmp_path / "data" / "layout.json"
    for keys in ((">", ">"), (), ("<",) * 12, ()):
        async with open_app(make_services(tmp_path), size=(80, 40)) as (screen, pilot):
            await pilot.press(*keys)
            await wait_idle(pilot)
            heights.append((screen.job_pane.size.height, screen.detail_pane.size.height))
    assert heights[0] == heights[1]
    assert heights[2] == heights[3]
    assert heights[0][0] > heights[0][1] > 5
    assert 3 < heights[2][0] < heights[2][1]
    assert stored.stat().st_mode & 0o777 == 0o600
    stored.write_text("[")
    async with open_app(make_services(tmp_path)):
        pass
