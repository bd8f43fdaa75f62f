"""The gallery: where its tiles stand, which it draws, and that it is the list seen another way."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot

from eternal_tui.jobs.model import Job, JobState
from eternal_tui.media.decode.frame import Frame
from eternal_tui.tui.gallery import Gallery, Grid, grid_for, state_caption
from eternal_tui.tui.graphics.base import Drawing, GraphicsBackend, NullGraphics
from eternal_tui.tui.graphics.half_blocks import UPPER_HALF_BLOCK, HalfBlocks
from eternal_tui.tui.graphics.kitty import KittyPlaceholders
from eternal_tui.tui.job_list.pane import JobListPane
from eternal_tui.tui.job_list.widget import JobList
from eternal_tui.tui.themes import register_themes
from tests.media.files import write_video
from tests.tui.jobs import NOW, make_job
from tests.tui.results import saved_job, write_image
from tests.tui.screens.stage import screen_text, wait_until


class CountingHalfBlocks(HalfBlocks):
    def __init__(self) -> None:
        super().__init__()
        self.render_count = 0

    def render(self, frame: Frame, *, handle: int = 0, animated: bool = False) -> Drawing:
        self.render_count += 1
        return super().render(frame, handle=handle, animated=animated)


class GalleryApp(App[None]):
    def __init__(self, jobs: Iterable[Job], folder: Path, graphics: GraphicsBackend | None = None) -> None:
        super().__init__()
        register_themes(self)
        self.theme = "eternal-dark"
        self.jobs = list(jobs)
        self.pane = JobListPane(make_gallery=lambda jobs: Gallery(jobs, graphics or HalfBlocks(), folder))
        self.messages: list[Message] = []

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        self.pane.job_list.set_jobs(self.jobs, NOW)
        self.pane.toggle_gallery()
        self.pane.focus_jobs()

    def on_job_list_open_requested(self, message: JobList.OpenRequested) -> None:
        self.messages.append(message)

    @property
    def gallery(self) -> Gallery:
        assert isinstance(self.pane.gallery, Gallery)
        return self.pane.gallery

    @property
    def current_id(self) -> int | None:
        return self.pane.job_list.current_id


async def wait_settled(pilot: Pilot[Any]) -> None:
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


@given(st.integers(2, 400), st.integers(1, 150), st.booleans(), st.integers(0, 5_000))
def test_every_tile_stands_where_a_click_finds_it(width: int, height: int, pictures: bool, tile: int) -> None:
    grid = grid_for(width, height, with_images=pictures)
    x, line = grid.tile_origin(tile)
    assert x + grid.width <= max(width, 3)
    assert grid.tile_at(x, line) == tile
    assert grid.tile_at(x + grid.width - 1, line + grid.height - 1) == tile
    assert grid.tile_at(x + grid.width, line) is None
    assert line + grid.height <= grid.line_count(tile + 1)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((78, 11), Grid(4, 18, 11, 8)),
        ((78, 22), Grid(4, 18, 11, 8)),
        ((94, 56), Grid(4, 22, 15, 12)),
        ((198, 56), Grid(7, 26, 15, 12)),
        ((18, 6), Grid(1, 18, 6, 3)),
    ],
)
def test_grids_of_usual_panes(size: tuple[int, int], expected: Grid) -> None:
    assert grid_for(*size, with_images=True) == expected


def test_a_tile_says_how_its_job_stands() -> None:
    assert state_caption(saved_job("a.png")) == "✓ saved"
    assert state_caption(make_job(state=JobState.RUNNING, progress=24)) == "◐ running 24 %"
    assert state_caption(saved_job("a.mp4")) == "✓ saved video"


@pytest.fixture(scope="module")
def ten_thousand(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Job]]:
    folder = tmp_path_factory.mktemp("results")
    first = write_image(folder / "1.png")
    for number in range(2, 10_001):
        os.link(first, folder / f"{number}.png")
    return folder, [saved_job(f"{number}.png", job_id=number) for number in range(10_000, 0, -1)]


async def test_of_ten_thousand_only_those_in_view_are_drawn(ten_thousand: tuple[Path, list[Job]]) -> None:
    folder, jobs = ten_thousand
    graphics = CountingHalfBlocks()
    app = GalleryApp(jobs, folder, graphics)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_settled(pilot)
        shown = len(app.gallery.visible_ids())
        assert graphics.render_count == shown == 8
        assert screen_text(app).count(UPPER_HALF_BLOCK) == 8 * 16 * 8
        graphics.render_count = 0
        for _ in range(200):
            app.gallery.action_go(0, 1)
        await wait_until(pilot, lambda: app.current_id == 10_000 - 200 * 4)
        await wait_settled(pilot)
        assert graphics.render_count <= 2 * shown
        await pilot.press("G")
        await wait_settled(pilot)
        assert app.current_id == 1
        assert app.gallery.visible_ids()[-1] == 1


async def test_what_is_kept_is_bounded_and_given_back(ten_thousand: tuple[Path, list[Job]]) -> None:
    folder, jobs = ten_thousand
    app = GalleryApp(jobs, folder, KittyPlaceholders((2, 4)))
    sent: list[str] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_settled(pilot)
        app.gallery._thumbnails._transmit = sent.append
        app.gallery._thumbnails._max_count = 40
        first = len(app.gallery.visible_ids())
        for _ in range(12):
            await pilot.press("pagedown")
            await wait_settled(pilot)
        made = first + sum("a=T" in one for one in sent)
        gone = sum("a=d" in one for one in sent)
        assert made - gone <= 40
        assert gone > 0
        app.pane.toggle_gallery()
        await pilot.pause()
        assert len(app.gallery._thumbnails._drawings) == 0


async def test_it_is_the_list_seen_another_way(tmp_path: Path) -> None:
    jobs = [saved_job(f"{number}.png", job_id=number, prompt=f"Scene {number % 3}") for number in range(20, 0, -1)]
    for number in range(1, 21):
        write_image(tmp_path / f"{number}.png")
    app = GalleryApp(jobs, tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_settled(pilot)
        await pilot.press("l", "j")
        assert app.current_id == 15
        await pilot.press("h", "k", "k")
        assert app.current_id == 20
        await pilot.press("space", "space")
        assert app.pane.job_list.marked_ids == {20, 19}
        assert "2 marked" in screen_text(app)
        await pilot.press("enter")
        assert [message.job_id for message in app.messages if isinstance(message, JobList.OpenRequested)] == [18]
        await pilot.press("escape", "slash", *"scene 1", "enter")
        await wait_settled(pilot)
        assert app.gallery.has_focus
        assert app.gallery.visible_ids() == [19, 16, 13, 10, 7, 4, 1]
        await pilot.press("escape", "v")
        assert app.pane.job_list.count == 20
        app.pane.toggle_gallery()
        await pilot.pause()
        assert app.pane.job_list.has_focus
        assert app.current_id == 18


async def test_matches_and_problems_are_reached_by_keys(tmp_path: Path) -> None:
    jobs = [make_job(number, prompt=f"Scene {number % 3}") for number in range(20, 0, -1)]
    jobs[4] = make_job(16, prompt="Scene 1", state=JobState.FAILED)
    app = GalleryApp(jobs, tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_settled(pilot)
        await pilot.press("exclamation_mark")
        assert app.current_id == 16
        await pilot.press("F", *"scene 2", "enter")
        await wait_settled(pilot)
        assert (app.current_id, app.gallery.has_focus) == (14, True)
        await pilot.press("n")
        assert app.current_id == 11
        await pilot.press("N", "N")
        assert app.current_id == 17


async def test_without_jobs_it_says_why(tmp_path: Path) -> None:
    app = GalleryApp([], tmp_path)
    async with app.run_test(size=(60, 20)) as pilot:
        await wait_settled(pilot)
        assert "No jobs yet. Press n to create one." in screen_text(app)
        app.pane.job_list.apply_changes([make_job(1)], NOW)
        await pilot.press("slash", *"xy")
        await wait_settled(pilot)
        assert "No job matches 'xy'. esc: clear the filter." in screen_text(app)


async def test_changes_are_drawn(tmp_path: Path) -> None:
    app = GalleryApp([make_job(1, state=JobState.RUNNING, progress=24)], tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "running 24 %" in screen_text(app)
        write_video(tmp_path / "1.mp4")
        app.pane.job_list.apply_changes([saved_job("1.mp4", job_id=1)], NOW)
        await wait_settled(pilot)
        assert "✓ saved" in screen_text(app)
        assert UPPER_HALF_BLOCK in screen_text(app)
        # The gallery has the focus: the next key must not meet another job.
        app.pane.job_list.apply_changes([make_job(2)], NOW)
        assert app.current_id == 1


async def test_words_where_nothing_can_be_drawn(tmp_path: Path) -> None:
    (tmp_path / "2.png").write_bytes(b"nothing of the kind")
    jobs = [
        saved_job("2.png", job_id=2, prompt="At the harbour"),
        make_job(1, state=JobState.FAILED, error="It could not be drawn"),
    ]
    for graphics in (HalfBlocks(), NullGraphics()):
        app = GalleryApp(jobs, tmp_path, graphics)
        async with app.run_test(size=(100, 24)) as pilot:
            await wait_settled(pilot)
            text = screen_text(app)
            assert UPPER_HALF_BLOCK not in text
            assert all(word in text for word in ("✓ saved", "harbour", "Astrid", "✗ failed", "It could not"))
